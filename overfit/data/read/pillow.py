"""One image file with Pillow: what its head says, and its pixels."""

import io
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

# A file with such a name is meant to be an image: where it cannot be opened, that is an error.
SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff', '.webp', '.pgm', '.ppm', '.pbm')
MID_GREY = 128
SIDEWAYS, ORIENTATION = (5, 6, 7, 8), 0x0112  # EXIF


class Found(NamedTuple):
    """What the head of an image file says.

    Attributes:
        name: for messages.
        file: path, the file's bytes, or an opened Pillow image.
        height: pixels, upright.
        width: pixels, upright.
        channels: 1 (grey) or 3 (colour).
        depth: bits a channel: 8, 16, or 32 for 32-bit integers and floats.
        transparent: it has an alpha channel or a transparent colour.
        cut: it has 16 bits a channel, of which Pillow reads 8.
    """

    name: str
    file: Any
    height: int
    width: int
    channels: int
    depth: int
    transparent: bool
    cut: bool


def look(file: pathlib.Path | bytes | Any, name: str) -> Found | None:
    """Reads the head of a file.

    Args:
        file: path, the file's bytes, or a Pillow image.
        name: for messages.

    Returns:
        What it says, or `None` if Pillow takes the file for no image.

    Raises:
        ValueError: if it is damaged or too large, or is called an image (`.png`) and is none.
    """
    from PIL import Image, ImageFile, UnidentifiedImageError

    try:
        image = _open(file)
        try:
            if isinstance(image, ImageFile.StubImageFile):  # known by name, such as HDF5, never read
                return None
            width, height = image.size
            if 'exif' in image.info and image.getexif().get(ORIENTATION) in SIDEWAYS:
                width, height = height, width
            return Found(
                name,
                file,
                height,
                width,
                channels=1 if image.mode in ('1', 'L', 'LA', 'La') or image.mode[0] in 'IF' else 3,
                depth=_depth(image),
                transparent=_transparent(image),
                cut=_depth(image) == 8 and any(';16' in str(tile) for tile in getattr(image, 'tile', ())),
            )
        finally:
            if not isinstance(file, Image.Image):
                image.close()
    except UnidentifiedImageError as error:
        if isinstance(file, os.PathLike) and pathlib.Path(file).suffix.lower() not in SUFFIXES:
            return None
        raise _unreadable(name, error) from None
    except Exception as error:  # Pillow's readers raise all kinds of errors on damaged files
        raise _unreadable(name, error) from None


def decode(file: pathlib.Path | bytes | Any, name: str) -> np.ndarray:
    """Decodes one image with Pillow.

    A photograph is turned upright, a moving image gives its first frame. Transparency is dropped where it
    is the same everywhere, else the image is laid over mid-grey: on black or white, a shape that is drawn
    in that colour, and seen by its transparency alone, would vanish.

    Args:
        file: path, the file's bytes, or a Pillow image.
        name: for messages.

    Returns:
        `[H, W, C]` with C = 1 (grey) or 3 (colour): `uint8`, `uint16` for grey images of 16 bits, float32 for
        those of 32-bit integers or floats (as they are).

    Raises:
        ValueError: if it cannot be decoded.
    """
    from PIL import Image

    try:
        image = _open(file)
        try:
            return _pixels(image)
        finally:
            if not isinstance(file, Image.Image):
                image.close()
    except Exception as error:  # as in `look`
        raise _unreadable(name, error) from None


def _open(file):
    from PIL import Image

    if isinstance(file, Image.Image):
        return file
    return Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)


def _depth(image):
    if image.mode.startswith('I;16') or (image.mode == 'I' and image.format in ('PNG', 'PPM')):
        return 16
    return 32 if image.mode[0] in 'IF' else 8


def _transparent(image):
    return image.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or 'transparency' in image.info


def _pixels(image):
    from PIL import Image, ImageOps

    depth = _depth(image)
    if 'exif' in image.info:
        image = ImageOps.exif_transpose(image)
    if depth > 8:
        return np.asarray(image).astype(np.uint16 if depth == 16 else np.float32)[..., None]
    grey = image.mode in ('1', 'L', 'LA', 'La')
    if _transparent(image):
        image = image.convert('RGBA')
        alpha = np.asarray(image.getchannel('A'))
        if alpha.min() < alpha.max():
            image = Image.alpha_composite(Image.new('RGBA', image.size, (MID_GREY,) * 3 + (255,)), image)
    return np.asarray(image.convert('RGB'))[..., :1] if grey else np.asarray(image.convert('RGB'))


def _unreadable(name, error):
    return ValueError(
        f'{name} cannot be read as an image ({type(error).__name__}): remove it or save it again as PNG.'
    )
