"""How sure an effect is: errors and paired differences with intervals, p-values and verdicts.

Every arm of a comparison is trained on the same `J` labelled sets and its mistakes are told on the same
`N` test examples: a table `mistakes: [J, N]`. Where a test set stands apart the table is full; where a study
is cross-fitted a labelled set tests only its own fold, and the rest is NaN. Both margins are samples: other
labelled sets or other test examples would each have given another figure. So every interval here is for the
population of both, see `overfit.study.variances`.

Comparisons of many arms at once are in `overfit.study.simultaneous`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import numpy as np
from scipy import special

from overfit.study.variances import crossed, luck, of_differences, spread

SIGNIFICANCE = 0.05
VERDICTS = ('helps', 'hurts', 'no difference that matters', 'undecided')
DECIDED = VERDICTS[:2]


class Interval(NamedTuple):
    """A mean with its 95 % interval.

    Attributes:
        mean: the estimate, in percent.
        low: lower end.
        high: upper end.
        n: number of independent units behind it (labelled sets, or arms).
    """

    mean: float
    low: float
    high: float
    n: int


class Difference(NamedTuple):
    """A paired difference with its intervals and test; negative where the error falls.

    Attributes:
        mean: error of the arm minus error of the baseline, in percentage points.
        low: lower end of the 95 % interval that holds for all arms of the comparison at once.
        high: its upper end.
        n: number of labelled sets.
        p: two-sided p-value of no difference, of this arm alone.
        p_adjusted: the same for all arms at once; below 0.05 exactly where 0 is outside of `[low, high]`.
        low_single: lower end of the 95 % interval of this arm alone.
        high_single: its upper end.
        shrunk: `mean` drawn towards the mean over the arms, as far as the arms' scatter is noise; `None`: too
            few arms, a control, or many techniques together.
    """

    mean: float
    low: float
    high: float
    n: int
    p: float
    p_adjusted: float
    low_single: float
    high_single: float
    shrunk: float | None = None


def interval(mistakes: np.ndarray, columns: np.ndarray | None = None, *, one_model: bool = False) -> Interval:
    """Mean test error in percent, with a 95 % interval for new labelled sets and new test examples.

    Wilson's interval `(p + t^2 / 2n ± t sqrt(p (1 - p) / n + t^2 / 4n^2)) / (1 + t^2 / n)`, with the
    effective sample size `n = p (1 - p) / variance` that the crossed table implies, and t on its degrees of
    freedom. It stays inside 0..100. How often a mistake repeats over labelled sets cannot be learnt from few
    examples, so `1 / n` is shrunk towards `1 / N` (always) as if by 2 more; no mistake at all still has an
    upper end.

    Measured coverage of the population's error: full tables (2 to 20 %, N 60 to 800, J 5 to 20) 94 to 98 %,
    99 % at N = 60 where no example is harder than another. Cross-fitted (digits and clothes, 300 examples, 5
    stratified folds, 2 repeats; 580 users of linear models, an SVM, trees, nearest neighbour): 92 to 97 % for
    the expected error of models trained on a fold's 240; 84 to 93 % for a procedure that such folds flatter,
    see `difference`; 97 to 99 % where a share averages 3 models. The error of the one model trained on all
    300 is covered 87 to 94 %; with `one_model` 91 to 97 %, the intervals being 4 to 22 % wider. It errs up to
    1.4 points less (of 13 to 49) than is said here, having 300 labels in place of 240. With plain folds that
    gap is 1.1 to 2.7 points, and the coverage with `one_model` 82 to 93 %, the model being better than said.

    Args:
        mistakes: `[J, N]`, share of the nets on labelled set j that get example n wrong; NaN: not tested.
        columns: `[N]`, the group of each example; `None`: each stands for itself.
        one_model: whether the interval is to hold the error of one model of that kind, as of the one that is
            handed over, rather than the expected error: it is wider by the luck of one training.

    Returns:
        Interval in percent, `n` = J.

    Raises:
        ValueError: see `variances.crossed`, and shares outside of 0..1.

    Reference: Wilson, "Probable inference", JASA 1927; effective sample size: Korn and Graubard, "Confidence
    intervals for proportions with small expected number of positive counts", Survey Methodology 1998.
    """
    mistakes = shares(mistakes)
    parts = crossed(mistakes[None], columns)
    (mean,), ((variance,), (freedom,)) = np.clip(parts.means, 0, 1), spread(parts)
    if parts.once is not None:  # one net and one test an example, see `variances.crossed`
        variance += np.nanmean(mistakes * (1 - mistakes)) / np.count_nonzero(~np.isnan(mistakes).all(0))
    if one_model:
        (more,), (few,) = luck(parts)
        noise = variance**2 / freedom + more**2 / few
        variance += more
        freedom = variance**2 / noise if noise > 0 else freedom
    bernoulli = mean * (1 - mean)
    some = [np.nansum(side, 0) > 0 for side in (mistakes, 1 - mistakes)]
    groups = np.arange(mistakes.shape[1]) if columns is None else np.asarray(columns)
    informative = min(len(np.unique(groups[side])) for side in some)
    repeats = variance / bernoulli if bernoulli > 0 else 0.0
    inverse = (informative * repeats + 2 / parts.units) / (informative + 2)
    z = special.stdtrit(freedom, 0.975) ** 2 * inverse
    centre, half = (mean + z / 2) / (1 + z), np.sqrt(z * bernoulli + z**2 / 4) / (1 + z)
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    return Interval(100 * float(mean), 100 * float(low), 100 * float(high), parts.freedom[0] + 1)


def difference(mistakes: np.ndarray, other: np.ndarray, columns: np.ndarray | None = None) -> Difference:
    """Error of an arm minus that of another, paired by labelled set and test example: one comparison alone.

    `d ± t sqrt(variance)` of the table `mistakes - other`, with t on Satterthwaite's degrees of freedom.
    Arms that agree on every example differ by 0 with p = 1; the interval is then what N examples without a
    disagreement still allow, see `variances.of_differences`.

    Measured on full tables (N 60 or 800, J 5 to 20, error 5 to 20 %): the 5 % test rejects 3.5 to 6.5 % of
    true nulls, and the interval covers a known effect 92 to 95 times in 100. The test is conservative (under
    3 %) at N = 30, or at an error of 2 % on N = 60, and liberal (to 10 %) with 2 labelled sets. A t-test over
    the labelled sets alone rejects 10 to 60 % where arms differ example by example but not on average.
    Measured on cross-fitted tables (the users of `interval`): 93 to 98 % of the differences of procedures are
    covered, 97 to 99 % of those of a procedure and its own repetition. Stratified folds flatter what leans on
    the frequencies of the classes (logistic regression with a strong penalty: by 1.2 points of 30), and its
    differences are covered 86 to 94 %; with plain folds all are covered 93 to 99 %.

    Args:
        mistakes: `[J, N]`, mistakes of the arm, shares; NaN: not tested.
        other: `[J, N]`, mistakes of the other on the same labelled sets and examples.
        columns: `[N]`, the group of each example; `None`: each stands for itself.

    Returns:
        Difference in percentage points; `low` and `high` are those of the single interval.

    Raises:
        ValueError: see `variances.crossed`, and shares outside of 0..1.

    Papers: see `variances.crossed` and `variances.of_differences`.
    """
    mistakes, other = shares(mistakes), shares(other)
    chex.assert_equal_shape([mistakes, other])
    parts = crossed((mistakes - other)[None], columns)
    variance, freedom = of_differences(parts)
    (p,), (half,) = p_values(parts.means, variance, freedom), halves(variance, freedom)
    mean = float(parts.means[0])
    low, high = 100 * max(mean - float(half), -1.0), 100 * min(mean + float(half), 1.0)
    return Difference(100 * mean, low, high, parts.freedom[0] + 1, float(p), float(p), low, high)


def p_values(means: np.ndarray, variance: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Two-sided p-values of t-tests that means are 0.

    Args:
        means: `[A]`.
        variance: `[A]`, of the means, positive.
        freedom: `[A]`, degrees of freedom of the variances.
    """
    return np.minimum(2 * special.stdtr(freedom, -np.abs(means) / np.sqrt(variance)), 1.0)


def halves(variance: np.ndarray, freedom: np.ndarray, significance: float = SIGNIFICANCE) -> np.ndarray:
    """Half widths of intervals of differences, `t sqrt(variance)`.

    Args:
        variance: `[A]`, of the means, shares squared.
        freedom: `[A]`, degrees of freedom of the variances.
        significance: 1 - coverage.

    Returns:
        `[A]`, shares.
    """
    return -special.stdtrit(freedom, significance / 2) * np.sqrt(variance)


def wilson(wrong: np.ndarray, columns: np.ndarray | None = None) -> tuple[float, float]:
    """The 95 % interval of one model's error, from its mistakes on examples that it was not trained on.

    Wilson's interval, see `interval`, with z for t; n is the number of examples. Where there are groups it is
    their effective number, and the number of groups where the model made no mistake, or nothing else.

    Args:
        wrong: `[N]`, whether the model gets the example wrong.
        columns: `[N]`, the group of each example; `None`: each stands for itself.

    Returns:
        Lower and upper end, percent.

    Reference: effective number: Dean and Pagano, "Evaluating confidence interval methods for binomial
    proportions in clustered surveys", Journal of Survey Statistics and Methodology 2015.

    >>> [round(end, 1) for end in wilson(np.zeros(90))]
    [0.0, 4.1]
    """
    wrong = np.asarray(wrong, np.float64)
    share, count = wrong.mean(), len(wrong)
    if columns is not None:
        groups = np.unique(columns, return_inverse=True)[1]
        sums = np.bincount(groups, wrong - share)
        units, independent = len(sums), share * (1 - share) / count
        variance = (sums**2).sum() * units / max(1, units - 1) / count**2
        count = units if independent == 0 else count / max(1.0, variance / independent)
    z = special.ndtri(0.975) ** 2 / count
    centre, half = share + z / 2, np.sqrt(z * share * (1 - share) + z**2 / 4)
    return 100 * float(max(0.0, centre - half) / (1 + z)), 100 * float((centre + half) / (1 + z))


def shares(mistakes: np.ndarray) -> np.ndarray:
    """Tables of mistakes as float64, checked: `[..., J, N]` with all entries in 0..1 or NaN."""
    mistakes = np.asarray(mistakes, np.float64)
    if ((mistakes < 0) | (mistakes > 1)).any():
        raise ValueError('mistakes holds values outside of 0..1: give shares of nets that err, not percent.')
    return mistakes


def verdict(difference: Difference, margin: float) -> str:
    """What a table may say of an arm: its simultaneous interval, in words.

    Args:
        difference: arm minus baseline.
        margin: percentage points, the largest change that does not matter.

    Returns:
        `'helps'`: all of the interval is below 0; `'hurts'`: all of it is above 0; `'no difference that
        matters'`: it holds 0 and lies within `±margin`; else `'undecided'`.

    Reference: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", Journal
    of Pharmacokinetics and Biopharmaceutics 1987.
    """
    if difference.high < 0:
        return VERDICTS[0]
    if difference.low > 0:
        return VERDICTS[1]
    return VERDICTS[2] if max(-difference.low, difference.high) <= margin else VERDICTS[3]


def search_optimism(
    validation_errors: Sequence[float],
    mistakes: np.ndarray,
    validated: int,
    columns: np.ndarray | None = None,
) -> Interval:
    """By how much the winners' validation error flatters: mean of test minus validation error over the arms.

    All arms are validated on the same labelled examples and tested on the same test set, so arms are no
    independent units: the interval joins the binomial error of the validation examples with the crossed
    error of labelled sets and test examples, as if all arms erred on the same examples (cautious).

    Args:
        validation_errors: `[A]`, percent, of each arm's winner as the search saw it.
        mistakes: `[J, N]`, share of the arms that err on a test example; NaN: not tested.
        validated: number of labelled examples that the search validated on.
        columns: `[N]`, the group of each example; `None`: each stands for itself.

    Returns:
        Interval in percentage points, `n` = A; positive where the search was optimistic.

    Raises:
        ValueError: see `variances.crossed`.

    Reference: Cawley and Talbot, "On over-fitting in model selection", JMLR 2010, section 5.
    """
    errors = np.asarray(validation_errors, np.float64) / 100
    chex.assert_rank(errors, 1)
    parts = crossed(shares(mistakes)[None], columns)
    seen = float(errors.mean())
    pseudo = (seen * validated + 2) / (validated + 4)  # Agresti and Coull 1998: no certainty at 0 errors
    (tested,), (freedom,) = spread(parts)
    variance = tested + pseudo * (1 - pseudo) / validated
    freedom = freedom * (variance / tested) ** 2 if tested > 0 else np.inf  # of the first part alone
    gap, half = float(parts.means[0]) - seen, float(halves(variance, freedom))
    return Interval(100 * gap, 100 * (gap - half), 100 * (gap + half), len(errors))
