"""A user's own table: `.csv` with numeric and categorical columns, one of them the label."""

import csv
import difflib
import io
import pathlib
import re

import numpy as np

from overfit.data import source as source_lib
from overfit.data.source import Source

LABEL_NAMES = ('label', 'class', 'target', 'y')
MISSING = ('', 'na', 'n/a', 'nan', 'null', 'none', '?')
MOST_CATEGORIES = 50
DECIMAL_COMMA = re.compile(r'\s*[+-]?\d+,\d+\s*')


def read(path: pathlib.Path, *, label: str | None = None, seed: int = 0) -> Source:
    """Reads a table with a header, delimited by comma, semicolon or tab.

    A column is numeric if all its values are; missing ones become the median of the training rows,
    with one more column that marks them. Any other column becomes one column for each value seen in
    the training rows (missing is a value), at most 50. So the test set is held out here.

    Args:
        path: the file, UTF-8.
        label: column of the labels; if `None`, the one named label, class, target or y.
        seed: of the test split.

    Returns:
        Float32 vectors, split.

    Raises:
        ValueError: if the file is no such table, or the label is not to be found.
    """
    header, rows, notes = _parse(path)
    label = _label_column(header, label, path)
    if not rows:
        raise ValueError(f'{path} has a header and no rows.')
    columns = {name: [row[i].strip() for row in rows] for i, name in enumerate(header)}
    y = _labels(columns.pop(label), label, path)
    if columns.pop('', None) is not None:
        notes.append('the column without a name was left out')
    pool, test, how = source_lib.hold_out(y, str(path), seed=seed)
    blocks = []
    for name, values in columns.items():
        block, note = _encode(name, values, pool, path)
        blocks += block
        notes += note
    if not blocks:
        raise ValueError(f'{path} has no column but the label {label}: add columns to predict it from.')
    x = np.stack(blocks, axis=1).astype(np.float32)
    notes.insert(0, f'label: column {label}; {len(columns)} columns became {x.shape[1]} numbers')
    return Source(x[pool], y[pool], x[test], y[test], how=how, notes=tuple(notes))


def _parse(path):
    """Header and rows, every row as long as the header, and notes."""
    try:
        text = path.read_text('utf-8-sig')
        first = next((line for line in text.splitlines() if line.strip()), '')
        delimiter = max(',;\t', key=lambda d: len(next(csv.reader([first], delimiter=d), [])))
        reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except UnicodeDecodeError:
        raise ValueError(f'{path} is not UTF-8 text: save it as CSV with UTF-8 encoding.') from None
    except csv.Error as error:
        raise ValueError(
            f'{path} cannot be read as CSV ({error}): save it as plain comma-separated text.'
        ) from None
    if not lines:
        raise ValueError(f'{path} is empty: the first line must name the columns.')
    header = [name.strip() for name in lines[0][1]]
    if None not in map(_number, header):
        raise ValueError(f'{path} starts with numbers: add a first line that names the columns.')
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise ValueError(f'{path} has two columns named "{repeated[0]}": give each its own name.')
    for number, row in lines[1:]:
        if len(row) != len(header):
            raise ValueError(
                f'{path}, line {number}: {len(row)} cells, but the header names {len(header)} columns: '
                'put quotes around cells that contain the delimiter.'
            )
    rows = [row for _, row in lines[1:]]
    if delimiter != ';' or not any(DECIMAL_COMMA.fullmatch(cell) for row in rows for cell in row):
        return header, rows, []
    rows = [
        [cell.replace(',', '.') if DECIMAL_COMMA.fullmatch(cell) else cell for cell in row] for row in rows
    ]
    return header, rows, ['decimal commas were read as decimal points']


def _label_column(header, label, path):
    listed = ', '.join(header)
    if label is None:
        named = [name for name in header if name.lower() in LABEL_NAMES]
        if len(named) != 1:
            raise ValueError(f'{path}: say which column is the label with --label=column; it has {listed}.')
        return named[0]
    if label not in header:
        near = difflib.get_close_matches(label, header, 3, 0.5)
        hint = f'did you mean {" or ".join(near)}' if near else f'it has {listed}'
        raise ValueError(f'{path} has no column "{label}" for --label: {hint}.')
    return label


def _labels(values, label, path):
    missing = [i for i, value in enumerate(values) if value.lower() in ('', 'nan')]
    if missing:
        raise ValueError(
            f'{path}: label column {label} is empty in {len(missing)} rows (first in row {missing[0] + 1}): '
            'remove these rows.'
        )
    numbers = [_number(value) for value in values]
    return np.array(values if None in numbers else numbers)


def _number(text):
    """The number that a cell holds (perhaps infinite), else `None`."""
    try:
        return float(text) if '_' not in text else None
    except ValueError:
        return None


def _encode(name, values, pool, path):
    """Columns of numbers for one column of the table, and notes; it learns from the rows `pool` alone."""
    missing = np.array([value.lower() in MISSING for value in values])
    if missing[pool].all():
        return [], [f'column {name} was left out: it has no values']
    numbers = [0.0 if gap else _number(value) for value, gap in zip(values, missing, strict=True)]
    words = [value for value, number in zip(values, numbers, strict=True) if number is None]
    if not words:
        return _encode_numbers(name, np.array(numbers), missing, pool, path)
    text = np.where(missing, 'missing', values)
    categories = np.unique(text[pool])
    if len(categories) > MOST_CATEGORIES:
        raise ValueError(
            f'{path}: column {name} is not numeric ("{words[0]}") and has {len(categories)} different '
            f'values, like an identifier or text: remove it, or group it into {MOST_CATEGORIES} values.'
        )
    note = f'column {name}: {len(categories)} categories'
    some = len(values) - missing.sum() - len(words)
    if some:
        note += f', though {some:,} rows hold numbers (one that does not: "{words[0]}")'
    return [text == category for category in categories], [note]


def _encode_numbers(name, column, missing, pool, path):
    large = np.flatnonzero(np.abs(column) > np.finfo(np.float32).max)
    if len(large):
        raise ValueError(
            f'{path}: column {name} holds {column[large[0]]} in row {large[0] + 1}: '
            'give finite numbers, or leave the cell empty where the value is missing.'
        )
    if missing.any():
        median = np.median(column[pool][~missing[pool]])
        note = f'column {name}: {missing.sum():,} missing values became the median {median:g} and a mark'
        return [np.where(missing, median, column), missing], [note]
    if len(column) > 2 and (np.diff(column) == 1).all():
        return [column], [f'column {name} counts the rows: remove it if that is all it does']
    return [column], []
