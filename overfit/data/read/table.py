"""A user's own table: `.csv` with numeric and categorical columns, one of them the label."""

import difflib
import hashlib
import json
import pathlib
import re

import numpy as np

from overfit.data import kinds
from overfit.data.read import cells as cells_lib
from overfit.data.read.wording import counted
from overfit.data.source import Source

LABEL_NAMES = ('label', 'class', 'target', 'y')
WHOLE = re.compile(r'^(0|-?[1-9]\d*)(\.0+)?$')


def read(path: pathlib.Path, *, label: str | None = None, group: str | None = None) -> Source:
    """Reads a table with a header, delimited by comma, semicolon or tab.

    A column is numeric if all its values are; missing ones become the median of the training rows,
    with one more column that marks them if training rows have any. Any other column becomes one column
    for each value seen in the training rows (missing is a value), at most 50 and, of more than ten, at most
    half as many as there are rows. So what becomes of the columns waits until the training rows are known.

    Args:
        path: the file, UTF-8.
        label: column of the labels; if `None`, the one named label, class, target or y.
        group: column of the groups, which is no input.

    Returns:
        The labels; `learn` makes float32 vectors, and the columns that `cells.encode` made them with.

    Raises:
        ValueError: if the file is no such table, or the label is not to be found.
    """
    cells, notes = cells_lib.parse(path)
    header = list(cells)
    label = _label_column(header, label, path)
    if group == label:
        raise ValueError(f'{path}: group={group} is the column of the labels: give another one.')
    y = _labels(cells.pop(label), label, path)
    groups = _groups(cells.pop(_named(header, group, 'group', path)), group, path) if group else None
    if cells.pop('', None) is not None:
        notes.append('the column without a name was left out')
    inputs = hashlib.sha256(json.dumps(cells).encode()).hexdigest()
    source = Source(None, y, kinds.vector, groups=groups, origin=inputs)

    def learn(rows):
        columns, remarks = [], []
        for name, values in cells.items():
            column, said = cells_lib.learn(name, values, rows, path)
            columns += [column] if column else []
            remarks += said
        if not columns:
            raise ValueError(f'{path} has no column but the label {label}: add columns to predict it from.')
        x = cells_lib.encode(cells, columns, path)
        made = f'{counted(len(cells), "column")} became {counted(x.shape[1], "number")}'
        said = f'label: column {label}; {f"groups: column {group}; " if group else ""}{made}'
        return source._replace(
            x=x, notes=(said, *notes, *remarks), reading=cells_lib.reading_of(columns), learn=None
        )

    return source._replace(learn=learn)


def _label_column(header, label, path):
    if label is None:
        listed = ', '.join(header)
        named = [name for name in header if name.lower() in LABEL_NAMES]
        if len(named) != 1:
            raise ValueError(f'{path}: say which column is the label with label=column; it has {listed}.')
        return named[0]
    return _named(header, label, 'label', path)


def _named(header, name, argument, path):
    if name not in header:
        near = difflib.get_close_matches(name, header, 3, 0.5)
        hint = f'did you mean {" or ".join(near)}' if near else f'it has {", ".join(header)}'
        raise ValueError(f'{path} has no column "{name}" for {argument}={name}: {hint}.')
    return name


def _groups(values, group, path):
    missing = [i for i, value in enumerate(values) if value.lower() in cells_lib.MISSING]
    if missing:
        raise ValueError(
            f'{path}: column {group} for group={group} is empty in {counted(len(missing), "row")} (first in '
            f'row {missing[0] + 1}): give each of them a group, of its own if need be.'
        )
    return np.array(values)


def _labels(values, label, path):
    missing = [i for i, value in enumerate(values) if value.lower() in ('', 'nan')]
    if missing:
        rows = counted(len(missing), 'row')
        raise ValueError(
            f'{path}: label column {label} is empty in {rows} (first in row {missing[0] + 1}): '
            'remove these rows.'
        )
    numbers = [cells_lib.number(value) for value in values]
    if None in numbers or all(WHOLE.match(value) for value in values):
        whole = None not in numbers and max(map(abs, numbers)) < 2**53
        return np.array([int(number) for number in numbers] if whole else values)
    if all(number == round(number) for number in numbers if abs(number) < np.inf):
        return np.array(values)  # codes such as 0010, which is not 10
    return np.array(numbers)
