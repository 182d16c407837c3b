"""Plots of the report: matplotlib figures as inline SVG.

An SVG's colours are names of CSS variables of the page, so that it follows light and dark mode; its text
stays text.
"""

import functools
import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overfit.report.headline import NEAR_BEST
from overfit.report.spelling import HELPS, HURTS, SAME, UNDECIDED, counted, shortened, signed, untold
from overfit.study.material import Curve
from overfit.study.results import Results, Row

# Matplotlib draws with these placeholders; `svg` puts the page's CSS variables in their places.
COLORS = {
    'ink': '#010001',
    'muted': '#020002',
    'rule': '#030003',
    'helps': '#040004',
    'hurts': '#050005',
    'none': '#060006',
    'page': '#070007',
}
TONES = {HELPS: 'helps', HURTS: 'hurts', SAME: 'none', UNDECIDED: 'none'}
MARKERS = {HELPS: 'o', HURTS: 's', SAME: '|', UNDECIDED: 'o'}
STYLE = {
    'svg.fonttype': 'none',
    'svg.hashsalt': 'overfit',
    'text.parse_math': False,
    'font.size': 9,
    'text.color': COLORS['ink'],
    'axes.edgecolor': COLORS['rule'],
    'axes.labelcolor': COLORS['muted'],
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.facecolor': 'none',
    'figure.facecolor': 'none',
    'grid.color': COLORS['rule'],
    'xtick.color': COLORS['rule'],
    'ytick.color': COLORS['rule'],
    'xtick.labelcolor': COLORS['muted'],
    'ytick.labelcolor': COLORS['muted'],
    'lines.linewidth': 1.6,
}


def svg(figure: Any, name: str, alt: str) -> str:
    """Renders a figure as SVG to stand inside a page.

    Args:
        figure: a `matplotlib.figure.Figure`.
        name: unique in the page; its letters and digits prefix every id.
        alt: what the picture shows, in words.

    Returns:
        One `<svg>` element; the same figure always gives the same text.
    """
    name = re.sub(r'[^a-z0-9]+', '-', name.lower())
    buffer = io.StringIO()
    nothing = dict.fromkeys(('Date', 'Creator', 'Format', 'Type'))
    figure.savefig(buffer, format='svg', transparent=True, metadata=nothing)
    text = buffer.getvalue()
    box = re.search(r'viewBox="([^"]*)"', text).group(1)
    inner = re.sub(r'<style.*?</style>', '', text[text.index('>', text.index('<svg')) + 1 :], flags=re.DOTALL)

    def mended(tag):
        tag = re.sub(r'(\bid="|href="#|url\(#)', rf'\g<1>{name}-', tag.group())
        for tone, color in COLORS.items():
            tag = tag.replace(color, f'var(--{tone})')
        return tag

    inner = re.sub(r'<[^>]*>', mended, inner)
    return f'<svg class="plot" role="img" aria-label="{html.escape(alt)}" viewBox="{box}">{inner.strip()}'


def _axes(width, height):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout='constrained').add_subplot()


def _styled(draw):
    @functools.wraps(draw)
    def in_style(*args, **options):
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **options)

    return in_style


@_styled
def forest(rows: Sequence[Row], margin: float, *, narrow: bool = False, marked: bool = False) -> str:
    """Draws every arm's effect, the best at the top, with its interval: broad together, thin on its own.

    Args:
        rows: at least one, each with a difference, in the order of drawing.
        margin: differences within it do not matter, percentage points.
        narrow: for a phone: each name stands above its interval instead of left of it.
        marked: whether to mark names of rows that cannot be told from the best one.

    Returns:
        An `<svg>` element.
    """
    differences = [row.difference for row in rows]
    reach = max(0.5, -min(d.low for d in differences), 3 * np.median([abs(d.mean) for d in differences]))
    left = 1.05 * min(0, *(d.low for d in differences)) - 0.02 * reach
    right = 1.05 * max(0.1 * reach, min(reach, max(d.high for d in differences)))
    count = len(rows)

    def named(row, length):
        return shortened(row.technique, length) + f' {NEAR_BEST}' * (marked and row.near_best)

    ax = _axes(3.7, 0.36 * count + 0.6) if narrow else _axes(7.4, 0.21 * count + 0.6)
    ax.axvspan(max(-margin, left), min(margin, right), color=COLORS['muted'], alpha=0.1, linewidth=0)
    ax.axvline(0, color=COLORS['ink'], linewidth=0.8, zorder=1)
    ax.grid(axis='x', linewidth=0.5)
    for place, (row, d) in enumerate(zip(rows, differences, strict=True)):
        color, marker = COLORS[TONES[row.verdict]], MARKERS[row.verdict]
        face = COLORS['page'] if row.verdict == UNDECIDED else color
        if d.mean < right:
            for low, high, width, alpha in ((d.low, d.high, 5, 0.32), (d.low_single, d.high_single, 1.2, 1)):
                ends = [low, min(high, right)]
                ax.plot(
                    ends, [place, place], color=color, linewidth=width, alpha=alpha, solid_capstyle='butt'
                )
            size = 9 if marker == '|' else 4.5
            ax.plot(d.mean, place, marker, color=color, markerfacecolor=face, markersize=size, zorder=3)
        else:
            ax.plot(right, place, '>', color=color, markersize=5, clip_on=False, zorder=3)
            beside = {'xytext': (-6, 0), 'textcoords': 'offset points', 'ha': 'right', 'va': 'center'}
            ax.annotate(signed(d.mean), (right, place), fontsize=8, **beside)
        if narrow:
            backing = {'facecolor': COLORS['page'], 'edgecolor': 'none', 'pad': 0.5}
            ax.text(left, place - 0.42, named(row, 46), va='center', fontsize=8.5, bbox=backing)
    names = [] if narrow else [named(row, 44) for row in rows]
    ax.set_yticks(range(len(names)), names, color=COLORS['ink'])
    ax.tick_params(length=0, labeltop=True)
    ax.set_ylim(count - 0.4, -0.9 if narrow else -0.6)
    ax.set_xlim(left, right)
    ax.spines[['left', 'bottom']].set_visible(False)
    ax.locator_params(axis='x', steps=[1, 2, 5, 10])
    ax.xaxis.set_major_formatter(lambda value, _: signed(value, 0 if reach > 3 else 1))
    ax.set_xlabel('← better · change of test error, points · worse →')
    first, last = (f'{row.technique} ({signed(row.difference.mean)} points)' for row in (rows[0], rows[-1]))
    alt = (
        f'Change of test error with simultaneous 95 % intervals for {counted(count, "technique")}, '
        f'from {first} to {last}. '
        'The table holds every number.'
    )
    return svg(ax.figure, 'forest-narrow' if narrow else 'forest', alt)


def _band(errors):
    errors = np.asarray(errors, np.float64)
    known = np.isfinite(errors).any(axis=0)
    low, high = np.nanpercentile(errors[:, known], [10, 90], axis=0)
    return known, low, np.nanmean(errors[:, known], axis=0), high


@_styled
def learning(curves: Mapping[str, Curve], name: str) -> str:
    """Draws training and validation error over the steps: mean and central 80 % of the nets.

    Args:
        curves: by model; all of them share the vertical scale.
        name: the model to draw.

    Returns:
        An `<svg>` element.
    """
    ax = _axes(3.9, 2.5)
    curve, ends = curves[name], {}
    steps = np.asarray(curve.steps)
    for part, errors, tone, style in (
        ('validation', curve.validation_error, 'helps', '-'),
        ('train', curve.train_error, 'hurts', '--'),
    ):
        if not np.isfinite(errors).any():
            continue
        known, low, mean, high = _band(errors)
        ax.fill_between(steps[known], low, high, color=COLORS[tone], alpha=0.18, linewidth=0)
        ax.plot(steps[known], mean, style, color=COLORS[tone])
        ends[part] = mean[-1]
    bands = [errors for c in curves.values() for errors in (c.train_error, c.validation_error)]
    top = max([_band(errors)[3].max() for errors in bands if np.isfinite(errors).any()], default=1)
    ax.set_yscale('function', functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    ax.set_ylim(0, max(top, 1))
    ticks = [tick for tick in (0, 1, 5, 10, 20, 40, 60, 80, 100) if tick <= max(top, 1)]
    ax.set_yticks(ticks, [f'{tick} %' for tick in ticks])
    ax.set_xlim(0, steps.max())
    ax.locator_params(axis='x', nbins=5)
    ax.grid(axis='y', linewidth=0.5)
    ax.tick_params(length=0)
    ax.spines['left'].set_visible(False)
    ax.set_xlabel('training steps')
    errors = [f'the {part} error is {end:.1f} %' for part, end in ends.items()]
    alt = f'Learning curves, {name}: after {steps[-1]:.0f} steps {", ".join(errors)}'
    alt += '.' if 'validation' in ends else '; nothing was held out.'
    return svg(ax.figure, f'learning-{name}', alt)


@_styled
def size_curve(results: Results) -> str:
    """Draws the baseline's test error over the number of labels, and what each helping arm reaches.

    Args:
        results: with at least one point of the size curve, and the squeezed model.

    Returns:
        An `<svg>` element.
    """
    ax = _axes(4.2, 3.0)
    curve = sorted(results.size_curve, key=lambda point: point.size)
    floor = 50 / results.data.test  # half an error in the test set, percent
    sizes = [point.size for point in curve]
    errors = np.array([[getattr(point.test_error, k) for k in ('low', 'mean', 'high')] for point in curve])
    low, mean, high = np.maximum(errors, floor).T
    ax.errorbar(sizes, mean, [mean - low, high - mean], fmt='-o', color=COLORS['muted'], markersize=4)
    ax.text(sizes[0], high[0] * 1.06, 'baseline', color=COLORS['muted'], ha='left', va='bottom')

    trained, squeezed = results.data.train, results.squeezed
    helping = [arm.test_error.mean for arm in results.arms if arm.verdict == 'helps']
    ax.plot([trained] * len(helping), np.maximum(helping, floor), '_', color=COLORS['helps'], markersize=9)
    color = COLORS[TONES[squeezed.verdict]]
    reached = max(squeezed.test_error.mean, floor)
    ends = [min(sizes), max(sizes)]
    known = squeezed.labels_worth and squeezed.labels_worth.factor
    if known and not untold(squeezed.labels_worth, squeezed.verdict):
        end = trained * squeezed.labels_worth.factor
        ax.plot([trained, end], [reached, reached], ':', color=color)
        # Beyond the cap nothing is read: an arrow says so.
        marker = '>' if squeezed.labels_worth.factor >= squeezed.labels_worth.largest else 'o'
        ax.plot(end, reached, marker, color=color, markerfacecolor=COLORS['page'], markersize=5)
        ends.append(end)
    ax.plot(trained, reached, 'D', color=color, markersize=5.5, zorder=3)
    beside = {'xytext': (-7, 0), 'textcoords': 'offset points', 'ha': 'right', 'va': 'center'}
    ax.annotate('squeezed', (trained, reached), color=color, **beside)
    ax.set_xlabel(f'labelled {results.data.noun}')
    lowest = max(min(low.min(), reached, *helping) / 1.2, floor / 2)
    _logarithmic(ax, sizes, (min(ends) / 1.25, max(ends) * 1.25), (lowest, high.max() * 1.35))

    first, last = (f'{point.test_error.mean:.1f} % with {point.size}' for point in (curve[0], curve[-1]))
    alt = (
        f'Test error of the baseline: {first} labelled {results.data.noun}, {last}; '
        f'the squeezed model reaches {squeezed.test_error.mean:.1f} % with {trained}.'
    )
    return svg(ax.figure, 'sizes', alt)


def _logarithmic(ax, sizes, across, up):
    """Makes both scales logarithmic within the limits given, and labels them with round numbers."""
    ax.set_xscale('log')
    ax.set_yscale('log')
    ax.set_xlim(*across)
    ax.set_ylim(*up)
    sparse = [size for n, size in enumerate(sizes) if n == 0 or size >= 1.5 * sizes[n - 1]]
    ax.set_xticks(sparse, [f'{size:,}' for size in sparse])
    coarse, fine = (
        [decade * n for decade in (0.01, 0.1, 1, 10) for n in digits]
        for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8))
    )
    ticks = [tick for tick in coarse if up[0] <= tick <= up[1]]
    if len(ticks) < 3:
        ticks = [tick for tick in fine if up[0] <= tick <= up[1]]
    ax.set_yticks(ticks, [f'{tick:g} %' for tick in ticks])
    ax.minorticks_off()
    ax.grid(linewidth=0.5)
    ax.tick_params(length=0)
    ax.spines[['left', 'bottom']].set_visible(False)
