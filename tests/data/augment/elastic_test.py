"""Elastic fields: amplitude and smoothness by their moments, and SciPy's Gaussian filter."""

import chex
import numpy as np
import scipy.ndimage
import scipy.stats
from absl.testing import parameterized

from overfit import keys
from overfit.data import augment
from overfit.data.augment import elastic


def field(number, height, width, seed=3, **numbers):
    found = augment.elastic_field(keys.key(seed), number, height, width, **{'elastic': 1.0} | numbers)
    return np.asarray(found, np.float64)


class ElasticTest(chex.TestCase):
    @parameterized.parameters(None, 0.0, 0.06, 0.15, 0.4)
    def test_the_amplitude_is_what_is_given_everywhere_whatever_the_smoothness(self, smoothness):
        found = field(3000, 8, 12, elastic=0.1, elastic_smoothness=smoothness)
        wanted = np.array([0.8, 1.2])[None, :, None, None]
        square = np.square(found / wanted).mean(0)
        np.testing.assert_allclose(square, np.ones_like(square), atol=0.15)  # its error is 0.026
        self.assertLess(abs(square.mean() - 1), 0.04)
        self.assertLess(np.abs((found / wanted).mean(0)).max(), 0.08)

    @parameterized.parameters((0.05, 2.0), (0.1, 4.0))
    def test_neighbours_move_alike_as_theory_says(self, smoothness, pixels):
        found = field(3000, 40, 40, elastic_smoothness=smoothness)
        middle = found[:, 0, 20, 20] / found[:, 0, 20, 20].std()
        for apart in (0, 1, 2, 4, 8):
            wanted = np.exp(-(apart**2) / (4 * pixels**2))
            for other in (found[:, 0, 20 + apart, 20], found[:, 0, 20, 20 + apart]):
                self.assertLess(abs((middle * other).mean() / other.std() - wanted), 0.07)
        self.assertLess(abs((middle * found[:, 1, 20, 20]).mean() / found.std()), 0.07)

    def test_like_scipys_filter(self):
        numbers = {'elastic_smoothness': 0.15}
        smooth, rough = field(3, 9, 14, **numbers), field(3, 9, 14)
        for axis, size in ((0, 9), (1, 14)):  # pixels
            sigma = (0.15 * 9, 0.15 * 14)
            filters = [
                scipy.ndimage.gaussian_filter1d(np.eye(n), s, axis=0, mode='constant', truncate=20)
                for n, s in zip((9, 14), sigma, strict=True)
            ]
            norms = [np.linalg.norm(one, axis=1) for one in filters]
            for b in range(3):
                wanted = scipy.ndimage.gaussian_filter(
                    rough[b, axis] / size, sigma, mode='constant', truncate=20
                )
                wanted = size * wanted / np.outer(*norms)
                np.testing.assert_allclose(smooth[b, axis], wanted, atol=1e-3)

    def test_a_gaussian_far_narrower_than_a_pixel_is_the_identity(self):
        for scale in (0.0, 1e-6, 0.02):
            np.testing.assert_array_equal(elastic.smoothing(5, scale=scale), np.eye(5))
