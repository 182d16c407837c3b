"""Intervals and verdicts: against naive formulas, SciPy, and populations whose truth is known."""

import itertools
import math

import numpy as np
import scipy.stats
from absl.testing import absltest, parameterized
from scipy import special

from overfit.study import stats
from tests.study import populations


class WilsonTest(absltest.TestCase):
    def test_examples_that_stand_for_themselves(self):
        wrong = np.arange(300) < 24
        expected = [100 * v for v in scipy.stats.binomtest(24, 300).proportion_ci(method='wilson')]
        np.testing.assert_allclose(stats.wilson(wrong), expected)
        np.testing.assert_allclose(stats.wilson(wrong, np.arange(300)), expected, rtol=2e-3)

    def test_groups_that_err_together_are_one_sample_of_groups(self):
        wrong, columns = np.arange(300) < 24, np.arange(300) // 6
        expected = [100 * v for v in scipy.stats.binomtest(4, 50).proportion_ci(method='wilson')]
        np.testing.assert_allclose(stats.wilson(wrong, columns), expected, rtol=0.02)
        apart = stats.wilson(wrong, np.arange(300) % 50)  # mistakes fall on all groups alike
        np.testing.assert_allclose(apart, stats.wilson(wrong))
        for all_alike in (np.zeros(300), np.ones(300)):
            np.testing.assert_allclose(stats.wilson(all_alike, columns), stats.wilson(all_alike[:50]))

    def test_it_covers_the_error_for_new_groups(self):
        rng = np.random.default_rng(0)
        held = {'groups': 0, 'examples': 0}
        columns = np.repeat(np.arange(40), 8)
        for _ in range(1000):
            hard = rng.beta(0.5, 2.0, 40)  # mean 0.2
            wrong = rng.random(320) < hard[columns]
            for name, ends in (('groups', stats.wilson(wrong, columns)), ('examples', stats.wilson(wrong))):
                held[name] += ends[0] <= 20 <= ends[1]
        self.assertBetween(held['groups'], 920, 970)
        self.assertLess(held['examples'], 850)


class IntervalTest(absltest.TestCase):
    def test_identical_labelled_sets_are_one_sample_of_examples(self):
        for errors in (80, 800, 1580):
            wrong = np.tile(np.arange(1600) < errors, (3, 1))
            found = stats.interval(wrong)
            expected = scipy.stats.binomtest(errors, 1600).proportion_ci(method='wilson')
            np.testing.assert_allclose(found.mean, errors / 16)
            np.testing.assert_allclose([found.low, found.high], [100 * v for v in expected], rtol=4e-3)
            self.assertEqual(found.n, 3)

    def test_a_cross_fitted_table_is_one_sample_of_examples(self):
        rng = np.random.default_rng(0)
        wrong = np.where(populations.tested(rng, 3, 5, 400), np.arange(400) < 60, np.nan)
        found = stats.interval(wrong)
        expected = scipy.stats.binomtest(60, 400).proportion_ci(method='wilson')
        np.testing.assert_allclose([found.low, found.high], [100 * v for v in expected], rtol=0.02)
        self.assertEqual(found.n, 15)

    def test_nets_of_a_cross_fitted_set_add_no_evidence(self):
        rng = np.random.default_rng(0)
        present = populations.tested(rng, 2, 5, 400)
        found = stats.interval(np.where(present, 0.25, np.nan))  # one of four nets errs, on every example
        expected = scipy.stats.binomtest(100, 400).proportion_ci(method='wilson')
        np.testing.assert_allclose([found.low, found.high], [100 * v for v in expected], rtol=0.02)
        full = stats.interval(np.full((10, 400), 0.25))  # a test set apart: these sets are independent
        self.assertLess(full.high - full.low, 0.3 * (found.high - found.low))

    def test_groups_that_err_together_are_one_sample_of_groups(self):
        wrong = np.tile(np.arange(1200) < 180, (5, 1))
        found = stats.interval(wrong, [n // 3 for n in range(1200)])
        expected = scipy.stats.binomtest(60, 400).proportion_ci(method='wilson')
        np.testing.assert_allclose([found.low, found.high], [100 * v for v in expected], rtol=0.02)

    def test_no_mistake_leaves_room(self):
        wrong = np.zeros((5, 60), bool)
        found = stats.interval(wrong)
        self.assertEqual((found.mean, found.low), (0, 0))
        quantile = scipy.stats.t.ppf(0.975, 4)
        self.assertAlmostEqual(found.high, 100 * quantile**2 / (60 + quantile**2))
        mirrored = stats.interval(~wrong)
        np.testing.assert_allclose([mirrored.low, mirrored.high], [100 - found.high, 100])

    def test_one_model_has_its_own_luck(self):
        rng = np.random.default_rng(1)
        chance = np.clip(0.2 + 0.03 * rng.standard_normal((2000, 1)), 0, 1)
        wrong = (rng.random((2000, 500)) < chance).astype(float)
        hits, expected = 0, 0
        for start in range(0, 2000, 8):
            found = stats.interval(wrong[start : start + 8], one_model=True)
            hits += found.low <= 100 * chance[start - 1, 0] <= found.high
            expected += found.low <= 20 <= found.high
        self.assertBetween(hits / 250, 0.91, 0.985)
        self.assertGreater(expected, hits)

    def test_plain_numbers(self):
        rng = np.random.default_rng(2)
        wrong, other = rng.random((2, 5, 40)) < 0.2
        for value in (*stats.interval(wrong), *stats.difference(wrong, other)[:-1]):
            self.assertIn(type(value), (int, float))
        self.assertIsNone(stats.difference(wrong, other).shrunk)

    def test_percent_is_refused(self):
        with self.assertRaisesRegex(ValueError, 'not percent'):
            stats.interval(np.full((5, 20), 8.0))


class DifferenceTest(absltest.TestCase):
    def test_against_the_formula(self):
        rng = np.random.default_rng(3)
        wrong, baseline = populations.mistakes(rng, np.array([0.1, 0.2]), 6, 50, same_examples=0.5)
        table = wrong.astype(float) - baseline
        row, column = table.mean(1).var(ddof=1) / 6, table.mean(0).var(ddof=1) / 50
        rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
        residual = (rest**2).sum() / (5 * 49) / 300
        variance = row + column - residual
        freedom = variance**2 / (row**2 / 5 + column**2 / 49 + residual**2 / (5 * 49))
        self.assertGreater(freedom, 5)
        variance += populations.one_more(table)
        reference = scipy.stats.t(freedom, table.mean(), math.sqrt(variance))
        found = stats.difference(wrong, baseline)
        np.testing.assert_allclose(found[:3], [100 * v for v in (table.mean(), *reference.interval(0.95))])
        self.assertAlmostEqual(found.p, 2 * reference.sf(0) if table.mean() < 0 else 2 * reference.cdf(0))
        self.assertEqual(found[4:], (found.p, found.p, found.low, found.high, None))
        swapped = stats.difference(baseline, wrong)
        np.testing.assert_allclose(swapped[:5], [-found.mean, -found.high, -found.low, 6, found.p])

    def test_cross_fitted_once_is_a_t_test_over_the_examples(self):
        rng = np.random.default_rng(4)
        present = populations.tested(rng, 1, 5, 80)
        wrong, other = (rng.random((2, 5, 80)) < [[[0.3]], [[0.1]]]).astype(float)
        wrong[:, :12], other[:, :12] = 1.0, 0.0
        wrong, other = np.where(present, wrong, np.nan), np.where(present, other, np.nan)
        table = np.nansum(wrong - other, 0)
        error = math.sqrt(table.var(ddof=1) / 80 + populations.one_more(table[None]))
        reference = scipy.stats.t(79, table.mean(), error)
        found = stats.difference(wrong, other)
        np.testing.assert_allclose(found.p, 2 * reference.cdf(0))
        np.testing.assert_allclose([found.low / 100, found.high / 100], reference.interval(0.95))

    def test_no_disagreement(self):
        wrong = np.random.default_rng(4).random((5, 60)) < 0.1
        found = stats.difference(wrong, wrong)
        self.assertEqual((found.mean, found.p), (0, 1))
        self.assertAlmostEqual(found.high, 100 * scipy.stats.t.ppf(0.975, 4) / 62)
        self.assertEqual(found.low, -found.high)
        grouped = stats.difference(wrong, wrong, np.arange(60) // 4)
        self.assertAlmostEqual(grouped.high, 100 * scipy.stats.t.ppf(0.975, 4) / 17)

    def test_a_single_disagreement_is_no_certainty(self):
        baseline = np.zeros((10, 24))
        widths = []
        for seen in (0.0, 0.1, 0.5, 1.0):
            other = baseline.copy()
            other[:, 3] = seen
            found = stats.difference(other, baseline)
            self.assertGreater(found.p, 0.05)
            widths.append(found.high - found.low)
        self.assertLess(max(widths), 12 * min(widths))

    def test_a_difference_that_is_the_same_everywhere(self):
        for columns in (None, np.arange(24) // 3):
            found = stats.difference(np.full((10, 24), 2 / 3), np.zeros((10, 24)), columns)
            self.assertAlmostEqual(found.mean, 100 * 2 / 3)
            self.assertLess(found.p, 0.05)
            self.assertBetween(found.high - found.low, 5, 50)

    def test_labelled_sets_that_agree_by_chance_prove_little(self):
        wrong = np.zeros((3, 60), bool)
        wrong[np.arange(3), [4, 17, 51]] = True  # each set: one mistake more, each time another
        found = stats.difference(wrong, np.zeros_like(wrong))
        self.assertGreater(found.p, 0.05)
        self.assertLess(found.low, 0)

    def test_intervals_hold_for_the_population(self):
        """New labelled sets and new examples: a null is rejected as often as it should be."""
        shares, levels, sets_only = {}, {}, {}
        for examples, sets, same in itertools.product((60, 800), (5, 10, 20), (1.0, 0.9)):
            rng = np.random.default_rng([examples, sets, int(10 * same)])
            runs = 800 if examples == 60 else 150
            rejected, covered, naive = [], [], []
            for _ in range(runs):
                baseline, wrong = populations.mistakes(
                    rng, np.full(2, 0.08), sets, examples, same_examples=same
                )
                found = stats.difference(wrong, baseline)
                rejected.append(found.p < 0.05)
                self.assertEqual(found.p < 0.05, found.low > 0 or found.high < 0)
                level = stats.interval(baseline)
                covered.append(level.low <= 8 <= level.high)
                rows = 100 * (wrong.mean(1) - baseline.mean(1))
                half = special.stdtrit(sets - 1, 0.975) * rows.std(ddof=1) / math.sqrt(sets)
                naive.append(abs(rows.mean()) > half)
            key = (examples, sets, same)
            shares[key], levels[key], sets_only[key] = map(np.mean, (rejected, covered, naive))
            with self.subTest(f'{key}'):
                self.assertBetween(shares[key], 0.01, 0.09)
                self.assertBetween(levels[key], 0.9, 0.995)
        for same, examples in itertools.product((1.0, 0.9), (60, 800)):
            pooled = np.mean([share for key, share in shares.items() if (key[2], key[0]) == (same, examples)])
            self.assertBetween(pooled, 0.03, 0.07)
        self.assertBetween(np.mean(list(levels.values())), 0.93, 0.975)
        self.assertGreater(min(v for k, v in sets_only.items() if k[2] < 1), 0.08)  # why not a plain t

    def test_a_known_effect_is_found_and_covered(self):
        rng = np.random.default_rng(5)
        errors = np.array([0.10, 0.07])
        found = []
        for _ in range(500):
            baseline, wrong = populations.mistakes(rng, errors, 10, 400, same_examples=0.97)
            found.append(stats.difference(wrong, baseline))
        verdicts = [stats.verdict(difference, 1.0) for difference in found]
        self.assertGreater(verdicts.count('helps'), 400)
        self.assertEqual(verdicts.count('hurts'), 0)
        self.assertBetween(
            np.mean([difference.low <= -3 <= difference.high for difference in found]), 0.93, 0.97
        )
        self.assertAlmostEqual(np.mean([difference.mean for difference in found]), -3, delta=0.15)


class CrossFittingTest(absltest.TestCase):
    def test_users_with_one_small_set_each(self):
        """Two classifiers on two Gaussian classes: nearest mean in all 12 dimensions, and in the first 4.

        Their error, once trained, is known exactly; the truth is its mean over the models of all users.
        """
        shift = np.array([1.0] * 2 + [0.35] * 10)
        rng = np.random.default_rng(6)
        differences, levels, errors, models = [], [], [], []
        for _ in range(300):
            y = rng.integers(0, 2, 120)
            x = rng.standard_normal((120, 12)) + np.where(y[:, None], 0.5, -0.5) * shift
            table, error = np.full((2, 10, 120), np.nan), []
            present = populations.tested(rng, 2, 5, 120)
            for j, held in enumerate([*present, np.zeros(120, bool)]):
                for arm, used in enumerate((12, 4)):
                    low, high = (x[~held & (y == c), :used].mean(0) for c in (0, 1))
                    w, middle = high - low, (high + low) / 2
                    if held.any():
                        table[arm, j, held] = (x[held, :used] @ w > middle @ w) != y[held]
                    sides = [
                        special.ndtr((s * shift[:used] / 2 - middle) @ w / np.linalg.norm(w)) for s in (-1, 1)
                    ]
                    error.append(100 * (sides[0] + 1 - sides[1]) / 2)
            differences.append(stats.difference(table[0], table[1]))
            levels.append([stats.interval(table[0]), stats.interval(table[0], one_model=True)])
            errors.append(np.reshape(error[:20], (10, 2)).mean(0))
            models.append(error[20])
        truth = np.mean(errors, 0)
        covered = np.mean([one.low <= truth[0] - truth[1] <= one.high for one in differences])
        self.assertBetween(covered, 0.92, 0.985)
        self.assertBetween(np.mean([one[0].low <= truth[0] <= one[0].high for one in levels]), 0.92, 0.985)
        own = [one[1].low <= model <= one[1].high for one, model in zip(levels, models, strict=True)]
        self.assertBetween(np.mean(own), 0.90, 0.985)


class VerdictTest(parameterized.TestCase):
    @parameterized.parameters(
        (-1.5, -0.1, 1.0, 'helps'),
        (-0.2, -0.1, 1.0, 'helps'),
        (0.1, 1.5, 1.0, 'hurts'),
        (-0.9, 0.8, 0.9, 'no difference that matters'),
        (-0.91, 0.8, 0.9, 'undecided'),
        (-0.8, 0.91, 0.9, 'undecided'),
        (-2.8, 0.0, 0.9, 'undecided'),
        (0.0, 0.0, 0.0, 'no difference that matters'),
    )
    def test_verdict(self, low, high, margin, expected):
        difference = stats.Difference((low + high) / 2, low, high, 10, 0.03, 0.2, low / 2, high / 2)
        self.assertEqual(stats.verdict(difference, margin), expected)


class SearchOptimismTest(absltest.TestCase):
    def test_the_gap_and_its_interval(self):
        wrong = np.zeros((4, 50))
        wrong[:, :5] = 1.0  # every replicate errs on the same tenth: 10 %
        found = stats.search_optimism([6.0, 8.0], wrong, 100)
        self.assertAlmostEqual(found.mean, 3.0)
        self.assertEqual(found.n, 2)
        validation = np.sqrt(0.087 * 0.913 / 100)  # (7 + 2) / (100 + 4)
        test = np.sqrt(0.1 * 0.9 / 50)
        half = 196 * np.hypot(validation, test)
        self.assertAlmostEqual(found.high - found.mean, half, delta=0.05 * half)
        self.assertAlmostEqual(found.mean - found.low, half, delta=0.05 * half)

    def test_arms_that_share_their_examples_cover_the_truth(self):
        rng = np.random.default_rng(5)
        covered = 0
        for _ in range(400):
            seen = rng.random(200) < 0.1  # all arms err on the same validation examples
            hard = rng.random(300) < 0.12
            found = stats.search_optimism([100 * seen.mean()] * 6, np.tile(hard, (5, 1)).astype(float), 200)
            covered += found.low <= 2.0 <= found.high
        self.assertBetween(covered / 400, 0.92, 0.98)


if __name__ == '__main__':
    absltest.main()
