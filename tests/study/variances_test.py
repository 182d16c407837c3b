"""Variances of means: against loops, and against what the model says of any pattern of entries."""

import itertools

import numpy as np
from absl.testing import absltest, parameterized

from overfit.study import variances
from tests.study import populations


def patterns():
    """Which entries there are `[J, N]`, and the groups of the columns."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(5), [1, 2, 3, 2, 4])
    by_group = populations.tested(rng, 2, 2, 5)
    return {
        'full': (np.ones((3, 8), bool), None),
        'cross_fitted': (populations.tested(rng, 2, 3, 12), None),
        'once': (populations.tested(rng, 1, 4, 12), None),
        'holes': (rng.random((4, 9)) < 0.7, None),
        'full_of_groups': (np.ones((3, 12), bool), groups),
        'cross_fitted_groups': (by_group[:, groups], groups[::-1].max() - groups),
    }


class CrossedTest(parameterized.TestCase):
    def test_full_tables_against_loops(self):
        values = np.random.default_rng(0).standard_normal((2, 4, 6))
        parts = variances.crossed(values)
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
        for got, expected in zip(parts[:4], (mean, rows, columns, rest), strict=True):
            np.testing.assert_allclose(got, expected, atol=1e-12)
        np.testing.assert_allclose(parts.covariance, rows + columns - rest, atol=1e-12)
        self.assertEqual(parts[4:8], ((3, 5, 15), 6, 4.0, None))
        for m in range(2):
            self.assertAlmostEqual(parts.one_more[m], populations.one_more(values[m]))

    @parameterized.named_parameters((name, *pattern) for name, pattern in patterns().items())
    def test_unbiased_for_any_pattern(self, present, columns):
        """One table for each entry, 1 there and 0 elsewhere: the covariances are then the estimator itself.

        An estimate `y' Q y` of the variance of the mean is unbiased where `Q 1 = 0` and, for each part `Z Z'`
        of the covariance of the entries, `tr(Q Z Z') = 1' Z Z' 1 / n^2`.
        """
        entries = np.argwhere(present)
        n = len(entries)
        single = np.where(present, 0.0, np.nan)[None].repeat(n, 0)
        single[np.arange(n), entries[:, 0], entries[:, 1]] = 1.0
        parts = variances.crossed(single, columns)
        estimator = parts.row + parts.column - parts.residual
        np.testing.assert_allclose(estimator.sum(0), 0, atol=1e-12)
        group = entries[:, 1] if columns is None else columns[entries[:, 1]]
        same_row, same_group = entries[:, :1] == entries[:, 0], group[:, None] == group
        for part in (same_row, same_group, same_row & same_group, np.eye(n, dtype=bool)):
            self.assertAlmostEqual((estimator * part).sum(), part.sum() / n**2, places=10)

    def test_once_is_the_variance_over_examples(self):
        rng = np.random.default_rng(1)
        values = np.where(populations.tested(rng, 2, 5, 40), rng.random((10, 40)), np.nan)
        parts = variances.crossed(values[None])
        entries = values[~np.isnan(values)]
        self.assertAlmostEqual(parts.once[0, 0], np.mean((entries - entries.mean()) ** 2) / 39)
        self.assertEqual(parts.repeats, 2)
        groups = rng.integers(0, 12, 40)
        present = populations.tested(rng, 3, 4, 12)[:, groups]
        values = np.where(present, rng.random((12, 40)), np.nan)
        mean, total = np.nanmean(values), 0.0
        for j, g in itertools.product(range(12), range(12)):
            total += np.nansum(values[j, groups == g] - mean) ** 2
        parts = variances.crossed(values[None], groups)
        self.assertAlmostEqual(parts.once[0, 0], total / 3 / 40**2 * 12 / 11)

    def test_groups_are_the_units(self):
        rng = np.random.default_rng(2)
        values, groups = rng.random((2, 5, 30)), np.arange(30) // 3
        whole = values.reshape(2, 5, 10, 3).mean(-1)  # equal groups: as if each were one example
        for pattern in (np.ones((5, 10), bool), populations.tested(rng, 1, 5, 10)):
            hidden = np.where(np.repeat(pattern, 3, 1), values, np.nan)
            parts = variances.crossed(hidden, groups + 7)
            expected = variances.crossed(np.where(pattern, whole, np.nan))
            np.testing.assert_allclose(parts.covariance, expected.covariance)
            self.assertEqual(parts.units, 10)
        shuffled = rng.permutation(30)
        again = variances.crossed(values[:, :, shuffled], groups[shuffled])
        np.testing.assert_allclose(again.covariance, variances.crossed(values, groups).covariance)

    @parameterized.parameters(((1, 9), 'give at least 2 of each'), ((5, 1), 'give at least 2 of each'))
    def test_too_little(self, shape, message):
        with self.assertRaisesRegex(ValueError, message):
            variances.crossed(np.zeros((1, *shape)))

    def test_wrong_input(self):
        values = np.zeros((2, 4, 6))
        with self.assertRaisesRegex(ValueError, '5 entries for 6 test examples'):
            variances.crossed(values, np.arange(5))
        with self.assertRaisesRegex(ValueError, '1 independent test'):
            variances.crossed(values, np.zeros(6, int))
        values[1, 2, 3] = np.nan
        with self.assertRaisesRegex(ValueError, 'lack different entries'):
            variances.crossed(values)


class SpreadTest(absltest.TestCase):
    def test_differences_count_one_more_example(self):
        rng = np.random.default_rng(3)
        values = rng.random((2, 4, 20)) - rng.random((2, 4, 20))
        parts = variances.crossed(values)
        (variance, freedom), (plain, same) = variances.of_differences(parts), variances.spread(parts)
        np.testing.assert_allclose(variance - plain, [populations.one_more(table) for table in values])
        np.testing.assert_array_equal(freedom, same)
        grouped = variances.crossed(values, np.arange(20) // 2).one_more
        halves = values.reshape(2, 4, 10, 2).mean(-1)
        np.testing.assert_allclose(grouped, [populations.one_more(table) for table in halves])
        np.testing.assert_allclose(variances.crossed(np.zeros((1, 4, 20))).one_more, 1 / 22**2)

    def test_repeats_add_no_evidence(self):
        rng = np.random.default_rng(5)
        once = rng.random(100)
        values = np.where(populations.tested(rng, 4, 5, 100), rng.random((20, 100)) + once, np.nan)
        parts = variances.crossed(values[None])
        (variance,), (freedom,) = variances.spread(parts)
        self.assertGreater(variance, 1.1 * (parts.row + parts.column - parts.residual)[0, 0])
        self.assertEqual(freedom, 99)
        values[3] += 5  # a labelled set that went wrong counts as one of 20, not as 20 of 100 examples
        (variance,), (freedom,) = variances.spread(variances.crossed(values[None]))
        self.assertGreater(variance, 0.5 * 25 / 20**2)
        self.assertLess(freedom, 40)


class LuckTest(absltest.TestCase):
    def test_variance_of_rows(self):
        rng, found = np.random.default_rng(6), []
        for _ in range(300):
            values = 0.3 * rng.standard_normal((1, 10, 1)) + rng.standard_normal((1, 10, 200))
            found.append(variances.luck(variances.crossed(values))[0][0])
        self.assertAlmostEqual(np.mean(found), 0.09, delta=0.01)

    def test_disagreement_of_repeats(self):
        rng = np.random.default_rng(7)
        values = rng.random((2, 200))
        present = populations.tested(rng, 2, 5, 200)
        table = np.full((10, 200), np.nan)
        for n in range(200):
            table[present[:, n], n] = values[:, n]
        expected = ((values[0] - values[1]) ** 2).mean() / 2 / 200
        self.assertAlmostEqual(
            variances.luck(variances.crossed(table[None]))[0][0], expected, delta=expected / 20
        )
        alone = variances.crossed(np.where(populations.tested(rng, 1, 5, 200), values[0], np.nan)[None])
        self.assertEqual(variances.luck(alone)[0][0], 0)


if __name__ == '__main__':
    absltest.main()
