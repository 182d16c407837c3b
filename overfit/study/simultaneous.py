"""Comparisons of many arms with one baseline: intervals that hold for all arms at once, and the best arms.

The arms share the labelled sets, the test examples and the baseline, so their errors are correlated, and each
variance rests on few labelled sets (9 degrees of freedom for 10 sets). Both are used: the variances are
raised to what the other arms suggest (`moderated`), and the simultaneous level is that of
the smallest of correlated p-values rather than Bonferroni's.
"""

from collections.abc import Sequence

import chex
import numpy as np
from scipy import special

from overfit.study import stats, variances
from overfit.study.stats import SIGNIFICANCE, Difference

_DRAWS = 10_000  # 500 of them decide the level of 5 %, which moves the half width by 1 %
_FEWEST = 4  # arms whose means are shrunk: Efron and Morris 1975 need more than 3


def compare(
    mistakes: np.ndarray,
    baseline: np.ndarray,
    columns: np.ndarray | None = None,
    *,
    alike: Sequence[bool] | None = None,
) -> list[Difference]:
    """Errors of the arms minus that of the baseline, with intervals that hold for all arms at once.

    `d ± t_df(1 - alpha / 2) se` with each arm's own degrees of freedom; `alpha` is the 5 % quantile of the
    smallest p-value of arms that do not differ, drawn with one correlation between any two of them.

    Measured with 38 arms that do not differ (error 8 %, N 60 to 800, J 5 to 20, full tables): at least one
    has a verdict in 0 to 1 % of studies at N = 60 and in 2 to 4 % at N = 300 and 800; an arm alone has
    p < 0.05 in 2.9 to 4.4 %. Cross-fitted (N = 300, 2 repeats): 0 to 1 %, and 0.4 to 1.8 % alone, where nets
    err independently of what they share, so that counting each example once is cautious. Where 8 of 38 arms
    have 2.7 times the variance (J 5 and 10, N = 300): 2 to 3 %, and 5.0 to 5.4 % of those arms alone.

    Args:
        mistakes: `[A, J, N]`, mistakes of the arms, shares; NaN: not tested.
        baseline: `[J, N]`, mistakes of the baseline on the same labelled sets and examples.
        columns: `[N]`, the group of each example; `None`: each stands for itself.
        alike: `[A]`, which arms are techniques of whose effects one says something of another's, and are
            shrunk; `None`: all.

    Returns:
        A differences in percentage points, in the order of the arms.

    Raises:
        ValueError: see `variances.crossed`, and shares outside of 0..1.

    Reference: Westfall and Young, "Resampling-Based Multiple Testing", 1993, section 2.3 (single-step min-p);
    Dunnett, "A multiple comparison procedure for comparing several treatments with a control", JASA 1955.
    """
    mistakes, baseline = stats.shares(mistakes), stats.shares(baseline)
    chex.assert_rank([mistakes, baseline], [3, 2])
    if not len(mistakes):
        return []
    chex.assert_equal_shape([mistakes[0], baseline])
    parts = variances.crossed(mistakes - baseline, columns)
    variance, freedom = variances.of_differences(parts)
    correlation = _correlation(parts.covariance)
    variance, freedom = moderated(variance, freedom, correlation)
    p = stats.p_values(parts.means, variance, freedom)
    level, adjusted = _single_step(p, freedom, correlation)
    half, single = stats.halves(variance, freedom, level), stats.halves(variance, freedom)
    some, shrunk = np.ones(len(mistakes), bool) if alike is None else np.array(alike), np.full_like(p, np.nan)
    shrunk[some] = _shrunk(parts.means[some], variance[some] * (1 - correlation))
    ends = [100 * np.clip(parts.means + side, -1, 1) for side in (-half, half, -single, single)]
    means, sets = 100 * parts.means, parts.freedom[0] + 1
    found = zip(means, ends[0], ends[1], p, adjusted, ends[2], ends[3], 100 * shrunk, strict=True)
    return [Difference(*map(float, one[:3]), sets, *map(float, one[3:7]), _or_none(one[7])) for one in found]


def detectable(differences: Sequence[Difference], power: float = 0.8) -> float:
    """Smallest true difference that the simultaneous intervals find with a given power, of the median arm.

    `half + z_power se`: the interval must exclude 0, with `half` its half width and `se` the single one's
    divided by 1.96 (a little too large where degrees of freedom are few).

    Args:
        differences: of the arms that were compared together, at least one.
        power: chance of finding it, in (0, 1).

    Returns:
        Percentage points.

    Raises:
        ValueError: no difference.
    """
    if not differences:
        raise ValueError('differences=[] have no standard error: give at least one arm.')
    half = np.median([(one.high - one.low) / 2 for one in differences])
    single = np.median([(one.high_single - one.low_single) / 2 for one in differences])
    return float(half + special.ndtri(power) * single / special.ndtri(0.975))


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _correlation(covariance: np.ndarray) -> float:
    """Median correlation of the arms; 10 labelled sets know a common one, not one for each pair of arms."""
    deviation = np.sqrt(np.maximum(np.diag(covariance), 0))
    known = np.flatnonzero(deviation > 0)
    if len(known) < 2:
        return 0.0
    pairs = covariance[np.ix_(known, known)] / np.outer(deviation[known], deviation[known])
    return float(np.clip(np.median(pairs[np.triu_indices(len(known), 1)]), 0, 0.95))


def moderated(
    variance: np.ndarray, freedom: np.ndarray, correlation: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Variances raised to what the other arms suggest, with their degrees of freedom.

    `(d0 s0^2 + d s^2) / (d0 + d)` with `d0 + d` degrees of freedom where that is above `s^2`, else `s^2`
    with d; `s0^2` and `d0` match the mean and the variance of `log s^2`. Arms of correlation `r` have log
    variances of correlation about `r^2`: they scatter less than independent ones by `1 - r^2`, and their mean
    is known less well, which bounds `d0 + d` at the sum of all d, divided by `1 + (A - 1) r^2`.

    A variance is never lowered: where 2 to 8 of 40 arms have four times the variance of the rest (9 degrees
    of freedom), lowering makes their 5 % test one of 11 to 19 %; so it is one of 4 to 6 %, that of the others
    one of 3.5 %, and the simultaneous interval of the median arm is as narrow (3.3 to 3.8 standard errors;
    4.3 without the other arms).

    Args:
        variance: `[A]`, positive.
        freedom: `[A]`, positive.
        correlation: of the arms' means, 0 to 1.

    Returns:
        Variances and degrees of freedom, `[A]` each; as given where they are fewer than 3.

    Reference: Smyth, "Linear models and empirical Bayes methods for assessing differential expression in
    microarray experiments", Statistical Applications in Genetics and Molecular Biology 2004, section 6.
    """
    if len(variance) < 3:
        return variance, freedom
    s2, d = np.asarray(variance, np.float64), np.asarray(freedom, np.float64)
    logs = np.log(s2) - special.digamma(d / 2) + np.log(d / 2)
    excess = logs.var(ddof=1) - (1 - correlation**2) * special.polygamma(1, d / 2).mean()
    prior = 2 * _inverse_trigamma(excess) if excess > 1e-6 else 2e6
    typical = np.exp(logs.mean() + special.digamma(prior / 2) - np.log(prior / 2))
    pooled = d.sum() / (1 + (len(d) - 1) * correlation**2)
    joint = (prior * typical + d * s2) / (prior + d)
    raised = joint > s2
    return np.where(raised, joint, s2), np.where(raised, np.maximum(np.minimum(prior + d, pooled), d), d)


def _inverse_trigamma(value: float) -> float:
    """The x at which `trigamma(x) = value`, by Newton's steps on `1 / trigamma` (Smyth 2004, appendix)."""
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = special.polygamma(1, x)
        x += trigamma * (1 - trigamma / value) / special.polygamma(2, x)
    return float(x)


def _least_p(freedom: np.ndarray, correlation: float, one_sided: bool = False) -> np.ndarray:
    """Sorted draws of the smallest p-value of arms without a difference: equally correlated t statistics."""
    rng = np.random.default_rng(0)
    common = rng.standard_normal((_DRAWS, 1))
    own = rng.standard_normal((_DRAWS, len(freedom)))
    normal = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    t = normal * np.sqrt(freedom / rng.chisquare(freedom, normal.shape))
    if one_sided:
        return np.sort(special.stdtr(freedom, -t).min(1))
    return np.sort(2 * special.stdtr(freedom, -np.abs(t)).min(1))


def _single_step(p: np.ndarray, freedom: np.ndarray, correlation: float) -> tuple[float, np.ndarray]:
    """The level of each arm at which 5 % of null families have a false verdict, and adjusted p-values."""
    if len(p) == 1:
        return SIGNIFICANCE, p
    least = _least_p(freedom, correlation)
    rank = round(SIGNIFICANCE * _DRAWS)
    adjusted = np.searchsorted(least, p, side='right') / _DRAWS
    rare = 20  # below the 20th smallest draw the share is extrapolated in proportion
    adjusted = np.where(p < least[rare - 1], p / least[rare - 1] * rare / _DRAWS, adjusted)
    return min(float(least[rank - 1]), SIGNIFICANCE), np.maximum(adjusted, p)


def _shrunk(means: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Empirical-Bayes means: each drawn to the arms' weighted mean by `variance / (variance + between)`.

    `between`, the variance of the true effects, solves `sum (d - m)^2 / (between + variance) = A - 1`.
    What the arms share (the baseline's luck) moves all alike and is not in `variance`. NaN: too few arms.

    Reference: Efron and Morris, "Data analysis using Stein's estimator", JASA 1975; Paule and Mandel,
    "Consensus values and weighting factors", Journal of Research of the NBS 1982.
    """
    if len(means) < _FEWEST:
        return np.full(len(means), np.nan)

    def centre(between: float) -> float:
        return float(np.average(means, weights=1 / (between + variance)))

    low, high = 0.0, float(np.ptp(means)) ** 2 + 1e-12
    for _ in range(60):
        between = (low + high) / 2
        excess = ((means - centre(between)) ** 2 / (between + variance)).sum() > len(means) - 1
        low, high = (between, high) if excess else (low, between)
    middle = centre(between)
    return middle + (means - middle) * between / (between + variance)


def near_best(mistakes: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
    """Which arms cannot be told from the best: no arm errs less than they do, beyond chance.

    Multiple comparisons with the best: arm i falls out where some arm k has
    `mean_i - mean_k > t se_ik`, at a one-sided level that A - 1 comparisons with arm i keep at 5 % together.
    The truly best arm is then among those marked with 95 % confidence.

    Args:
        mistakes: `[A, J, N]`, mistakes of the arms, shares; NaN: not tested.
        columns: `[N]`, the group of each example; `None`: each stands for itself.

    Returns:
        `[A]` bool.

    Raises:
        ValueError: see `variances.crossed`, and shares outside of 0..1.

    Reference: Hsu, "Constrained simultaneous confidence intervals for multiple comparisons with the best",
    Annals of Statistics 1984.
    """
    mistakes = stats.shares(mistakes)
    chex.assert_rank(mistakes, 3)
    count = len(mistakes)
    if count < 2:
        return np.ones(count, bool)
    near = np.ones(count, bool)
    tested = []
    for i in range(count):
        parts = variances.crossed(mistakes[i] - np.delete(mistakes, i, 0), columns)
        correlation = _correlation(parts.covariance)
        spread = moderated(*variances.of_differences(parts), correlation)
        tested.append((parts.means, *spread, correlation))
    freedom = np.full(count - 1, np.median([one[2] for one in tested]))
    least = _least_p(freedom, float(np.median([one[3] for one in tested])), one_sided=True)
    level = least[round(SIGNIFICANCE * _DRAWS) - 1]
    for i, (gap, variance, freedom, _) in enumerate(tested):
        p = stats.p_values(gap, variance, freedom) / 2
        near[i] = not ((gap > 0) & (p < level)).any()
    return near
