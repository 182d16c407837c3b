"""A person's own file: `.npz` with `x`, `y` or `x_train`, `y_train`, perhaps `x_test`, `y_test`."""

import pathlib
import zipfile
import zlib

import numpy as np

from overfit.data import grouping
from overfit.data.read import arrays
from overfit.data.source import Source


def read(
    path: pathlib.Path,
    *,
    label: str | None = None,
    group: str | None = None,
    image_size: int | None = None,
    minutes: float | None = None,
) -> Source:
    """Reads images (`[N, H, W]` or `[N, H, W, C]`) or vectors (`[N, F]`) with their labels.

    Args:
        path: the file.
        label: name of the array of labels, `y` if `None` (`<label>_train` and `<label>_test` likewise).
        group: name of the array of groups, or of `<group>_train` and, with a test set, `<group>_test`.
        image_size: pixels of an image's longer side, 8 to 128; `None`: `images.default_size`.
        minutes: the study's budget, for the size.

    Returns:
        Images as `uint8` where they hold whole numbers 0..255, else float32; vectors as float32.

    Raises:
        ValueError: if arrays are missing, or are not what they should be.
    """
    with open(path, 'rb') as opened:
        try:
            file = np.load(opened, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
            file = None
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError(f'{path} is not an .npz file: write one with numpy.savez(path, x=..., y=...).')
        with file:
            return _read(file, path, label or 'y', group, image_size, minutes)


def _read(file, path, label, group, image_size, minutes):
    found = ', '.join(sorted(file.files)) or 'none'
    x_key = next((key for key in ('x_train', 'x') if key in file.files), None)
    y_key = next((key for key in (f'{label}_train', label) if key in file.files), None)
    test_keys = [key for key in ('x_test', f'{label}_test') if key in file.files]
    if x_key is None:
        raise ValueError(f'{path} has no inputs: it needs an array x or x_train, and holds {found}.')
    if y_key is None:
        raise ValueError(
            f'{path} has no labels: it needs an array {label} or {label}_train '
            f'(or say label=... with its name), and holds {found}.'
        )
    if len(test_keys) == 1:
        raise ValueError(f'{path} has {test_keys[0]} alone: a test set needs both x_test and {label}_test.')
    keys = [x_key, y_key, *test_keys]
    loaded = {key: _array(file, key, path) for key in keys}
    source = arrays.read(
        {key: loaded[key] for key in keys[::2]},
        {key: loaded[key] for key in keys[1::2]},
        f'{path}: ',
        image_size=image_size,
        minutes=minutes,
    )
    if group:
        own, of_test = _groups(file, path, group, source)
        source = source._replace(groups=own, groups_test=of_test)
        keys += [f'{group}_train' if f'{group}_train' in file.files else group, f'{group}_test']
    ignored = sorted(set(file.files) - set(keys))
    if ignored:
        source = source._replace(notes=(*source.notes, f'arrays not used: {", ".join(ignored)}'))
    return source._replace(how=f'x_test and {label}_test of the file') if test_keys else source


def _groups(file, path, group, source):
    """The groups of the training examples, and those of the test examples or `None`."""
    key = next((key for key in (f'{group}_train', group) if key in file.files), None)
    if key is None:
        raise ValueError(
            f'{path} has no array {group} or {group}_train for group={group}: '
            f'it holds {", ".join(sorted(file.files))}.'
        )
    own = grouping.clean(_array(file, key, path), f'{path}: {key} for group={group}', len(source.y))
    key = f'{group}_test'
    if source.x_test is None or key not in file.files:
        return own, None
    return own, grouping.clean(
        _array(file, key, path), f'{path}: {key} for group={group}', len(source.y_test)
    )


def _array(file, key, path):
    try:
        return file[key]
    except (
        ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError, OverflowError,
        NotImplementedError, RuntimeError,
    ):  # fmt: skip
        raise ValueError(
            f'{path}: array {key} cannot be read (it holds Python objects, is damaged, or too large): '
            'save it with a plain dtype, for instance numpy.array(values, dtype="float32").'
        ) from None
