"""Harmonic filters against SciPy's cosine transform and a loop; whitening by what it is for."""

import chex
import jax
import numpy as np
from absl.testing import parameterized
from scipy import fft

from overfit.nn import convolution, filters, first, models


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

    def test_normalised_responses_have_mean_square_1(self):
        x = np.random.default_rng(3).normal(size=(30, 8, 8, 2)).astype(np.float32) + 2
        sizes = filters.response_sizes(x, floor=0.0)
        found = np.asarray(filters.normalised_harmonic(x, sizes))
        np.testing.assert_allclose(np.square(found).mean((0, 1, 2)), 1, rtol=1e-4)
        np.testing.assert_allclose(found * np.asarray(sizes), filters.harmonic(x), rtol=1e-4, atol=1e-5)

    def test_nothing_to_measure_is_no_infinity(self):
        zeros = np.zeros((2, 5, 5, 1), np.float32)
        self.assertTrue(np.isfinite(filters.normalised_harmonic(zeros, filters.response_sizes(zeros))).all())

    def test_a_net_mixes_them_pixel_by_pixel(self):
        net = models.CNN(3, channels=(4, 5), widths=(), first=first.harmonic)
        x = np.zeros((1, 8, 8, 2), np.float32)
        shapes = jax.eval_shape(lambda x: net.init(jax.random.key(0), x, train=False), x)
        kernels = [shapes['params'][f'ConvBlock_{n}']['kernel'].shape for n in range(2)]
        self.assertEqual(kernels, [(1, 1, 18, 4), (3, 3, 4, 5)])

    def test_a_population(self):
        x = np.random.default_rng(2).normal(size=(3, 2, 4, 4, 1)).astype(np.float32)
        np.testing.assert_allclose(jax.vmap(filters.harmonic)(x)[1], filters.harmonic(x[1]), atol=1e-5)


class WhiteningTest(chex.TestCase):
    def images(self):
        """Smooth images, whose neighbouring pixels go together."""
        noise = np.random.default_rng(0).normal(size=(20, 9, 8, 2))
        smooth = noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2) + 0.5 * noise[..., ::-1]
        return (smooth / smooth.std()).astype(np.float32)

    @parameterized.parameters((2, 5e-4), (3, 0.2))
    def test_what_filters_find_is_white(self, size, floor):
        x = self.images()
        kernel = filters.whitening_filters(x, size=size, floor=floor)
        found = np.float64(convolution.convolve(x, kernel)).reshape(-1, kernel.shape[-1])
        moments = found.T @ found / len(found)
        wanted = self.moments(x, size)
        values = np.linalg.eigvalsh(wanted)[::-1]
        np.testing.assert_allclose(moments, np.diag(values / (values + floor)), atol=2e-3)

    def moments(self, x, size):
        """Second moments of all patches, one by one."""
        before = (size - 1) // 2
        around = ((0, 0), (before, size - 1 - before), (before, size - 1 - before), (0, 0))
        padded, total, count = np.pad(np.float64(x), around), 0, 0
        for image in padded:
            for row in range(x.shape[1]):
                for column in range(x.shape[2]):
                    patch = image[row : row + size, column : column + size].ravel()
                    total, count = total + np.outer(patch, patch), count + 1
        return total / count

    def test_a_constant_pixel_gives_no_infinite_filter(self):
        x = np.zeros((3, 5, 5, 1), np.float32)
        self.assertTrue(np.isfinite(filters.whitening_filters(x)).all())

    def test_both_signs_hold_all_that_was_found(self):
        x = self.images()
        kernel = filters.whitening_filters(x)
        found = np.asarray(filters.both_signs(x, kernel))
        self.assertGreaterEqual(found.min(), 0)
        up, down = np.split(found, 2, axis=-1)
        np.testing.assert_allclose(up - down, convolution.convolve(x, kernel), atol=1e-5)
        self.assertEqual((up * down).max(), 0)
