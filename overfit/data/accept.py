"""What a saved model does with what it is given: the preparation of training again, or a refusal.

Each function is `(given, reading, shape) -> x`: `reading` is what the reader of the training data did and
what `remember_...` saw of them, `shape` is that of one input.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from overfit.data.read import cells, listing, offsets, pillow, resize
from overfit.data.read import images as images_lib

ABSURD = 1000  # ranges of the training values that a whole column of vectors may lie away
MANY = 8  # images that are not all much darker than every training image by chance


def remember_type(x: np.ndarray, reading: Mapping[str, Any]) -> dict[str, Any]:
    """Adds the type of the training examples `x` to what the reader did."""
    return {**reading, 'dtype': x.dtype.name}


def remember_images(x: np.ndarray, reading: Mapping[str, Any]) -> dict[str, Any]:
    """Adds type and range of the training images.

    Args:
        x: `[N, H, W, C]`.
        reading: what the reader did.

    Returns:
        `reading` with `dtype`, `least`, `greatest`, and `darkest`, the least maximum of an image.
    """
    darkest = x.reshape(len(x), -1).max(1).min()
    return remember_type(x, reading) | {
        'least': float(x.min()), 'greatest': float(x.max()), 'darkest': float(darkest)
    }  # fmt: skip


def remember_vectors(x: np.ndarray, reading: Mapping[str, Any]) -> dict[str, Any]:
    """Adds type, and `least` and `greatest` of each column, of the training vectors `[N, F]`."""
    return remember_type(x, reading) | {'least': x.min(0).tolist(), 'greatest': x.max(0).tolist()}


def anything(given: Any, reading: Mapping[str, Any], shape: Sequence[int]) -> np.ndarray:
    """Takes an array of the shape and type of the training examples, for kinds that say nothing else.

    Args:
        given: `[N, *shape]`.
        reading: `dtype`, if known: whole numbers are not made of real ones.
        shape: of one example.

    Returns:
        `[N, *shape]`, in the dtype of training.

    Raises:
        ValueError: another shape or type, NaN or infinite values.
    """
    x = _numbers(given, shape)
    _check_shape(x, x, shape)
    dtype = np.dtype(reading.get('dtype', x.dtype))
    if dtype.kind in 'iu' and (x.dtype.kind == 'f' or (x.size and not _fits(x, dtype))):
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        raise ValueError(f'the model takes whole numbers from {low} to {high}; got {_range(x)}.')
    return _finite(x, dtype)


def vectors(given: Any, reading: Mapping[str, Any], shape: Sequence[int]) -> np.ndarray:
    """Takes vectors, or another table with the columns of that of training.

    Args:
        given: `[N, F]`, or the path of a table, if the model was trained on one: its columns may be in any
            order, others (the label) are ignored, a category unknown in training counts as none of the
            known ones, a missing number becomes the median.
        reading: `columns` of a table; `offsets` that are subtracted; `least` and `greatest` of training.
        shape: `(F,)`.

    Returns:
        `[N, F]` float32.

    Raises:
        ValueError: another shape, values that are not finite or absurdly far from those of training, or
            a table that lacks columns or has a text in a numeric one.
    """
    if isinstance(given, str | os.PathLike):
        if not reading.get('columns'):
            raise ValueError(
                f'the model was not made from a table, so it cannot read {given}: '
                f'give an array of shape {_shape(shape)}.'
            )
        x = cells.read_inputs(pathlib.Path(given).expanduser(), cells.columns_of(reading))
    else:
        x = _numbers(given, shape)
        _check_shape(x, x, shape)
        x = _finite(offsets.subtract(x, reading.get('offsets', [])), np.float32)
    if len(x) and 'least' in reading:
        low, high = (np.asarray(reading[side], np.float64) for side in ('least', 'greatest'))
        span = np.where(high > low, high - low, np.maximum(np.abs(low), 1))
        away = np.maximum(low - x, x - high).min(0)
        far = np.flatnonzero(away > ABSURD * span)
        if len(far):
            column = int(far[0])
            raise ValueError(
                f'column {column} holds {x[:, column].min():g} to {x[:, column].max():g}, but '
                f'{low[column]:g} to {high[column]:g} in training: give it in the same unit.'
            )
    return x


def images(given: Any, reading: Mapping[str, Any], shape: Sequence[int]) -> np.ndarray:
    """Takes arrays of images, Pillow images, image files, or a folder of them.

    Args:
        given: `[N, H, W]` or `[N, H, W, C]` as in training, where larger images are reduced; the path of an
            image file; of a folder, for all images at any depth below it in the order of their sorted
            paths (`overfit.data.read.listing.below`; other files are left out); a Pillow image; or a list of
            paths or Pillow images. Files of any size, depth and colour are brought to those of training
            in the same way (see `resize.fit`, `images.bring`); arrays of another size only if the
            training images had several.
        reading: `sizes`, `depth`; `dtype`, `least`, `greatest`, `darkest` of the training images.
        shape: height, width, channels.

    Returns:
        `[N, H, W, C]`, `uint8` if the training images were and these can be, else float32.

    Raises:
        ValueError: what is no such image, or has another range of values than in training.
    """
    files = _files(given)
    return _of_array(given, reading, shape) if files is None else _of_files(files, reading, shape)


def _of_array(given, reading, shape):
    numbers = _numbers(given, shape)
    x = numbers[..., None] if numbers.ndim == 3 else numbers
    if x.ndim != 4 or x.shape[3] != shape[2] or 0 in x.shape[1:]:
        _check_shape(x, numbers, shape)
    values = x if x.dtype == np.uint8 else _finite(x, np.float32)
    if len(x):
        _check_range(x, reading)
    if reading.get('dtype') == 'uint8' and _fits(values, np.uint8):
        values = values.astype(np.uint8)  # rounded where it is reduced, as in training
    small = resize.shrink(values, longest=max(shape[:2]))
    if small.shape[1:] != tuple(shape) and reading.get('sizes', 1) > 1:
        return np.array([resize.fit(image, *shape[:2]) for image in values], values.dtype).reshape(-1, *shape)
    if small.shape[1:] != tuple(shape):
        _check_shape(small, numbers, shape)
    return small


def _of_files(files, reading, shape):
    depth = reading.get('depth', 8)
    if depth not in (8, 16, 32):
        raise ValueError(
            f'the model was trained on an array of real numbers, whose unit no file has: '
            f'give an array of shape {_shape(shape)}.'
        )
    x = np.empty((len(files), *shape), np.uint8 if depth == 8 else np.float32)
    for row, (name, file) in zip(x, files, strict=True):
        row[...] = images_lib.bring(pillow.decode(file, name), shape, depth, name)
    _check_range(x, reading)
    return x


def _files(given):
    """Pairs of name and file, or `None` if arrays were given."""
    if isinstance(given, np.ndarray) and given.dtype.kind != 'U':
        return None
    from PIL import Image

    one = isinstance(given, str | os.PathLike | Image.Image)
    listed = [given] if one else list(given) if isinstance(given, list | tuple | np.ndarray) else []
    if not listed or not all(isinstance(item, str | os.PathLike | Image.Image) for item in listed):
        return None
    files = []
    for number, item in enumerate(listed):
        if isinstance(item, Image.Image):
            files.append((f'image {number}', item))
            continue
        path = pathlib.Path(item).expanduser()
        if not path.exists():
            raise ValueError(f'there is no file or folder {item}: give the path of an image or of a folder.')
        files += _below(path) if path.is_dir() else [(str(path), path)]
    return files


def _below(path):
    found = [(str(file), file) for file in listing.below(path) if pillow.look(file, str(file))]
    if not found:
        raise ValueError(f'the folder {path} holds no image: give one that does.')
    return found


def _check_range(x, reading):
    """Refuses values whose unit cannot be that of the training images."""
    if 'greatest' not in reading:
        return
    least, greatest = reading['least'], reading['greatest']
    low, high = float(x.min()), float(x.max())
    unit = max(abs(low), abs(high)) <= 1 and greatest >= 8 and _real(x)
    if reading['dtype'] == 'uint8':
        # new images may be brighter than all of training, but not brighter than a byte
        far = low < 0 or high > min(255, max(4 * greatest, 1))
        dark = x.dtype.kind == 'f' and len(x) >= MANY and 0 < high < reading['darkest'] / 8
    else:
        margin = (greatest - least) / 2 or max(abs(least), 1)
        far, dark = low < least - margin or high > greatest + margin, False
    if not (unit or far or dark or (x.dtype == bool and greatest > 1)):
        return
    advice = f'give values from {least:g} to {greatest:g}'
    if reading['dtype'] == 'uint8' and greatest > 16:
        if unit or x.dtype == bool:
            advice = 'give (x + 1) * 127.5' if low < 0 else 'multiply them by 255'
        elif high > 255:
            advice = 'divide them by 257' if high > 255 * 64 else 'bring them to 0 to 255'
    elif 0 <= least and 0.5 <= greatest <= 1 and 0 <= low and high <= 255:
        advice = 'divide them by 255'
    raise ValueError(
        f'the images hold {_range(x)}, but the model was trained on '
        f'{reading["dtype"]} from {least:g} to {greatest:g}: {advice}.'
    )


def _numbers(given, shape):
    try:
        x = np.asarray(given)
    except (ValueError, TypeError):
        x = np.empty(0, object)
    if x.dtype.kind not in 'biuf':
        kind = 'text' if x.dtype.kind in 'US' else f'{type(given).__name__} of {x.dtype}'
        raise ValueError(f'the model takes numbers of shape {_shape(shape)}; got {kind}.')
    return x


def _check_shape(x, given, shape):
    """Refuses `x`, which was made of the array `given`, unless its examples have the shape."""
    if x.shape[1:] != tuple(shape) or not x.ndim:
        one = '; for one example give x[None]' if given.shape == tuple(shape) else ''
        raise ValueError(
            f'the model takes numbers of shape {_shape(shape)}; '
            f'got {given.dtype} of shape {list(given.shape)}{one}.'
        )


def _finite(x, dtype):
    with np.errstate(over='ignore', invalid='ignore'):
        x = x.astype(dtype)
    if not np.isfinite(x).all():
        raise ValueError('the inputs hold NaN or infinite values: remove or replace them.')
    return x


def _fits(x, dtype):
    """Whether all values are whole and within an integer dtype."""
    info = np.iinfo(dtype)
    return not x.size or (x.min() >= info.min and x.max() <= info.max and not _real(x))


def _real(x):
    return x.dtype.kind == 'f' and bool((x != np.rint(x)).any())


def _range(x):
    return f'{x.dtype} from {float(x.min()):g} to {float(x.max()):g}' if x.size else f'{x.dtype}'


def _shape(shape):
    return f'[{", ".join(map(str, ("N", *shape)))}]'
