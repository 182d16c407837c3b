"""Range tests on labelled sets: bands over seeds and sets, and whether tuned rates lie where they suggest."""

from collections.abc import Sequence
from typing import Any, NamedTuple

SEEDS = tuple(range(8))


class Tests(NamedTuple):
    """Range tests, 8 seeds on each labelled set.

    Attributes:
        rates: `[S]`.
        losses: `[sets, seeds, S]`.
        low: `[sets]`, suggested on each, the median over seeds.
        steepest: likewise.
        high: likewise.
    """

    rates: Any
    losses: Any
    low: Any
    steepest: Any
    high: Any

    @property
    def suggested(self) -> tuple[float, float]:
        """Medians of the suggested ends over labelled sets."""
        import numpy as np

        return float(np.nanmedian(self.low)), float(np.nanmedian(self.high))

    def record(self, tuned: Sequence[float]) -> dict[str, Any]:
        """Plain values for a JSON file.

        Args:
            tuned: rate that tuning chose on each labelled set.
        """

        def plain(values):
            return [float(f'{value:.4g}') for value in values]

        names = ('rates', 'low', 'steepest', 'high')
        return {name: plain(getattr(self, name)) for name in names} | {'tuned': plain(tuned)}


def tested(pool: Any, sets: Sequence[Any], recipe: Any, *, steps: int = 100) -> Tests:
    """Runs a range test on every labelled set.

    Args:
        pool: examples that the labelled sets point into.
        sets: labelled sets.
        recipe: of the nets.
        steps: of a test.
    """
    import numpy as np

    from overfit import base
    from overfit.train import range_test

    found = []
    for one in sets:
        seen = pool._replace(x=pool.x[one.labelled], y=pool.y[one.labelled])
        found.append(range_test.sweep(seen, recipe, base.Hyper(), seeds=SEEDS, steps=steps))
    rates, losses = found[0].rates, np.stack([curves.losses for curves in found])
    suggestions = [range_test.suggest(rates, one) for one in losses]
    middles = [[np.nanmedian(ends) for ends in one] for one in suggestions]
    return Tests(rates, losses, *np.array(middles).T)


def inside(tests: Tests, tuned: Sequence[float]) -> Any:
    """Share of labelled sets whose tuned rate the test suggests, percent, with Wilson's 95 % interval.

    Args:
        tests: on those labelled sets.
        tuned: rate that tuning chose on each.
    """
    from scipy import stats as scipy_stats

    from overfit.study.stats import Interval

    hits = sum(
        bool(low <= rate <= high) for low, rate, high in zip(tests.low, tuned, tests.high, strict=True)
    )
    test = scipy_stats.binomtest(hits, len(tuned)).proportion_ci(0.95, method='wilson')
    return Interval(100 * hits / len(tuned), 100 * test.low, 100 * test.high, len(tuned))


def draw(axes: Any, tests: Tests, tuned: Sequence[float]) -> None:
    """The losses of all tests as a band, the suggested range, and the tuned rates.

    Args:
        axes: of a matplotlib figure.
        tests: on labelled sets.
        tuned: rate that tuning chose on each.
    """
    import numpy as np

    from experiments.question.picture import COLOURS
    from overfit.train import range_test

    curves = range_test.smoothed(tests.losses.reshape(-1, tests.losses.shape[-1]))
    low, middle, high = range_test.band(curves)
    axes.fill_between(tests.rates, low, high, color=COLOURS[1], alpha=0.2, linewidth=0)
    axes.plot(tests.rates, middle, color=COLOURS[1], marker='', label='range test, 90 % of nets')
    axes.axvspan(*tests.suggested, color=COLOURS[3], alpha=0.15, linewidth=0, label='suggested')
    height = np.full(len(tuned), float(np.nanmin(low)))
    axes.plot(tuned, height, linestyle='', marker='|', markersize=12, color=COLOURS[2], label='tuned')
    axes.set_xscale('log')
    axes.set_xlabel('learning rate')
    axes.set_ylabel('training loss')
    axes.legend()
