"""One entrance to data: a name, a path or arrays become `Splits`, and a summary says what was understood."""

import pathlib
from collections.abc import Sequence

import numpy as np

from overfit.data import grouping, kinds, labels, source, splits
from overfit.data.read import arrays, folder, images, npz, stock, table

SHOWN_CLASSES = 20


def load(
    name_or_path: str,
    *,
    label: str | None = None,
    group: str | None = None,
    test: str | None = None,
    image_size: int | None = None,
    minutes: float | None = None,
) -> splits.Splits:
    """Loads a labelled data set.

    Args:
        name_or_path: `digits`, an `.npz`, a `.csv` or `.tsv`, a folder with a sub-folder of images for
            each class, or the name of a prepared TFDS set.
        label: column, array or feature that holds the labels, where that is not clear.
        group: column, array or feature that tells which examples belong together (the same patient, speaker
            or writer), so that they are never on both sides of a split; of a folder, `folder`: the sub-folder
            just below the class, in `class/patient7/a.png` the name `patient7`, which is the same group
            below every class. `None`: every example is its own.
        test: `cross-fitted`: every example is tested, by nets that were not trained on it; `holdout`: 30 %
            are held out. `None`: the test set that the data has, or else cross-fitted.
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
    source.check_mode(test)
    try:
        found, name = _read(where, pathlib.Path(where).expanduser(), label, group, image_size, minutes)
    except OSError as error:
        raise ValueError(f'data={where} cannot be read ({error.strerror or error}).') from None
    return source.assemble(found, name, where, test=test)


def from_arrays(
    x: np.ndarray | Sequence,
    y: np.ndarray | Sequence,
    x_test: np.ndarray | Sequence | None = None,
    y_test: np.ndarray | Sequence | None = None,
    *,
    groups: np.ndarray | Sequence | None = None,
    groups_test: np.ndarray | Sequence | None = None,
    test: str | None = None,
    kind: kinds.Kind | None = None,
    name: str = 'data',
    image_size: int | None = None,
    minutes: float | None = None,
) -> splits.Splits:
    """Makes a labelled data set of arrays.

    Args:
        x: `[N, F]` vectors, `[N, H, W]` or `[N, H, W, C]` images, or `[N, ...]` of another kind.
        y: `[N]` labels, whole numbers, booleans or names.
        x_test: the same to test with, if there are any.
        y_test: their labels.
        groups: `[N]` whole numbers or names, the same for examples that belong together (of one patient,
            speaker or writer) and are never to be on both sides of a split; `None`: every example is its own.
        groups_test: those of the test examples.
        test: as in `load`.
        kind: of the inputs; `None`: vectors or images, by the number of axes. Those of a kind of your own
            are taken as they are: not checked and not cast.
        name: short name for tables.
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
    source.check_mode(test)
    if groups_test is not None and (x_test is None or groups is None):
        absent = 'x_test' if x_test is None else 'groups'
        raise ValueError(f'groups_test is given without {absent}: give both, or leave it out.')
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
    if groups is not None:
        found = found._replace(groups=grouping.clean(arrays.plain(groups, 'groups'), 'groups', len(found.y)))
    if groups_test is not None:
        codes = arrays.plain(groups_test, 'groups_test')
        found = found._replace(groups_test=grouping.clean(codes, 'groups_test', len(found.y_test)))
    if x_test is not None:
        found = found._replace(how='x_test and y_test as given')
    return source.assemble(found, name, name, test=test)


def _read(where, path, label, group, image_size, minutes):
    suffix = path.suffix.lower()
    sizes = {'image_size': image_size, 'minutes': minutes}
    if label and (where == 'digits' or path.is_dir()):
        raise ValueError(f'label={label} is for tables, .npz files and TFDS sets: leave it out for {where}.')
    if where == 'digits':
        if group:
            raise ValueError(f'group={group} is for data that tell who is who: leave it out for digits.')
        return stock.read_digits(image_size=image_size), where
    if path.is_dir():
        if group not in (None, 'folder'):
            raise ValueError(
                f'group={group} is for tables, .npz files and TFDS sets: give group=folder for {where}, '
                'where each sub-folder below a class is a group.'
            )
        return folder.read(path, by_folder=group is not None, **sizes), path.resolve().name
    if path.is_file():
        if suffix == '.npz':
            return npz.read(path, label=label, group=group, **sizes), path.stem
        if suffix in ('.csv', '.tsv'):
            if image_size is not None:
                raise ValueError(f'image_size={image_size} is for images: leave it out for {where}.')
            return table.read(path, label=label, group=group), path.stem
        raise ValueError(
            f'data={where} is a {suffix or "nameless"} file: give an .npz, a .csv, a .tsv or a folder.'
        )
    if suffix in ('.npz', '.csv', '.tsv') or where.startswith(('/', '.', '~')):
        raise ValueError(f'data={where}: there is no such file or folder in {path.absolute().parent}.')
    return stock.read(where, label=label, group=group, **sizes), where


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
    sides = x.shape[1:]
    if kind == kinds.image:  # width first, as in the notes
        sides = (sides[1], sides[0], *sides[2:])
    size = '×'.join(map(str, sides)) or '1'
    fitted = data.test_mode == source.CROSS_FITTED
    both = [f'{c:,}' if fitted else f'{c:,} + {t:,}' for c, t in zip(counts, test_counts, strict=True)]
    listed = [f'{name}: {text}' for name, text in zip(classes, both, strict=True)]
    if len(listed) > SHOWN_CLASSES:
        listed[SHOWN_CLASSES:] = [f'and {len(listed) - SHOWN_CLASSES} more']
    lines = [
        f'{data.name} · {kind.noun} of {size} {x.dtype} · {len(classes)} classes',
        f'  {len(y):,} {kind.noun}, {data.how}'
        if fitted
        else f'  labelled {len(y):,} · test {len(data.test):,} ({data.how})',
        *_groups(data),
        f'  classes{"" if fitted else " (labelled + test)"}: {", ".join(listed)}',
        f'  balance: {counts.min():,} to {counts.max():,} labelled examples a class',
        f'  {_copies(data, fitted)}',
        *(f'  note: {note}' for note in data.notes),
    ]
    return '\n'.join(lines)


def _groups(data):
    if data.train.groups is None:
        return
    sizes = np.unique(data.train.groups, return_counts=True)[1]
    tested = ''
    if data.test_mode != source.CROSS_FITTED and data.test.groups is not None:
        tested = f' + {len(np.unique(data.test.groups)):,}'
    yield f'  groups{" (labelled + test)" * bool(tested)}: {len(sizes):,}{tested}, of {sizes.min():,} to ' + (
        f'{sizes.max():,} {data.train.kind.noun}'
    )


def _copies(data, fitted):
    if fitted:
        apart = '' if data.train.groups is None else ' in different groups'
        said = f'copies among the {data.train.kind.noun}{apart}: '
    else:
        said = 'copies of labelled examples in the test set: '
    said += f'{data.copies.exact:,} exact, {data.copies.near:,} near-duplicates'
    if data.copies.compared:
        tested, among = data.copies.compared
        said += f' (near-duplicates of {tested:,} among {among:,})'
    return said
