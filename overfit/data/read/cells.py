"""Cells of a table: parsed from a file, and what each column of them becomes."""

import csv
import io
import pathlib
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from overfit.data.read import offsets
from overfit.data.read.wording import cause, counted

MISSING = ('', 'na', 'n/a', 'nan', 'null', 'none', '?')
MOST_CATEGORIES, FEW_CATEGORIES = 50, 10
LONGEST_CELL = 10  # lines: a longer one is a quote that was never closed
DECIMAL_COMMA = re.compile(r'^([+-]?\d+),(\d+)$')
THOUSANDS = re.compile(r'^[+-]?\d{1,3}(\.\d{3})+$')


class Column(NamedTuple):
    """What a column of a table becomes, learned from the training rows.

    Attributes:
        name: in the header.
        categories: each becomes a column of zeros and ones; `None` if the column is numeric.
        median: of a numeric column, in the place of missing values.
        mark: whether one more column marks them, as it does if training rows have any.
        offset: subtracted from a numeric column that varies too little for float32, such as times in seconds.
    """

    name: str
    categories: tuple[str, ...] | None = None
    median: float = 0.0
    mark: bool = False
    offset: float = 0.0


def parse(path: pathlib.Path, *, empty_rows: bool = False) -> tuple[dict[str, list[str]], list[str]]:
    """Parses a table with a header, delimited by comma, semicolon or tab.

    Args:
        path: the file, UTF-8.
        empty_rows: keeps rows without any content.

    Returns:
        The cells of each column by its name, and notes.

    Raises:
        ValueError: if the file is no such table.
    """
    lines, last = [], 0
    try:
        text = path.read_text('utf-8-sig')
        first = next((line for line in text.splitlines() if line.strip()), '')
        delimiter = max(',;\t', key=lambda d: len(next(csv.reader([first], delimiter=d), [])))
        reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
        for row in reader:
            if reader.line_num - last > LONGEST_CELL:
                raise ValueError(
                    f'{path}, line {last + 1}: a quoted cell goes on for {reader.line_num - last} lines: '
                    'close the quote or remove it.'
                )
            # a line without a delimiter is a row where there is one column alone
            if any(cell.strip() for cell in row) or (lines and empty_rows and (row or len(lines[0][1]) == 1)):
                lines.append((last + 1, row or ['']))
            last = reader.line_num
    except UnicodeDecodeError:
        raise ValueError(f'{path} is not UTF-8 text: save it as CSV with UTF-8 encoding.') from None
    except csv.Error as error:
        raise ValueError(
            f'{path} cannot be read as CSV ({error}): save it as plain comma-separated text.'
        ) from None
    if not lines:
        raise ValueError(f'{path} is empty: the first line must name the columns.')
    header = [name.strip() for name in lines[0][1]]
    if None not in map(number, header):
        raise ValueError(f'{path} starts with numbers: add a first line that names the columns.')
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise ValueError(f'{path} has two columns named "{repeated[0]}": give each its own name.')
    for line, row in lines[1:]:
        if len(row) != len(header):
            raise ValueError(
                f'{path}, line {line}: {len(row)} cells, but the header names {len(header)} columns: '
                'put quotes around cells that contain the delimiter.'
            )
    if len(lines) == 1:
        raise ValueError(f'{path} has a header and no rows.')
    cells = {name: [row[i].strip() for _, row in lines[1:]] for i, name in enumerate(header)}
    if delimiter != ';':
        return cells, []
    points = {name: [DECIMAL_COMMA.sub(r'\1.\2', cell) for cell in column] for name, column in cells.items()}
    if points == cells:
        return cells, []
    for name, column in cells.items():
        thousands = [cell for cell in column if THOUSANDS.match(cell)]
        if thousands and all(number(cell) is not None or cell.lower() in MISSING for cell in points[name]):
            raise ValueError(
                f'{path}: column {name} holds "{thousands[0]}" in a file with decimal commas, which may be a '
                f'fraction or thousands: write {thousands[0].replace(".", ",", 1)} or '
                f'{thousands[0].replace(".", "")}.'
            )
    return points, ['decimal commas were read as decimal points']


def learn(
    name: str, values: Sequence[str], pool: np.ndarray, path: pathlib.Path
) -> tuple[Column | None, list[str]]:
    """Learns what a column of a table becomes.

    Args:
        name: in the header.
        values: its cells, `N`.
        pool: indices of the training rows, of which medians and categories are.
        path: the file, for messages.

    Returns:
        The column, or `None` if it is of no use; and notes.

    Raises:
        ValueError: if it is neither numbers nor a few categories.
    """
    missing = _missing(values)
    if missing[pool].all():
        return None, [f'column {name} was left out: it has no values']
    words = [value for value, gap in zip(values, missing, strict=True) if not gap and number(value) is None]
    if words:
        categories = np.unique(np.where(missing, 'missing', values)[pool]).tolist()
        looks = cause(words)
        most = min(MOST_CATEGORIES, max(FEW_CATEGORIES, len(pool) // 2))
        if len(categories) > most and 2 * len(words) < (~missing).sum():
            advice = (
                f'they look like {looks[0]}, {looks[1]}' if looks else 'give numbers, or leave them empty'
            )
            raise ValueError(
                f'{path}: column {name} has {len(words):,} of {len(values):,} cells that are no numbers, '
                f'"{words[0]}" in row {values.index(words[0]) + 1}: {advice}.'
            )
        if len(categories) > most and looks:
            raise ValueError(
                f'{path}: column {name} holds {looks[0]} ("{words[0]}"): {looks[1]}, or remove the column.'
            )
        if len(categories) > most:
            raise ValueError(
                f'{path}: column {name} is not numeric ("{words[0]}") and has {len(categories)} different '
                f'values, like an identifier or text: remove it, or group it into {most} values.'
            )
        note = f'column {name}: {len(categories)} categories'
        note += f', though they look like {looks[0]}' if looks else ''
        some = len(values) - missing.sum() - len(words)
        if some:
            note += f', though {some:,} rows hold numbers (one that does not: "{words[0]}")'
        return Column(name, tuple(categories)), [note]
    numbers, mark = _numbers(name, values, path), bool(missing[pool].any())
    median = float(np.median(numbers[pool][~missing[pool]]))
    notes = []
    if missing.any():
        notes = [f'column {name}: {counted(missing.sum(), "missing value")} became the median {median:g}']
        notes[0] += ' and a mark' if mark else ''
    elif len(numbers) > 2 and (np.diff(numbers) == 1).all():
        notes = [f'column {name} counts the rows: remove it if that is all it does']
    moved = offsets.find(numbers[pool][~missing[pool]][:, None]).get(0, 0.0)
    if moved:
        notes.append(f'column {name} varies too little for float32: {moved:.17g} was subtracted')
    return Column(name, None, median, mark, moved), notes


def encode(cells: Mapping[str, Sequence[str]], columns: Sequence[Column], path: pathlib.Path) -> np.ndarray:
    """Turns the cells of a table into numbers.

    A category that `columns` does not know is zero in all of its columns.

    Args:
        cells: `N` of each column.
        columns: what becomes of them.
        path: the file, for messages.

    Returns:
        `[N, F]` float32.

    Raises:
        ValueError: if a cell of a numeric column is no finite number.
    """
    blocks = []
    for name, categories, median, mark, offset in columns:
        missing = _missing(cells[name])
        if categories is None:
            numbers = np.where(missing, median, _numbers(name, cells[name], path))
            blocks += [numbers - offset] + [missing] * mark
        else:
            text = np.where(missing, 'missing', cells[name])
            blocks += [text == category for category in categories]
    return np.stack(blocks, axis=1).astype(np.float32)


def reading_of(columns: Sequence[Column]) -> dict[str, Any]:
    """What a table's reader leaves in `reading`, plain enough for JSON; `columns_of` is the way back."""
    return {'columns': [column._asdict() | {'categories': _list(column.categories)} for column in columns]}


def inputs_of(columns: Sequence[Column]) -> list[tuple[str, float]]:
    """The name of each input that `encode` makes of columns, and what it subtracts from it."""
    inputs = []
    for name, categories, _, mark, offset in columns:
        if categories is None:
            inputs += [(name, offset)] + [(f'{name} (missing)', 0.0)] * mark
        else:
            inputs += [(f'{name} ({category})', 0.0) for category in categories]
    return inputs


def columns_of(reading: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns that a table's reader left in `reading`, which may have been through JSON."""
    columns = [Column(**column) for column in reading['columns']]
    return tuple(column._replace(categories=_tuple(column.categories)) for column in columns)


def read_inputs(path: pathlib.Path, columns: Sequence[Column]) -> np.ndarray:
    """Reads the rows of another table as inputs of a model that was trained on a table.

    Args:
        path: a file as `parse` takes; its columns may be in any order, and others (the label) are ignored.
        columns: what the model's inputs are made of.

    Returns:
        `[N, F]` float32, a row for each row of the file, empty ones too.

    Raises:
        ValueError: if the file is no such table, lacks a column, or has a text for a number.
    """
    try:
        cells, _ = parse(path, empty_rows=True)
    except OSError as error:
        raise ValueError(f'{path} cannot be read ({error.strerror or error}).') from None
    absent = [f'"{column.name}"' for column in columns if column.name not in cells]
    if absent:
        raise ValueError(
            f'{path} has no column {", ".join(absent)}: give it the columns that the model was trained on.'
        )
    for column in columns:
        if column.categories and not set(column.categories) & {v or 'missing' for v in cells[column.name]}:
            if not _missing(cells[column.name]).all():
                warnings.warn(
                    f'{path}: no value of column {column.name} is one that the model knows '
                    f'({", ".join(column.categories[:5])})',
                    stacklevel=2,
                )
    return encode(cells, columns, path)


def number(text: str) -> float | None:
    """The number that a cell holds (perhaps infinite), else `None`."""
    try:
        return float(text) if '_' not in text else None
    except ValueError:
        return None


def _missing(values):
    return np.array([value.lower() in MISSING for value in values])


def _numbers(name, values, path):
    """The numbers in a column's cells, 0 where there is none."""
    numbers = [0.0 if value.lower() in MISSING else number(value) for value in values]
    largest = float(np.finfo(np.float32).max)
    for row, one in enumerate(numbers):
        if one is None or not abs(one) <= largest:
            raise ValueError(
                f'{path}: column {name} holds "{values[row]}" in row {row + 1}: '
                'give finite numbers, or leave the cell empty where the value is missing.'
            )
    return np.array(numbers)


def _list(categories):
    return None if categories is None else list(categories)


def _tuple(categories):
    return None if categories is None else tuple(categories)
