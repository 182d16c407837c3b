"""A user's own arrays: `.npz` with `x`, `y` or `x_train`, `y_train`, perhaps `x_test`, `y_test`."""

import pathlib
import zipfile
import zlib

import numpy as np

from overfit.data.read import images
from overfit.data.source import Source


def read(path: pathlib.Path, *, label: str | None = None) -> Source:
    """Reads images (`[N, H, W]` or `[N, H, W, C]`) or vectors (`[N, F]`) with their labels.

    Args:
        path: the file.
        label: name of the array of labels, `y` if `None` (`<label>_train` and `<label>_test` likewise).

    Returns:
        Images as `uint8` where they hold whole numbers 0..255, else float32; vectors as float32.

    Raises:
        ValueError: if arrays are missing, or are not what they should be.
    """
    with open(path, 'rb') as opened:
        try:
            file = np.load(opened, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile):
            file = None
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError(f'{path} is not an .npz file: write one with numpy.savez(path, x=..., y=...).')
        with file:
            return _read(file, path, label or 'y')


def _read(file, path, label):
    found = ', '.join(sorted(file.files)) or 'none'
    x_key = next((key for key in ('x_train', 'x') if key in file.files), None)
    y_key = next((key for key in (f'{label}_train', label) if key in file.files), None)
    test_keys = [key for key in ('x_test', f'{label}_test') if key in file.files]
    if x_key is None:
        raise ValueError(f'{path} has no inputs: it needs an array x or x_train, and holds {found}.')
    if y_key is None:
        raise ValueError(
            f'{path} has no labels: it needs an array {label} or {label}_train '
            f'(or give its name as --label), and holds {found}.'
        )
    if len(test_keys) == 1:
        raise ValueError(f'{path} has {test_keys[0]} alone: a test set needs both x_test and {label}_test.')
    keys = [x_key, y_key, *test_keys]
    arrays = [_array(file, key, path) for key in keys]
    for inputs, targets in ((0, 1), (2, 3))[: len(keys) // 2]:
        if arrays[inputs].shape[:1] != arrays[targets].shape[:1]:
            raise ValueError(
                f'{path}: {keys[inputs]} has shape {arrays[inputs].shape} and {keys[targets]} has shape '
                f'{arrays[targets].shape}, but there must be one label for each input.'
            )
    all_x, notes = _inputs(dict(zip(keys[::2], arrays[::2], strict=True)), path)
    ignored = sorted(set(file.files) - set(keys))
    if ignored:
        notes += (f'arrays not used: {", ".join(ignored)}',)
    if not test_keys:
        return Source(all_x[0], arrays[1], notes=notes)
    how = f'x_test and {label}_test of the file'
    return Source(all_x[0], arrays[1], all_x[1], arrays[3], how=how, notes=notes)


def _array(file, key, path):
    try:
        return file[key]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error):
        raise ValueError(
            f'{path}: array {key} cannot be read (it holds Python objects, or is damaged): '
            'save it with a plain dtype, for instance numpy.array(values, dtype="float32").'
        ) from None


def _inputs(named, path):
    """Checks the inputs, given by name, and brings them to one of the two kinds."""
    for key, x in named.items():
        if x.dtype.kind in 'US':
            raise ValueError(f'{path}: {key} holds text, which is not supported yet: give images or vectors.')
        if x.dtype.kind not in 'buif':
            raise ValueError(f'{path}: {key} has dtype {x.dtype}, but inputs are whole or real numbers.')
        if x.ndim not in (2, 3, 4) or 0 in x.shape[1:]:
            raise ValueError(
                f'{path}: {key} has shape {x.shape}, but inputs are vectors [N, F] or images [N, H, W] '
                'or [N, H, W, C].'
            )
        if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] not in (1, 2, 3, 4):
            raise ValueError(
                f'{path}: {key} has shape {x.shape}, which looks like channels first: '
                'transpose it to [N, H, W, C] with numpy.moveaxis(x, 1, -1).'
            )
    first_key, first = next(iter(named.items()))
    for key, x in named.items():
        if x.shape[1:] != first.shape[1:] or x.dtype != first.dtype:
            raise ValueError(
                f'{path}: {first_key} is {first.dtype} {list(first.shape)} and {key} is {x.dtype} '
                f'{list(x.shape)}, but training and test inputs must have the same dtype and shape.'
            )
    bytes_like = first.dtype.kind in 'ui' and all(
        x.size and x.min() >= 0 and x.max() <= 255 for x in named.values()
    )
    dtype = np.uint8 if first.ndim > 2 and bytes_like else np.float32
    out = []
    for key, x in named.items():
        with np.errstate(over='ignore'):
            x = x.astype(dtype)
        if not np.isfinite(x).all():
            row = int(np.argwhere(~np.isfinite(x))[0, 0])
            raise ValueError(
                f'{path}: {key} holds NaN or infinity (first in example {row}): '
                'remove these examples or fill in the missing values.'
            )
        out.append(x[..., None] if x.ndim == 3 else x)
    if first.ndim == 2:
        return out, ()
    small = [images.shrink(x) for x in out]
    return small, images.shrink_note(out[0].shape, small[0].shape)
