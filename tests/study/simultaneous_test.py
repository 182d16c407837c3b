"""Comparisons of many arms: published critical values, SciPy, and populations whose truth is known."""

import json

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from overfit.study import simultaneous, stats
from tests.study import populations


class CompareTest(parameterized.TestCase):
    def test_one_arm_stands_alone(self):
        rng = np.random.default_rng(0)
        wrong, baseline = populations.mistakes(rng, np.array([0.1, 0.2]), 6, 50, same_examples=0.5)
        (found,) = simultaneous.compare(wrong[None], baseline)
        self.assertEqual(found, stats.difference(wrong, baseline))
        self.assertEqual(simultaneous.compare(np.zeros((0, 6, 50)), baseline), [])

    @parameterized.parameters((10, None), (10, 2), (3, None))
    def test_adjusted_p_values_and_intervals_agree(self, sets, repeats):
        rng, excluded = np.random.default_rng(1), 0
        for _ in range(5):
            errors = np.concatenate([[0.12], rng.uniform(0.02, 0.2, 15)])
            tables = populations.mistakes(rng, errors, sets, 200, same_examples=0.95, repeats=repeats)
            found = simultaneous.compare(tables[1:], tables[0])
            for one in found:
                self.assertEqual(one.p_adjusted < 0.05, one.low > 0 or one.high < 0)
                self.assertEqual(one.p < 0.05, one.low_single > 0 or one.high_single < 0)
                self.assertGreaterEqual(one.p_adjusted, one.p)
                self.assertLess(one.low, one.low_single)
                excluded += one.p_adjusted < 0.05
            order = np.argsort([one.p for one in found])
            self.assertEqual(sorted(order), list(range(15)))
            self.assertTrue((np.diff([found[i].p_adjusted for i in order]) >= 0).all())
            json.dumps(found, allow_nan=False)
        self.assertBetween(excluded, 5, 74)

    def test_arms_that_agree_with_the_baseline(self):
        rng = np.random.default_rng(2)
        tables = populations.mistakes(rng, np.full(6, 0.1), 5, 60, same_examples=1)
        tables[3] = tables[0]
        found = simultaneous.compare(tables[1:], tables[0])
        same = found[2]
        self.assertEqual((same.mean, same.p, same.p_adjusted), (0, 1, 1))
        least = min(one.high_single - one.mean for one in found if one != same)
        self.assertLess(same.high_single, 1.01 * least)
        self.assertGreater(same.high, same.high_single)
        (alone, _) = simultaneous.compare(tables[[0, 0]], tables[0])
        self.assertEqual((alone.mean, alone.p), (0, 1))

    @parameterized.parameters((10, 60, None, 1.0), (10, 200, 2, 0.95))
    def test_null_families_seldom_have_a_verdict(self, sets, examples, repeats, same):
        rng, family, single = np.random.default_rng(3), [], []
        for _ in range(100):
            tables = populations.mistakes(
                rng, np.full(13, 0.1), sets, examples, same_examples=same, repeats=repeats
            )
            found = simultaneous.compare(tables[1:], tables[0])
            family.append(any(one.p_adjusted < 0.05 for one in found))
            single += [one.p < 0.05 for one in found]
        self.assertLess(np.mean(family), 0.1)
        self.assertBetween(np.mean(single), 0.02 if repeats is None else 0.005, 0.065)


class SingleStepTest(parameterized.TestCase):
    @parameterized.parameters((2, 2.21), (3, 2.35), (5, 2.51), (9, 2.69))
    def test_dunnetts_table(self, arms, quantile):
        """Two-sided 5 % points of Dunnett (1964), table II, for infinite degrees of freedom."""
        level, _ = simultaneous._single_step(np.full(arms, 0.5), np.full(arms, 1e7), 0.5)
        self.assertAlmostEqual(-special.ndtri(level / 2), quantile, delta=0.025)

    def test_independent_arms_are_sidaks(self):
        p = np.array([0.2, 0.01, 0.001, 1e-9, 1.0])
        level, adjusted = simultaneous._single_step(p, np.array([4.0, 9, 9, 30, 200]), 0.0)
        self.assertAlmostEqual(level, 1 - 0.95**0.2, delta=6e-4)
        np.testing.assert_allclose(adjusted, -np.expm1(5 * np.log1p(-np.minimum(p, 1 - 1e-16))), rtol=0.35)
        np.testing.assert_allclose(adjusted[:2], 1 - (1 - p[:2]) ** 5, rtol=0.05)


class ModeratedTest(absltest.TestCase):
    def test_equal_variances_are_pooled(self):
        rng = np.random.default_rng(4)
        variance = 3 * rng.chisquare(9, 40) / 9
        found, freedom = simultaneous.moderated(variance, np.full(40, 9.0))
        raised = found > variance
        self.assertBetween(raised.mean(), 0.35, 0.75)
        np.testing.assert_allclose(found[raised], 3, atol=0.6)
        self.assertTrue((freedom[raised] > 40).all())
        np.testing.assert_array_equal(found[~raised], variance[~raised])
        np.testing.assert_array_equal(freedom[~raised], 9)
        found, freedom = simultaneous.moderated(variance, np.full(40, 9.0), 0.5)
        np.testing.assert_allclose(freedom[found > variance], 360 / (1 + 39 / 4))

    def test_the_prior_is_recovered(self):
        """Smyth's hierarchy: true variances are `d0 s0^2 / chi^2(d0)`; unequal degrees of freedom."""
        rng = np.random.default_rng(5)
        freedom = rng.uniform(5, 20, 4000)
        truth = 2.0 * 8 / rng.chisquare(8, 4000)
        variance = truth * rng.chisquare(freedom) / freedom
        found, total = simultaneous.moderated(variance, freedom)
        raised = found > variance
        self.assertAlmostEqual((total - freedom)[raised].min(), 8, delta=1)
        self.assertAlmostEqual((total - freedom)[raised].max(), 8, delta=1)
        joint = (8 * 2.0 + freedom * variance) / (8 + freedom)
        np.testing.assert_allclose(found, np.maximum(joint, variance), rtol=0.1)

    def test_what_is_too_little_stays(self):
        for variance in ([0.3], [0.3, 2.0]):
            found = simultaneous.moderated(np.array(variance), np.full(len(variance), 4.0))
            np.testing.assert_array_equal(found, [variance, np.full(len(variance), 4.0)])

    def test_a_loud_arm_keeps_its_noise(self):
        """One arm in five has four times the variance of the rest: its t-test stays near 5 %."""
        rng, rejected = np.random.default_rng(6), []
        scale = np.where(np.arange(40) % 5 == 0, 4.0, 1.0)
        for _ in range(500):
            variance, freedom = simultaneous.moderated(scale * rng.chisquare(9, 40) / 9, np.full(40, 9.0))
            p = stats.p_values(np.sqrt(scale) * rng.standard_normal(40), variance, freedom)
            rejected.append([np.mean(p[scale > 1] < 0.05), np.mean(p[scale == 1] < 0.05)])
        loud, quiet = np.mean(rejected, 0)
        self.assertBetween(loud, 0.03, 0.065)
        self.assertBetween(quiet, 0.025, 0.05)


class ShrunkTest(absltest.TestCase):
    def test_by_hand(self):
        means, variance = np.array([-3.0, -1.0, 0.0, 0.0, 4.0]), np.full(5, 2.0)
        share = (means.var(ddof=1) - 2) / means.var(ddof=1)
        np.testing.assert_allclose(simultaneous._shrunk(means, variance), share * means, rtol=1e-6)
        scatter = simultaneous._shrunk(np.array([-0.1, 0.0, 0.1, 0.2]), variance[:4])
        np.testing.assert_allclose(scatter, 0.05, atol=1e-6)
        self.assertTrue(np.isnan(simultaneous._shrunk(means[:3], variance[:3])).all())

    def test_nearer_to_the_truth_and_not_flattering(self):
        rng, raw, drawn, best = np.random.default_rng(7), [], [], []
        for _ in range(300):
            truth = rng.normal(-0.5, 0.5, 30)
            variance = rng.uniform(0.1, 0.6, 30)
            means = truth + np.sqrt(variance) * rng.standard_normal(30)
            shrunk = simultaneous._shrunk(means, variance)
            raw.append(((means - truth) ** 2).mean())
            drawn.append(((shrunk - truth) ** 2).mean())
            best.append([(one - truth)[one.argmin()] for one in (means, shrunk)])
        self.assertLess(np.mean(drawn), 0.6 * np.mean(raw))
        flattering, fair = np.mean(best, 0)
        self.assertLess(flattering, -0.5)
        self.assertBetween(fair, -0.12, 0.12)

    def test_some_are_not_shrunk_and_draw_nobody(self):
        rng = np.random.default_rng(9)
        tables = populations.mistakes(rng, np.array([0.1] * 8 + [0.4]), 6, 200, same_examples=0.9)
        found = simultaneous.compare(tables[1:], tables[0], alike=[True] * 7 + [False])
        self.assertIsNone(found[7].shrunk)
        means = [one.mean for one in found[:7]]
        for one in found[:7]:
            self.assertBetween(one.shrunk, min(means), max(means))
        drawn = simultaneous.compare(tables[1:], tables[0])[7]
        self.assertLess(drawn.shrunk, drawn.mean)


class NearBestTest(absltest.TestCase):
    def test_the_best_is_marked_and_the_worst_is_not(self):
        rng, errors = np.random.default_rng(8), np.array([0.10, 0.08, 0.2, 0.083, 0.3, 0.08])
        marked = np.mean(
            [
                simultaneous.near_best(populations.mistakes(rng, errors, 10, 300, same_examples=0.95))
                for _ in range(40)
            ],
            0,
        )
        self.assertGreater(marked[[1, 3, 5]].min(), 0.9)
        self.assertLess(marked[[2, 4]].max(), 0.05)
        self.assertBetween(marked[0], 0.05, 0.95)

    def test_equal_arms_are_all_marked(self):
        rng, marked = np.random.default_rng(9), []
        for _ in range(60):
            tables = populations.mistakes(rng, np.full(8, 0.1), 10, 60, same_examples=1)
            found = simultaneous.near_best(tables)
            marked.append(found[3])
            self.assertTrue(found[tables.mean((1, 2)).argmin()])
        self.assertGreater(np.mean(marked), 0.93)

    def test_one_arm(self):
        self.assertEqual(simultaneous.near_best(np.zeros((1, 5, 20))).tolist(), [True])
        self.assertEqual(simultaneous.near_best(np.zeros((3, 5, 20))).tolist(), [True] * 3)


class DetectableTest(absltest.TestCase):
    def test_true_differences_of_that_size_are_found(self):
        rng = np.random.default_rng(7)

        def compared(error, sets, runs):
            for _ in range(runs):
                tables = populations.mistakes(rng, np.array([0.1, error]), sets, 400, same_examples=0.98)
                yield stats.difference(tables[1], tables[0])

        smallest = simultaneous.detectable(list(compared(0.1, 20, 50)))
        found = [one.high < 0 for one in compared(0.1 - smallest / 100, 20, 400)]
        self.assertBetween(np.mean(found), 0.72, 0.9)

    def test_the_median_arm_counts(self):
        arms = [stats.Difference(0, -half, half, 10, 1, 1, -half / 2, half / 2) for half in (1.0, 2.0, 9.0)]
        self.assertAlmostEqual(simultaneous.detectable(arms), 2 + special.ndtri(0.8) / 1.959964, places=5)
        self.assertAlmostEqual(simultaneous.detectable(arms, 0.5), 2)
        with self.assertRaisesRegex(ValueError, 'at least one arm'):
            simultaneous.detectable([])


if __name__ == '__main__':
    absltest.main()
