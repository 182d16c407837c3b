"""Settings race over folds: all of them run on the first folds, only the better half on the others."""

from collections.abc import Sequence

import numpy as np


def heat(trials: int, folds: int) -> tuple[int, int]:
    """Returns the folds of the first heat, and how many settings go on to the others.

    >>> heat(4, 3)
    (1, 2)
    """
    first = max(1, round(0.4 * folds))
    return (folds, trials) if trials < 2 or first >= folds else (first, -(-trials // 2))


def nets(trials: int, folds: int) -> int:
    """Nets that a race trains.

    >>> nets(4, 3)
    8
    """
    first, going_on = heat(trials, folds)
    return trials * first + going_on * (folds - first)


def ranking(scores: Sequence[float], rates: Sequence[float], diverged: Sequence[bool]) -> list[int]:
    """Settings from the best to the worst, those at a safe distance from divergence first.

    A rate that trained on every fold can diverge on the next one, so a setting whose rate is above half of
    the smallest rate that diverged comes after all that are safe.

    Args:
        scores: of each setting, lower is better.
        rates: learning rate of each.
        diverged: whether any of its nets did.

    Returns:
        The numbers of the settings.
    """
    scores, rates, diverged = np.asarray(scores), np.asarray(rates), np.asarray(diverged)
    unsafe = rates[diverged].min(initial=np.inf)
    safe = ~diverged & (rates <= unsafe / 2)
    return [int(n) for n in np.lexsort((scores, diverged, ~safe))]
