"""Principal colours: the covariance of the changes against that of the pixels."""

import chex
import numpy as np
import scipy.stats

from overfit import keys
from overfit.data import augment


class ColourTest(chex.TestCase):
    def test_the_changes_have_the_covariance_of_the_pixels(self):
        rng = np.random.default_rng(0)
        mix = np.array([[3, 0, 0], [2, 1, 0], [1, -2, 0.5]])
        x = (100 + rng.normal(size=(4000, 3, 3, 3)) @ mix.T).astype(np.float32)
        out = np.asarray(augment.random_colour(keys.key(1), x, colour=0.2), np.float64)
        change = (out - x).reshape(4000, -1, 3)
        self.assertLess(np.ptp(change, axis=1).max(), 1e-3)
        found, wanted = np.cov(change[:, 0].T), 0.04 * np.cov(x.reshape(-1, 3).T)
        np.testing.assert_allclose(found, wanted, atol=0.04 * wanted.max())
        # As in the paper: along the principal colours, in proportion to their standard deviations.
        values, vectors = np.linalg.eigh(wanted)
        along = change[:, 0] @ vectors
        np.testing.assert_allclose(along.std(0), np.sqrt(values), rtol=0.05)

    def test_grey_and_even_images(self):
        grey = np.repeat(np.random.default_rng(0).uniform(0, 255, (9, 4, 4, 1)), 3, axis=3).astype(np.float32)
        out = np.asarray(augment.random_colour(keys.key(1), grey, colour=0.5))
        self.assertTrue(np.isfinite(out).all())
        np.testing.assert_allclose(out[..., 0], out[..., 2], atol=0.05)
        self.assertGreater(np.abs(out - grey).mean(), 5)
        even = np.full((4, 3, 3, 3), 7, np.float32)
        np.testing.assert_allclose(augment.random_colour(keys.key(1), even, colour=0.5), even)

    def test_one_channel_is_brightness_in_standard_deviations(self):
        x = np.random.default_rng(0).uniform(0, 255, (3000, 3, 3, 1)).astype(np.float32)
        added = np.asarray(augment.random_colour(keys.key(1), x, colour=0.1) - x)[:, 0, 0, 0]
        self.assertGreater(scipy.stats.kstest(added / (0.1 * x.std()), 'norm').pvalue, 1e-3)
