"""Views of an input over which a trained net's probabilities are averaged, each a `base.Views`."""

import chex
import jax
import jax.numpy as jnp

from overfit.data import kinds


def shifted(x: jax.Array, inputs: kinds.Standard) -> jax.Array:
    """An image as it is, and shifted up, down, left and right by a thirty-second of its side.

    By a whole number of pixels, at least one.

    Args:
        x: `[B, H, W, C]`, raw values of any type.
        inputs: `border` comes in from outside.

    Returns:
        `[5, B, H, W, C]` float32.

    Reference: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
    networks", NIPS 2012, section 4.1, average over crops.

    >>> black = kinds.Standard(mean=jnp.zeros(1), scale=jnp.ones(1), border=jnp.zeros(1))
    >>> shifted(jnp.array([[[[1], [2], [3]]]]), black)[:, 0, 0, :, 0].tolist()[-2:]
    [[0.0, 1.0, 2.0], [2.0, 3.0, 0.0]]
    """
    chex.assert_rank(x, 4)
    x = x.astype(jnp.float32)
    height, width = x.shape[1:3]
    down, right = (max(1, round(side / 32)) for side in (height, width))
    apart = x - inputs.border[None, None, None, :]
    wide = jnp.pad(apart, ((0, 0), (down, down), (right, right), (0, 0)))
    corners = [(down, right), (0, right), (2 * down, right), (down, 0), (down, 2 * right)]
    views = [wide[:, top : top + height, left : left + width] for top, left in corners]
    return jnp.stack(views) + inputs.border[None, None, None, None, :]


def mirrored(x: jax.Array, inputs: kinds.Standard) -> jax.Array:
    """An image as it is, and its left-right mirror image.

    Args:
        x: `[B, H, W, C]`, raw values of any type.
        inputs: not looked at.

    Returns:
        `[2, B, H, W, C]`, of the type of `x`.

    >>> black = kinds.Standard(mean=jnp.zeros(1), scale=jnp.ones(1), border=jnp.zeros(1))
    >>> mirrored(jnp.array([[[[1], [2], [3]]]]), black)[:, 0, 0, :, 0].tolist()
    [[1, 2, 3], [3, 2, 1]]
    """
    chex.assert_rank(x, 4)
    return jnp.stack([x, x[:, :, ::-1]])
