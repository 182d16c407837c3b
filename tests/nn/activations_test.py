"""Activations against NumPy and a naive loop."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import stats

from overfit.nn import activations


def naive_maxout(z, pieces):
    width = z.shape[-1] // pieces
    out = np.full((z.shape[0], width), -np.inf)
    for row in range(z.shape[0]):
        for unit in range(width):
            for piece in range(pieces):
                out[row, unit] = max(out[row, unit], z[row, piece * width + unit])
    return out


class ActivationsTest(chex.TestCase):
    @parameterized.named_parameters(
        ('relu', activations.relu, lambda z: np.where(z > 0, z, 0), lambda z: z > 0),
        ('tanh', activations.tanh, np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        (
            'leaky',
            activations.leaky_relu,
            lambda z: np.where(z > 0, z, 0.01 * z),
            lambda z: np.where(z > 0, 1, 0.01),
        ),
        (
            'gelu',
            activations.gelu,
            lambda z: z * stats.norm.cdf(z),
            lambda z: stats.norm.cdf(z) + z * stats.norm.pdf(z),
        ),
        ('sigmoid', activations.sigmoid, lambda z: 1 / (1 + np.exp(-z)), lambda z: 1 / (2 + 2 * np.cosh(z))),
    )
    def test_value_and_slope(self, activation, value, slope):
        z = np.linspace(-6, 6, 40, dtype=np.float32)
        self.assertEqual(activation.pieces, 1)
        np.testing.assert_allclose(activation.apply(z), value(z), atol=1e-6)
        np.testing.assert_allclose(jax.vmap(jax.grad(activation.apply))(z), slope(z), atol=1e-6)

    @parameterized.parameters(2, 3, 5)
    def test_maxout_against_a_loop(self, pieces):
        z = np.random.default_rng(0).normal(size=(7, pieces * 4)).astype(np.float32)
        activation = activations.maxout(pieces)
        self.assertEqual(activation.pieces, pieces)
        np.testing.assert_array_equal(activation.apply(z), naive_maxout(z, pieces).astype(np.float32))
        slope = jax.grad(lambda z: activation.apply(z).sum())(jnp.asarray(z))
        largest = np.tile(naive_maxout(z, pieces), pieces)
        np.testing.assert_array_equal(slope, largest == z)

    def test_what_never_falls_says_so(self):
        z = np.linspace(-6, 6, 201, dtype=np.float32)
        for one in (activations.relu, activations.leaky_relu, activations.tanh, activations.gelu):
            falls = bool((np.diff(one.apply(z)) < 0).any())
            self.assertEqual(one.monotone, not falls, one.name)

    def test_names(self):
        names = [
            a.name for a in (activations.relu, activations.tanh, activations.sigmoid, activations.maxout(2))
        ]
        self.assertEqual(names, ['relu', 'tanh', 'sigmoid', 'maxout 2'])

    def test_equal_arguments_give_the_same_hashable(self):
        self.assertEqual(activations.maxout(3), activations.maxout(pieces=3))
        self.assertEqual(hash(activations.maxout(3)), hash(activations.maxout(3)))
        self.assertNotEqual(activations.maxout(3), activations.maxout(2))

    @parameterized.parameters(1, 0, -2, 2.5, '3')
    def test_too_few_pieces(self, pieces):
        with self.assertRaisesRegex(ValueError, 'whole number of pieces, 2 or more'):
            activations.maxout(pieces)

    def test_pieces_that_do_not_divide(self):
        with self.assertRaisesRegex(ValueError, 'multiple of 2 .* given 5'):
            activations.maxout(2).apply(jnp.zeros((3, 5)))
