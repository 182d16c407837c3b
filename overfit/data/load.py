"""One entrance to data: a name or a path becomes `Splits`, and a summary says what was understood."""

import pathlib

import numpy as np

from overfit.data import source, splits
from overfit.data.read import folder, npz, stock, table

SHOWN_CLASSES = 20


def load(name_or_path: str, *, label: str | None = None, seed: int = 0) -> splits.Splits:
    """Loads a labelled data set.

    Args:
        name_or_path: `digits`, an `.npz`, a `.csv` or `.tsv`, a folder with a sub-folder of images for
            each class, or the name of a prepared TFDS set.
        label: column, array or feature that holds the labels, where that is not clear.
        seed: of the test split, where the data has none.

    Returns:
        The splits.

    Raises:
        ValueError: in one sentence, what is wrong with the data and what would work.
    """
    where = str(name_or_path)
    try:
        found, name = _read(where, pathlib.Path(where).expanduser(), label, seed)
    except OSError as error:
        raise ValueError(f'--data={where} cannot be read ({error.strerror or error}).') from None
    return source.assemble(found, name, where, seed=seed)


def _read(where, path, label, seed):
    suffix = path.suffix.lower()
    if label and (where == 'digits' or path.is_dir()):
        raise ValueError(
            f'--label={label} is for tables, .npz files and TFDS sets: leave it out for {where}.'
        )
    if where == 'digits':
        return stock.read_digits(), where
    if path.is_dir():
        return folder.read(path), path.resolve().name
    if path.is_file():
        if suffix == '.npz':
            return npz.read(path, label=label), path.stem
        if suffix in ('.csv', '.tsv'):
            return table.read(path, label=label, seed=seed), path.stem
        raise ValueError(
            f'--data={where} is a {suffix or "nameless"} file: give an .npz, a .csv, a .tsv or a folder.'
        )
    if suffix in ('.npz', '.csv', '.tsv') or where.startswith(('/', '.', '~')):
        raise ValueError(f'--data={where}: there is no such file or folder in {path.absolute().parent}.')
    return stock.read(where, label=label), where


def describe(data: splits.Splits) -> str:
    """What was understood of a data set, in a few lines: kind, shapes, classes, test split, warnings.

    Args:
        data: from `load`.

    Returns:
        Text of several lines.
    """
    x, y, classes, kind = data.train.x, data.train.y, data.train.classes, data.train.kind
    counts = np.bincount(y, minlength=len(classes))
    test_counts = np.bincount(data.test.reveal(), minlength=len(classes))
    size = '×'.join(str(side) for side in x.shape[1:])
    listed = [f'{n}: {c:,} + {t:,}' for n, c, t in zip(classes, counts, test_counts, strict=True)]
    if len(listed) > SHOWN_CLASSES:
        listed[SHOWN_CLASSES:] = [f'and {len(listed) - SHOWN_CLASSES} more']
    copies = source.duplicates(x, data.test.x)
    lines = [
        f'{data.name} · {kind}s of {size} {x.dtype} · {len(classes)} classes',
        f'  labelled {len(y):,} · test {len(data.test):,} ({data.how})',
        f'  classes (labelled + test): {", ".join(listed)}',
        f'  balance: {counts.min():,} to {counts.max():,} labelled examples a class',
        f'  exact copies of labelled examples in the test set: {copies:,}',
        *(f'  note: {note}' for note in data.notes),
    ]
    return '\n'.join(lines)
