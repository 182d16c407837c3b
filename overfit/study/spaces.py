"""Search spaces over the fields of `Hyper`, and quasi-random trials in them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.stats import qmc

from overfit import base


class Range(NamedTuple):
    """Where a number is searched.

    Attributes:
        low: lower end; > 0 on a log scale.
        high: upper end.
        scale: `'log'` or `'linear'`.
    """

    low: float
    high: float
    scale: str

    def at(self, fraction):
        """Maps `[...]` fractions in [0, 1] to values."""
        if self.scale == 'log':
            return np.exp(np.log(self.low) + fraction * (np.log(self.high) - np.log(self.low)))
        return self.low + fraction * (self.high - self.low)


Space = Mapping[str, Range | float]


def default(*fields: str) -> dict[str, Range]:
    """Returns the default range of each field named, from `base.FIELDS`."""
    return {f: Range(base.FIELDS[f].low, base.FIELDS[f].high, base.FIELDS[f].scale) for f in fields}


def trials(space: Space, count: int, *, seed: int) -> list[dict[str, float]]:
    """Draws quasi-random settings: a scrambled Halton sequence (Owen 2017), a dimension a range.

    Args:
        space: range (searched) or number (fixed) of each field.
        count: settings to draw.
        seed: of the scrambling; a dimension's points depend on the seed and on its place alone, so
            spaces that begin with the same field try the same values of it.

    Returns:
        `count` dicts, a value for each field of the space.
    """
    searched = [f for f, r in space.items() if isinstance(r, Range)]
    fixed = {f: float(r) for f, r in space.items() if not isinstance(r, Range)}
    points = qmc.Halton(max(1, len(searched)), scramble=True, rng=seed).random(count)
    return [
        fixed | {f: float(space[f].at(value)) for f, value in zip(searched, point, strict=False)}
        for point in points
    ]
