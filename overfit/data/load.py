"""One entrance to data: a name, a path or arrays become `Splits`, and a summary says what was understood."""

import pathlib
from collections.abc import Sequence

import numpy as np

from overfit.data import kinds, labels, source, splits
from overfit.data.read import arrays, folder, images, npz, stock, table

SHOWN_CLASSES = 20


def load(
    name_or_path: str,
    *,
    label: str | None = None,
    seed: int = 0,
    image_size: int | None = None,
    minutes: float | None = None,
) -> splits.Splits:
    """Loads a labelled data set.

    Args:
        name_or_path: `digits`, an `.npz`, a `.csv` or `.tsv`, a folder with a sub-folder of images for
            each class, or the name of a prepared TFDS set.
        label: column, array or feature that holds the labels, where that is not clear.
        seed: of the test split, where the data has none.
        image_size: pixels to which the longer side of images is reduced, 8 to 128; `None`: 32, or more
            where the budget allows (`images.default_size`).
        minutes: the study's budget, for the size; `None`: the standard one.

    Returns:
        The splits.

    Raises:
        ValueError: in one sentence, what is wrong with the data and what would work.
    """
    where = str(name_or_path)
    images.check_size(image_size)
    try:
        found, name = _read(where, pathlib.Path(where).expanduser(), label, seed, image_size, minutes)
    except OSError as error:
        raise ValueError(f'data={where} cannot be read ({error.strerror or error}).') from None
    return source.assemble(found, name, where, seed=seed)


def from_arrays(
    x: np.ndarray | Sequence,
    y: np.ndarray | Sequence,
    x_test: np.ndarray | Sequence | None = None,
    y_test: np.ndarray | Sequence | None = None,
    *,
    kind: kinds.Kind | None = None,
    name: str = 'data',
    seed: int = 0,
    image_size: int | None = None,
    minutes: float | None = None,
) -> splits.Splits:
    """Makes a labelled data set of arrays.

    Args:
        x: `[N, F]` vectors, `[N, H, W]` or `[N, H, W, C]` images, or `[N, ...]` of another kind.
        y: `[N]` labels, whole numbers, booleans or names.
        x_test: the same to test with; `None`: 30 % of the examples are held out.
        y_test: their labels.
        kind: of the inputs; `None`: vectors or images, by the number of axes. Those of a kind of your own
            are taken as they are: not checked and not cast.
        name: short name for tables.
        seed: of the test split, where one is made.
        image_size: pixels to which the longer side of images is reduced, as in `load`.
        minutes: the study's budget, for the size; `None`: the standard one.

    Returns:
        The splits.

    Raises:
        ValueError: in one sentence, what is wrong with an argument and what would work.
    """
    if (x_test is None) != (y_test is None):
        given, absent = ('x_test', 'y_test') if y_test is None else ('y_test', 'x_test')
        raise ValueError(f'{given} is given without {absent}: a test set needs both.')
    if kind is not None and not isinstance(kind, kinds.Kind):
        raise ValueError(
            f'kind is a {type(kind).__name__}: give overfit.data.kinds.image, overfit.data.kinds.vector '
            'or a Kind of your own.'
        )
    name = str(name)
    notes = (*labels.mixture(y, 'y'), *labels.mixture(y_test, 'y_test'))
    inputs, targets = {'x': arrays.plain(x, 'x')}, {'y': arrays.plain(y, 'y')}
    if x_test is not None:
        inputs['x_test'], targets['y_test'] = arrays.plain(x_test, 'x_test'), arrays.plain(y_test, 'y_test')
    targets = {key: labels.clean(value, key) for key, value in targets.items()}
    found = arrays.read(inputs, targets, '', kind=kind, image_size=image_size, minutes=minutes)
    found = found._replace(notes=(*found.notes, *notes))
    if x_test is not None:
        found = found._replace(how='x_test and y_test as given')
    return source.assemble(found, name, name, seed=seed)


def _read(where, path, label, seed, image_size, minutes):
    suffix = path.suffix.lower()
    sizes = {'image_size': image_size, 'minutes': minutes}
    if label and (where == 'digits' or path.is_dir()):
        raise ValueError(f'label={label} is for tables, .npz files and TFDS sets: leave it out for {where}.')
    if where == 'digits':
        return stock.read_digits(image_size=image_size), where
    if path.is_dir():
        return folder.read(path, **sizes), path.resolve().name
    if path.is_file():
        if suffix == '.npz':
            return npz.read(path, label=label, **sizes), path.stem
        if suffix in ('.csv', '.tsv'):
            if image_size is not None:
                raise ValueError(f'image_size={image_size} is for images: leave it out for {where}.')
            return table.read(path, label=label, seed=seed), path.stem
        raise ValueError(
            f'data={where} is a {suffix or "nameless"} file: give an .npz, a .csv, a .tsv or a folder.'
        )
    if suffix in ('.npz', '.csv', '.tsv') or where.startswith(('/', '.', '~')):
        raise ValueError(f'data={where}: there is no such file or folder in {path.absolute().parent}.')
    return stock.read(where, label=label, **sizes), where


def describe(data: splits.Splits) -> str:
    """What was understood of a data set, in a few lines: kind, shapes, classes, test split, warnings.

    Args:
        data: from `load` or `from_arrays`.

    Returns:
        Text of several lines.
    """
    x, y, classes, kind = data.train.x, data.train.y, data.train.classes, data.train.kind
    counts = np.bincount(y, minlength=len(classes))
    test_counts = np.bincount(data.test.reveal(), minlength=len(classes))
    size = '×'.join(str(side) for side in x.shape[1:]) or '1'
    listed = [f'{n}: {c:,} + {t:,}' for n, c, t in zip(classes, counts, test_counts, strict=True)]
    if len(listed) > SHOWN_CLASSES:
        listed[SHOWN_CLASSES:] = [f'and {len(listed) - SHOWN_CLASSES} more']
    copies = source.duplicates(x, data.test.x)
    lines = [
        f'{data.name} · {kind.noun} of {size} {x.dtype} · {len(classes)} classes',
        f'  labelled {len(y):,} · test {len(data.test):,} ({data.how})',
        f'  classes (labelled + test): {", ".join(listed)}',
        f'  balance: {counts.min():,} to {counts.max():,} labelled examples a class',
        f'  exact copies of labelled examples in the test set: {copies:,}',
        *(f'  note: {note}' for note in data.notes),
    ]
    return '\n'.join(lines)
