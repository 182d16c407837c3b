"""Random changes of training inputs on the device: geometry and lighting of images, noise on anything.

Each `base.Augment` is `(key, x, hyper, moments) -> x` on raw values: the train step casts `uint8` to float32
before, and standardises after. Every sample draws its own strength, at most the one in `hyper`; a field that
is `None` is not in the compiled program, and 0 gives `x` back. Each number of a sample has a fixed place in
the draw, so a member that varies one field sees the others' draws unchanged.
"""

import chex
import jax
import jax.numpy as jnp

from overfit import base


def affine(x: jax.Array, matrix: jax.Array, fill: jax.Array) -> jax.Array:
    """Resamples images along an affine map, bilinearly, in one pass.

    `out[p] = x[A (p - centre) + t + centre]`, with `A = matrix[:, :, :2]`, `t = matrix[:, :, 2]`, points as
    (row, column) in pixels. The image lies in an endless plane of `fill`: a point within a pixel of the
    border blends the two, as `scipy.ndimage.affine_transform(order=1, mode='grid-constant')` does.

    Args:
        x: `[B, H, W, C]` float.
        matrix: `[B, 2, 3]` float, from output to input pixels.
        fill: `[C]` float, in the unit of `x`.

    Returns:
        `[B, H, W, C]`.
    """
    chex.assert_rank([x, matrix, fill], [4, 3, 1])
    chex.assert_type([x, matrix, fill], float)
    batch, height, width, channels = x.shape
    chex.assert_shape(matrix, (batch, 2, 3))
    chex.assert_shape(fill, (channels,))
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    rows = (jnp.arange(height, dtype=x.dtype) - middle_row)[None, :, None]
    columns = (jnp.arange(width, dtype=x.dtype) - middle_column)[None, None, :]
    entries = matrix[:, :, :, None, None]
    source_row = entries[:, 0, 0] * rows + entries[:, 0, 1] * columns + entries[:, 0, 2] + middle_row
    source_column = entries[:, 1, 0] * rows + entries[:, 1, 1] * columns + entries[:, 1, 2] + middle_column

    # Four flat gathers, in bounds by construction: XLA makes vector loads of them on a CPU. Matmuls with hat
    # functions cost 2 (8 x 8 x 1) to 90 times (28 x 28 x 3) as much; one gather of all neighbours, 10 to 30.
    fill = jnp.asarray(fill, x.dtype)[None, None, None, :]
    plane = jnp.broadcast_to(fill, (batch, height + 2, width + 2, channels))
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


def draw_affine(key: jax.Array, batch: int, height: int, width: int, hyper: base.Hyper) -> jax.Array:
    """Draws a map for `affine` a sample: mirror, then rotate and resize about the centre, then shift.

    With `u` uniform in [-1, 1), a draw each: shift `u * shift` of the side in either axis (positive is down,
    right), size `(1 + zoom) ** u`, angle `u * rotate` (positive is anticlockwise), mirror with probability
    `flip`.

    Args:
        key: PRNG key.
        batch: number of maps.
        height: pixels.
        width: pixels.
        hyper: `shift` (fraction of the side), `zoom` (relative), `rotate` (radians), `flip` (probability).

    Returns:
        `[B, 2, 3]` float32, from output to input pixels.
    """
    down, right, size, angle, mirror = jax.random.uniform(key, (5, batch), minval=-1.0)
    inverse_size = jnp.ones(batch) if hyper.zoom is None else jnp.exp(-size * jnp.log1p(hyper.zoom))
    rotate = jnp.zeros(batch) if hyper.rotate is None else angle * hyper.rotate
    side = jnp.ones(batch) if hyper.flip is None else jnp.where((mirror + 1) / 2 < hyper.flip, -1.0, 1.0)
    cosine, sine = jnp.cos(rotate) * inverse_size, jnp.sin(rotate) * inverse_size
    linear = jnp.stack(
        [jnp.stack([cosine, sine], axis=-1), jnp.stack([-sine * side, cosine * side], axis=-1)], axis=-2
    )
    if hyper.shift is None:
        return jnp.concatenate([linear, jnp.zeros((batch, 2, 1))], axis=-1)
    pixels = jnp.stack([down * height, right * width], axis=-1) * hyper.shift
    return jnp.concatenate([linear, -jnp.sum(linear * pixels[:, None, :], axis=-1, keepdims=True)], axis=-1)


def geometric(key: jax.Array, x: jax.Array, hyper: base.Hyper, moments: base.Moments) -> jax.Array:
    """Shifts, resizes, rotates and mirrors each image by its own draw, in one resampling.

    Args:
        key: PRNG key of the step.
        x: `[B, H, W, C]` float, raw values.
        hyper: `shift`, `zoom`, `rotate`, `flip`; see `draw_affine`.
        moments: `fill` stands outside the border.

    Returns:
        `[B, H, W, C]`.

    P. Simard, D. Steinkraus, J. Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003, section 2.
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    if hyper.shift is None and hyper.zoom is None and hyper.rotate is None and hyper.flip is None:
        return x
    batch, height, width, _ = x.shape
    return affine(x, draw_affine(key, batch, height, width, hyper), moments.fill)


def lighting(key: jax.Array, x: jax.Array, hyper: base.Hyper, moments: base.Moments) -> jax.Array:
    """Changes contrast about each image's own mean, then brightness.

    `out = mean + (x - mean) * (1 + contrast * u) + brightness * scale * v`, with the mean of each channel of
    the image, `u` and `v` uniform in [-1, 1), one a sample.

    Nothing is clipped: a dark background would swallow every darkening, so that the strength would mean
    another thing on another data set, and the model sees standardised values, which have no ends.

    Args:
        key: PRNG key of the step.
        x: `[B, H, W, C]` float, raw values.
        hyper: `brightness` (standard deviations of the set's pixels), `contrast` (relative).
        moments: `scale` is the unit of brightness.

    Returns:
        `[B, H, W, C]`.

    A. Howard, "Some improvements on deep convolutional neural network based image classification", 2013,
    section 2.2.
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    if hyper.brightness is None and hyper.contrast is None:
        return x
    more, brighter = jax.random.uniform(key, (2, len(x), 1, 1, 1), minval=-1.0)
    if hyper.contrast is not None:
        x = x + (x - jnp.mean(x, axis=(1, 2), keepdims=True)) * (more * hyper.contrast)
    if hyper.brightness is not None:
        x = x + brighter * hyper.brightness * moments.scale[None, None, None, :]
    return x


def noise(key: jax.Array, x: jax.Array, hyper: base.Hyper, moments: base.Moments) -> jax.Array:
    """Adds Gaussian noise: `out = x + noise * scale * n`, with `n` standard normal, one a value.

    Args:
        key: PRNG key of the step.
        x: `[B, ..., C]` float, raw values of images or vectors.
        hyper: `noise`, standard deviation on standardised inputs.
        moments: `scale` turns it into raw units.

    Returns:
        `[B, ..., C]`.

    C. Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7, 1995,
    section 2.
    """
    chex.assert_rank(x, {2, 3, 4, 5})
    chex.assert_type(x, float)
    if hyper.noise is None:
        return x
    scale = jnp.reshape(moments.scale, (1,) * (x.ndim - 1) + (-1,))
    return x + jax.random.normal(key, x.shape, x.dtype) * (scale * hyper.noise)
