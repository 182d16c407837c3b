"""Variances of means over labelled sets and test examples, for whatever examples each set is tested on.

The model is `d[j, n] = mu + row_j + column_n + rest`: another labelled set, or another test set, would have
given another mean. Full tables (a test set apart) and cross-fitted ones (a labelled set tests its own fold
only, the rest is NaN) are two patterns of the same.
"""

from typing import NamedTuple

import chex
import numpy as np

_UNSEEN = 0.01  # weight of an example that nobody has seen, see `of_differences`


class Parts(NamedTuple):
    """Means of M tables and the parts of their covariance, which is `row + column - residual`.

    Attributes:
        means: `[M]`, over all entries.
        row: `[M, M]`, what the scatter of the labelled sets' means says.
        column: `[M, M]`, what the scatter of the examples' means says.
        residual: `[M, M]`, what both hold, counted twice in their sum.
        freedom: degrees of freedom of the three.
        units: number of independent test examples (groups).
        repeats: number of labelled sets that test an example, on average.
        once: `[M, M]`, the covariance as if every example had been tested once; `None`: the table is full.
        one_more: `[M]`, what a test example (group) unlike those seen would add, see `of_differences`.
    """

    means: np.ndarray
    row: np.ndarray
    column: np.ndarray
    residual: np.ndarray
    freedom: tuple[int, int, int]
    units: int
    repeats: float
    once: np.ndarray | None
    one_more: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """`[M, M]`, of the means, not corrected for chance negative variances."""
        return self.row + self.column - self.residual if self.once is None else self.overlapping

    @property
    def overlapping(self) -> np.ndarray:
        """`[M, M]`, where labelled sets share labels: halfway from all tests counted to each example once."""
        return (self.once + self.column) / 2


def crossed(values: np.ndarray, columns: np.ndarray | None = None) -> Parts:
    """Means of tables of labelled sets x examples, and the covariance of these means for new ones of both.

    Henderson's method 1: the sums of squares `T_f = sum_l (sum of level l)^2 / n_l` of the rows, of the
    columns and of the single entries, less that of the whole, are linear in the variances of rows, columns
    and rest, with weights that only the counts decide; so is the variance of the mean. Solving gives the
    unbiased estimate, for whatever entries there are; of a full table that of the analysis of variance.
    A group of examples is one column, which a row may test several times; its interaction with the row is
    then a variance of its own. Products in place of squares give covariances.

    A table with NaN counts as cross-fitted. There the labelled sets share most of their labels (5 folds: any
    two share three quarters), which no estimate from one table can see (Bengio and Grandvalet 2004): the
    variance above was too small by a factor of 1.42 on average (1.0 to 1.8) in simulations, and 95 %
    intervals of differences covered 76 to 96 %. `once` counts each example as if it had been tested a single
    time, whatever the number of repeats, `column` as if every test were new evidence; the truth lies between.
    Over 200 simulated users on each of three sets, the mean of the two is 0.9 to 1.06 of the true variance
    and covers differences 94 to 95 % (`once` 1.1 to 1.2 and 96 to 97 %; with averages of nets, of 12 users,
    1.25 against 1.6). It is a floor, so that a labelled set that went wrong still shows.

    Args:
        values: `[M, J, N]`, M quantities measured on the same labelled sets and examples; NaN where a
            labelled set does not test an example, the same in all M.
        columns: `[N]`, the group of each example; `None`: each stands for itself.

    Returns:
        Parts. With one entry a column (one repeat) rows and columns cannot be told apart: their sum can.

    Raises:
        ValueError: fewer than 2 labelled sets or 2 examples (groups), NaN that differ between the M, or
            columns of another length.

    Reference: Henderson, "Estimation of variance and covariance components", Biometrics 1953; for full tables
    Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007; `once`: Bayle et al.,
    "Cross-validation confidence intervals for test error", NeurIPS 2020.
    """
    chex.assert_rank(values, 3)
    values = np.asarray(values, np.float64)
    _, _, examples = values.shape
    present = ~np.isnan(values)
    if (present != present[:1]).any():
        raise ValueError(
            'The tables lack different entries: give every arm the same labelled sets and examples.'
        )
    present = present[0]
    used = present.any(1)
    values, present = values[:, used], present[used]
    groups = np.arange(examples) if columns is None else np.unique(columns, return_inverse=True)[1]
    if len(groups) != examples:
        raise ValueError(
            f'columns has {len(groups)} entries for {examples} test examples: give one for each.'
        )
    grouped = len(np.unique(groups[present.any(0)])) < present.any(0).sum()
    order = np.argsort(groups, kind='stable')
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))

    cells = np.add.reduceat(present[:, order].astype(np.float64), starts, 1)  # entries by row and column
    by_row, by_column, total = cells.sum(1), cells.sum(0), cells.sum()
    rows, units = len(by_row), int(np.count_nonzero(by_column))
    if rows < 2 or units < 2:
        raise ValueError(
            f'{rows} labelled set(s) of {units} independent test example(s) show no variance: give at least 2'
            ' of each, and 5 labelled sets for intervals that hold.'
        )
    means = np.where(present, values, 0.0).sum((1, 2)) / total
    centred = np.where(present, values - means[:, None, None], 0.0)
    single = centred.reshape(len(centred), -1)
    sums = np.add.reduceat(centred[:, :, order], starts, 2) if grouped else centred
    squares = [
        _products(centred.sum(2), by_row),
        _products(sums.sum(1), by_column),
        *([_products(sums.reshape(len(sums), -1), cells.ravel())] if grouped else []),
        single @ single.T,
    ]
    # How much each of the variances (rows, columns, cells, entries) adds to each sum of squares.
    squared = cells**2
    in_row, in_column = (squared.sum(1) / by_row).sum(), (squared.sum(0) / np.maximum(by_column, 1)).sum()
    filled = int(np.count_nonzero(cells))
    whole = np.array([(by_row**2).sum(), (by_column**2).sum(), squared.sum(), total]) / total
    expected = np.array(
        [
            [total, in_row, in_row, rows],
            [in_column, total, in_column, units],
            [total, total, total, filled],
            [total, total, total, total],
        ]
    )
    kept = [0, 1, 2, 3] if grouped else [0, 1, 3]
    expected = (expected - whole)[np.ix_(kept, kept)]
    weights = whole[kept] / total
    solved = weights @ np.linalg.pinv(expected, rcond=1e-10)
    variance = sum(weight * square for weight, square in zip(solved, squares, strict=True))
    row, column = (weights[i] / expected[i, i] * squares[i] for i in (0, 1))
    freedom = rows - 1, units - 1, max(filled - rows - units + 1, 1)
    once = None
    if filled < rows * units:
        whole_cells = sums.reshape(len(sums), -1)
        once = whole_cells @ whole_cells.T * (filled / (units - 1)) / total**2
    by_unit = (sums.sum(1) + means[:, None] * by_column) / np.maximum(by_column, 1)
    by_unit = by_unit[:, by_column > 0]
    unlike = (np.abs(by_unit - np.median(by_unit, 1, keepdims=True)) > 1e-9).sum(1)
    one_more = _UNSEEN / (_UNSEEN + unlike) / (units + 2) ** 2
    return Parts(means, row, column, row + column - variance, freedom, units, filled / units, once, one_more)


def _products(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sums over levels of products of sums, each divided by its count: `[M, L]` to `[M, M]`."""
    return (sums / np.maximum(counts, 1)) @ sums.T


def luck(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the error of one model about the expected error: the luck of its labelled set and training.

    The variance of rows where the table is full. Where it is cross-fitted a row has too few examples to show
    it; how often the repeats disagree on an example, over N, stands in for it. In simulations (300 examples,
    5 folds, 2 repeats) the stand-in was 0.9 to 1.5 squared points for a variance of 0.5 to 0.9 (logistic
    regression, SVM, nearest neighbour), and 4.3 for one of 5.3 to 6.8 (trees).

    Args:
        parts: of M tables.

    Returns:
        Variances and degrees of freedom, `[M]` each; a variance of 0 where every example is tested once.
    """
    row, column, residual = (np.diag(part) for part in (parts.row, parts.column, parts.residual))
    if parts.once is None:
        between, sets = np.maximum(row - residual, 0), parts.freedom[0]
        freedom = sets * (between / np.where(row > 0, row, 1.0)) ** 2
        return between * (sets + 1), np.maximum(freedom, 1.0)
    share = parts.repeats / (parts.repeats - 1) if parts.repeats > 1 else 0.0
    return np.maximum(np.diag(parts.once) - column, 0) * share, np.full(len(row), parts.units - 1.0)


def spread(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Variance of means, kept positive, and its degrees of freedom (Satterthwaite 1946).

    The floor at half the labelled sets' variance keeps the estimate positive yet nearly unbiased: a floor at
    the whole of it (example effects never below zero) makes a 5 % test one of 2 to 3 % at N = 60. Where the
    table is cross-fitted `overlapping` is a second floor, see `crossed`.

    Args:
        parts: of M tables.

    Returns:
        Variances and degrees of freedom, `[M]` each.
    """
    rounding = 1e-14 * np.diag(parts.column)  # sets that agree to the last mistake differ by this
    row, column, residual = (
        np.where(np.abs(np.diag(part)) > rounding, np.diag(part), 0.0)
        for part in (parts.row, parts.column, parts.residual)
    )
    floor = np.where(row > 0, row / 2, np.maximum(residual, 0))  # few sets can agree to the last mistake
    variance = np.maximum(row + column - residual, floor)
    noise = sum(part**2 / free for part, free in zip((row, column, residual), parts.freedom, strict=True))
    freedom = np.maximum(min(parts.freedom[:2]), variance**2 / np.where(noise > 0, noise, np.inf))
    if parts.once is None:
        return variance, freedom
    least = np.diag(parts.overlapping)
    return np.maximum(variance, least), np.where(least >= variance, parts.units - 1.0, freedom)


def of_differences(parts: Parts) -> tuple[np.ndarray, np.ndarray]:
    """Variance of mean differences of two arms, and its degrees of freedom: `spread`, and one more example.

    Two arms that agree on all of 24 patients may differ on the next one. So a variance of
    `0.01 / (0.01 + k) / (N + 2)^2` is added, as of one more example on which only one of the arms errs; it
    weighs a hundredth against the k examples (groups) whose difference is not the usual one. The half width
    of arms that always agree is so `t / (N + 2)`, and that of others hardly grows: by 0.2 % at
    N = 60 where the arms differ on one example in six, and a 5 % test rejects 4.4 % of true nulls as before.

    Args:
        parts: of M tables of differences.

    Returns:
        Variances, positive, and degrees of freedom, `[M]` each.

    Reference: Agresti and Min, "Simple improved confidence intervals for comparing matched proportions",
    Statistics in Medicine 2005 (who add half an example to each of the four outcomes of a pair).
    """
    variance, freedom = spread(parts)
    return variance + parts.one_more, freedom
