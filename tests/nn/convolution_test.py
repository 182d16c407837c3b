"""Convolution and pooling against XLA's, their gradients too, alone and as a population."""

import re
from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit.nn import convolution

LAYOUT = ('NHWC', 'HWIO', 'NHWC')


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def xla(x, kernel):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=LAYOUT)


def through_windows(x, kernel):
    """The form that accelerators use."""
    return convolution.windows(x, *kernel.shape[:2]) @ kernel.reshape(-1, kernel.shape[-1])


def slopes(function, weights):
    """Gradients by input and kernel of a loss in which every output counts differently."""
    return jax.grad(lambda *inputs: jnp.sum(weights * jnp.sin(function(*inputs))), (0, 1))


class ConvolveTest(chex.TestCase):
    @parameterized.parameters(
        ((3, 8, 8, 1), (3, 3), 4),
        ((2, 7, 9, 3), (5, 5), 4),
        ((2, 6, 5, 2), (2, 2), 4),
        ((2, 1, 4, 3), (3, 3), 4),
        ((2, 6, 5, 1), (3, 3), 32),
        ((2, 7, 9, 5), (5, 5), 3),
        ((2, 6, 5, 5), (2, 2), 4),
        ((2, 7, 9, 3), (2, 5), 4),
        ((2, 7, 9, 6), (4, 1), 3),
        ((2, 1, 9, 6), (1, 3), 4),
        ((2, 1, 9, 6), (1, 4), 4),
        ((2, 1, 2, 3), (1, 5), 4),
    )
    def test_values_and_gradients_are_xlas(self, shape, size, channels):
        x, kernel = normal(*shape), normal(*size, shape[-1], channels, seed=1)
        weights = normal(*shape[:3], channels, seed=2)
        for function in (convolution.convolve, through_windows):
            np.testing.assert_allclose(function(x, kernel), xla(x, kernel), atol=1e-4)
            found, wanted = (slopes(f, weights)(x, kernel) for f in (function, xla))
            chex.assert_trees_all_close(found, wanted, atol=1e-4)

    @parameterized.parameters((16, 2), (12, 3), (6, 3), (7, 0))
    def test_a_large_gradient_by_the_kernel_is_taken_in_parts(self, images, parts):
        x, kernel = normal(images, 5, 5, 3), normal(3, 3, 3, 2, seed=1)
        weights = normal(images, 5, 5, 2, seed=2)
        with mock.patch.object(convolution, '_CACHE', 0):
            found = slopes(convolution.convolve, weights)(x, kernel)
            program = str(jax.make_jaxpr(slopes(convolution.convolve, weights))(x, kernel))
        self.assertEqual([int(n) for n in re.findall(r'length=(\d+)', program)], [parts] * (parts > 0))
        chex.assert_trees_all_close(found, slopes(xla, weights)(x, kernel), atol=1e-4)

    @parameterized.parameters((0, 0), (0, None), (None, 0))
    def test_a_population_is_its_nets(self, of_x, of_kernel):
        x, kernel = normal(3, 2, 6, 6, 2), normal(3, 3, 3, 2, 4, seed=1)
        self.check_population(convolution.convolve, x, kernel, (of_x, of_kernel))

    @parameterized.parameters((0, 0), (0, None), (None, 0))
    def test_a_population_over_sequences_is_its_nets(self, of_x, of_kernel):
        x, kernel = normal(3, 2, 9, 6), normal(3, 4, 6, 5, seed=1)
        self.check_population(convolution.convolve_1d, x, kernel, (of_x, of_kernel))

    def check_population(self, convolve, x, kernel, axes):
        weights = normal(*x.shape[1:-1], kernel.shape[-1], seed=2)
        inputs = [a if axis == 0 else a[0] for a, axis in zip((x, kernel), axes, strict=True)]
        for function in (convolve, slopes(convolve, weights)):
            together = jax.jit(jax.vmap(function, in_axes=axes))(*inputs)
            for n in range(3):
                alone = function(*(a[n] if axis == 0 else a for a, axis in zip(inputs, axes, strict=True)))
                chex.assert_trees_all_close(jax.tree.map(lambda a, n=n: a[n], together), alone, atol=1e-5)

    def test_sequences_against_a_loop(self):
        x, kernel = normal(2, 7, 3), normal(4, 3, 5, seed=1)
        wanted = np.zeros((2, 7, 5))
        for i in range(7):
            for n in range(4):
                if 0 <= i + n - 1 < 7:
                    wanted[:, i] += x[:, i + n - 1] @ kernel[n]
        np.testing.assert_allclose(convolution.convolve_1d(x, kernel), wanted, atol=1e-5)

    @parameterized.parameters(3, 4)
    def test_values_and_gradients_of_sequences_are_xlas(self, width):
        x, kernel, weights = normal(3, 8, 6), normal(width, 6, 5, seed=1), normal(3, 8, 5, seed=2)

        def reference(x, kernel):
            layout = ('NWC', 'WIO', 'NWC')
            return jax.lax.conv_general_dilated(x, kernel, (1,), 'SAME', dimension_numbers=layout)

        np.testing.assert_allclose(convolution.convolve_1d(x, kernel), reference(x, kernel), atol=1e-4)
        found, wanted = (slopes(f, weights)(x, kernel) for f in (convolution.convolve_1d, reference))
        chex.assert_trees_all_close(found, wanted, atol=1e-4)

    def test_the_gradient_has_a_gradient(self):
        x, kernel = normal(2, 5, 5, 2), normal(3, 3, 2, 3, seed=1)

        def squared_slope(function):
            slope = jax.grad(lambda k: jnp.sum(jnp.sin(function(x, k))))
            return jax.grad(lambda k: jnp.sum(slope(k) ** 2))

        chex.assert_trees_all_close(
            squared_slope(convolution.convolve)(kernel), squared_slope(xla)(kernel), rtol=1e-3, atol=1e-2
        )


class MaxPoolTest(chex.TestCase):
    def test_values_and_gradients_are_those_of_a_reduced_window(self):
        x, weights = normal(2, 6, 8, 3), normal(2, 3, 4, 3, seed=1)
        window = (1, 2, 2, 1)

        def reference(x):
            return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, 'VALID')

        np.testing.assert_array_equal(convolution.max_pool(x), reference(x))
        found, wanted = (
            jax.grad(lambda x, f=f: jnp.sum(weights * f(x)))(x) for f in (convolution.max_pool, reference)
        )
        np.testing.assert_allclose(found, wanted, atol=1e-6)

    def test_pixels_that_tie_share_the_gradient(self):
        x = np.zeros((1, 2, 2, 1), np.float32)
        x[0, 0, 0], x[0, 1, 1] = 3, 3
        found = jax.grad(lambda x: jnp.sum(convolution.max_pool(x)))(x)
        np.testing.assert_array_equal(found[0, :, :, 0], [[0.5, 0], [0, 0.5]])
