"""Growing: its decisions on mistakes whose truth is known, and nets that have to grow."""

import numpy as np
from absl.testing import absltest, parameterized

from overfit import base
from overfit.data import kinds
from overfit.nn import models
from overfit.study import grow


def mistakes_of(rates, sets=8, tests=400, seed=0):
    """`[A, J, N]` of nets that err at these rates, mostly on the same examples."""
    rng = np.random.default_rng(seed)
    hard = rng.random(tests)
    noise = rng.normal(0, 0.05, (len(rates), sets, tests))
    return (hard + noise < np.array(rates)[:, None, None]).astype(np.float32)


class ClimbTest(parameterized.TestCase):
    def climb(self, rates, **options):
        rungs = [(2**n,) for n in range(len(rates))]
        tables = dict(zip(rungs, mistakes_of(rates), strict=True))
        asked = []

        def table(widths):
            asked.append(widths)
            return tables[widths]

        tried = grow.climb(rungs, table, **options)
        self.assertEqual([widths for widths, _, _ in tried], asked)
        return tried

    def test_it_ends_where_the_error_stops_falling(self):
        tried = self.climb([0.5, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1])
        self.assertLen(tried, 5)  # two that do not improve on the third
        self.assertIsNone(tried[0][2])
        falls = [found.high < 0 for _, _, found in tried[1:]]
        self.assertEqual(falls, [True, True, False, False])
        self.assertLen(self.climb([0.5, 0.3, 0.1, 0.1, 0.1, 0.1], patience=1), 4)

    def test_it_ends_where_the_error_rises(self):
        tried = self.climb([0.1, 0.2, 0.3, 0.4])
        self.assertLen(tried, 3)
        self.assertGreater(tried[1][2].low, 0)

    def test_a_net_that_falls_to_the_end_climbs_all(self):
        self.assertLen(self.climb([0.5, 0.4, 0.3, 0.2]), 4)

    def test_an_error_after_a_pause_is_compared_with_the_last_that_improved(self):
        tried = self.climb([0.5, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1])
        self.assertLen(tried, 6)
        self.assertAlmostEqual(tried[3][2].mean, -10, delta=3)


class SmallestTest(parameterized.TestCase):
    @parameterized.parameters(
        ([0.4, 0.2, 0.1, 0.1, 0.1], 2), ([0.1, 0.1, 0.1], 0), ([0.1, 0.3, 0.5], 0), ([0.5, 0.3, 0.1], 2)
    )
    def test_sizes(self, rates, wanted):
        weights = [10 * 2**n for n in range(len(rates))]
        self.assertEqual(grow.smallest(mistakes_of(rates), weights), wanted)

    def test_size_counts_rather_than_order(self):
        self.assertEqual(grow.smallest(mistakes_of([0.1, 0.1, 0.1]), [30, 10, 20]), 1)


EFFORT = grow.Effort(
    units=1, most_units=8, most_layers=2, patience=2, repeats=1, trials=2, folds=1, steps=200
)


def inside(count=300):
    """Whether a number lies within an interval: one hidden unit, a threshold, cannot tell."""
    x = np.random.default_rng(0).uniform(-1, 1, (count, 1)).astype(np.float32)
    y = (np.abs(x[:, 0]) < 0.5).astype(np.int32)
    return base.Examples(x, y, ('outside', 'inside'), kinds.vector)


class GrowTest(parameterized.TestCase):
    def test_a_net_grows_as_far_as_it_has_to(self):
        told = []
        grown = grow.grow(inside(), lambda widths: models.MLP(2, widths), effort=EFFORT, tell=told.append)
        self.assertLen(told, len(grown.rungs))
        self.assertEqual(grown.rungs[0].widths, (1,))
        self.assertEqual(grown.rungs[0].weights, 1 + 1 + 2 + 2)
        self.assertGreater(grown.rungs[0].error.mean, 15)
        self.assertGreater(grown.chosen.weights, grown.rungs[0].weights)
        self.assertLess(grown.chosen.error.mean, grown.rungs[0].error.mean - 5)
        self.assertEqual(grown.mistakes.shape, (len(grown.rungs), 5, 300))
        tested = np.isfinite(grown.mistakes).sum(1)
        np.testing.assert_array_equal(tested, 1)  # each example is held out once
        for rung, table in zip(grown.rungs, grown.mistakes, strict=True):
            self.assertAlmostEqual(rung.error.mean, 100 * np.nanmean(table), places=3)
        self.assertIn('<- the smallest that is not worse', grow.describe(grown))

    @parameterized.parameters(
        ({'trials': 0}, 'trials=0 is no effort'),
        ({'most_units': 1, 'units': 4}, 'most_units=1 is below the units=4'),
        ({'validation': 0.7}, 'validation=0.7 is out of range'),
    )
    def test_an_effort_that_makes_no_sense(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            grow.grow(inside(), lambda widths: models.MLP(2, widths), effort=EFFORT._replace(**changes))


if __name__ == '__main__':
    absltest.main()
