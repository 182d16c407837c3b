"""A user's own table: `.csv` with numeric and categorical columns, one of them the label."""

import difflib
import pathlib
import re

import numpy as np

from overfit.data import kinds
from overfit.data import source as source_lib
from overfit.data.read import cells as cells_lib
from overfit.data.read.wording import counted
from overfit.data.source import Source

LABEL_NAMES = ('label', 'class', 'target', 'y')
WHOLE = re.compile(r'^(0|-?[1-9]\d*)(\.0+)?$')


def read(path: pathlib.Path, *, label: str | None = None, seed: int = 0) -> Source:
    """Reads a table with a header, delimited by comma, semicolon or tab.

    A column is numeric if all its values are; missing ones become the median of the training rows,
    with one more column that marks them if training rows have any. Any other column becomes one column
    for each value seen in the training rows (missing is a value), at most 50 and, of more than ten, at most
    half as many as there are rows. So the test set is held out here.

    Args:
        path: the file, UTF-8.
        label: column of the labels; if `None`, the one named label, class, target or y.
        seed: of the test split.

    Returns:
        Float32 vectors, split, and the columns that `cells.encode` made them with.

    Raises:
        ValueError: if the file is no such table, or the label is not to be found.
    """
    cells, notes = cells_lib.parse(path)
    label = _label_column(list(cells), label, path)
    y = _labels(cells.pop(label), label, path)
    if cells.pop('', None) is not None:
        notes.append('the column without a name was left out')
    pool, test, how = source_lib.hold_out(y, str(path), seed=seed)
    columns = []
    for name, values in cells.items():
        column, remarks = cells_lib.learn(name, values, pool, path)
        columns += [column] if column else []
        notes += remarks
    if not columns:
        raise ValueError(f'{path} has no column but the label {label}: add columns to predict it from.')
    x = cells_lib.encode(cells, columns, path)
    made = f'{counted(len(cells), "column")} became {counted(x.shape[1], "number")}'
    notes.insert(0, f'label: column {label}; {made}')
    return Source(
        x[pool],
        y[pool],
        kinds.vector,
        x[test],
        y[test],
        how=how,
        notes=tuple(notes),
        reading=cells_lib.reading_of(columns),
    )


def _label_column(header, label, path):
    listed = ', '.join(header)
    if label is None:
        named = [name for name in header if name.lower() in LABEL_NAMES]
        if len(named) != 1:
            raise ValueError(f'{path}: say which column is the label with label=column; it has {listed}.')
        return named[0]
    if label not in header:
        near = difflib.get_close_matches(label, header, 3, 0.5)
        hint = f'did you mean {" or ".join(near)}' if near else f'it has {listed}'
        raise ValueError(f'{path} has no column "{label}" for label={label}: {hint}.')
    return label


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
