"""Constants subtracted from columns whose values float32 can hardly tell apart."""

from collections.abc import Sequence

import numpy as np

# A column whose values spread less than this many steps of float32 around their size is moved to zero.
COARSE = 2**12


def find(x: np.ndarray) -> dict[int, float]:
    """What to subtract from columns whose values float32 can hardly tell apart, such as times in seconds.

    The statistics of training examples move every column to zero later, so that a constant subtracted
    before changes nothing but the rounding.

    Args:
        x: `[N, F]`, any numeric type.

    Returns:
        The median of each such column, by its index.
    """
    if not x.size or (x.dtype.kind == 'f' and x.dtype.itemsize <= 4) or x.dtype.itemsize == 1:
        return {}
    least, greatest = x.min(0).astype(np.float64), x.max(0).astype(np.float64)
    size = np.maximum(np.abs(least), np.abs(greatest))
    with np.errstate(invalid='ignore', over='ignore'):
        spread = greatest - least
        close = (spread > 0) & np.isfinite(spread) & (spread < COARSE * np.finfo(np.float32).eps * size)
    return {int(column): float(np.median(x[:, column])) for column in np.flatnonzero(close)}


def holds(values: np.ndarray, constant: float) -> bool:
    """Whether most values of a column, `[N]`, are nearer to its constant than to zero."""
    return bool(values.size) and float(np.median(values / constant)) > 0.5


def subtract(x: np.ndarray, moved: Sequence[tuple[int, float]]) -> np.ndarray:
    """Returns float64 `[N, F]` with `moved` (pairs of a column's index and a value) subtracted."""
    x = x.astype(np.float64)
    for column, value in moved:
        x[:, column] -= value
    return x
