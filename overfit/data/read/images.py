"""Images: from encoded files to one array `[N, H, W, C]` of at most 32 pixels a side."""

import io
import pathlib
from collections.abc import Iterable

import chex
import numpy as np

LONGEST = 32


def shrink(x: np.ndarray, *, longest: int = LONGEST) -> np.ndarray:
    """Averages areas, so that the longer side has at most `longest` pixels; smaller images stay as they are.

    An output pixel is the mean of the rectangle of the input that it covers, border pixels weighted by
    the covered part (for whole factors: the mean of a block).

    Args:
        x: `[N, H, W, C]`, integers (rounded to the nearest) or float32.
        longest: pixels.

    Returns:
        `[N, h, w, C]`, dtype of `x`.
    """
    chex.assert_rank(x, 4)
    height, width = x.shape[1:3]
    factor = max(height, width) / longest
    if factor <= 1:
        return x
    rows, columns = (_area_weights(side, max(1, round(side / factor))) for side in (height, width))
    out = np.empty((len(x), len(rows), len(columns), x.shape[3]), x.dtype)
    for start in range(0, len(x), 256):
        block = x[start : start + 256].astype(np.float32)
        small = np.einsum('ih,nhwc,jw->nijc', rows, block, columns, optimize=True)
        out[start : start + 256] = np.rint(small) if x.dtype.kind in 'iu' else small
    return out


def _area_weights(size, target):
    """`[target, size]`: the share that each input pixel has in each output pixel; rows sum to 1."""
    edges = np.arange(target + 1) * (size / target)
    pixels = np.arange(size)
    covered = np.minimum(edges[1:, None], pixels[None] + 1) - np.maximum(edges[:-1, None], pixels[None])
    return (np.clip(covered, 0, 1) * (target / size)).astype(np.float32)


def shrink_note(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[str, ...]:
    """Says what `shrink` did to images `[..., H, W, C]`, if anything."""
    if before[-3:-1] == after[-3:-1]:
        return ()
    (h, w), (small_h, small_w) = before[-3:-1], after[-3:-1]
    return (f'images reduced from {w}×{h} to {small_w}×{small_h} pixels by area averaging',)


def decode(file: pathlib.Path | bytes, where: str) -> np.ndarray:
    """Decodes one image file with Pillow.

    Args:
        file: path, or the file's bytes.
        where: its name, for messages.

    Returns:
        `[H, W, C]` uint8 with C = 1 (grey) or 3 (colour); transparency is dropped, a moving image gives
        its first frame, a photograph is turned upright.

    Raises:
        ValueError: if it cannot be decoded, or has more than 8 bits a channel.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
            mode = image.mode
            if not mode.startswith(('I', 'F')):
                return _pixels(image)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(
            f'{where} cannot be read as an image ({type(error).__name__}): remove it or save it again as PNG.'
        ) from None
    raise ValueError(
        f'{where} has more than 8 bits a pixel (Pillow mode {mode}): '
        'save it with 8 bits a channel, or give the numbers as an .npz.'
    )


def _pixels(image):
    from PIL import ImageOps

    if 'exif' in image.info:
        image = ImageOps.exif_transpose(image)
    if image.mode in ('1', 'L', 'LA'):
        return np.asarray(image.convert('L'))[..., None]
    if image.mode in ('P', 'PA'):
        image = image.convert('RGBA')
    return np.asarray(image.convert('RGB'))


def stack(files: Iterable[tuple[str, pathlib.Path | bytes]]) -> tuple[np.ndarray, tuple[int, ...], bool]:
    """Decodes, shrinks and stacks images of one size; grey ones among coloured ones become coloured.

    Args:
        files: name and file (or bytes) of each.

    Returns:
        `[N, H, W, C]` uint8, the shape of the first image as found, and whether grey and colour were mixed.

    Raises:
        ValueError: if one cannot be read or has another size.
    """
    images, first, shape = [], '', (0, 0, 0)
    for name, file in files:
        image = decode(file, name)
        if not images:
            first, shape = name, image.shape
        if image.shape[:2] != shape[:2]:
            raise ValueError(
                f'images must have one size, but {first} has {shape[1]}×{shape[0]} pixels and '
                f'{name} has {image.shape[1]}×{image.shape[0]}: resize or crop them to the same.'
            )
        images.append(shrink(image[None])[0])
    channels = max(image.shape[2] for image in images)
    mixed = any(image.shape[2] != channels for image in images)
    target = (*images[0].shape[:2], channels)
    return np.stack([np.broadcast_to(image, target) for image in images]), shape, mixed
