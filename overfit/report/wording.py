"""Results as text: the headline, and the console's table with what is said below it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overfit.report import headline as headline_lib
from overfit.report import spelling
from overfit.report.headline import by_effect, decimals
from overfit.report.spelling import CROSS_FITTED, HELPS, HURTS, SAME
from overfit.study.results import Interval, Results, Row

WIDTH = 132  # columns of the console's table
NEAR_BEST = '≈'


class Cells(NamedTuple):
    """One row of the table, each cell as text; empty where there is nothing to say.

    Attributes:
        prefix: what stands before the technique: `'+ '`, `'squeezed: '`, or nothing.
        technique: as in the results.
        best: a mark where the row cannot be told from the best one.
        mean: test error, percent.
        half: half the width of its interval.
        change: difference from the tuned baseline, percentage points.
        interval: its simultaneous bounds, in brackets.
        shrunk: the difference after shrinking, percentage points.
        p: its adjusted p-value.
        worth: what the technique is worth in labels, a factor.
        worth_interval: its bounds, in brackets.
        enough: how few labels do with the technique, in words.
        cost: of training its model, a multiple of the baseline's.
        verdict: as in the results.
    """

    prefix: str
    technique: str
    best: str
    mean: str
    half: str
    change: str = ''
    interval: str = ''
    shrunk: str = ''
    p: str = ''
    worth: str = ''
    worth_interval: str = ''
    enough: str = ''
    cost: str = ''
    verdict: str = ''


def everything(results: Results) -> list[Row]:
    """Lists all rows: baseline, arms, controls, and the squeezed model where it is measured."""
    own = [results.squeezed] if results.squeezed else []
    return [results.baseline, *results.arms, *results.controls, *own]


def headline(results: Results) -> str:
    """Says in a few sentences what helps, what hurts, how sure that is, and what the best model errs.

    Args:
        results: whole or partial.

    Returns:
        Plain text.
    """
    return ' '.join(headline_lib.sentences(results))


def table(results: Results) -> str:
    """Lays the results out for a console, in at most `WIDTH` columns.

    Args:
        results: whole or partial.

    Returns:
        Lines: header, one row an arm sorted by effect, the squeezed model, remarks, footnotes.
    """
    cells = rows(results)
    columns = (
        {'best': [row.best.center(4).rstrip() for row in cells]} if any(row.best for row in cells) else {}
    )
    columns |= {
        'test error %': _aligned([row.mean for row in cells], [f'± {row.half}' for row in cells]),
        'against the baseline': _aligned([row.change for row in cells], [row.interval for row in cells]),
        'shrunk': _aligned([row.shrunk for row in cells]),
        'worth in labels': [f'{row.worth} {row.worth_interval}'.rstrip() for row in cells],
        'cost': [row.cost for row in cells],
        'verdict': [row.verdict for row in cells],
    }
    others = sum(2 + max(map(len, (title, *column))) for title, column in columns.items())
    names = [
        spelling.shortened(row.prefix + row.technique, max(28, min(48, WIDTH - others))) for row in cells
    ]
    padded = []
    for title, column in ({'': names} | columns).items():
        width = max(map(len, (title, *column)))
        padded.append([cell.ljust(width) for cell in (title, *column)])
    lines = ['  '.join(line).rstrip() for line in zip(*padded, strict=True)]
    if results.squeezed and names[-1].endswith('…'):
        lines += ['', f'squeezed: {results.squeezed.technique}']
    notes = [*references(results), *controls(results), *remarks(results)]
    return '\n'.join([header(results), '', *lines, '', *notes, *[''] * bool(notes), *footnotes(results)])


def rows(results: Results) -> list[Cells]:
    """Returns the table's cells as text: baseline, arms by effect, squeezed model."""
    arms = [('', results.baseline), *(('+ ', arm) for arm in by_effect(results))]
    if results.squeezed:
        arms.append(('squeezed: ', results.squeezed))
    return [_cells(prefix, row, results) for prefix, row in arms]


def control_rows(results: Results) -> list[Cells]:
    """Returns the cells of the controls."""
    return [_cells('', row, results) for row in results.controls]


def tested(results: Results) -> str:
    """Says on what the models were tested."""
    data = results.data
    if results.test_mode == CROSS_FITTED:
        return f'all {data.test:,} {data.noun} tested, each by nets that were not trained on it'
    return f'tested on {data.test:,} others'


def header(results: Results) -> str:
    """Returns one line: the data, its size, how it was tested, the labelled sets, the time."""
    data = results.data
    parts = (
        data.name,
        f'{data.train:,} labelled {data.noun}, {data.classes} classes',
        tested(results),
        spelling.counted(results.labelled_sets, 'labelled set'),
        spelling.duration(results.seconds.total),
    )
    return ' · '.join(parts)


def references(results: Results) -> list[str]:
    """Returns a line for each reference, the best first: its error, and how much more the squeezed model errs."""
    found = sorted(results.references or (), key=lambda one: one.test_error.mean)
    if not found:
        return []
    digits = decimals(results)
    errors = _aligned(
        [f'{one.test_error.mean:.{digits}f}' for one in found],
        [f'± {half(one.test_error):.{digits}f}' for one in found],
    )
    changes = _aligned(
        [spelling.signed(one.difference.mean, digits) for one in found],
        [spelling.bounds(one.difference, digits) for one in found],
    )
    width, wide = (max(map(len, texts)) for texts in ([one.name for one in found], errors))
    lines = [
        f'  {one.name:{width}}  {error:{wide}}  {change}'
        for one, error, change in zip(found, errors, changes, strict=True)
    ]
    return ['references: test error %, and what the squeezed model errs more (+) or less (−)', *lines]


def half(interval: Interval) -> float:
    """Half the width of an interval."""
    return (interval.high - interval.low) / 2


def controls(results: Results) -> list[str]:
    """Says how much two tunings of the same baseline differ, and warns where chance got a verdict."""
    if not results.controls:
        return []
    digits = decimals(results)
    spread = np.sqrt(np.mean([row.difference.mean**2 for row in results.controls]))
    lines = [
        f'controls: two tunings of the same baseline differ by ± {spread:.{digits}f} points '
        f'({spelling.counted(len(results.controls), "control")})'
    ]
    judged = [
        f'{row.technique}: {row.verdict} ({spelling.signed(row.difference.mean, digits)})'
        for row in results.controls
        if row.verdict in (HELPS, HURTS)
    ]
    if judged:
        lines.append(
            f'WARNING: mere chance got a verdict here ({"; ".join(judged)}), so trust the other verdicts '
            'less than they say'
        )
    return lines


def remarks(results: Results) -> list[str]:
    """Returns lines that follow the table: optimism of the search, diverged nets, best model."""
    digits, lines = decimals(results), []
    optimism = results.search_optimism
    if optimism:
        lines.append(
            "optimism of the search: the winner's test error minus its validation error is "
            f'{spelling.signed(optimism.mean, digits)} {spelling.bounds(optimism, digits)} points'
        )
    diverged = [f'{row.technique} {row.diverged}' for row in everything(results) if row.diverged]
    if diverged:
        lines.append(
            f'nets that diverged in measuring, although their setting had not in the search: '
            f'{", ".join(diverged)}; their learning rate lies too near to divergence, and their mistakes are '
            'in the error of the row'
        )
    best = results.best
    if best:
        line = 'best model: ' + f'{best.path} · ' * (best.path is not None)
        line += f'test error {best.test_error:.{digits}f} % [{best.low:.{digits}f}, {best.high:.{digits}f}]'
        if best.wrong is None:
            line += f', estimated · trained on all {best.train:,} labelled {results.data.noun}'
        lines.append(line + f' · {best.members} nets averaged' * (best.members > 1))
    return lines


def footnotes(results: Results) -> list[str]:
    """Returns lines that say how to read the table, and what was cut from the plan."""
    digits, cells = decimals(results), rows(results)
    margin = f'{results.margin:.{digits}f}'
    compared = spelling.counted(len(results.arms), 'technique')
    if results.controls:
        compared += f' and {spelling.counted(len(results.controls), "control")}'
    alone = (
        ", the squeezed model's" + " and the references' each" * bool(results.references) + ' alone'
        if results.squeezed
        else ''
    )
    lines = [
        '± and [ ]: 95 % intervals, for other labelled sets, tuning, splits, initial weights and test '
        f'{results.data.noun}; those against the baseline are paired and hold for {compared} together{alone}',
        f'verdict: {HELPS}, {HURTS}: the interval is on one side of zero; {SAME}: it is within ± {margin} '
        "points, a tenth of the baseline's error; undecided: neither",
    ]
    if results.test_mode == CROSS_FITTED:
        lines.append(
            f'tested: the models of a labelled set are trained on {results.data.train:,} of the '
            f'{results.data.test:,} {results.data.noun} and tested on others, until every one has been tested'
        )
    if any(row.shrunk for row in cells):
        lines.append(
            'shrunk: the difference, moved towards the mean of all by as much as chance spreads them '
            '(empirical Bayes): the best of many looks better than it is'
        )
    if any(row.best for row in cells):
        lines.append(f'best: {NEAR_BEST} marks what cannot be told from the best technique')
    lines += [
        _worth(cells),
        "cost: training the model that is handed over, as a multiple of the baseline's",
    ]
    if results.detectable is not None:
        lines.append(
            'the smallest true difference that comparisons like these find four times in five: '
            f'{results.detectable:.{digits}f} points'
        )
    return [*lines, *results.plan]


def _worth(cells):
    text = (
        'worth in labels: how many times as many labels the baseline, tuned anew, needs for the same error; '
        'not read beyond twice the sizes measured'
    )
    if any('*' in row.worth for row in cells):
        text += '; *: extrapolated beyond the sizes measured, by a fitted power law'
    return text


def _cells(prefix: str, row: Row, results: Results) -> Cells:
    error, change, digits = row.test_error, row.difference, decimals(results)
    cells = Cells(
        prefix,
        row.technique,
        NEAR_BEST * (row.near_best and sum(arm.near_best for arm in results.arms) > 1),
        f'{error.mean:.{digits}f}',
        f'{half(error):.{digits}f}',
    )
    if change is None:
        return cells
    worth, size = row.labels_worth, results.data.train
    enough = worth.enough if worth else None
    return cells._replace(
        change=spelling.signed(change.mean, digits),
        interval=spelling.bounds(change, digits),
        shrunk='' if change.shrunk is None else spelling.signed(change.shrunk, digits),
        p=spelling.p_value(change.p_adjusted),
        worth=spelling.worth_factor(worth),
        worth_interval=spelling.worth_interval(worth),
        enough='' if enough is None or enough >= size else f'{enough:,} of {size:,} labels do',
        cost=f'× {spelling.rounded(row.cost)}',
        verdict=row.verdict or '',
    )


def _aligned(numbers: Sequence[str], rest: Sequence[str] = ()) -> list[str]:
    width, rest = max(map(len, numbers)), rest or [''] * len(numbers)
    return [f'{number:>{width}} {words}'.rstrip() for number, words in zip(numbers, rest, strict=True)]
