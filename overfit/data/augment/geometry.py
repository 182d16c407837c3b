"""Random changes of the geometry of images: an affine map and an elastic field, in one resampling."""

import chex
import jax
import jax.numpy as jnp

from overfit import base
from overfit.data import kinds
from overfit.data.augment import elastic as fields

AFFINE = ('shift', 'zoom', 'rotate', 'shear', 'flip')  # numbers of an affine map
SHEAR, ELASTIC = 1, 2  # folded into a key: the draws of the other numbers stay as they were without these


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
    chex.assert_shape(matrix, (len(x), 2, 3))
    return resample(x, *_sources(matrix, x.shape[1], x.shape[2], x.dtype), border)


def _sources(matrix, height, width, dtype):
    """Where every output pixel lies in the input."""
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    rows = (jnp.arange(height, dtype=dtype) - middle_row)[None, :, None]
    columns = (jnp.arange(width, dtype=dtype) - middle_column)[None, None, :]
    entries = matrix[:, :, :, None, None]
    return (
        entries[:, 0, 0] * rows + entries[:, 0, 1] * columns + entries[:, 0, 2] + middle_row,
        entries[:, 1, 0] * rows + entries[:, 1, 1] * columns + entries[:, 1, 2] + middle_column,
    )


def resample(x: jax.Array, rows: jax.Array, columns: jax.Array, border: jax.Array) -> jax.Array:
    """Takes the pixels of new images from any points of the old ones, bilinearly.

    `out[p] = x[rows[p], columns[p]]`, between pixels the mean of the four around by nearness.

    Args:
        x: `[B, H, W, C]` float, in an endless plane of `border`, see `affine`.
        rows: `[B, H, W]` float, where each pixel comes from, in pixels from the top.
        columns: likewise, from the left.
        border: `[C]` float, value outside the image, in the unit of `x`.

    Returns:
        `[B, H, W, C]`.

    >>> rows, columns = jnp.zeros((1, 1, 3)), jnp.array([[[0.5, 2.0, 2.5]]])
    >>> resample(jnp.array([[[[1.0], [2.0], [3.0]]]]), rows, columns, jnp.zeros(1)).ravel().tolist()
    [1.5, 3.0, 1.5]
    """
    chex.assert_rank([x, rows, columns, border], [4, 3, 3, 1])
    chex.assert_type([x, rows, columns, border], float)
    batch, height, width, channels = x.shape
    chex.assert_shape([rows, columns], (batch, height, width))
    chex.assert_shape(border, (channels,))
    # Four flat gathers, in bounds by construction: XLA makes vector loads of them on a CPU. Matmuls with hat
    # functions cost 2 (8 x 8 x 1) to 90 times (28 x 28 x 3) as much; one gather of all neighbours, 10 to 30.
    border = jnp.asarray(border, x.dtype)[None, None, None, :]
    plane = jnp.broadcast_to(border, (batch, height + 2, width + 2, channels))
    padded = jax.lax.dynamic_update_slice(plane, x, (0, 1, 1, 0)).reshape(batch, -1, channels)
    top, left = jnp.floor(rows), jnp.floor(columns)

    def neighbour(down, right):
        row = jnp.clip(top + (down + 1), 0, height + 1).astype(jnp.int32)
        column = jnp.clip(left + (right + 1), 0, width + 1).astype(jnp.int32)
        index = (row * (width + 2) + column).reshape(batch, -1)
        values = jax.vmap(lambda image, at: image.at[at].get(mode='promise_in_bounds'))(padded, index)
        weight = (1 - jnp.abs(rows - (top + down))) * (1 - jnp.abs(columns - (left + right)))
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
    shear: base.Number = None,
    flip: base.Number = None,
) -> jax.Array:
    """Draws a map for `affine` for each image: mirror, shear, rotate and resize about the centre, then shift.

    With `u` uniform in [-1, 1), a draw each: shift `u * shift` of the side in either axis (positive is down,
    right), size `(1 + zoom) ** u`, angle `u * rotate` (positive is anticlockwise), shear `u * shear`
    (positive is to the right for a pixel down), mirror with probability `flip`.

    Args:
        key: PRNG key.
        batch: number of maps.
        height: pixels.
        width: pixels.
        shift: largest shift, as a fraction of the side.
        zoom: largest relative change of size.
        rotate: largest rotation, radians.
        shear: largest shear, pixels to the side for a pixel down.
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
    right_down, right_right = -sine, cosine
    if shear is not None:
        aslant = shear * jax.random.uniform(jax.random.fold_in(key, SHEAR), (batch,), minval=-1.0)
        right_down, right_right = right_down - aslant * cosine, right_right - aslant * sine
    linear = jnp.stack(
        [
            jnp.stack([cosine, sine], axis=-1),
            jnp.stack([right_down * side, right_right * side], axis=-1),
        ],
        axis=-2,
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
    shear: base.Number = None,
    flip: base.Number = None,
) -> jax.Array:
    """Shifts, resizes, rotates, shears and mirrors each image by its own draw, in one resampling.

    Args:
        key: PRNG key.
        x: `[B, H, W, C]` float.
        border: `[C]` float, value outside the image, in the unit of `x`.
        shift: largest shift, as a fraction of the side.
        zoom: largest relative change of size.
        rotate: largest rotation, radians.
        shear: largest shear, pixels to the side for a pixel down.
        flip: probability of a left-right mirror image.

    Returns:
        `[B, H, W, C]`; `x` itself if all five numbers are `None`. See `draw_affine` for the distribution.

    Reference: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003, section 2.

    >>> images = jnp.array([[[[1.0], [2.0], [3.0]]]])
    >>> random_affine(jax.random.key(0), images, jnp.zeros(1), flip=1.0).ravel().tolist()
    [3.0, 2.0, 1.0]
    """
    return random_geometry(key, x, border, shift=shift, zoom=zoom, rotate=rotate, shear=shear, flip=flip)


def random_geometry(
    key: jax.Array,
    x: jax.Array,
    border: jax.Array,
    *,
    elastic: base.Number = None,
    elastic_smoothness: base.Number = None,
    **numbers: base.Number,
) -> jax.Array:
    """Moves the pixels of each image by an affine map and an elastic field of its own, in one resampling.

    A pixel is taken from where the map says, moved by the field: once, as twice would blur twice.

    Args:
        key: PRNG key.
        x: `[B, H, W, C]` float.
        border: `[C]` float, value outside the image, in the unit of `x`.
        elastic: root mean square displacement in either axis, as a fraction of its side.
        elastic_smoothness: scale over which the field changes, as a fraction of the side, see
            `elastic.elastic_field`.
        **numbers: `shift`, `zoom`, `rotate`, `shear`, `flip` as in `random_affine`.

    Returns:
        `[B, H, W, C]`; `x` itself if there is neither `elastic` nor another number.

    Reference: Simard, Steinkraus, Platt, as of `random_affine`.

    >>> images, black = jnp.ones((1, 8, 8, 1)), jnp.zeros(1)
    >>> random_geometry(jax.random.key(0), images, black, rotate=0.2, elastic=0.05).shape
    (1, 8, 8, 1)
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    moved = any(number is not None for number in numbers.values())
    if not moved and elastic is None:
        return x
    batch, height, width, _ = x.shape
    if elastic is None:
        return affine(x, draw_affine(key, batch, height, width, **numbers), border)
    matrix = draw_affine(key, batch, height, width, **numbers)
    rows, columns = _sources(matrix, height, width, x.dtype)
    field = fields.elastic_field(
        jax.random.fold_in(key, ELASTIC),
        batch,
        height,
        width,
        elastic=elastic,
        elastic_smoothness=elastic_smoothness,
    )
    return resample(x, rows + field[:, 0], columns + field[:, 1], border)


def geometric(key: jax.Array, batch: base.Batch, hyper: base.Hyper, inputs: kinds.Standard) -> base.Batch:
    """Changes the geometry of images by `random_geometry`, as a slot of a recipe.

    Args:
        key: PRNG key of the step.
        batch: images `[B, H, W, C]`, raw values of any type.
        hyper: `shift`, `zoom`, `rotate`, `shear`, `flip`, `elastic`, `elastic_smoothness`.
        inputs: `border` stands outside the images.

    Returns:
        The batch, its images float32; the batch itself if all of the numbers are absent.

    >>> black = kinds.Standard(mean=jnp.zeros(1), scale=jnp.ones(1), border=jnp.zeros(1))
    >>> batch = base.Batch(jnp.array([[[[1], [2], [3]]]], jnp.uint8), jnp.zeros(1, jnp.int32))
    >>> geometric(jax.random.key(0), batch, base.Hyper(flip=1.0), black).x.ravel().tolist()
    [3.0, 2.0, 1.0]
    """
    numbers = {name: getattr(hyper, name) for name in (*AFFINE, 'elastic')}
    if all(number is None for number in numbers.values()):
        return batch
    x = random_geometry(
        key,
        batch.x.astype(jnp.float32),
        inputs.border,
        elastic_smoothness=hyper.elastic_smoothness,
        **numbers,
    )
    return batch._replace(x=x)
