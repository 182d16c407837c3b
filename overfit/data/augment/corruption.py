"""Random losses of what an input holds: noise on any values, a square cut out of images."""

import chex
import jax
import jax.numpy as jnp

from overfit import base
from overfit.data import kinds
from overfit.data.augment import boxes


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


def random_cutout(key: jax.Array, x: jax.Array, fill: jax.Array, *, cutout: base.Number) -> jax.Array:
    """Covers a square of each image, at a random centre; what lies outside the image is lost.

    Args:
        key: PRNG key.
        x: `[B, H, W, C]` float.
        fill: `[C]` float, value of the square, in the unit of `x`.
        cutout: side of the square as a fraction of the image's side (of an oblong image each of its own),
            0 to 1. Pixels at its edge are covered in part, so that every strength is another one.
            `None`: no square.

    Returns:
        `[B, H, W, C]`.

    Reference: DeVries, Taylor, "Improved regularization of convolutional neural networks with cutout", 2017.

    >>> images = jnp.ones((200, 8, 8, 1))
    >>> left = random_cutout(jax.random.key(0), images, jnp.zeros(1), cutout=0.5).sum((1, 2, 3))
    >>> left.min().item(), bool(left.max() > 56)  # a whole square; one of which a corner is inside
    (48.0, True)
    """
    chex.assert_rank([x, fill], [4, 1])
    chex.assert_type(x, float)
    if cutout is None:
        return x
    covered = boxes.random_boxes(key, *x.shape[:3], jnp.full(len(x), cutout))[..., None]
    return x * (1 - covered) + fill[None, None, None, :] * covered


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


def cutout(key: jax.Array, batch: base.Batch, hyper: base.Hyper, inputs: kinds.Standard) -> base.Batch:
    """Cuts a square out of images by `random_cutout`, as a slot of a recipe.

    Args:
        key: PRNG key of the step.
        batch: images `[B, H, W, C]`, raw values of any type.
        hyper: `cutout`, side of the square as a fraction of the image's.
        inputs: `mean` fills it, as in the paper.

    Returns:
        The batch, its images float32; the batch itself if the number is absent.

    >>> plain = kinds.Standard(mean=jnp.zeros(1), scale=jnp.ones(1), border=jnp.zeros(1))
    >>> batch = base.Batch(jnp.full((1, 4, 4, 1), 9, jnp.uint8), jnp.zeros(1, jnp.int32))
    >>> bool(cutout(jax.random.key(0), batch, base.Hyper(cutout=1.0), plain).x.sum() < 9 * 16)
    True
    """
    if hyper.cutout is None:
        return batch
    x = random_cutout(key, batch.x.astype(jnp.float32), inputs.mean, cutout=hyper.cutout)
    return batch._replace(x=x)
