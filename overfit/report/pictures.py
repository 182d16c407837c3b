"""Pictures of examples as PNG data URIs, so that a page needs no other file."""

import base64
import io

import numpy as np


def png(pixels: np.ndarray, side: int = 96) -> str:
    """Encodes one image as the data URI of a PNG.

    Args:
        pixels: `[H, W, C]`; uint8 as it is, anything else stretched from its least to its greatest value.
            Three channels or more: the first three are RGB; else the first is grey.
        side: larger images are averaged down, to at most this many pixels a side.

    Returns:
        `'data:image/png;base64,...'`.
    """
    from PIL import Image

    pixels = np.asarray(pixels)
    stretch = pixels.dtype != np.uint8
    pixels = pixels[..., : 3 if pixels.shape[-1] >= 3 else 1].astype(np.float64)
    step = min(-(-max(pixels.shape[:2]) // side), *pixels.shape[:2])
    height, width = pixels.shape[0] // step, pixels.shape[1] // step
    blocks = pixels[: height * step, : width * step].reshape(height, step, width, step, -1)
    pixels = blocks.mean(axis=(1, 3))
    if stretch:
        pixels = (pixels - pixels.min()) * (255 / max(np.ptp(pixels), 1e-12))
    buffer = io.BytesIO()
    pixels = pixels.round().astype(np.uint8)
    Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0]).save(buffer, 'png', optimize=True)
    return 'data:image/png;base64,' + base64.b64encode(buffer.getvalue()).decode('ascii')
