"""Pictures of the report: matplotlib figures as inline SVG, examples as PNG data URIs.

An SVG's colours are names of CSS variables of the page, so that it follows light and dark mode; its text
stays text.
"""

import base64
import functools
import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overfit.report.wording import noun, shortened, signed

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
TONES = {'helps': 'helps', 'hurts': 'hurts', 'no evidence': 'none'}
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


def png(pixels: np.ndarray, side: int = 96) -> str:
    """Encodes one image as the data URI of a PNG.

    Args:
        pixels: `[H, W, C]`; uint8 as it is, anything else stretched from its least to its greatest value.
            Three channels or more: the first three are RGB; else the first is grey.
        side: larger images are averaged down, to at most this many pixels a side.

    Returns:
        `'data:image/png;base64,...'`.
    """
    from PIL import Image

    pixels = np.asarray(pixels)
    stretch = pixels.dtype != np.uint8
    pixels = pixels[..., : 3 if pixels.shape[-1] >= 3 else 1].astype(np.float64)
    step = min(-(-max(pixels.shape[:2]) // side), *pixels.shape[:2])
    height, width = pixels.shape[0] // step, pixels.shape[1] // step
    blocks = pixels[: height * step, : width * step].reshape(height, step, width, step, -1)
    pixels = blocks.mean(axis=(1, 3))
    if stretch:
        pixels = (pixels - pixels.min()) * (255 / max(np.ptp(pixels), 1e-12))
    buffer = io.BytesIO()
    pixels = pixels.round().astype(np.uint8)
    Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0]).save(buffer, 'png', optimize=True)
    return 'data:image/png;base64,' + base64.b64encode(buffer.getvalue()).decode('ascii')


def svg(figure, name: str, alt: str) -> str:
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
    def drawn(*args, **options):
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **options)

    return drawn


@_styled
def forest(arms: Sequence[Mapping[str, Any]], *, narrow: bool = False) -> str:
    """Draws every arm's effect with its interval, the best at the top.

    Args:
        arms: `ARM`s of `results.json` with a `difference`, in the order of drawing.
        narrow: for a phone: each name stands above its interval instead of left of it.

    Returns:
        An `<svg>` element.
    """
    differences = [arm['difference'] for arm in arms]
    reach = max(
        0.5, -min(d['low'] for d in differences), 3 * np.median([abs(d['mean']) for d in differences])
    )
    left = 1.05 * min(0, *(d['low'] for d in differences)) - 0.02 * reach
    right = 1.05 * max(0.1 * reach, min(reach, max(d['high'] for d in differences)))
    count = len(arms)
    ax = _axes(3.7, 0.36 * count + 0.6) if narrow else _axes(7.4, 0.21 * count + 0.6)
    ax.axvline(0, color=COLORS['ink'], linewidth=0.8, zorder=1)
    ax.grid(axis='x', linewidth=0.5)
    for row, (arm, d) in enumerate(zip(arms, differences, strict=True)):
        tone = TONES[arm['verdict']]
        color = COLORS[tone]
        marker = {'helps': 'o', 'hurts': 's', 'none': 'o'}[tone]
        face = COLORS['page'] if tone == 'none' else color
        if d['mean'] < right:
            ax.plot([d['low'], min(d['high'], right)], [row, row], color=color, solid_capstyle='butt')
            ax.plot(d['mean'], row, marker, color=color, markerfacecolor=face, markersize=4.5, zorder=3)
        else:
            ax.plot(right, row, '>', color=color, markersize=5, clip_on=False, zorder=3)
            beside = {'xytext': (-6, 0), 'textcoords': 'offset points', 'ha': 'right', 'va': 'center'}
            ax.annotate(signed(d['mean']), (right, row), fontsize=8, **beside)
        if narrow:
            backing = {'facecolor': COLORS['page'], 'edgecolor': 'none', 'pad': 0.5}
            ax.text(
                left, row - 0.42, shortened(arm['technique'], 46), va='center', fontsize=8.5, bbox=backing
            )
    names = [] if narrow else [shortened(arm['technique'], 44) for arm in arms]
    ax.set_yticks(range(len(names)), names, color=COLORS['ink'])
    ax.tick_params(length=0, labeltop=True)
    ax.set_ylim(count - 0.4, -0.9 if narrow else -0.6)
    ax.set_xlim(left, right)
    ax.spines[['left', 'bottom']].set_visible(False)
    ax.locator_params(axis='x', steps=[1, 2, 5, 10])
    ax.xaxis.set_major_formatter(lambda value, _: signed(value, 0 if reach > 3 else 1))
    ax.set_xlabel('← better · change of test error, points · worse →')
    best = arms[0]
    alt = (
        f'Change of test error with 95 % interval for {count} techniques, from {best["technique"]} '
        f'({signed(best["difference"]["mean"])} points) to {arms[-1]["technique"]} '
        f'({signed(arms[-1]["difference"]["mean"])} points). The table holds every number.'
    )
    return svg(ax.figure, 'forest-narrow' if narrow else 'forest', alt)


def _band(errors):
    errors = np.asarray(errors, np.float64)
    known = np.isfinite(errors).any(axis=0)
    low, high = np.nanpercentile(errors[:, known], [10, 90], axis=0)
    return known, low, np.nanmean(errors[:, known], axis=0), high


@_styled
def learning(curves: Mapping[str, Mapping[str, np.ndarray]], name: str) -> str:
    """Draws training and validation error over the steps: mean and central 80 % of the replicates.

    Args:
        curves: by model: `steps` `[S]`, `train_error` and `validation_error` `[R, S]`, percent. All models
            share the vertical scale.
        name: the model to draw.

    Returns:
        An `<svg>` element.
    """
    ax = _axes(3.9, 2.5)
    steps = np.asarray(curves[name]['steps'])
    ends = {}
    for part, tone, style in (('validation', 'helps', '-'), ('train', 'hurts', '--')):
        if not np.isfinite(curves[name][f'{part}_error']).any():
            continue
        known, low, mean, high = _band(curves[name][f'{part}_error'])
        ax.fill_between(steps[known], low, high, color=COLORS[tone], alpha=0.18, linewidth=0)
        ax.plot(steps[known], mean, style, color=COLORS[tone])
        ends[part] = mean[-1]
    drawn = [c[f'{part}_error'] for c in curves.values() for part in ('train', 'validation')]
    top = max([_band(errors)[3].max() for errors in drawn if np.isfinite(errors).any()], default=1)
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
    said = [f'the {part} error is {end:.1f} %' for part, end in ends.items()]
    alt = f'Learning curves, {name}: after {steps[-1]:.0f} steps {", ".join(said)}'
    alt += '.' if 'validation' in ends else '; nothing was held out.'
    return svg(ax.figure, f'learning-{name}', alt)


@_styled
def size_curve(results: Mapping[str, Any]) -> str:
    """Draws the baseline's test error over the number of labels, and what each helping arm reaches.

    Args:
        results: as in `results.json`.

    Returns:
        An `<svg>` element.
    """
    ax = _axes(4.2, 3.0)
    curve = sorted(results['size_curve'], key=lambda point: point['size'])
    floor = 50 / results['data']['test']  # half an error in the test set, percent
    sizes = [point['size'] for point in curve]
    errors = np.array([[point['test_error'][k] for k in ('low', 'mean', 'high')] for point in curve])
    low, mean, high = np.maximum(errors, floor).T
    ax.errorbar(sizes, mean, [mean - low, high - mean], fmt='-o', color=COLORS['muted'], markersize=4)
    ax.text(sizes[0], high[0] * 1.06, 'baseline', color=COLORS['muted'], ha='left', va='bottom')
    trained, squeezed = results['data']['train'], results['squeezed']
    helping = [arm['test_error']['mean'] for arm in results['arms'] if arm['verdict'] == 'helps']
    ax.plot([trained] * len(helping), np.maximum(helping, floor), '_', color=COLORS['helps'], markersize=9)
    color = COLORS[TONES[squeezed['verdict']]]
    reached = max(squeezed['test_error']['mean'], floor)
    worth = squeezed.get('labels_worth') or {}
    ends = [min(sizes), max(sizes)]
    if worth.get('factor'):
        end = trained * min(worth['factor'], 1000)
        ax.plot([trained, end], [reached, reached], ':', color=color)
        ax.plot(end, reached, 'o', color=color, markerfacecolor=COLORS['page'], markersize=5)
        ends.append(end)
    ax.plot(trained, reached, 'D', color=color, markersize=5.5, zorder=3)
    ax.annotate(
        'squeezed', (trained, reached), (-7, 0), textcoords='offset points', ha='right', va='center',
        color=color,
    )  # fmt: skip
    ax.set_xscale('log')
    ax.set_yscale('log')
    ax.set_xlim(min(ends) / 1.25, max(ends) * 1.25)
    sparse = [size for n, size in enumerate(sizes) if n == 0 or size >= 1.5 * sizes[n - 1]]
    ax.set_xticks(sparse, [f'{size:,}' for size in sparse])
    bottom, top = max(min(low.min(), reached, *helping) / 1.2, floor / 2), high.max() * 1.35
    decades = (0.01, 0.1, 1, 10)
    coarse, fine = (
        [d * n for d in decades for n in digits] for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8))
    )
    ticks = [tick for tick in coarse if bottom <= tick <= top]
    if len(ticks) < 3:
        ticks = [tick for tick in fine if bottom <= tick <= top]
    ax.set_ylim(bottom, top)
    ax.set_yticks(ticks, [f'{tick:g} %' for tick in ticks])
    ax.minorticks_off()
    ax.grid(linewidth=0.5)
    ax.tick_params(length=0)
    ax.spines[['left', 'bottom']].set_visible(False)
    ax.set_xlabel(f'labelled {noun(results)}')
    first, last = curve[0], curve[-1]
    alt = (
        f'Test error of the baseline: {first["test_error"]["mean"]:.1f} % with {first["size"]} labelled '
        f'{noun(results)}, {last["test_error"]["mean"]:.1f} % with {last["size"]}; '
        f'the squeezed model reaches {squeezed["test_error"]["mean"]:.1f} % with {trained}.'
    )
    return svg(ax.figure, 'sizes', alt)
