"""Results as text: the headline, and the console's table with what is said below it."""

import textwrap
from typing import NamedTuple

from overfit.report import headline as headline_lib
from overfit.report import notes, spelling
from overfit.report.headline import NEAR_BEST, by_effect, decimals, several_near_best
from overfit.report.spelling import CROSS_FITTED, HELPS
from overfit.study.results import Results, Row

WIDTH = 132  # columns of the console's table
NOTES = 118  # longer lines below it are wrapped


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
        untold: that this cannot be told, in words.
        enough: how few labels do with a technique that helps, in words.
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
    untold: str = ''
    enough: str = ''
    cost: str = ''
    verdict: str = ''


def headline(results: Results) -> str:
    """Says in a few sentences what helps, what hurts, how sure that is, and what the best model errs.

    Args:
        results: whole or partial.

    Returns:
        Plain text.
    """
    return ' '.join(headline_lib.sentences(results))


def table(results: Results) -> str:
    """Lays the results out for a console, in `WIDTH` columns where no cell but the name must be cut for it.

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
        'test error %': spelling.aligned([row.mean for row in cells], [f'± {row.half}' for row in cells]),
        'against the baseline': spelling.aligned(
            [row.change for row in cells], [row.interval for row in cells]
        ),
        'shrunk': spelling.aligned([row.shrunk for row in cells]),
        'worth in labels': [f'{row.worth} {row.worth_interval}'.rstrip() for row in cells],
        'cost': [row.cost for row in cells],
        'verdict': [row.verdict for row in cells],
    }
    others = sum(2 + max(map(len, (title, *column))) for title, column in columns.items())
    names = [
        spelling.shortened(row.prefix + row.technique, max(24, min(48, WIDTH - others))) for row in cells
    ]
    padded = []
    for title, column in ({'': names} | columns).items():
        width = max(map(len, (title, *column)))
        padded.append([cell.ljust(width) for cell in (title, *column)])
    lines = ['  '.join(line).rstrip() for line in zip(*padded, strict=True)]
    if results.squeezed and names[-1].endswith('…'):
        lines += ['', f'squeezed: {results.squeezed.technique}']
    remarks = [*notes.references(results), *notes.controls(results), *notes.remarks(results)]
    below = [*remarks, *[''] * bool(remarks), *notes.footnotes(results)]
    return '\n'.join([header(results), '', *lines, '', *map(_wrapped, below)])


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
        spelling.counted(results.labelled_sets, 'tuning' if results.one_labelled_set else 'labelled set'),
        spelling.duration(results.seconds.total),
    )
    return ' · '.join(parts)


def _cells(prefix: str, row: Row, results: Results) -> Cells:
    error, change, digits = row.test_error, row.difference, decimals(results)
    cells = Cells(
        prefix,
        row.technique,
        NEAR_BEST * (row.near_best and several_near_best(results)),
        f'{error.mean:.{digits}f}',
        f'{spelling.half(error):.{digits}f}',
    )
    if change is None:
        return cells
    worth, size = row.labels_worth, results.data.train
    enough = worth.enough if worth and row.verdict == HELPS else None
    untold = spelling.untold(worth, row.verdict)
    return cells._replace(
        change=spelling.signed(change.mean, digits),
        interval=spelling.bounds(change, digits),
        shrunk='' if change.shrunk is None else spelling.signed(change.shrunk, digits),
        p=spelling.p_value(change.p_adjusted),
        worth='' if untold else spelling.worth_factor(worth),
        worth_interval='' if untold else spelling.worth_interval(worth),
        untold='cannot be told' * untold,
        enough='' if enough is None or enough >= size else f'{enough:,} of {size:,} labels do',
        cost=f'× {spelling.rounded(row.cost)}',
        verdict=row.verdict or '',
    )


def _wrapped(line: str) -> str:
    return textwrap.fill(line, NOTES, subsequent_indent='  ', break_long_words=False, break_on_hyphens=False)
