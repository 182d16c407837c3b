"""Random changes of the lighting of images: brightness, contrast, principal colours."""

import chex
import jax
import jax.numpy as jnp

from overfit import base
from overfit.data import kinds


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


def random_colour(key: jax.Array, x: jax.Array, *, colour: base.Number) -> jax.Array:
    """Changes the lighting of each image along the principal colours of the batch.

    `out = x + S^(1/2) n colour`, with `S` the `[C, C]` covariance of the batch's pixels and `n` `[C]`
    standard normal, one for each image. That is distributed as AlexNet's `P (sqrt(l) * n) colour` with
    eigenvectors `P` and eigenvalues `l` of `S`; but the symmetric root has no signs and no order that
    rounding could change, so a net trained alone draws what it draws beside others. One channel: brightness.

    Args:
        key: PRNG key.
        x: `[B, H, W, C]` float.
        colour: standard deviation of the change along a principal colour, in standard deviations of the
            pixels along it; AlexNet has 0.1. `None`: no change.

    Returns:
        `[B, H, W, C]`.

    Reference: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
    networks", NIPS 2012, section 4.1; the covariance there is that of the training set.

    >>> images = jnp.stack([jnp.zeros((2, 2, 3)), jnp.ones((2, 2, 3))])
    >>> lit = random_colour(jax.random.key(0), images, colour=0.1)
    >>> bool(jnp.allclose(lit[..., 0], lit[..., 1], atol=1e-4))  # grey stays grey
    True
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    if colour is None:
        return x
    apart = x - jnp.mean(x, axis=(0, 1, 2))[None, None, None, :]
    values, vectors = jnp.linalg.eigh(jnp.einsum('bhwc,bhwd->cd', apart, apart) / (x.size // x.shape[-1]))
    root = (vectors * jnp.sqrt(jnp.maximum(values, 0.0))[None, :]) @ vectors.T
    change = jax.random.normal(key, (len(x), x.shape[-1]), x.dtype) @ root
    return x + colour * change[:, None, None, :]


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


def colour(key: jax.Array, batch: base.Batch, hyper: base.Hyper, inputs: kinds.Standard) -> base.Batch:
    """Changes the lighting of images by `random_colour`, as a slot of a recipe.

    Args:
        key: PRNG key of the step.
        batch: images `[B, H, W, C]`, raw values of any type; where a batch lies in shards, the colours are
            those of a shard.
        hyper: `colour`.
        inputs: not looked at.

    Returns:
        The batch, its images float32; the batch itself if the number is absent.

    >>> plain = kinds.Standard(mean=jnp.zeros(1), scale=jnp.ones(1), border=jnp.zeros(1))
    >>> batch = base.Batch(jnp.zeros((1, 2, 2, 1), jnp.uint8), jnp.zeros(1, jnp.int32))
    >>> colour(jax.random.key(0), batch, base.Hyper(), plain) is batch
    True
    """
    if hyper.colour is None:
        return batch
    return batch._replace(x=random_colour(key, batch.x.astype(jnp.float32), colour=hyper.colour))
