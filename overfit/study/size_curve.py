"""What a technique is worth in labels: read from the baseline's error over the size of its labelled set."""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import numpy as np
from scipy import special

from overfit.study import stats
from overfit.study.results import LabelsWorth

LARGEST_WORTH = 100.0  # factors are told within [1 / LARGEST_WORTH, LARGEST_WORTH]
_DRAWS = 2000
_FLATTEST = 1e-3  # a curve that does not fall is worth any number of labels


class PowerLaw(NamedTuple):
    """Error over size, `a n^-b + c`; fields broadcast over leading axes of the fitted errors.

    Attributes:
        a: error above `c` at size 1, in the errors' unit.
        b: exponent; not positive where the errors do not fall.
        c: error that no number of labels removes, at least 0.
    """

    a: np.ndarray
    b: np.ndarray
    c: np.ndarray


def fit_power_law(sizes: Sequence[float], errors: np.ndarray) -> PowerLaw:
    """Fits `errors = a n^-b + c` by least squares of log errors.

    `c` is tried at tenths of the smallest error and kept where it lowers the residual sum of squares by more
    than chance would (F-test at 5 % with 1 and K - 3 degrees of freedom); else `c = 0`, which extrapolates
    better from a few noisy points.

    Args:
        sizes: `[K]`, labelled examples, increasing, K at least 2.
        errors: `[..., K]`, any unit; what is below a thousandth of the largest (0 has no log) counts as that.

    Returns:
        PowerLaw with fields `[...]`.

    Raises:
        ValueError: fewer than 2 sizes, or errors of which none is positive.

    Reference: Hestness et al., "Deep learning scaling is predictable, empirically", arXiv:1712.00409, section
    3; Viering and Loog, "The shape of learning curves: a review", IEEE TPAMI 2023.
    """
    x, errors = np.log(np.asarray(sizes, np.float64)), np.asarray(errors, np.float64)
    chex.assert_rank(x, 1)
    chex.assert_axis_dimension(errors, -1, len(x))
    largest = errors.max(-1, keepdims=True)
    if len(x) < 2 or not (largest > 0).all():
        raise ValueError(
            f'sizes={list(sizes)} fix no power law: give at least 2 sizes, and an error above 0.'
        )
    errors = np.maximum(errors, largest / 1000)
    freedom = len(x) - 3
    share = np.arange(10 if freedom > 0 else 1).reshape((-1,) + (1,) * (errors.ndim - 1)) / 10
    c = share * errors.min(-1)[None]
    y = np.log(errors[None] - c[..., None])
    centred = x - x.mean()
    slope = y @ centred / (centred @ centred)
    middle = y.mean(-1)
    fitted = np.log(np.exp(middle[..., None] + slope[..., None] * centred) + c[..., None])
    squares = ((np.log(errors)[None] - fitted) ** 2).sum(-1)
    best = squares.argmin(0)[None]
    if freedom > 0:
        least = np.take_along_axis(squares, best, 0)
        supported = (squares[:1] - least) * freedom > special.fdtri(1, freedom, 0.95) * least
        best = np.where(supported, best, 0)
    log_a = np.clip(middle - slope * x.mean(), -700, 700)
    return PowerLaw(*(np.take_along_axis(field, best, 0)[0] for field in (np.exp(log_a), -slope, c)))


def _falling(values: np.ndarray) -> np.ndarray:
    """Least-squares non-increasing fit along the last axis: `min_{a <= j} max_{b >= j} mean(values[a..b])`.

    Reference: Barlow, Bartholomew, Bremner and Brunk, "Statistical Inference under Order Restrictions", 1972,
    eq. 1.9.
    """
    k = values.shape[-1]
    total = np.concatenate([np.zeros_like(values[:, :1]), values.cumsum(-1)], -1)
    start, end = np.arange(k)[:, None], np.arange(k)[None, :]
    mean = (total[:, None, 1:] - total[:, :-1, None]) / np.maximum(end - start + 1, 1)[None]
    mean = np.where((end >= start)[None], mean, -np.inf)
    highest = np.maximum.accumulate(mean[..., ::-1], -1)[..., ::-1]
    return np.where((end >= start)[None], highest, np.inf).min(1)


def _log_factor(log_sizes: np.ndarray, position: int, curve: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Log of the factor for log errors `curve: [B, K]` and log error ratios `effect: [B]`, arm to baseline.

    Sizes that the falling fit pools become one point at their mean log size: the curve then falls strictly.
    It is linear between points; beyond them it follows the fitted power law, moved to meet the last one.
    """
    level = _falling(curve)
    pooled = (level[:, :, None] == level[:, None, :]).astype(np.float64)
    x = pooled @ log_sizes / pooled.sum(-1)
    rows, target = np.arange(len(curve)), level[:, position] + effect
    above = (level > target[:, None]).sum(-1)
    left, right = np.maximum(above - 1, 0), np.minimum(above, len(log_sizes) - 1)
    drop = level[rows, left] - level[rows, right]
    share = (level[rows, left] - target) / np.where(drop > 0, drop, 1.0)
    inside = x[rows, left] + share * (x[rows, right] - x[rows, left])

    law = fit_power_law(np.exp(log_sizes), np.exp(curve))
    end = np.where(above == 0, 0, len(log_sizes) - 1)
    last = np.exp(level[rows, end])
    c = np.minimum(law.c, 0.9 * last)
    times = np.maximum(np.exp(target) - c, np.finfo(np.float64).tiny) / (last - c)
    outside = x[rows, end] - np.log(times) / np.maximum(law.b, _FLATTEST)
    beyond = (target > level[:, 0]) | (target < level[:, -1])
    return np.where(beyond, outside, inside) - x[:, position]


def labels_worth(
    curve_wrong: Sequence[np.ndarray],
    sizes: Sequence[int],
    train_size: int,
    arm_wrong: np.ndarray,
    *,
    seed: int = 0,
) -> LabelsWorth:
    """How many times as many labels the baseline would need for the arm's error.

    `factor = n* / train_size`, where `log curve(n*) = log curve(train_size) + log(arm / baseline)`: the
    baseline's curve is made to fall (isotonic regression of log error), read by linear interpolation over log
    size, and past the measured sizes extrapolated by `fit_power_law`. The last term compares the two arms at
    `train_size` on the same replicates and examples: the factor is above 1 exactly where the error falls.

    The interval is the middle 95 % of the factor over 2,000 draws of the K + 1 log errors from their joint
    distribution: t with R - 1 degrees of freedom for the replicates' part of `stats.crossed_variance`, normal
    for the examples' part. (A bootstrap of few replicates is too narrow, and blind to the test set.)

    Measured coverage of the true factor (0.6 to 2, N 60 or 800, R 5 to 20): 92 to 99 % within the measured
    sizes, 91 to 97 % beyond them, as far as the power law holds: a floor `c` of a fifth of the error, too
    small to be detected, turned a true factor of 2 into 1.8 and the coverage into 83 to 94 %.

    Args:
        curve_wrong: `[K, R, N]` bool, mistakes of the baseline trained on nested subsets of each size.
        sizes: `[K]`, labelled examples of each, increasing, `train_size` among them.
        train_size: labelled examples that the arm used.
        arm_wrong: `[R, N]` bool, mistakes of the arm on the same replicates and examples.
        seed: of the draws.

    Returns:
        LabelsWorth.

    Raises:
        ValueError: fewer than 2 sizes or replicates, sizes that do not increase or that lack `train_size`.

    Reference: for the curve, the papers of `fit_power_law`; draws: Efron and Tibshirani, "An Introduction to
    the Bootstrap", 1993, section 6.5.
    """
    curve_wrong, arm_wrong = np.asarray(curve_wrong), np.asarray(arm_wrong)
    chex.assert_rank([curve_wrong, arm_wrong], [3, 2])
    chex.assert_type([curve_wrong, arm_wrong], bool)
    chex.assert_equal_shape([curve_wrong[0], arm_wrong])
    sizes = [int(size) for size in sizes]
    increasing = len(sizes) == len(curve_wrong) >= 2 and sizes == sorted(set(sizes))
    if not increasing or train_size not in sizes:
        raise ValueError(
            f'sizes={sizes} for {len(curve_wrong)} measured points: give 2 or more increasing sizes, one a'
            f' point, with train_size={train_size} among them.'
        )
    position = sizes.index(train_size)
    _, replicates, examples = curve_wrong.shape
    wrong = np.concatenate([curve_wrong, arm_wrong[None]])
    means, replicate, example, residual = stats.crossed_variance(wrong)
    means = np.maximum(means, 0.5 / (replicates * examples))  # less than one mistake

    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((2, _DRAWS, len(means)))
    heavy = np.sqrt((replicates - 1) / rng.chisquare(replicates - 1, (_DRAWS, 1)))
    noise = first * heavy @ _root(replicate).T + second @ _root(example - residual).T
    noise = np.concatenate([np.zeros((1, len(means))), np.clip(noise / means, -10, 10)])
    logs = np.log(means) + noise
    factors = _log_factor(np.log(sizes), position, logs[:, :-1], logs[:, -1] - logs[:, position])
    factors = np.clip(factors, -np.log(LARGEST_WORTH), np.log(LARGEST_WORTH))
    ends = np.exp([factors[0], *np.quantile(factors[1:], [0.025, 0.975])])
    factor, low, high = np.clip(ends, 1 / LARGEST_WORTH, LARGEST_WORTH).tolist()
    reached = round(train_size * factor, 6)
    return LabelsWorth(factor, low, high, not sizes[0] <= reached <= sizes[-1], LARGEST_WORTH)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Matrix square root of the nearest covariance that has no negative variance."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))
