"""Harmonic filters against SciPy's cosine transform and a loop."""

import chex
import jax
import numpy as np
from absl.testing import parameterized
from scipy import fft

from overfit.nn import filters


class HarmonicTest(chex.TestCase):
    @parameterized.parameters(2, 3, 5)
    def test_the_basis_is_scipys(self, size):
        patch = np.random.default_rng(0).normal(size=(size, size))
        found = np.einsum('ij,ijk->k', patch, filters.harmonic_filters(size))
        np.testing.assert_allclose(found, fft.dctn(patch, norm='ortho').ravel(), atol=1e-5)

    def test_every_pixel_has_the_transform_of_its_neighbourhood(self):
        x = np.random.default_rng(1).normal(size=(2, 5, 6, 2)).astype(np.float32)
        found = np.asarray(filters.harmonic(x)).reshape(2, 5, 6, 2, 9)
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        for row, column, channel in ((0, 0, 0), (2, 3, 1), (4, 5, 0)):
            patch = padded[1, row : row + 3, column : column + 3, channel]
            wanted = fft.dctn(patch, norm='ortho').ravel()
            np.testing.assert_allclose(found[1, row, column, channel], wanted, atol=1e-5)

    def test_a_population(self):
        x = np.random.default_rng(2).normal(size=(3, 2, 4, 4, 1)).astype(np.float32)
        np.testing.assert_allclose(jax.vmap(filters.harmonic)(x)[1], filters.harmonic(x[1]), atol=1e-5)
