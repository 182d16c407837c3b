"""Search spaces over the numbers of a net, and quasi-random settings in them."""

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

    def at(self, fraction: float) -> float:
        """Maps `[...]` fractions in [0, 1] to values."""
        if self.scale == 'log':
            return np.exp(np.log(self.low) + fraction * (np.log(self.high) - np.log(self.low)))
        return self.low + fraction * (self.high - self.low)


Space = Mapping[str, Range | float]

# Where each number of `Hyper` is searched by default; its meaning and unit stand there.
RANGES = {
    'learning_rate': Range(3e-3, 1.0, 'log'),
    'steps': Range(200, 2000, 'log'),
    'momentum': Range(0.5, 0.99, 'linear'),
    'warmup': Range(0.02, 0.3, 'linear'),
    'cosine': Range(0.5, 1.0, 'linear'),
    'exponential': Range(1.0, 6.0, 'linear'),
    'inverse_time': Range(1.0, 30.0, 'log'),
    'step_decay': Range(0.3, 0.9, 'linear'),
    'weight_decay': Range(1e-4, 0.3, 'log'),
    'l1': Range(1e-6, 1e-2, 'log'),
    'l1_proximal': Range(1e-5, 1e-1, 'log'),
    'l2': Range(1e-5, 1e-1, 'log'),
    'max_norm': Range(0.5, 4.0, 'log'),
    'dropout': Range(0.1, 0.6, 'linear'),
    'input_dropout': Range(0.05, 0.3, 'linear'),
    'label_smoothing': Range(0.02, 0.3, 'log'),
    'distillation': Range(0.3, 1.0, 'linear'),
    'center_weight': Range(1e-3, 1.0, 'log'),
    'center_rate': Range(0.1, 0.9, 'linear'),
    'pair_weight': Range(0.03, 3.0, 'log'),
    'margin': Range(0.1, 1.0, 'log'),
    'temperature': Range(0.05, 0.5, 'log'),
    'init_log2_scale': Range(-3.0, 1.0, 'linear'),
    'shift': Range(0.03, 0.2, 'linear'),
    'zoom': Range(0.03, 0.3, 'linear'),
    'rotate': Range(0.05, 0.4, 'linear'),
    'shear': Range(0.05, 0.4, 'linear'),
    'elastic': Range(0.01, 0.06, 'log'),
    'elastic_smoothness': Range(0.08, 0.3, 'log'),
    'flip': Range(0.2, 0.5, 'linear'),
    'brightness': Range(0.1, 1.0, 'linear'),
    'contrast': Range(0.1, 0.7, 'linear'),
    'colour': Range(0.05, 0.5, 'log'),
    'cutout': Range(0.1, 0.5, 'linear'),
    'mixup': Range(0.1, 1.0, 'log'),
    'cutmix': Range(0.1, 1.0, 'log'),
    'policy': Range(0.2, 1.0, 'linear'),
    'noise': Range(0.02, 0.5, 'log'),
    'sam_radius': Range(0.02, 0.5, 'log'),
    'ema_decay': Range(0.9, 0.998, 'linear'),
    'swa_start': Range(0.5, 0.9, 'linear'),
    'patience': Range(4, 20, 'log'),
}


SAME_FOR_ALL = ('steps',)  # of the protocol
# Numbers outside of these have no meaning; the others may be any that are not below 0.
LIMITS = {
    'dropout': (0, 1),
    'input_dropout': (0, 1),
    'momentum': (0, 1),
    'label_smoothing': (0, 1),
    'center_rate': (0, 1),
    'warmup': (0, 1),
    'cosine': (0, 1),
    'step_decay': (0, 1),
    'flip': (0, 1),
    'distillation': (0, 1),
    'cutout': (0, 1),
    'ema_decay': (0, 1),
    'swa_start': (0, 1),
    'init_log2_scale': (-np.inf, np.inf),
}


def check(space: Space, label: str) -> None:
    """Refuses what cannot be searched.

    Args:
        space: range or number, by name.
        label: of the technique or baseline that has it.

    Raises:
        ValueError: no mapping; a range without an inside or of an unknown scale; something that is neither a
            range nor a finite number; a number beyond its limits; the steps, which are the same for all.
    """
    if not isinstance(space, Mapping):
        raise ValueError(f'"{label}" has space={space!r}: give a dict of numbers and overfit.Range by name')
    for name, value in space.items():
        where = f'"{label}" has {name}={value!r}'
        if name in SAME_FOR_ALL:
            raise ValueError(f'{where}: all arms have the same steps; for more of them give stretch=2.0')
        if isinstance(value, Range):
            if value.scale not in ('log', 'linear'):
                raise ValueError(f"{where}: the scale of a Range is 'log' or 'linear'")
            if not -np.inf < value.low < value.high < np.inf or (value.scale == 'log' and value.low <= 0):
                raise ValueError(f'{where}: a Range needs low < high, and low > 0 on a log scale')
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
            raise ValueError(f'{where}: give a finite number, or an overfit.Range to be searched')
        if name in base.NAMES:
            least, most = LIMITS.get(name, (0, np.inf))
            ends = (value.low, value.high) if isinstance(value, Range) else (value, value)
            if not least <= min(ends) or not max(ends) <= most:
                raise ValueError(f'{where}: {name} lies between {least} and {most}')


def default(*names: str) -> dict[str, Range]:
    """Returns the default range of each number named."""
    return {name: RANGES[name] for name in names}


def trials(space: Space, count: int, *, seed: int) -> list[dict[str, float]]:
    """Draws quasi-random settings: a scrambled Halton sequence (Owen 2017), a dimension a range.

    Args:
        space: range (searched) or number (fixed), by name.
        count: settings to draw.
        seed: of the scrambling; a dimension's points depend on the seed and on its place alone, so
            spaces that begin with the same number try the same values of it.

    Returns:
        `count` dicts, a value for each number of the space.
    """
    searched = [f for f, r in space.items() if isinstance(r, Range)]
    fixed = {f: float(r) for f, r in space.items() if not isinstance(r, Range)}
    points = qmc.Halton(max(1, len(searched)), scramble=True, rng=seed).random(count)
    return [
        fixed | {f: float(space[f].at(value)) for f, value in zip(searched, point, strict=False)}
        for point in points
    ]
