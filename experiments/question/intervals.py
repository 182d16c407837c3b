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


EXPECTED = ('below', 'above', 'equal')


def finding(
    technique: str,
    what: str,
    found: Any,
    *,
    source: str,
    published: str,
    unit: str = 'points',
    band: tuple[float, float] | None = None,
    advice: str | None = None,
    expected: str | None = None,
    margin: float = 0.0,
) -> dict[str, Any]:
    """One row of the README's tables of evidence and of advice, for the list `findings` of a result.

    Args:
        technique: what was tried.
        what: what was measured, on what.
        found: interval or difference with `mean`, `low`, `high` and `n`.
        source: paper.
        published: what it says, in words with its figure.
        unit: of the measured value.
        band: where the measured mean reproduces the paper; `None`: there is no band.
        advice: folk advice that this answers, in words; `None`: none.
        expected: where the measured value lies if the advice is right: `'below'` zero, `'above'` zero, or
            `'equal'` to zero within the margin.
        margin: what does not matter, in the unit of the value.

    Raises:
        ValueError: advice without what is expected.
    """
    if advice is not None and expected not in EXPECTED:
        raise ValueError(f'expected={expected!r}: advice is judged by one of {", ".join(EXPECTED)}')
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
        'advice': advice,
        'verdict': _judged(found, expected, margin) if advice else None,
    }


def _judged(found, expected, margin):
    """Whether advice holds: *yes* and *no* where the whole interval says so, else *undecided*."""
    low, high = (found.low, found.high) if expected != 'above' else (-found.high, -found.low)
    same = -margin <= low and high <= margin
    if expected == 'equal':
        return 'yes' if same else 'no' if low > 0 or high < 0 else 'undecided'
    return 'yes' if high < 0 else 'no' if low > 0 or same else 'undecided'
