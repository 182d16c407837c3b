"""The pictures of all questions in one style, in colours that colour-blind people tell apart."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

SIZE = (7.0, 4.2)  # inches
# Okabe and Ito, "Color universal design", 2008; black first.
COLOURS = ('#000000', '#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#F0E442')
MARKERS = 'osD^vPX*'


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Matplotlib's settings while a picture is drawn."""
    import matplotlib
    from cycler import cycler

    settings = {
        'font.size': 9,
        'axes.spines.top': False,
        'axes.spines.right': False,
        'axes.grid': True,
        'grid.color': '#dddddd',
        'axes.axisbelow': True,
        'axes.prop_cycle': cycler(color=COLOURS, marker=list(MARKERS)),
        'lines.markersize': 4,
        'legend.frameon': False,
        'text.parse_math': False,
        'svg.hashsalt': 'overfit',
    }
    with matplotlib.rc_context(settings):
        yield


def differences(axes: Any, results: Any, *, title: str = '') -> None:
    """A row a technique: its difference from the baseline with the interval that holds for all rows.

    Args:
        axes: of a matplotlib figure.
        results: `overfit.study.results.Results`.
        title: above it.
    """
    rows = sorted(results.arms, key=lambda row: -row.difference.mean)
    for place, row in enumerate(rows):
        found = row.difference
        sure = found.low > 0 or found.high < 0
        colour = COLOURS[0] if not sure else COLOURS[2 if found.mean > 0 else 1]
        axes.plot([found.low, found.high], [place, place], color=colour, marker='', linewidth=1.6)
        axes.plot(
            [found.mean], [place], color=colour, marker='o', markerfacecolor=colour if sure else 'white'
        )
    axes.axvline(0, color='#888888', linewidth=1, marker='')
    axes.set_yticks(range(len(rows)), [row.technique for row in rows])
    axes.grid(False, axis='y')
    axes.set_xlabel(f'test error minus that of: {results.baseline.technique} (percentage points)')
    axes.set_title(title)


def curves(
    axes: Any,
    series: Mapping[str, tuple[Sequence[float], Sequence[Any]]],
    *,
    x: str,
    y: str = 'test error %',
    log: bool = False,
) -> None:
    """Lines with intervals, one a series.

    Args:
        axes: of a matplotlib figure.
        series: by label, places on the x-axis and there intervals with `mean`, `low` and `high`.
        x: name of the x-axis.
        y: name of the y-axis.
        log: a logarithmic x-axis.
    """
    for label, (places, found) in series.items():
        means = [one.mean for one in found]
        [line] = axes.plot(places, means, label=label)
        lows, highs = [one.low for one in found], [one.high for one in found]
        axes.fill_between(places, lows, highs, color=line.get_color(), alpha=0.15, linewidth=0)
    if log:
        axes.set_xscale('log')
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if len(series) > 1:
        axes.legend()


def plain_logs(figure: Any) -> None:
    """Writes the ticks of all logarithmic axes as numbers: powers need the parsing that `style` turns off.

    Args:
        figure: on which all is drawn.
    """
    from matplotlib import ticker

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == 'log':
                axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
                axis.set_major_formatter('{x:g}')
                axis.set_minor_formatter(ticker.NullFormatter())
