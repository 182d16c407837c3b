"""Histograms of gradients in a net against those on the host."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit.data import gradients
from overfit.nn import histograms


def images(*shape, seed=0):
    return np.random.default_rng(seed).random(shape).astype(np.float32)


class OrientedGradientsTest(chex.TestCase):
    @parameterized.product(signed=(False, True), channels=(1, 3), orientations=(1, 6, 9))
    def test_against_the_host(self, signed, channels, orientations):
        x, scales = images(4, 16, 12, channels), ((3, 2), (5, 4))
        found = histograms.oriented_gradients(x, scales, orientations=orientations, signed=signed)
        wanted = gradients.describe(x, scales, orientations=orientations, signed=signed)
        np.testing.assert_allclose(found, wanted, atol=1e-6)

    def test_a_flat_image_has_no_edges(self):
        found = histograms.oriented_gradients(jnp.ones((2, 8, 8, 1)), ((2, 2),))
        np.testing.assert_array_equal(found, np.zeros_like(found))

    def test_brightness_and_contrast_do_not_matter(self):
        x = images(3, 16, 16, 1)
        a, b = (histograms.standardised_gradients(one) for one in (x, 3 * x - 1))
        np.testing.assert_allclose(a, b, atol=1e-3)
        np.testing.assert_allclose(a.mean(-1), np.zeros(3), atol=1e-5)
        np.testing.assert_allclose(jnp.square(a).mean(-1), np.ones(3), rtol=1e-4)

    def test_a_population(self):
        x = images(2, 3, 8, 8, 1)
        found = jax.jit(jax.vmap(histograms.standardised_gradients))(x)
        np.testing.assert_allclose(found[1], histograms.standardised_gradients(x[1]), atol=1e-4)

    @parameterized.parameters((28, 28), (16, 16), (8, 8), (32, 64), (12, 40))
    def test_cells_fit_the_image(self, height, width):
        for rows, columns in histograms.cells_for(height, width):
            self.assertBetween(rows, 1, height)
            self.assertBetween(columns, 1, width)
