"""Intervals and verdicts: against naive formulas, SciPy, and populations whose truth is known."""

import itertools
import math

import numpy as np
import scipy.stats
from absl.testing import absltest, parameterized
from scipy import special

from overfit.study import stats


def mistakes(rng, errors, replicates, examples, *, same_examples):
    """Mistakes `[M, R, N]` of M arms whose population errors are exactly `errors`.

    A probit model: examples differ strongly in difficulty (a few are always wrong, most never), replicates in
    luck, and a part of the rest is shared by the arms (the same subset). `same_examples`: the share of the
    difficulty that the arms have in common; 1 is the baseline with other seeds.
    """

    def normal(*shape):
        return rng.standard_normal(shape, np.float32)

    arms = len(errors)
    difficulty = math.sqrt(same_examples) * normal(1, 1, examples)
    if same_examples < 1:
        difficulty = difficulty + math.sqrt(1 - same_examples) * normal(arms, 1, examples)
    luck = 0.15 * normal(1, replicates, 1) + 0.1 * normal(arms, replicates, 1)
    rest = math.sqrt(0.5) * (normal(1, replicates, examples) + normal(arms, replicates, examples))
    scale = math.sqrt(2.5**2 + 0.15**2 + 0.1**2 + 1)
    return 2.5 * difficulty + luck + rest + scale * special.ndtri(errors)[:, None, None] > 0


class CrossedVarianceTest(parameterized.TestCase):
    def test_against_loops(self):
        values = np.random.default_rng(0).standard_normal((2, 4, 6))
        means, replicate, example, residual = stats.crossed_variance(values)
        rows, columns, rest = np.zeros((2, 2)), np.zeros((2, 2)), np.zeros((2, 2))
        mean = [sum(values[m].ravel()) / 24 for m in range(2)]
        for a, b in itertools.product(range(2), repeat=2):
            row = [[values[m, r].mean() - mean[m] for r in range(4)] for m in (a, b)]
            column = [[values[m, :, i].mean() - mean[m] for i in range(6)] for m in (a, b)]
            rows[a, b] = sum(row[0][r] * row[1][r] for r in range(4)) / 3 / 4
            columns[a, b] = sum(column[0][i] * column[1][i] for i in range(6)) / 5 / 6
            for r, i in itertools.product(range(4), range(6)):
                left = values[a, r, i] - row[0][r] - column[0][i] - mean[a]
                rest[a, b] += left * (values[b, r, i] - row[1][r] - column[1][i] - mean[b]) / 15 / 24
        for got, expected in zip(
            (means, replicate, example, residual), (mean, rows, columns, rest), strict=True
        ):
            np.testing.assert_allclose(got, expected, atol=1e-12)

    def test_unbiased_for_the_population(self):
        rng = np.random.default_rng(1)
        means, variances = [], []
        for _ in range(3000):
            values = rng.normal(0, 0.5, (1, 5, 1)) + rng.normal(0, 1, (1, 1, 8)) + rng.normal(0, 1, (1, 5, 8))
            mean, replicate, example, residual = stats.crossed_variance(values)
            means.append(mean[0])
            variances.append((replicate + example - residual)[0, 0])
        truth = 0.25 / 5 + 1 / 8 + 1 / 40
        self.assertAlmostEqual(np.mean(variances) / truth, 1, delta=0.04)
        self.assertAlmostEqual(np.var(means) / truth, 1, delta=0.08)

    @parameterized.parameters((1, 9), (5, 1))
    def test_too_little(self, replicates, examples):
        wrong = np.zeros((replicates, examples), bool)
        for call in (lambda: stats.interval(wrong), lambda: stats.paired_difference(wrong, wrong)):
            with self.assertRaisesRegex(ValueError, 'give at least 2 of each'):
                call()


class IntervalTest(absltest.TestCase):
    def test_identical_replicates_are_one_sample_of_examples(self):
        for errors in (80, 800, 1580):
            wrong = np.tile(np.arange(1600) < errors, (3, 1))
            found = stats.interval(wrong)
            expected = scipy.stats.binomtest(errors, 1600).proportion_ci(method='wilson')
            np.testing.assert_allclose(found.mean, errors / 16)
            np.testing.assert_allclose([found.low, found.high], [100 * v for v in expected], rtol=4e-3)
            self.assertEqual(found.n, 3)

    def test_no_mistake_leaves_room(self):
        wrong = np.zeros((5, 60), bool)
        found = stats.interval(wrong)
        self.assertEqual((found.mean, found.low), (0, 0))
        quantile = scipy.stats.t.ppf(0.975, 4)
        self.assertAlmostEqual(found.high, 100 * quantile**2 / (60 + quantile**2))
        mirrored = stats.interval(~wrong)
        np.testing.assert_allclose([mirrored.low, mirrored.high], [100 - found.high, 100])

    def test_plain_numbers(self):
        rng = np.random.default_rng(2)
        wrong, other = rng.random((2, 5, 40)) < 0.2
        for value in (*stats.interval(wrong), *stats.paired_difference(wrong, other)):
            self.assertIn(type(value), (int, float))


class PairedDifferenceTest(absltest.TestCase):
    def test_against_the_formula(self):
        rng = np.random.default_rng(3)
        wrong, baseline = mistakes(rng, np.array([0.1, 0.2]), 6, 50, same_examples=0.5)
        table = wrong.astype(float) - baseline
        replicate, example = table.mean(1).var(ddof=1) / 6, table.mean(0).var(ddof=1) / 50
        rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
        residual = (rest**2).sum() / (5 * 49) / 300
        variance = replicate + example - residual
        freedom = variance**2 / (replicate**2 / 5 + example**2 / 49 + residual**2 / (5 * 49))
        self.assertGreater(freedom, 5)
        reference = scipy.stats.t(freedom, table.mean(), math.sqrt(variance))
        found = stats.paired_difference(wrong, baseline)
        np.testing.assert_allclose(found[:3], [100 * v for v in (table.mean(), *reference.interval(0.95))])
        self.assertAlmostEqual(found.p, 2 * reference.sf(0) if table.mean() < 0 else 2 * reference.cdf(0))
        swapped = stats.paired_difference(baseline, wrong)
        np.testing.assert_allclose(swapped, [-found.mean, -found.high, -found.low, 6, found.p])

    def test_no_disagreement(self):
        wrong = np.random.default_rng(4).random((5, 60)) < 0.1
        found = stats.paired_difference(wrong, wrong)
        self.assertEqual((found.mean, found.p), (0, 1))
        self.assertAlmostEqual(0.025, (1 - found.high / 100) ** 60)
        self.assertEqual(found.low, -found.high)

    def test_replicates_that_agree_by_chance_prove_little(self):
        wrong = np.zeros((3, 60), bool)
        wrong[np.arange(3), [4, 17, 51]] = True  # each replicate: one mistake more, each time another
        found = stats.paired_difference(wrong, np.zeros_like(wrong))
        self.assertGreater(found.p, 0.05)
        self.assertLess(found.low, 0)

    def test_intervals_hold_for_the_population(self):
        """New replicates and new examples: a null is rejected as often as it should be."""
        shares, levels, replicates_only = {}, {}, {}
        for examples, replicates, same in itertools.product((60, 800), (5, 10, 20), (1.0, 0.9)):
            rng = np.random.default_rng([examples, replicates, int(10 * same)])
            runs = 1200 if examples == 60 else 400
            rejected, covered, naive = [], [], []
            for _ in range(runs):
                baseline, wrong = mistakes(rng, np.full(2, 0.08), replicates, examples, same_examples=same)
                found = stats.paired_difference(wrong, baseline)
                rejected.append(found.p < 0.05)
                self.assertEqual(found.p < 0.05, found.low > 0 or found.high < 0)
                level = stats.interval(baseline)
                covered.append(level.low <= 8 <= level.high)
                rows = 100 * (wrong.mean(1) - baseline.mean(1))
                half = special.stdtrit(replicates - 1, 0.975) * rows.std(ddof=1) / math.sqrt(replicates)
                naive.append(abs(rows.mean()) > half)
            key = (examples, replicates, same)
            shares[key], levels[key], replicates_only[key] = map(np.mean, (rejected, covered, naive))
            with self.subTest(f'{key}'):
                self.assertBetween(shares[key], 0.025, 0.075)
                self.assertBetween(levels[key], 0.93, 0.985)
        for same, examples in itertools.product((1.0, 0.9), (60, 800)):
            pooled = np.mean([share for key, share in shares.items() if (key[2], key[0]) == (same, examples)])
            self.assertBetween(pooled, 0.035, 0.065)
        self.assertBetween(np.mean(list(levels.values())), 0.93, 0.97)
        self.assertGreater(min(v for k, v in replicates_only.items() if k[2] < 1), 0.08)  # why not a plain t

    def test_a_known_effect_is_found_and_covered(self):
        rng = np.random.default_rng(5)
        errors = np.array([0.10, 0.07])
        found = []
        for _ in range(500):
            baseline, wrong = mistakes(rng, errors, 10, 400, same_examples=0.97)
            found.append(stats.paired_difference(wrong, baseline))
        verdicts = [stats.verdict(difference, difference.p) for difference in found]
        self.assertGreater(verdicts.count('helps'), 400)
        self.assertEqual(verdicts.count('hurts'), 0)
        self.assertBetween(
            np.mean([difference.low <= -3 <= difference.high for difference in found]), 0.93, 0.97
        )
        self.assertAlmostEqual(np.mean([difference.mean for difference in found]), -3, delta=0.15)


class HolmTest(parameterized.TestCase):
    @parameterized.parameters(
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.5, 0.6, 0.9], [1, 1, 1]),
        ([0.04], [0.04]),
        ([], []),
        ([math.nan, 0.02, math.nan, 0.03], [math.nan, 0.04, math.nan, 0.04]),
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
    )
    def test_by_hand(self, given, expected):
        np.testing.assert_allclose(stats.holm(given), expected)

    def test_rejects_what_the_step_down_procedure_rejects(self):
        rng = np.random.default_rng(6)
        for _ in range(200):
            given = rng.random(8) ** 4
            rejected, order = set(), sorted(range(8), key=lambda i: given[i])
            for step, arm in enumerate(order):
                if given[arm] > 0.05 / (8 - step):
                    break
                rejected.add(arm)
            self.assertEqual(set(np.flatnonzero(stats.holm(given) <= 0.05)), rejected)


class VerdictTest(parameterized.TestCase):
    @parameterized.parameters(
        (-1.0, 0.049, 'helps'),
        (1.0, 0.049, 'hurts'),
        (-1.0, 0.05, 'no evidence'),
        (1.0, 0.9, 'no evidence'),
        (-1.0, math.nan, 'no evidence'),
    )
    def test_verdict(self, mean, p_adjusted, expected):
        difference = stats.Difference(mean, mean - 0.5, mean + 0.5, 20, 0.001)
        self.assertEqual(stats.verdict(difference, p_adjusted), expected)


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
