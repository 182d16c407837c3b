"""Images: from files of whatever format and size to one array `[N, H, W, C]`."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overfit.data.read import pillow, resize
from overfit.data.read.wording import counted

LEAST_SIZE, STANDARD_SIZE, GREATEST_SIZE = 8, 32, 128
# The cost of a study grows with `count * side^2`: what one minute of the budget pays for. The plan estimates
# 6.4 minutes for 300 photographs of 32 pixels (2 settings an arm on each of 5 labelled sets).
SIZES = (48, 64, 96, 128)
PIXELS_A_MINUTE = 50_000


class Stacked(NamedTuple):
    """Images in one array.

    Attributes:
        x: `[N, H, W, C]`, `uint8` (8 bits a channel) or float32.
        reading: what `accept` of the kind needs: `depth`, and of how many `sizes` they were.
        notes: what was done to them.
        sha256: hash of the images as decoded, before they were reduced.
    """

    x: np.ndarray
    reading: dict
    notes: tuple[str, ...]
    sha256: str


def default_size(longest: int, count: int, minutes: float | None) -> int:
    """Chooses to how many pixels a side images are reduced.

    Args:
        longest: pixels of the images' longer side as found.
        count: images in the set.
        minutes: the study's budget; `None`: the standard one.

    Returns:
        Pixels of the longer side: `longest` or 32 if that is less; up to 128 where the minutes pay for it.
    """
    paid = PIXELS_A_MINUTE * (minutes or 0)
    affordable = [side for side in SIZES if count * min(side, longest) ** 2 <= paid]
    return min(longest, max([STANDARD_SIZE, *affordable]))


def check_size(image_size: int | None) -> None:
    """Raises `ValueError` for an `image_size` that is not from 8 to 128; `None` leaves the choice open."""
    if image_size is not None and not LEAST_SIZE <= image_size <= GREATEST_SIZE:
        raise ValueError(
            f'image_size={image_size} is out of range: give {LEAST_SIZE} to {GREATEST_SIZE} pixels.'
        )


def size_note(
    before: tuple[int, int], after: tuple[int, int], count: int, image_size: int | None, minutes: float | None
) -> tuple[str, ...]:
    """Says how images of one size, `(height, width)`, were reduced, by whose choice, if they were."""
    (height, width), (small_height, small_width) = before, after
    if before == after:
        if image_size is not None and image_size > max(before):
            return (f'image_size={image_size} is more than the {max(before)} pixels of the images: kept',)
        return ()
    note = f'images reduced from {width}×{height} to {small_width}×{small_height} pixels by area averaging'
    return (note + _choice(max(after), max(before), count, image_size, minutes),)


def _choice(size, longest, count, image_size, minutes):
    if image_size is not None or size >= min(longest, GREATEST_SIZE):
        return ''
    budget = 'the standard budget' if minutes is None else f'{minutes:g} minutes'
    more = min(2 * size, longest, GREATEST_SIZE)
    return f' (the size for {count:,} images in {budget}; image_size={more} shows more)'


def bring(pixels: np.ndarray, shape: Sequence[int], depth: int, name: str) -> np.ndarray:
    """Brings one decoded image to the size, channels and depth of a set.

    Images of 16 bits stay as they are, as floats, because many hold 12 bits and would keep a few grey
    levels of 8; among them those of 8 bits are multiplied by 257 (255 becomes 65,535), and among 8-bit ones
    those of 16 divided. Grey becomes colour by repetition, colour grey by luminance (ITU-R BT.601).

    Args:
        pixels: from `pillow.decode`.
        shape: height, width, channels of the set.
        depth: of the set, 8, 16 or 32.
        name: for messages.

    Returns:
        `shape`, `uint8` for a depth of 8, else float32.

    Raises:
        ValueError: if its values have no common unit with the set's, or are not finite.
    """
    own = {1: 8, 2: 16, 4: 32}[pixels.dtype.itemsize]
    if (own == 32) != (depth == 32):
        raise ValueError(
            f'{name} has {_bits(own)}, other images of the set {_bits(depth)}: save all of them alike.'
        )
    if depth == 8 and own == 16:
        pixels = np.rint(pixels / 257).astype(np.uint8)
    elif depth == 16:
        pixels = pixels.astype(np.float32) * (257 if own == 8 else 1)
    if not np.isfinite(pixels).all():
        raise ValueError(f'{name} holds NaN or infinity: replace these values or remove the image.')
    if pixels.shape[2] == 3 and shape[2] == 1:
        grey = pixels @ np.array([[0.299], [0.587], [0.114]], np.float32)
        pixels = (np.rint(grey) if depth == 8 else grey).astype(pixels.dtype)
    return np.broadcast_to(resize.fit(pixels, *shape[:2]), tuple(shape))


def stack(
    found: Sequence[pillow.Found], *, image_size: int | None = None, minutes: float | None = None
) -> Stacked:
    """Decodes images and brings them to one size.

    Images of one size keep their proportions. Those of several (see `resize.fit`) are brought to the median
    of their proportions, so that most need little fill, the longer side at most the median of theirs (or
    the largest, if `image_size` asks for it).

    Args:
        found: from `pillow.look`.
        image_size: pixels of the longer side, 8 to 128; `None`: `default_size`.
        minutes: the study's budget, for `default_size`.

    Returns:
        The array, `uint8` or, if images have more than 8 bits a channel, float32; and notes.

    Raises:
        ValueError: if one cannot be read, or they have no common depth.
    """
    check_size(image_size)
    sizes = {(one.height, one.width): one for one in found}
    longer = [max(one.height, one.width) for one in found]
    longest = int(np.median(longer)) if image_size is None else max(longer)
    size = min(longest, image_size or default_size(longest, len(found), minutes))
    if len(sizes) == 1:
        height, width = resize.reduced(*next(iter(sizes)), size)
    else:
        proportion = float(np.exp(np.median([np.log(one.width / one.height) for one in found])))
        height, width = (max(1, round(size * part)) for part in (min(1, 1 / proportion), min(1, proportion)))
    depth = _common_depth(found)
    channels = max(one.channels for one in found)
    x = np.empty((len(found), height, width, channels), np.uint8 if depth == 8 else np.float32)
    total = hashlib.sha256()
    for row, one in zip(x, found, strict=True):
        pixels = pillow.decode(one.file, one.name)
        total.update(f'{pixels.dtype.str} {pixels.shape}'.encode())
        total.update(np.ascontiguousarray(pixels).data)
        row[...] = bring(pixels, row.shape, depth, one.name)
    if len(sizes) == 1:
        notes = size_note(next(iter(sizes)), (height, width), len(found), image_size, minutes)
    else:
        (low, narrow), (high, wide) = (f(sizes, key=lambda s: s[0] * s[1]) for f in (min, max))
        notes = (
            f'images of {len(sizes):,} sizes, {narrow}×{low} to {wide}×{high}, were brought to '
            f'{width}×{height} pixels: proportions kept, the rest filled with the colour of each '
            "image's border" + _choice(size, longest, len(found), image_size, minutes),
        )
    return Stacked(
        x, {'sizes': len(sizes), 'depth': depth}, (*notes, *_notes(found, depth)), total.hexdigest()
    )


def _notes(found, depth):
    if len({one.channels for one in found}) > 1:
        yield 'grey and coloured images were mixed: all read as colour'
    clear, cut = sum(one.transparent for one in found), sum(one.cut for one in found)
    if clear:
        yield f'{counted(clear, "image")} with transparency: laid over mid-grey where it varies'
    if cut:
        yield f'read with 8 bits a channel instead of 16: {counted(cut, "coloured image")}'
    if depth > 8:
        less = sum(one.depth == 8 for one in found)
        rest = f'; multiplied by 257: {less:,} of 8 bits' if less else ''
        deep = counted(len(found) - less, 'image')
        yield f'{deep} with {_bits(depth)}: read as floats, values as they are{rest}'


def _common_depth(found):
    depths = {one.depth: one for one in found}
    if 32 in depths and len(depths) > 1:
        deep, flat = depths[32], depths[min(depths)]
        raise ValueError(
            f'{deep.name} has {_bits(32)}, {flat.name} has {_bits(flat.depth)}: save all images alike.'
        )
    return max(depths)


def _bits(depth):
    return '32-bit values' if depth == 32 else f'{depth} bits a channel'
