"""Worth in labels: against hand-made curves, SciPy, and populations whose truth is a power law."""

import itertools
import json
import math

import numpy as np
import scipy.optimize
from absl.testing import absltest, parameterized
from scipy import special

from overfit.study import size_curve
from tests.study import populations


def exactly(errors, sets=5, examples=1000):
    """Mistakes `[M, R, N]` with the same number in every replicate: `errors` percent."""
    wrong = np.arange(examples) < (np.asarray(errors) * examples / 100).round()[:, None]
    return np.repeat(wrong[:, None], sets, 1)


def sampled(rng, errors, sets, examples):
    """Mistakes `[M, R, N]` whose population errors (percent) are exactly `errors`: a probit model.

    Examples differ in difficulty, mostly the same for all M, which share luck and part of the rest.
    """
    arms = len(errors)
    difficulty = rng.normal(0, math.sqrt(0.9), (1, 1, examples)) + rng.normal(
        0, math.sqrt(0.1), (arms, 1, examples)
    )
    luck = rng.normal(0, 0.15, (1, sets, 1)) + rng.normal(0, 0.1, (arms, sets, 1))
    rest = rng.normal(0, 1, (1, sets, examples)) + rng.normal(0, 1, (arms, sets, examples))
    scale = math.sqrt(2.5**2 + 0.15**2 + 0.1**2 + 1)
    threshold = scale * special.ndtri(np.asarray(errors) / 100)[:, None, None]
    return 2.5 * difficulty + luck + rest / math.sqrt(2) + threshold > 0


class FitPowerLawTest(parameterized.TestCase):
    @parameterized.parameters(
        ([50, 100, 200], 0.0), ([50, 200], 0.0), ([10, 20, 50, 100, 400], 0.0), ([10, 20, 50, 100, 400], 3.0)
    )
    def test_recovers_a_law(self, sizes, c):
        a, b = c * math.sqrt(400) or 70.0, 0.5  # c is then half of the last error, a value that is tried
        found = size_curve.fit_power_law(sizes, a * np.array(sizes) ** -b + c)
        np.testing.assert_allclose(found, (a, b, c), rtol=1e-9, atol=1e-9)

    def test_leading_axes_are_separate_fits(self):
        sizes = [20, 40, 80, 160, 320]
        errors = np.random.default_rng(0).uniform(1, 30, (3, 2, 5))
        found = size_curve.fit_power_law(sizes, errors)
        for i, j in itertools.product(range(3), range(2)):
            single = size_curve.fit_power_law(sizes, errors[i, j])
            np.testing.assert_allclose([field[i, j] for field in found], single)

    def test_noise_is_no_evidence_of_a_floor(self):
        sizes, rng = np.array([25, 50, 100, 200, 400]), np.random.default_rng(1)
        errors = 70 * sizes**-0.5 * np.exp(rng.normal(0, 0.05, (500, 5)))
        found = size_curve.fit_power_law(sizes, errors)
        self.assertLess(np.mean(found.c > 0), 0.08)
        self.assertAlmostEqual(np.median(found.b), 0.5, delta=0.02)

    def test_error_zero(self):
        found = size_curve.fit_power_law([100, 200, 400, 800], [10, 5, 0, 0])
        self.assertTrue(np.isfinite(found).all())
        self.assertGreater(found.b, 1)

    @parameterized.parameters(([100], [10]), ([100, 200], [0, 0]))
    def test_nothing_to_fit(self, sizes, errors):
        with self.assertRaisesRegex(ValueError, 'at least 2 sizes'):
            size_curve.fit_power_law(sizes, errors)


class FallingTest(absltest.TestCase):
    def test_against_scipy(self):
        values = np.random.default_rng(2).normal(size=(200, 6)) - 0.3 * np.arange(6)
        for row, found in zip(values, size_curve._falling(values), strict=True):
            expected = scipy.optimize.isotonic_regression(row, increasing=False).x
            np.testing.assert_allclose(found, expected, atol=1e-12)


class LabelsWorthTest(parameterized.TestCase):
    sizes = (100, 200, 400, 800)
    curve = (40.0, 20.0, 10.0, 5.0)

    @parameterized.parameters(
        (10.0, 2.0, False),
        (14.1, 2 ** (math.log(20 / 14.1) / math.log(2)), False),
        (5.0, 4.0, False),
        (20.0, 1.0, False),
        (30.0, 2 / 3, False),
        (2.5, 8.0, True),
        (80.0, 0.25, True),
        (0.1, 8.0, True),
        (95.0, 0.25, True),
    )
    def test_by_hand(self, error, factor, extrapolated):
        curve, (arm,) = exactly(self.curve), exactly([error])
        found = size_curve.labels_worth(curve, self.sizes, 200, arm)
        self.assertAlmostEqual(found.factor, factor, places=6)
        self.assertIs(found.extrapolated, extrapolated)
        self.assertBetween(found.factor, found.low, found.high)
        self.assertEqual(found.largest, 8)
        if error in (0.1, 95.0):
            self.assertEqual(found.factor, factor)  # to the last digit: a bound is told by being equal
        self.assertEqual(json.loads(json.dumps(found._asdict(), allow_nan=False)), found._asdict())

    def test_the_baseline_is_worth_its_labels(self):
        curve = sampled(np.random.default_rng(3), self.curve, 5, 80)
        for train_size, arm in zip(self.sizes, curve, strict=True):
            found = size_curve.labels_worth(curve, self.sizes, train_size, arm)
            np.testing.assert_allclose(found[:3], 1, atol=1e-4)
            self.assertFalse(found.extrapolated)

    def test_rises_as_the_error_falls(self):
        curve = exactly([30.0, 18.0, 21.0, 9.0])  # 200 and 400 are pooled into one point
        factors = [
            size_curve.labels_worth(curve, self.sizes, 200, arm).factor
            for arm in exactly([60, 30, 25, 18, 17, 12, 6, 1])
        ]
        self.assertEqual(factors, sorted(factors))
        self.assertAlmostEqual(factors[3], 1)
        self.assertLess(factors[4], 1.2)  # no leap over the sizes that are pooled

    def test_a_curve_that_does_not_fall(self):
        curve = exactly([10.0, 10.0, 10.0])
        better, same, worse = exactly([8.0, 10.0, 12.0])
        for arm, factor in ((better, 4), (same, 1), (worse, 0.25)):
            self.assertAlmostEqual(size_curve.labels_worth(curve, (50, 100, 200), 100, arm).factor, factor)

    @parameterized.parameters(2, 3)
    def test_extremes_stay_finite(self, sets):
        rng = np.random.default_rng(4)
        for _ in range(20):
            wrong = rng.random((6, sets, 20)) < rng.choice([0.0, 0.02, 0.3, 1.0], (6, 1, 1))
            found = size_curve.labels_worth(wrong[:-1], (50, 51, 400, 1000, 5000), 400, wrong[-1])
            self.assertTrue(0.0625 - 1e-9 <= found.low <= found.high <= 25 + 1e-9)
            self.assertBetween(found.factor, 0.0625 - 1e-9, 25 + 1e-9)

    def test_seeded(self):
        wrong = sampled(np.random.default_rng(5), (*self.curve, 12.0), 5, 80)
        first, again, other = (
            size_curve.labels_worth(wrong[:-1], self.sizes, 200, wrong[-1], seed=seed) for seed in (0, 0, 1)
        )
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)
        self.assertEqual(first.factor, other.factor)
        np.testing.assert_allclose(first[1:3], other[1:3], rtol=0.15)

    @parameterized.parameters(
        ((100, 200, 400), 200, 'for 4 measured points'),
        ((100, 200, 200, 800), 200, 'increasing'),
        ((100, 200, 400, 800), 300, 'train_size=300'),
    )
    def test_wrong_input(self, sizes, train_size, message):
        with self.assertRaisesRegex(ValueError, message):
            size_curve.labels_worth(exactly(self.curve), sizes, train_size, exactly([10.0])[0])

    def test_cross_fitted_tables_count_each_example_once(self):
        rng = np.random.default_rng(6)
        wrong = sampled(rng, (*self.curve, 10.0), 10, 200).astype(float)
        full = size_curve.labels_worth(wrong[:-1], self.sizes, 200, wrong[-1])
        wrong = np.where(populations.tested(rng, 2, 5, 200), wrong, np.nan)
        found = size_curve.labels_worth(wrong[:-1], self.sizes, 200, wrong[-1])
        self.assertBetween(found.factor, found.low, found.high)
        self.assertGreater(np.log(found.high / found.low), 1.2 * np.log(full.high / full.low))
        groups = np.arange(200) // 2
        grouped = size_curve.labels_worth(wrong[:-1], self.sizes, 200, wrong[-1], groups)
        self.assertEqual(grouped.factor, found.factor)
        self.assertNotEqual(grouped.low, found.low)

    def test_covers_the_true_factor(self):
        """The baseline's error is `10 (n / 200)^-0.5` percent, the arm's that of `n = 200 factor`."""
        covered = []
        for case, (examples, sets, sizes, factor) in enumerate(
            [
                (800, 10, (50, 100, 200, 400, 800), 2.0),
                (60, 20, (50, 100, 200, 400, 800), 0.6),
                (60, 5, (50, 100, 200, 400, 800), 1.0),
                (400, 5, (50, 100, 200), 2.0),
            ]
        ):
            rng, hits, factors, beyond = np.random.default_rng(case), [], [], []
            errors = 10 * (np.array([*sizes, 200 * factor]) / 200) ** -0.5
            for _ in range(150):
                wrong = sampled(rng, errors, sets, examples)
                found = size_curve.labels_worth(wrong[:-1], sizes, 200, wrong[-1])
                hits.append(found.low <= factor <= found.high)
                factors.append(found.factor)
                beyond.append(found.extrapolated)
            with self.subTest(f'{examples} examples, {sets} sets, {sizes}, {factor}'):
                self.assertBetween(np.mean(hits), 0.9, 1.0)
                self.assertAlmostEqual(np.median(factors) / factor, 1, delta=0.12)
                self.assertEqual(np.mean(beyond) > 0.5, 200 * factor > sizes[-1])
            covered += hits
        self.assertBetween(np.mean(covered), 0.93, 0.98)


class EnoughTest(parameterized.TestCase):
    sizes = (100, 200, 400, 800)
    curve = (40.0, 20.0, 10.0, 5.0)

    @parameterized.parameters(
        ((28.0, 14.0, 7.0), (100, 200, 400), 140),  # log2(28 / 20) of a doubling
        ((20.0, 14.0, 7.0), (100, 200, 400), 100),
        ((18.0, 14.0, 7.0), (100, 200, 400), 100),
        ((40.0, 30.0, 20.5), (50, 100, 200), None),
        ((40.0, 30.0, 20.0), (50, 100, 200), 200),
        (
            (40.0, 16.0, 24.0, 10.0),
            (50, 100, 200, 400),
            99,
        ),  # 100 and 200 pooled at 19.6: 50 x 2^(ln 2 / ln 2.041)
        ((40.0, 18.0, 24.0, 10.0), (50, 100, 200, 400), 208),  # pooled at 20.8: 200 x 2^(ln 1.039 / ln 2.078)
    )
    def test_by_hand(self, errors, arm_sizes, expected):
        arm = exactly(errors)
        found = size_curve.enough(exactly(self.curve), self.sizes, 200, arm, arm_sizes)
        self.assertEqual(found, expected)
        self.assertIn(type(found), (int, type(None)))

    def test_cross_fitted(self):
        rng = np.random.default_rng(7)
        tested = populations.tested(rng, 2, 5, 1000)
        curve, arm = (np.where(tested, exactly(one, 10), np.nan) for one in (self.curve, (28.0, 14.0)))
        self.assertEqual(size_curve.enough(curve, self.sizes, 200, arm, (100, 200)), 140)

    def test_wrong_input(self):
        curve = exactly(self.curve)
        with self.assertRaisesRegex(ValueError, 'train_size=300'):
            size_curve.enough(curve, self.sizes, 300, curve, self.sizes)
        with self.assertRaisesRegex(ValueError, 'for 2 measured points: give 2 or more increasing'):
            size_curve.enough(curve, self.sizes, 200, curve[:2], (200, 100))


if __name__ == '__main__':
    absltest.main()
