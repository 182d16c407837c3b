"""One random change for each image, of random strength: a policy that nobody has to search."""

import math
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from overfit import base
from overfit.data import kinds
from overfit.data.augment import geometry


class Strongest(NamedTuple):
    """The changes that an image may get, each with its strength at `policy` 1, as RandAugment has them.

    Attributes:
        nothing: in one of so many cases an image stays as it is.
        down: shift, as a fraction of the height, up or down.
        right: likewise, to a side.
        rotate: radians.
        shear_right: pixels to the side for a pixel down.
        shear_down: pixels down for a pixel to the side.
        brightness: change, in standard deviations of the set's pixels.
        contrast: relative change, about the image's mean.
        sharpness: relative change of what differs from the image smoothed.
        saturation: relative change of what differs from grey; images of one channel do not get it.
    """

    nothing: float = 0.0
    down: float = 0.3
    right: float = 0.3
    rotate: float = math.pi / 6
    shear_right: float = 0.3
    shear_down: float = 0.3
    brightness: float = 0.9
    contrast: float = 0.9
    sharpness: float = 0.9
    saturation: float = 0.9


STRONGEST = Strongest()


def random_policy(
    key: jax.Array, x: jax.Array, border: jax.Array, scale: jax.Array, *, policy: base.Number
) -> jax.Array:
    """Changes each image in one way of `Strongest`, drawn evenly, by a strength drawn evenly up to the given.

    All images pass the same arithmetic, with strength 0 for what they did not draw: one resampling and a
    few sums, without a switch, which under `vmap` would do everything too. Of the paper's changes those are
    missing that mean little on images of few grey values (posterise, equalise, autocontrast) or turn light
    into dark (solarise); as there, the direction is random.

    Args:
        key: PRNG key.
        x: `[B, H, W, C]` float.
        border: `[C]` float, value outside the image, in the unit of `x`.
        scale: `[C]` float, unit of brightness, in the unit of `x`.
        policy: largest strength, 1 for those in `Strongest`; `None`: no change.

    Returns:
        `[B, H, W, C]`.

    Reference: Müller, Hutter, "TrivialAugment: tuning-free yet state-of-the-art data augmentation", ICCV
    2021, algorithm 1; strengths of Cubuk et al., "RandAugment", 2020.

    >>> images, black, unit = jnp.ones((2, 8, 8, 1)), jnp.zeros(1), jnp.ones(1)
    >>> bool((random_policy(jax.random.key(0), images, black, unit, policy=0.0) == images).all())
    True
    """
    chex.assert_rank([x, border, scale], [4, 1, 1])
    chex.assert_type(x, float)
    if policy is None:
        return x
    batch, height, width, channels = x.shape
    which, how_much = jax.random.split(key)
    count = len(STRONGEST) - (channels == 1)
    chosen = jax.nn.one_hot(jax.random.randint(which, (batch,), 0, count), count, axis=0)
    drawn = chosen * jax.random.uniform(how_much, (batch,), minval=-1.0)[None] * policy
    of = Strongest(*(most * one for most, one in zip(STRONGEST, drawn, strict=False)))
    x = geometry.affine(x, _maps(of, height, width), border)

    def along(strength, change):
        return strength[:, None, None, None] * change

    # Of these, too, an image has drawn one at most: each changes what it was before all of them.
    changed = x + along(of.brightness, scale[None, None, None, :])
    changed = changed + along(of.contrast, x - jnp.mean(x, axis=(1, 2), keepdims=True))
    changed = changed + along(of.sharpness, x - _smoothed(x))
    if channels > 1:
        changed = changed + along(of.saturation, x - jnp.mean(x, axis=3, keepdims=True))
    return changed


def _maps(of, height, width):
    """`[B, 2, 3]` maps for `geometry.affine`; each has drawn one change at most, so no order matters."""
    cosine, sine = jnp.cos(of.rotate), jnp.sin(of.rotate)
    down = jnp.stack([cosine, sine - of.shear_down, -of.down * height], axis=-1)
    right = jnp.stack([-sine - of.shear_right, cosine, -of.right * width], axis=-1)
    return jnp.stack([down, right], axis=-2)


def _smoothed(x):
    """Each pixel's mean with its eight neighbours, itself five times, as Pillow's SMOOTH filter."""
    wide = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode='edge')
    rows = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    return (rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * x) / 13


def trivial_augment(
    key: jax.Array, batch: base.Batch, hyper: base.Hyper, inputs: kinds.Standard
) -> base.Batch:
    """Changes each image in one way by `random_policy`, as a slot of a recipe.

    Args:
        key: PRNG key of the step.
        batch: images `[B, H, W, C]`, raw values of any type.
        hyper: `policy`, the largest strength.
        inputs: `border` stands outside the images, `scale` is the unit of brightness.

    Returns:
        The batch, its images float32; the batch itself if the number is absent.

    >>> plain = kinds.Standard(mean=jnp.zeros(1), scale=jnp.ones(1), border=jnp.zeros(1))
    >>> batch = base.Batch(jnp.zeros((1, 4, 4, 1), jnp.uint8), jnp.zeros(1, jnp.int32))
    >>> trivial_augment(jax.random.key(0), batch, base.Hyper(policy=1.0), plain).x.dtype.name
    'float32'
    """
    if hyper.policy is None:
        return batch
    x = batch.x.astype(jnp.float32)
    return batch._replace(x=random_policy(key, x, inputs.border, inputs.scale, policy=hyper.policy))
