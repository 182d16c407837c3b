"""Canaries: labels that nothing can know, so whatever errs less than chance has seen them."""

import chex
import numpy as np

from overfit.data import load
from overfit.study import techniques
from tests.study import tiny


class CanaryTest(chex.TestCase):
    LEVEL = tiny.LEVEL._replace(sets=5, tries=0, controls=1, nets=1)

    def study(self, splits, **changes):
        # Nets as wide as it takes to learn copies by heart.
        request = {'techniques': (techniques.l2,), 'baseline': None, 'train_size': None} | changes
        return tiny.run(tiny.prepare(splits, self.LEVEL, **request), False).found

    def errors(self, found):
        rows = (found.results.baseline, *found.results.arms, found.results.squeezed)
        return [row.test_error for row in rows]

    def test_random_labels_cross_fitted(self):
        rng = np.random.default_rng(0)
        splits = load.from_arrays(rng.normal(size=(120, 8)), rng.permutation(np.arange(120) % 3))
        self.assertEqual(splits.test_mode, 'cross-fitted')
        for error in self.errors(self.study(splits)):
            self.assertBetween(100 * 2 / 3, error.low, error.high)

    def test_random_test_labels_of_a_test_set(self):
        rng = np.random.default_rng(0)
        x = tiny.POOL.x
        splits = load.from_arrays(x, tiny.POOL.y, tiny.TEST.x, rng.permutation(tiny.TEST.y))
        for error in self.errors(self.study(splits, baseline=tiny.BASELINE)):
            self.assertBetween(100 * 2 / 3, error.low, error.high)

    def test_copies_leak_their_labels_unless_they_are_one_group(self):
        """Forty patients of four pictures each that are nearly the same; labels by the toss of a coin."""
        rng = np.random.default_rng(0)
        groups = np.repeat(np.arange(40), 4)
        y = rng.permutation(np.arange(40) % 2)[groups]
        x = (rng.normal(size=(40, 8))[groups] + 0.05 * rng.normal(size=(160, 8))).astype(np.float32)
        leaking = self.study(load.from_arrays(x, y))
        whole = self.study(load.from_arrays(x, y, groups=groups))
        for error in self.errors(leaking):
            self.assertLess(error.mean, 20)
            self.assertLess(error.high, 35)
        for error in self.errors(whole):
            self.assertGreater(error.mean, 38)
            self.assertBetween(50, error.low, error.high)
        np.testing.assert_array_equal(whole.tables.columns, groups)
        self.assertIsNone(leaking.tables.columns)
