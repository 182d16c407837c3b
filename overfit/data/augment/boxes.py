"""Boxes at random places of an image, with edges between pixels."""

import chex
import jax
import jax.numpy as jnp


def covered(middle: jax.Array, length: jax.Array, size: int) -> jax.Array:
    """How much of each pixel of a line lies within a piece of it.

    Args:
        middle: `[B]` float, of the pieces, in pixels; pixel `i` lies from `i` to `i + 1`.
        length: `[B]` float, of the pieces, pixels.
        size: pixels of the line.

    Returns:
        `[B, size]` float, 0 to 1.

    >>> covered(jnp.array([1.75]), jnp.array([2.0]), 4).tolist()
    [[0.25, 1.0, 0.75, 0.0]]
    """
    chex.assert_rank([middle, length], 1)
    begin = jnp.arange(size, dtype=middle.dtype)[None, :]
    first, last = (middle - length / 2)[:, None], (middle + length / 2)[:, None]
    return jnp.clip(jnp.minimum(last, begin + 1) - jnp.maximum(first, begin), 0.0, 1.0)


def random_boxes(key: jax.Array, batch: int, height: int, width: int, side: jax.Array) -> jax.Array:
    """Draws a box for each image: its centre is anywhere in the image, what lies outside is cut off.

    Args:
        key: PRNG key.
        batch: number of boxes.
        height: pixels.
        width: pixels.
        side: `[B]` float, of the boxes, as a fraction of the image's in either axis.

    Returns:
        `[B, height, width]` float32, how much of each pixel lies within, 0 to 1; its mean is the share of
        the image that lies within, exactly.

    >>> share = random_boxes(jax.random.key(0), 2, 8, 8, jnp.array([0.0, 0.5])).mean((1, 2))
    >>> share[0].item(), bool(share[1] <= 0.25)
    (0.0, True)
    """
    chex.assert_shape(side, (batch,))
    down, right = jax.random.uniform(key, (2, batch))
    rows = covered(down * height, side * height, height)
    return rows[:, :, None] * covered(right * width, side * width, width)[:, None, :]
