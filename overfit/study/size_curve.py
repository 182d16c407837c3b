"""What a technique is worth in labels: read from the baseline's error over the size of its labelled set."""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import numpy as np
from scipy import special

from overfit.study import stats, variances
from overfit.study.results import LabelsWorth

BEYOND = 2  # factors are told up to twice the largest measured size, and down to half the smallest
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
    curve: np.ndarray,
    sizes: Sequence[int],
    train_size: int,
    arm: np.ndarray,
    columns: np.ndarray | None = None,
    *,
    seed: int = 0,
) -> LabelsWorth:
    """How many times as many labels the baseline would need for the arm's error.

    `factor = n* / train_size`, where `log curve(n*) = log curve(train_size) + log(arm / baseline)`: the
    baseline's curve is made to fall (isotonic regression of log error), read by linear interpolation over log
    size, and past the measured sizes extrapolated by `fit_power_law`. The last term compares the two arms at
    `train_size` on the same labelled sets and examples: the factor is above 1 exactly where the error falls.

    Nothing is read beyond twice the largest size or below half the smallest: a factor, `low` or `high` there
    is cut to that end, which then means "or more", or "or less".

    The interval is the middle 95 % of the factor over 2,000 draws of the K + 1 log errors from their joint
    distribution: t with J - 1 degrees of freedom for the rows' part of `variances.crossed`, normal for the
    columns' part. (A bootstrap of few labelled sets is too narrow, and blind to the test set.)

    Measured coverage of the true factor (0.6 to 2, N 60 or 800, J 5 to 20): 92 to 99 % within the measured
    sizes, 91 to 97 % beyond them, as far as the power law holds: a floor `c` of a fifth of the error, too
    small to be detected, turned a true factor of 2 into 1.8 and the coverage into 83 to 94 %.

    Args:
        curve: `[K, J, N]`, mistakes of the baseline trained on nested subsets of each size, shares; NaN: not
            tested, the same at every size.
        sizes: `[K]`, labelled examples of each, increasing, `train_size` among them.
        train_size: labelled examples that the arm used.
        arm: `[J, N]`, mistakes of the arm on the same labelled sets and examples.
        columns: `[N]`, the group of each example; `None`: each stands for itself.
        seed: of the draws.

    Returns:
        LabelsWorth, `largest` being twice the largest size over `train_size`.

    Raises:
        ValueError: fewer than 2 sizes or labelled sets, sizes that do not increase or that lack `train_size`.

    Reference: for the curve, the papers of `fit_power_law`; draws: Efron and Tibshirani, "An Introduction to
    the Bootstrap", 1993, section 6.5.
    """
    curve, arm = stats.shares(curve), stats.shares(arm)
    chex.assert_rank([curve, arm], [3, 2])
    sizes = _checked(curve, sizes, train_size)
    chex.assert_equal_shape([curve[0], arm])
    position = sizes.index(train_size)
    parts = variances.crossed(np.concatenate([curve, arm[None]]), columns)
    means = np.maximum(parts.means, 0.5 / np.count_nonzero(~np.isnan(arm)))  # less than one mistake

    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((2, _DRAWS, len(means)))
    freedom = parts.freedom[0]
    heavy = np.sqrt(freedom / rng.chisquare(freedom, (_DRAWS, 1)))
    noise = first * heavy @ _root(parts.row).T + second @ _root(parts.covariance - parts.row).T
    noise = np.concatenate([np.zeros((1, len(means))), np.clip(noise / means, -10, 10)])
    logs = np.log(means) + noise
    factors = _log_factor(np.log(sizes), position, logs[:, :-1], logs[:, -1] - logs[:, position])
    least, largest = sizes[0] / BEYOND / train_size, sizes[-1] * BEYOND / train_size
    lowest, highest = np.log(least), np.log(largest)
    found = np.clip([factors[0], *np.quantile(factors[1:], [0.025, 0.975])], lowest, highest)
    # A bound is told from a factor by being equal to the end, and exp(log(8)) is less than 8.
    ends = np.select([found == lowest, found == highest], [least, largest], np.exp(found))
    factor, low, high = ends.tolist()
    reached = round(train_size * factor, 6)
    return LabelsWorth(factor, low, high, not sizes[0] <= reached <= sizes[-1], largest)


def enough(
    curve: np.ndarray,
    sizes: Sequence[int],
    train_size: int,
    arm_curve: np.ndarray,
    arm_sizes: Sequence[int],
) -> int | None:
    """The smallest number of labels with which the arm errs no more than the baseline with `train_size`.

    Both curves are made to fall, as in `labels_worth`; the arm's is read by linear interpolation of log error
    over log size, within its measured sizes only.

    Args:
        curve: `[K, J, N]`, mistakes of the baseline at each size, shares; NaN: not tested.
        sizes: `[K]`, labelled examples of each, increasing, `train_size` among them.
        train_size: labelled examples whose error the arm is to match.
        arm_curve: `[L, J, N]`, mistakes of the arm at its sizes.
        arm_sizes: `[L]`, labelled examples of each, increasing.

    Returns:
        Number of labels; the smallest of `arm_sizes` where that is enough already ("or fewer"); `None` where
        the largest is not enough.

    Raises:
        ValueError: fewer than 2 sizes, sizes that do not increase or that lack `train_size`.
    """
    curve, arm_curve = stats.shares(curve), stats.shares(arm_curve)
    chex.assert_rank([curve, arm_curve], 3)
    sizes, arm_sizes = _checked(curve, sizes, train_size), _checked(arm_curve, arm_sizes, None)
    least = 0.5 / np.count_nonzero(~np.isnan(curve[0]))  # less than one mistake
    level, arm_level = (
        _falling(np.log(np.maximum(np.nanmean(one, (1, 2)), least))[None])[0] for one in (curve, arm_curve)
    )
    target = level[sizes.index(train_size)]
    reached = np.flatnonzero(arm_level <= target)
    if not len(reached):
        return None
    right = reached[0]
    if right == 0:
        return arm_sizes[0]
    share = (arm_level[right - 1] - target) / (arm_level[right - 1] - arm_level[right])
    x = np.log(arm_sizes)
    size = np.exp(x[right - 1] + share * (x[right] - x[right - 1]))
    return int(np.ceil(round(float(size), 6)))


def _checked(curve: np.ndarray, sizes: Sequence[int], train_size: int | None) -> list[int]:
    """Sizes as a list: as many as there are points, 2 or more, increasing, `train_size` among them."""
    sizes = [int(size) for size in sizes]
    increasing = len(sizes) == len(curve) >= 2 and sizes == sorted(set(sizes))
    if not increasing or (train_size is not None and train_size not in sizes):
        among = '' if train_size is None else f', with train_size={train_size} among them'
        raise ValueError(
            f'sizes={sizes} for {len(curve)} measured points: give 2 or more increasing sizes, one a'
            f' point{among}.'
        )
    return sizes


def _root(covariance: np.ndarray) -> np.ndarray:
    """Matrix square root of the nearest covariance that has no negative variance."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))
