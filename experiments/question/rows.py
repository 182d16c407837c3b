"""Rows of a table that no single comparison makes: procedures of several protocols, or made by hand.

They are told apart as those of a study are: intervals for other labelled sets and test examples, differences
from the first row that hold for all rows at once.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from experiments.question import comparison


class Row(NamedTuple):
    """One procedure, with the fields that `picture.differences` draws.

    Attributes:
        technique: the row's name.
        test_error: interval, percent.
        difference: from the first row, percentage points; `None` for the first row.
    """

    technique: str
    test_error: Any
    difference: Any


class Rows(NamedTuple):
    """What `picture.differences` draws.

    Attributes:
        baseline: the first row.
        arms: the others.
    """

    baseline: Row
    arms: tuple[Row, ...]


def of(mistakes: Mapping[str, Any], columns: Any = None) -> Rows:
    """Compares tables of mistakes with the first of them.

    Args:
        mistakes: by the row's name, `[J, N]` as of `overfit.study.measure.mistakes`, on the same labelled
            sets.
        columns: `[N]`, the group of each example; `None`: each stands for itself.
    """
    import numpy as np

    from overfit.study import simultaneous, stats

    names, tables = list(mistakes), list(mistakes.values())
    found = [None, *simultaneous.compare(np.stack(tables[1:]), tables[0], columns)] if tables[1:] else [None]
    rows = [
        Row(name, stats.interval(table, columns), difference)
        for name, table, difference in zip(names, tables, found, strict=True)
    ]
    return Rows(rows[0], tuple(rows[1:]))


def table(rows: Rows, *, head: str = '') -> str:
    """The rows as text, in order.

    Args:
        rows: what was found.
        head: a line above them.
    """
    from overfit.report import spelling

    width = max(len(row.technique) for row in (rows.baseline, *rows.arms))
    lines = [head] if head else []
    lines.append(f'{"":{width}}  test error %  difference')
    for row in (rows.baseline, *rows.arms):
        error = f'{row.test_error.mean:5.1f} ± {spelling.half(row.test_error):3.1f}'
        more = ''
        if row.difference is not None:
            more = f'  {spelling.signed(row.difference.mean):>5} {spelling.bounds(row.difference, 1)}'
        lines.append(f'{row.technique:{width}}  {error:>12}{more}'.rstrip())
    return '\n'.join(lines)


def record(rows: Rows) -> list[dict[str, Any]]:
    """The rows as plain values for a JSON file.

    Args:
        rows: what was found.
    """
    plain = []
    for row in (rows.baseline, *rows.arms):
        one = {'label': row.technique, 'error': comparison.rounded(row.test_error)}
        if row.difference is not None:
            one['difference'] = comparison.rounded(row.difference)
        plain.append(one)
    return plain
