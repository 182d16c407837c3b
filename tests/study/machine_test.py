"""Machines that share their distances, against scikit-learn's own."""

import chex
import numpy as np
from absl.testing import parameterized
from sklearn.svm import SVC

from overfit.study import machine
from tests import problems


class MachineTest(chex.TestCase):
    @parameterized.parameters(((1.0, 10.0),), ((0.3, 1.0),))
    def test_against_a_machine_that_measures_its_own_distances(self, setting):
        pool, test = problems.blobs(60, spread=1.5), problems.blobs(200, spread=1.5, seed=4)
        shared = machine.of(pool.x, pool.y)
        squared = np.mean([((a - b) ** 2).sum() for a in pool.x for b in pool.x])
        rows, validate = np.arange(45), np.arange(45, 60)
        svc = SVC(C=setting[1], gamma=setting[0] / squared, break_ties=True)
        wrong = svc.fit(pool.x[rows], pool.y[rows]).predict(pool.x[validate]) != pool.y[validate]
        self.assertEqual(shared.mistakes(setting, rows, validate), wrong.sum())
        self.assertGreater(wrong.sum(), 0)
        expected = svc.fit(pool.x, pool.y).predict(test.x)
        self.assertGreater((shared.predict(setting, test.x) == expected).mean(), 0.99)

    def test_a_width_means_the_same_for_any_unit(self):
        pool, test = problems.blobs(60, spread=1.5), problems.blobs(200, spread=1.5, seed=4)
        small, large = (machine.of(pool.x * unit, pool.y) for unit in (1, 1024))
        found = [m.predict((1.0, 10.0), test.x * unit) for m, unit in ((small, 1), (large, 1024))]
        np.testing.assert_array_equal(*found)
