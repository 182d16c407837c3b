"""Arrays of a person's own, from a file or from Python, to examples of a kind."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from overfit.data import kinds
from overfit.data.read import images, offsets, resize
from overfit.data.read.wording import counted
from overfit.data.source import Source, fingerprint


def read(
    inputs: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    where: str,
    *,
    kind: kinds.Kind | None = None,
    image_size: int | None = None,
    minutes: float | None = None,
) -> Source:
    """Checks arrays and makes examples of them.

    Args:
        inputs: by name, those to train on and perhaps those to test with.
        targets: labels, by name, for each of the inputs.
        where: the file and a colon, for messages; may be empty.
        kind: of the inputs; `None`: `[N, F]` are vectors, `[N, H, W]` and `[N, H, W, C]` are images. Inputs
            of a kind that is neither are taken as they are. Training and test inputs of two types of real
            numbers, or of whole ones, are brought to one.
        image_size: pixels of an image's longer side, 8 to 128; `None`: `images.default_size`.
        minutes: the study's budget, for the size.

    Returns:
        Images as `uint8` where they hold whole numbers 0..255, else float32; vectors as float32.

    Raises:
        ValueError: if they are not what they should be.
    """
    names, arrays = list(inputs), list(inputs.values())
    for (x_name, x), (y_name, y) in zip(inputs.items(), targets.items(), strict=True):
        if not x.ndim or x.shape[:1] != y.shape[:1]:
            raise ValueError(
                f'{where}{x_name} has shape {x.shape} and {y_name} has shape {y.shape}, '
                'but there must be one label for each input.'
            )
    known = kind is None or kind in (kinds.image, kinds.vector)
    if known:
        for name, x in inputs.items():
            _check(name, x, where, kind)
    arrays = _of_one_type(arrays)
    for name, x in zip(names, arrays, strict=True):
        if x.shape[1:] != arrays[0].shape[1:] or x.dtype != arrays[0].dtype:
            raise ValueError(
                f'{where}{names[0]} is {arrays[0].dtype} {list(arrays[0].shape)} and {name} is {x.dtype} '
                f'{list(x.shape)}, but training and test inputs must have the same dtype and shape.'
            )
    reading, notes, origin = {}, (), ''
    if known and arrays[0].ndim == 2:
        images.check_size(image_size)
        kind = kinds.vector
        if image_size is not None:
            raise ValueError(f'image_size={image_size} is for images: leave it out for vectors.')
        moved = offsets.find(arrays[0])
        if moved:
            reading['offsets'] = [[column, value] for column, value in moved.items()]
            columns = counted(len(moved), 'column')
            notes = (f'a constant was subtracted from {columns} that float32 could hardly tell apart',)
            arrays = [offsets.subtract(x, reading['offsets']) for x in arrays]
        arrays = _cast(names, arrays, np.float32, where)
    elif known:
        images.check_size(image_size)
        kind = kinds.image
        bytes_like = arrays[0].dtype.kind in 'ui' and all(
            x.size and x.min() >= 0 and x.max() <= 255 for x in arrays
        )
        arrays = _cast(names, arrays, np.uint8 if bytes_like else np.float32, where)
        arrays = [x[..., None] if x.ndim == 3 else x for x in arrays]
        origin = fingerprint(arrays[:1])
        native, count = arrays[0].shape[1:3], sum(map(len, arrays))
        size = image_size or images.default_size(max(native), count, minutes)
        arrays = [resize.shrink(x, longest=size) for x in arrays]
        notes = images.size_note(native, arrays[0].shape[1:3], count, image_size, minutes)
        reading = {'sizes': 1, 'depth': 8 if bytes_like else 0}
    labels = list(targets.values())
    source = Source(arrays[0], labels[0], kind, notes=notes, reading=reading, origin=origin)
    return source if len(arrays) == 1 else source._replace(x_test=arrays[1], y_test=labels[1])


def plain(values: Any, name: str) -> np.ndarray:
    """An array of what a person gives as one: lists and series too, text of any length.

    Args:
        values: an array, or what NumPy makes one of.
        name: of the argument.

    Returns:
        The array, of a plain dtype.

    Raises:
        ValueError: if it holds Python objects or rows of different lengths.
    """
    try:
        array = np.asarray(values)
    except (ValueError, TypeError):
        array = np.empty(0, object)
    if array.dtype == object and array.ndim and array.size:  # what pandas makes of text
        found = {type(value) for value in array.ravel()}
        if any(all(issubclass(one, types) for one in found) for types in (str, bool | np.bool_)) or all(
            issubclass(one, int | np.integer) and one is not bool for one in found
        ):
            return np.array(array.tolist())
    if array.dtype == object:
        raise ValueError(f'{name} is no array of numbers or names: give rows of one length and one type.')
    return array


def _check(name, x, where, kind):
    if x.dtype.kind in 'US':
        raise ValueError(f'{where}{name} holds text, which is not supported yet: give images or vectors.')
    if x.dtype.kind not in 'buif':
        raise ValueError(f'{where}{name} has dtype {x.dtype}, but inputs are whole or real numbers.')
    ranks = (2, 3, 4) if kind is None else (2,) if kind == kinds.vector else (3, 4)
    if x.ndim not in ranks or 0 in x.shape[1:]:
        shapes = 'vectors [N, F]', 'images [N, H, W] or [N, H, W, C]'
        wanted = ' or '.join(text for text, rank in zip(shapes, (2, 4), strict=True) if rank in ranks)
        raise ValueError(f'{where}{name} has shape {x.shape}, but inputs are {wanted}.')
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] not in (1, 2, 3, 4):
        raise ValueError(
            f'{where}{name} has shape {x.shape}, which looks like channels first: '
            'transpose it to [N, H, W, C] with numpy.moveaxis(x, 1, -1).'
        )


def _of_one_type(arrays):
    """The arrays in the type that holds all their values, where all are real or all whole numbers."""
    for numbers in ('f', 'iu'):
        if all(x.dtype.kind in numbers for x in arrays):
            common = np.result_type(*arrays)
            if common.kind in numbers:  # of int64 and uint64 NumPy makes real numbers
                return [x.astype(common, copy=False) for x in arrays]
    return arrays


def _cast(names, arrays, dtype, where):
    out = []
    for name, x in zip(names, arrays, strict=True):
        with np.errstate(over='ignore'):
            x = x.astype(dtype)
        if not np.isfinite(x).all():
            row = int(np.argwhere(~np.isfinite(x))[0, 0])
            raise ValueError(
                f'{where}{name} holds NaN or infinity (first in example {row}): '
                'remove these examples or fill in the missing values.'
            )
        out.append(x)
    return out
