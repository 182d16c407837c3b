"""In which unit numbers are: whether those given to a saved model can be in that of the training data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

ABSURD = 1000  # ranges of the training values that a whole column of vectors may lie away
AWAY = 0.5  # of the constant subtracted from a column, which all of its values may lie away from it
MANY = 8  # images that are not all much darker than every training image by chance
DARK = 8  # times darker than every training image


def check_columns(x: np.ndarray, reading: Mapping[str, Any], inputs: Sequence[tuple[str, float]]) -> None:
    """Refuses vectors of which a whole column is absurdly far from what it was in training.

    A column from which a constant was subtracted varies by less than 1/2000 of that constant: a thousand
    times its range says nothing. Times or numbered things of later years are in the same unit, but seconds
    in place of milliseconds are nowhere near: such a column may lie half of the constant away.

    Args:
        x: `[N, F]`, constants subtracted.
        reading: `least` and `greatest` of each column in training, if known.
        inputs: the name of each column, and the constant that was subtracted from it.

    Raises:
        ValueError: a column is in another unit; its numbers are written as they were before the subtraction.
    """
    if not len(x) or 'least' not in reading:
        return
    low, high = (np.asarray(reading[side], np.float64) for side in ('least', 'greatest'))
    moved = np.array([constant for _, constant in inputs])
    span = np.where(high > low, high - low, np.maximum(np.abs(low), 1))
    away = np.maximum(low - x, x - high).min(0)
    far = np.flatnonzero(away > np.maximum(ABSURD * span, AWAY * np.abs(moved)))
    if not len(far):
        return
    column = int(far[0])
    name, constant = inputs[column]
    ends = (x[:, column].min(), x[:, column].max(), low[column], high[column])
    first, last, least, greatest = (f'{end + constant:.{4 if constant else 6}g}' for end in ends)
    raise ValueError(
        f'column {name} holds {first} to {last}, but {least} to {greatest} in training: '
        'give it in the same unit.'
    )


def check_images(x: np.ndarray, count: int, reading: Mapping[str, Any]) -> None:
    """Refuses images whose unit cannot be that of the training images.

    It is another unit if the values lie far beyond those of training; if they are fractions of one where
    those of training were whole; if, for a model of real numbers, all of them lie well below or above those
    of training; or if many images are all much darker than the darkest of training. Bytes may be dark or
    bright without any of that, for they have one unit.

    What cannot be told: values that are as likely in both units, such as fractions of one given to a model
    that was trained on standardised values (mean 0, standard deviation 1); fewer than `MANY` images that
    are too dark; and dark images of any unit if one training image was black.

    Args:
        x: values of the images, of any shape, not empty.
        count: how many images they are of.
        reading: `dtype`, `least`, `greatest` and `darkest` of the training images, if known.

    Raises:
        ValueError: another unit; the message says how to come to that of training.
    """
    if 'greatest' not in reading:
        return
    least, greatest = reading['least'], reading['greatest']
    low, high = float(x.min()), float(x.max())
    fraction = max(abs(low), abs(high)) <= 1 and greatest >= 8 and real(x)
    dark = count >= MANY and 0 < high < reading['darkest'] / DARK and abs(min(least, 0)) <= greatest / DARK
    if reading['dtype'] == 'uint8':
        # new images may be brighter than all of training, but not brighter than a byte
        far = low < 0 or high > min(255, max(4 * greatest, 1))
        dark = dark and x.dtype.kind == 'f'
    else:
        margin = (greatest - least) / 2 or max(abs(least), 1)
        far = low < least - margin or high > greatest + margin
        beside = (greatest - least) / DARK  # black images lie a little below, if no training image was
        far = far or (greatest > least and max(least - high, low - greatest) > beside)
    if fraction or far or dark or (x.dtype == bool and greatest > 1):
        raise ValueError(
            f'the images hold {range_of(x)}, but the model was trained on '
            f'{reading["dtype"]} from {least:g} to {greatest:g}: {_advice(x, low, high, reading, dark)}.'
        )


def _advice(x, low, high, reading, dark):
    least, greatest = reading['least'], reading['greatest']
    if reading['dtype'] == 'uint8' and greatest > 16:
        if x.dtype == bool or (max(abs(low), abs(high)) <= 1 and real(x)):
            return 'give (x + 1) * 127.5' if low < 0 else 'multiply them by 255'
        if high > 255:
            return 'divide them by 257' if high > 255 * 64 else 'bring them to 0 to 255'
    elif 0 <= least and 0.5 <= greatest <= 1 and 0 <= low:
        if dark and high <= 1.01 / 255:
            return 'multiply them by 255'
        if 1 < high <= 255:
            return 'divide them by 255'
    return f'give values from {least:g} to {greatest:g}'


def real(x: np.ndarray) -> bool:
    """Whether there are fractions among the values."""
    return x.dtype.kind == 'f' and bool((x != np.rint(x)).any())


def fits(x: np.ndarray, dtype: Any) -> bool:
    """Whether all values are whole and within an integer dtype."""
    info = np.iinfo(dtype)
    return not x.size or (x.min() >= info.min and x.max() <= info.max and not real(x))


def range_of(x: np.ndarray) -> str:
    """Type and ends of values, in words."""
    return f'{x.dtype} from {float(x.min()):g} to {float(x.max()):g}' if x.size else f'{x.dtype}'
