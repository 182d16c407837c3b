"""Random changes of training inputs on the device: geometry and lighting of images, noise on anything.

The first half are plain functions of images and numbers. The second half, `geometric`, `lighting` and
`noise`, are the same as slots of a recipe, each a `base.Augment`: they take their numbers from `hyper`, act
on raw values, which they turn into float32 first, and leave a batch alone if their numbers are all absent.
Every example draws its own strength, at most the one given; a number that is `None` is not in the compiled
program, and 0 gives the inputs back. Each number of an example has a fixed place in the draw, so a net that
varies one number sees the others' draws unchanged.
"""

import chex
import jax
import jax.numpy as jnp

from overfit import base
from overfit.data import kinds


def affine(x: jax.Array, matrix: jax.Array, border: jax.Array) -> jax.Array:
    """Resamples images along an affine map, bilinearly, in one pass.

    `out[p] = x[A (p - centre) + t + centre]`, with `A = matrix[:, :, :2]`, `t = matrix[:, :, 2]`, points as
    (row, column) in pixels. The image lies in an endless plane of `border`: a point within a pixel of the
    border blends the two, as `scipy.ndimage.affine_transform(order=1, mode='grid-constant')` does.

    Args:
        x: `[B, H, W, C]` float.
        matrix: `[B, 2, 3]` float, from output to input pixels.
        border: `[C]` float, value outside the image, in the unit of `x`.

    Returns:
        `[B, H, W, C]`.

    >>> one_to_the_right = jnp.array([[[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]]])
    >>> affine(jnp.array([[[[1.0], [2.0], [3.0]]]]), one_to_the_right, jnp.zeros(1)).ravel().tolist()
    [0.0, 1.0, 2.0]
    """
    chex.assert_rank([x, matrix, border], [4, 3, 1])
    chex.assert_type([x, matrix, border], float)
    batch, height, width, channels = x.shape
    chex.assert_shape(matrix, (batch, 2, 3))
    chex.assert_shape(border, (channels,))
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    rows = (jnp.arange(height, dtype=x.dtype) - middle_row)[None, :, None]
    columns = (jnp.arange(width, dtype=x.dtype) - middle_column)[None, None, :]
    entries = matrix[:, :, :, None, None]
    source_row = entries[:, 0, 0] * rows + entries[:, 0, 1] * columns + entries[:, 0, 2] + middle_row
    source_column = entries[:, 1, 0] * rows + entries[:, 1, 1] * columns + entries[:, 1, 2] + middle_column

    # Four flat gathers, in bounds by construction: XLA makes vector loads of them on a CPU. Matmuls with hat
    # functions cost 2 (8 x 8 x 1) to 90 times (28 x 28 x 3) as much; one gather of all neighbours, 10 to 30.
    border = jnp.asarray(border, x.dtype)[None, None, None, :]
    plane = jnp.broadcast_to(border, (batch, height + 2, width + 2, channels))
    padded = jax.lax.dynamic_update_slice(plane, x, (0, 1, 1, 0)).reshape(batch, -1, channels)
    top, left = jnp.floor(source_row), jnp.floor(source_column)

    def neighbour(down, right):
        row = jnp.clip(top + (down + 1), 0, height + 1).astype(jnp.int32)
        column = jnp.clip(left + (right + 1), 0, width + 1).astype(jnp.int32)
        index = (row * (width + 2) + column).reshape(batch, -1)
        values = jax.vmap(lambda image, at: image.at[at].get(mode='promise_in_bounds'))(padded, index)
        weight = (1 - jnp.abs(source_row - (top + down))) * (1 - jnp.abs(source_column - (left + right)))
        return values.reshape(x.shape) * weight[..., None]

    return neighbour(0, 0) + neighbour(0, 1) + neighbour(1, 0) + neighbour(1, 1)


def draw_affine(
    key: jax.Array,
    batch: int,
    height: int,
    width: int,
    *,
    shift: base.Number = None,
    zoom: base.Number = None,
    rotate: base.Number = None,
    flip: base.Number = None,
) -> jax.Array:
    """Draws a map for `affine` for each image: mirror, then rotate and resize about the centre, then shift.

    With `u` uniform in [-1, 1), a draw each: shift `u * shift` of the side in either axis (positive is down,
    right), size `(1 + zoom) ** u`, angle `u * rotate` (positive is anticlockwise), mirror with probability
    `flip`.

    Args:
        key: PRNG key.
        batch: number of maps.
        height: pixels.
        width: pixels.
        shift: largest shift, as a fraction of the side.
        zoom: largest relative change of size.
        rotate: largest rotation, radians.
        flip: probability of a left-right mirror image.

    Returns:
        `[B, 2, 3]` float32, from output to input pixels.

    >>> draw_affine(jax.random.key(0), 2, 8, 8, rotate=0.3).shape
    (2, 2, 3)
    """
    down, right, size, angle, mirror = jax.random.uniform(key, (5, batch), minval=-1.0)
    inverse_size = jnp.ones(batch) if zoom is None else jnp.exp(-size * jnp.log1p(zoom))
    angle = jnp.zeros(batch) if rotate is None else angle * rotate
    side = jnp.ones(batch) if flip is None else jnp.where((mirror + 1) / 2 < flip, -1.0, 1.0)
    cosine, sine = jnp.cos(angle) * inverse_size, jnp.sin(angle) * inverse_size
    linear = jnp.stack(
        [jnp.stack([cosine, sine], axis=-1), jnp.stack([-sine * side, cosine * side], axis=-1)], axis=-2
    )
    if shift is None:
        return jnp.concatenate([linear, jnp.zeros((batch, 2, 1))], axis=-1)
    pixels = jnp.stack([down * height, right * width], axis=-1) * shift
    return jnp.concatenate([linear, -jnp.sum(linear * pixels[:, None, :], axis=-1, keepdims=True)], axis=-1)


def random_affine(
    key: jax.Array,
    x: jax.Array,
    border: jax.Array,
    *,
    shift: base.Number = None,
    zoom: base.Number = None,
    rotate: base.Number = None,
    flip: base.Number = None,
) -> jax.Array:
    """Shifts, resizes, rotates and mirrors each image by its own draw, in one resampling.

    Args:
        key: PRNG key.
        x: `[B, H, W, C]` float.
        border: `[C]` float, value outside the image, in the unit of `x`.
        shift: largest shift, as a fraction of the side.
        zoom: largest relative change of size.
        rotate: largest rotation, radians.
        flip: probability of a left-right mirror image.

    Returns:
        `[B, H, W, C]`; `x` itself if all four numbers are `None`. See `draw_affine` for the distribution.

    Reference: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003, section 2.

    >>> images = jnp.array([[[[1.0], [2.0], [3.0]]]])
    >>> random_affine(jax.random.key(0), images, jnp.zeros(1), flip=1.0).ravel().tolist()
    [3.0, 2.0, 1.0]
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    if shift is None and zoom is None and rotate is None and flip is None:
        return x
    batch, height, width, _ = x.shape
    matrix = draw_affine(key, batch, height, width, shift=shift, zoom=zoom, rotate=rotate, flip=flip)
    return affine(x, matrix, border)


def random_lighting(
    key: jax.Array,
    x: jax.Array,
    scale: jax.Array,
    *,
    brightness: base.Number = None,
    contrast: base.Number = None,
) -> jax.Array:
    """Changes contrast about each image's own mean, then brightness.

    `out = mean + (x - mean) * (1 + contrast * u) + brightness * scale * v`, with the mean of each channel of
    the image, `u` and `v` uniform in [-1, 1), one for each image.

    Nothing is clipped: a dark background would swallow every darkening, so that the strength would mean
    another thing on another data set, and the model sees standardised values, which have no ends.

    Args:
        key: PRNG key.
        x: `[B, H, W, C]` float.
        scale: `[C]` float, unit of brightness, in the unit of `x`.
        brightness: largest change of brightness, in units of `scale`.
        contrast: largest relative change of contrast.

    Returns:
        `[B, H, W, C]`; `x` itself if both numbers are `None`.

    Reference: Howard, "Some improvements on deep convolutional neural network based image classification",
    2013, section 2.2.

    >>> images = jnp.zeros((1, 2, 2, 1))
    >>> brighter = random_lighting(jax.random.key(0), images, jnp.array([50.0]), brightness=0.2)
    >>> abs(brighter).max() <= 10, jnp.ptp(brighter).item()
    (Array(True, dtype=bool), 0.0)
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    if brightness is None and contrast is None:
        return x
    more, brighter = jax.random.uniform(key, (2, len(x), 1, 1, 1), minval=-1.0)
    if contrast is not None:
        x = x + (x - jnp.mean(x, axis=(1, 2), keepdims=True)) * (more * contrast)
    if brightness is not None:
        x = x + brighter * brightness * scale[None, None, None, :]
    return x


def gaussian_noise(key: jax.Array, x: jax.Array, scale: jax.Array, *, noise: base.Number) -> jax.Array:
    """Adds Gaussian noise: `out = x + noise * scale * n`, with `n` standard normal, one for each value.

    Args:
        key: PRNG key.
        x: `[B, ..., C]` float, images or vectors.
        scale: `[C]` float, unit of the noise, in the unit of `x`.
        noise: standard deviation, in units of `scale`; `None`: no noise.

    Returns:
        `[B, ..., C]`.

    Reference: Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7,
    1995, section 2.

    >>> gaussian_noise(jax.random.key(0), jnp.ones((2, 3)), jnp.ones(3), noise=0.1).shape
    (2, 3)
    """
    chex.assert_rank(x, {2, 3, 4, 5})
    chex.assert_type(x, float)
    if noise is None:
        return x
    scale = jnp.reshape(scale, (1,) * (x.ndim - 1) + (-1,))
    return x + jax.random.normal(key, x.shape, x.dtype) * (scale * noise)


def geometric(key: jax.Array, batch: base.Batch, hyper: base.Hyper, inputs: kinds.Standard) -> base.Batch:
    """Changes the geometry of images by `random_affine`, as a slot of a recipe.

    Args:
        key: PRNG key of the step.
        batch: images `[B, H, W, C]`, raw values of any type.
        hyper: `shift`, `zoom`, `rotate`, `flip`.
        inputs: `border` stands outside the images.

    Returns:
        The batch, its images float32; the batch itself if all four numbers are absent.

    >>> black = kinds.Standard(mean=jnp.zeros(1), scale=jnp.ones(1), border=jnp.zeros(1))
    >>> batch = base.Batch(jnp.array([[[[1], [2], [3]]]], jnp.uint8), jnp.zeros(1, jnp.int32))
    >>> geometric(jax.random.key(0), batch, base.Hyper(flip=1.0), black).x.ravel().tolist()
    [3.0, 2.0, 1.0]
    """
    if hyper.shift is None and hyper.zoom is None and hyper.rotate is None and hyper.flip is None:
        return batch
    x = random_affine(
        key,
        batch.x.astype(jnp.float32),
        inputs.border,
        shift=hyper.shift,
        zoom=hyper.zoom,
        rotate=hyper.rotate,
        flip=hyper.flip,
    )
    return batch._replace(x=x)


def lighting(key: jax.Array, batch: base.Batch, hyper: base.Hyper, inputs: kinds.Standard) -> base.Batch:
    """Changes the lighting of images by `random_lighting`, as a slot of a recipe.

    Args:
        key: PRNG key of the step.
        batch: images `[B, H, W, C]`, raw values of any type.
        hyper: `brightness` (standard deviations of the set's pixels), `contrast` (relative).
        inputs: `scale` is the unit of brightness.

    Returns:
        The batch, its images float32; the batch itself if both numbers are absent.

    >>> plain = kinds.Standard(mean=jnp.zeros(1), scale=jnp.ones(1), border=jnp.zeros(1))
    >>> batch = base.Batch(jnp.zeros((1, 2, 2, 1), jnp.uint8), jnp.zeros(1, jnp.int32))
    >>> lighting(jax.random.key(0), batch, base.Hyper(contrast=0.5), plain).x.dtype.name
    'float32'
    """
    if hyper.brightness is None and hyper.contrast is None:
        return batch
    x = random_lighting(
        key,
        batch.x.astype(jnp.float32),
        inputs.scale,
        brightness=hyper.brightness,
        contrast=hyper.contrast,
    )
    return batch._replace(x=x)


def noise(key: jax.Array, batch: base.Batch, hyper: base.Hyper, inputs: kinds.Standard) -> base.Batch:
    """Adds `gaussian_noise` to any inputs, as a slot of a recipe.

    Args:
        key: PRNG key of the step.
        batch: `[B, ..., C]`, raw values of any type.
        hyper: `noise`, standard deviation on standardised inputs.
        inputs: `scale` turns it into raw units.

    Returns:
        The batch, its inputs float32; the batch itself if `noise` is absent.

    >>> plain = kinds.Standard(mean=jnp.zeros(3), scale=jnp.ones(3), border=jnp.zeros(3))
    >>> batch = base.Batch(jnp.zeros((2, 3)), jnp.zeros(2, jnp.int32))
    >>> noise(jax.random.key(0), batch, base.Hyper(), plain) is batch
    True
    """
    if hyper.noise is None:
        return batch
    return batch._replace(x=gaussian_noise(key, batch.x.astype(jnp.float32), inputs.scale, noise=hyper.noise))
