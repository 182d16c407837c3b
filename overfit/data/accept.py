"""What a saved model does with what it is given: the preparation of training again, or a refusal.

Each function is `(given, reading, shape) -> x`: `reading` is what the reader of the training data did and
what `remember_...` saw of them, `shape` is that of one input.
"""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from overfit.data import units
from overfit.data.read import cells, listing, offsets, pillow, resize
from overfit.data.read import images as images_lib


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
    if dtype.kind in 'iu' and (x.dtype.kind == 'f' or (x.size and not units.fits(x, dtype))):
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        raise ValueError(f'the model takes whole numbers from {low} to {high}; got {units.range_of(x)}.')
    return _finite(x, dtype)


def vectors(given: Any, reading: Mapping[str, Any], shape: Sequence[int]) -> np.ndarray:
    """Takes vectors, or another table with the columns of that of training.

    Args:
        given: `[N, F]`, or the path of a table, if the model was trained on one: its columns may be in any
            order, others (the label) are ignored, a category unknown in training counts as none of the
            known ones, a missing number becomes the median. For a model of a table, F is the number of
            inputs that its columns became; a column whose constant is subtracted may be given with it or
            without.
        reading: `columns` of a table; `offsets` that are subtracted; `least` and `greatest` of training;
            see `units.check_columns`.
        shape: `(F,)`.

    Returns:
        `[N, F]` float32.

    Raises:
        ValueError: another shape, values that are not finite or absurdly far from those of training, or
            a table that lacks columns or has a text in a numeric one.
    """
    table = cells.columns_of(reading) if reading.get('columns') else ()
    constants = dict(reading.get('offsets', []))
    inputs = cells.inputs_of(table) if table else [(str(i), constants.get(i, 0.0)) for i in range(shape[0])]
    if isinstance(given, str | os.PathLike):
        if not table:
            raise ValueError(
                f'the model was not made from a table, so it cannot read {given}: '
                f'give an array of shape {_shape(shape)}.'
            )
        x = cells.read_inputs(pathlib.Path(given).expanduser(), table)
    else:
        x = _numbers(given, shape)
        _check_shape(x, x, shape)
        moved = [(column, constant) for column, (_, constant) in enumerate(inputs) if constant]
        if table:  # whose examples, as Python has them, are without the constants
            moved = [one for one in moved if offsets.holds(x[:, one[0]], one[1])]
        x = _finite(offsets.subtract(x, moved), np.float32)
    units.check_columns(x, reading, inputs)
    return x


def images(given: Any, reading: Mapping[str, Any], shape: Sequence[int]) -> np.ndarray:
    """Takes arrays of images, Pillow images, image files, or a folder of them.

    Args:
        given: `[N, H, W]` or `[N, H, W, C]` as in training, where larger images are reduced; the path of an
            image file; of a folder, for all images at any depth below it in the order of their sorted
            paths (`overfit.data.read.listing.below`; other files are left out); a Pillow image; or a list or
            iterator of paths, of Pillow images, or of arrays of one image each. Files of any size, depth
            and colour are brought to those of training in the same way (see `resize.fit`, `images.bring`);
            arrays of another size only if the training images had several.
        reading: `sizes`, `depth`; `dtype`, `least`, `greatest`, `darkest` of the training images.
        shape: height, width, channels.

    Returns:
        `[N, H, W, C]`, `uint8` if the training images were and these can be, else float32.

    Raises:
        ValueError: what is no such image, or is in another unit than in training (see `units.check_images`).
    """
    given = _listed(given)
    files = _files(given)
    if files is not None:
        return _of_files(files, reading, shape)
    several = _of_several_sizes(given)
    if several:
        return _of_list(several, reading, shape)
    return _of_array(given, reading, shape)


def _of_array(given, reading, shape):
    numbers = _numbers(given, shape)
    mixed = reading.get('sizes', 1) > 1
    one = numbers.ndim == 3 and numbers.shape[2] in (1, 3, 4) and shape[1] > 4  # for no image is so narrow
    x = numbers[..., None] if numbers.ndim == 3 and not one else numbers
    if x.ndim != 4 or x.shape[3] != shape[2] or 0 in x.shape[1:]:
        fits = one or numbers.ndim == 2
        if fits and not mixed:
            fits = resize.reduced(*numbers.shape[:2], max(shape[:2])) == tuple(shape[:2])
        fits = fits and (*numbers.shape, 1)[2] == shape[2]
        _refuse_shape(numbers, ('H', 'W', shape[2]) if mixed else shape, fits)
    small = _sized(x, reading, shape)
    if len(x):
        units.check_images(x, len(x), reading)
    if small.shape[1:] != tuple(shape):
        _refuse_shape(numbers, shape, False)
    return small


def _of_several_sizes(given):
    """The images of a list of arrays, if those are of several shapes; else `None`."""
    if not isinstance(given, list | tuple):
        return None
    try:
        found = [np.asarray(image) for image in given]
    except (ValueError, TypeError):
        return None
    if len({x.shape for x in found}) < 2 or any(x.dtype.kind not in 'biuf' or x.ndim < 2 for x in found):
        return None
    return found


def _of_list(several, reading, shape):
    rows, values = [], []
    for number, image in enumerate(several):
        x = image[..., None] if image.ndim == 2 else image
        fits = x.ndim == 3 and 0 not in x.shape and x.shape[2] == shape[2]
        small = _sized(x[None], reading, shape) if fits else x[None]
        if small.shape[1:] != tuple(shape):
            size = (
                f'any size with {shape[2]} channels'
                if reading.get('sizes', 1) > 1
                else f'shape {list(shape)}'
            )
            raise ValueError(
                f'image {number} of the list has shape {list(image.shape)}: give images of {size}.'
            )
        rows.append(small)
        values.append(x.ravel())
    units.check_images(np.concatenate(values), len(rows), reading)
    return np.concatenate(rows)


def _sized(x, reading, shape):
    """`[N, H, W, C]` in the type of training, brought to its size if it had several, else only reduced."""
    values = x if x.dtype == np.uint8 else _finite(x, np.float32)
    if reading.get('dtype') == 'uint8' and units.fits(values, np.uint8):
        values = values.astype(np.uint8)  # rounded where it is reduced, as in training
    small = resize.shrink(values, longest=max(shape[:2]))
    if small.shape[1:] != tuple(shape) and reading.get('sizes', 1) > 1:
        return np.array([resize.fit(image, *shape[:2]) for image in values], values.dtype).reshape(-1, *shape)
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
    units.check_images(x, len(x), reading)
    return x


def _files(given):
    """Pairs of name and file, or `None` if arrays were given."""
    if isinstance(given, np.ndarray) and given.dtype.kind not in 'UO':
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


def _listed(given):
    """What an iterator gives as a list; refuses an empty one."""
    if isinstance(given, Iterator):
        given = list(given)
    if isinstance(given, list | tuple) and not given:
        raise ValueError('there is nothing to predict: the list is empty, give it one example or more.')
    return given


def _numbers(given, shape):
    given = _listed(given)
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
        _refuse_shape(given, shape, given.shape == tuple(shape))


def _refuse_shape(given, shape, one):
    advice = '; for one example give x[None]' if one else ''
    raise ValueError(
        f'the model takes numbers of shape {_shape(shape)}; '
        f'got {given.dtype} of shape {list(given.shape)}{advice}.'
    )


def _finite(x, dtype):
    with np.errstate(over='ignore', invalid='ignore'):
        x = x.astype(dtype)
    if not np.isfinite(x).all():
        raise ValueError('the inputs hold NaN or infinite values: remove or replace them.')
    return x


def _shape(shape):
    return f'[{", ".join(map(str, ("N", *shape)))}]'
