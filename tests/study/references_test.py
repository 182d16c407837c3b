"""Reference rows: on the same examples as the replicates, and better than chance."""

from unittest import mock

import chex
import numpy as np

from overfit.data import splits
from overfit.study import measure, references, stats
from tests import problems
from tests.study import tiny

TEST = problems.blobs(60, spread=0.6, seed=8)
HOLDOUT = splits.Holdout(TEST.x, TEST.y)
POOL = problems.blobs(72, spread=0.6)


class Majority:
    """Remembers what it was fitted on, and always answers the first class."""

    def __init__(self, seen):
        self.seen = seen

    def fit(self, x, y):
        self.record = [x, y]
        self.seen.append(self.record)
        return self

    def predict(self, x):
        self.record.append(x)
        return np.zeros(len(x), np.int32)


class ReferencesTest(chex.TestCase):
    def test_the_classics_beat_chance(self):
        told = []
        found = references.measure(
            POOL, HOLDOUT, tiny.PROTOCOL, replicates=3, progress=lambda *amounts: told.append(amounts)
        )
        self.assertEqual(told, [(1, 1)] * 3)
        self.assertContainsSubset(['logistic regression', 'RBF SVM', '1-NN'], found)
        for name, wrong in found.items():
            self.assertEqual((wrong.shape, wrong.dtype), ((3, 60), bool), name)
            error = stats.interval(wrong)
            self.assertEqual(error.n, 3)
            self.assertLess(error.low, error.high)
            self.assertBetween(error.mean, error.low, error.high)
            self.assertLess(error.high, 50, name)  # chance: 67
        again = references.measure(POOL, HOLDOUT, tiny.PROTOCOL, replicates=3)
        self.assertEqual(list(again), list(found))
        for name, wrong in found.items():
            np.testing.assert_array_equal(again[name], wrong, name)

    def test_no_replicates_no_rows(self):
        self.assertEqual(references.measure(POOL, HOLDOUT, tiny.PROTOCOL, replicates=0), {})

    def test_they_are_fitted_on_the_labels_of_the_replicates(self):
        seen = []
        with mock.patch.object(references, 'models', lambda *_: {'majority': Majority(seen)}):
            found = references.measure(POOL, HOLDOUT, tiny.PROTOCOL, replicates=2)
        self.assertEqual(list(found), ['majority'])
        np.testing.assert_array_equal(found['majority'], [TEST.y != 0] * 2)
        self.assertLen(seen, 2)
        for number in range(2):
            rows = measure.replicate(POOL, 30, tiny.PROTOCOL, number).labelled
            mean, scale = POOL.x[rows].mean(0), POOL.x[rows].std(0)
            x, y, x_test = next(one for one in seen if np.array_equal(one[1], POOL.y[rows]))
            np.testing.assert_allclose(x, (POOL.x[rows] - mean) / scale, atol=1e-5)
            np.testing.assert_allclose(x_test, (TEST.x - mean) / scale, atol=1e-5)

    def test_one_nearest_neighbour_against_a_double_loop(self):
        found = references.measure(POOL, HOLDOUT, tiny.PROTOCOL, replicates=2)
        wrong = []
        for number in range(2):
            rows = measure.replicate(POOL, 30, tiny.PROTOCOL, number).labelled
            scale = POOL.x[rows].std(0)
            for x, y in zip(TEST.x, TEST.y, strict=True):
                nearest = min(rows, key=lambda n, x=x, s=scale: (((POOL.x[n] - x) / s) ** 2).sum())
                wrong.append(POOL.y[nearest] != y)
        np.testing.assert_array_equal(found['1-NN'].ravel(), wrong)
