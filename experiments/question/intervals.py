"""Intervals of what is no error: a mean over labelled sets, with Student's t; paired differences likewise."""

from collections.abc import Sequence
from typing import Any


def over_sets(values: Sequence[float]) -> Any:
    """Mean of one value a labelled set, with its 95 % interval: `mean ± t s / sqrt(n)`.

    Args:
        values: one a labelled set (or seed), 2 or more; of two arms their paired differences.

    Returns:
        `overfit.study.stats.Interval`, in the unit of the values.

    Raises:
        ValueError: fewer than 2 values.
    """
    import numpy as np
    from scipy import stats as scipy_stats

    from overfit.study.stats import Interval

    values = np.asarray(values, np.float64)
    if len(values) < 2:
        raise ValueError(f'{len(values)} labelled set(s) show no variance: give labelled_sets=3 or more')
    mean, n = float(values.mean()), len(values)
    half = float(scipy_stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / n**0.5)
    return Interval(mean, mean - half, mean + half, n)


def finding(
    technique: str,
    what: str,
    found: Any,
    *,
    source: str,
    published: str,
    unit: str = 'points',
    band: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """One row of the README's table of evidence, for the list `findings` of a result.

    Args:
        technique: what was tried.
        what: what was measured, on what.
        found: interval or difference with `mean`, `low`, `high` and `n`.
        source: paper.
        published: what it says, in words with its figure.
        unit: of the measured value.
        band: where the measured mean reproduces the paper; `None`: there is no band.
    """
    return {
        'technique': technique,
        'what': what,
        'source': source,
        'published': published,
        'unit': unit,
        'mean': round(found.mean, 3),
        'low': round(found.low, 3),
        'high': round(found.high, 3),
        'n': found.n,
        'band': list(band) if band else None,
        'in_band': bool(band[0] <= found.mean <= band[1]) if band else None,
    }
