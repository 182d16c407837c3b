"""Sizes of images: area averages, enlargement, and one size for images of many."""

import chex
import numpy as np


def shrink(x: np.ndarray, *, longest: int) -> np.ndarray:
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
    return resample(x, *reduced(*x.shape[1:3], longest))


def reduced(height: int, width: int, longest: int) -> tuple[int, int]:
    """Height and width in pixels of a smaller image of the same proportions, at most `longest` a side."""
    factor = max(1, max(height, width) / longest)
    return max(1, round(height / factor)), max(1, round(width / factor))


def resample(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Brings images to a size: along an axis that shrinks by area averages, along one that grows bilinearly.

    Args:
        x: `[N, H, W, C]`, integers (rounded to the nearest) or float32.
        height: pixels.
        width: pixels.

    Returns:
        `[N, height, width, C]`, dtype of `x`.
    """
    chex.assert_rank(x, 4)
    if x.shape[1:3] == (height, width):
        return x
    rows, columns = _weights(x.shape[1], height), _weights(x.shape[2], width)
    out = np.empty((len(x), height, width, x.shape[3]), x.dtype)
    for start in range(0, len(x), 256):
        block = x[start : start + 256].astype(np.float32)
        small = np.einsum('ih,nhwc,jw->nijc', rows, block, columns, optimize=True)
        out[start : start + 256] = np.rint(small) if x.dtype.kind in 'iu' else small
    return out


def fit(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Brings one image to a size without distortion: resized to fit inside, centred on its border's colour.

    Of the three usual ways, the classifier loses least by this one. Cropping the centre
    (`torchvision.transforms.CenterCrop`, the default of fastai's `Resize`, Keras's `smart_resize`) cuts
    away what lies at the ends of a long image, which may be what the label is about. Stretching (the
    default of Keras's `image_dataset_from_directory`) makes one shape many. Filling
    (`pad_to_aspect_ratio=True` there) costs resolution alone, and the median of each image's own border,
    unlike black, puts no edge where the image ends.

    Args:
        image: `[H, W, C]`, integers (rounded to the nearest) or float32.
        height: pixels.
        width: pixels.

    Returns:
        `[height, width, C]`, dtype of `image`; without a fill where the proportions are the same.
    """
    chex.assert_rank(image, 3)
    rows, columns = image.shape[:2]
    by_height = (height, max(1, round(columns * height / rows)))
    by_width = (max(1, round(rows * width / columns)), width)
    small = resample(image[None], *(by_height if by_height[1] <= width else by_width))[0]
    if small.shape[:2] == (height, width):
        return small
    edges = (small[0], small[-1], small[:, 0], small[:, -1])
    border = np.median(np.concatenate(edges), axis=0)
    out = np.empty((height, width, image.shape[2]), image.dtype)
    out[...] = np.rint(border) if image.dtype.kind in 'iu' else border
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def _weights(size, target):
    """`[target, size]`: the share that each input pixel has in each output pixel; rows sum to 1."""
    pixels = np.arange(size)
    if target < size:
        edges = np.arange(target + 1) * (size / target)
        covered = np.minimum(edges[1:, None], pixels[None] + 1) - np.maximum(edges[:-1, None], pixels[None])
        return (np.clip(covered, 0, 1) * (target / size)).astype(np.float32)
    centres = np.clip((np.arange(target) + 0.5) * (size / target) - 0.5, 0, size - 1)
    return np.clip(1 - np.abs(centres[:, None] - pixels[None]), 0, 1).astype(np.float32)
