"""Dropout whose rate is a number like any other: traced, so that a population can vary it.

A `Dropping` is a kind of it, for a field of a net; `DROPPINGS` are those that the package knows.
"""

from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from overfit import base


def dropout(key: jax.Array, x: jax.Array, rate: base.Number) -> jax.Array:
    """Sets units to zero at random and enlarges the others, so that each unit's expectation stays.

    `x_i m_i / q`, `m_i ~ Bernoulli(q)` independent, `q = 1 - round(256 rate) / 256`.

    One byte is drawn a unit, so the rate is rounded to the nearest 1/256; dividing by the rounded `q`
    keeps the expectation exact.

    Args:
        key: PRNG key of any implementation.
        x: `[...]` floats.
        rate: probability that a unit is dropped, in `[0, 1)`; it may be traced (then clipped to
            `[0, 255/256]`). 0 returns exactly `x`; `None` also draws nothing.

    Returns:
        Array of the shape and type of `x`.

    Raises:
        ValueError: if a rate that is not traced lies outside `[0, 1)`.

    Reference: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    JMLR 2014, section 4, with the scaling in training ("inverted", section 10).

    >>> dropped = dropout(jax.random.key(0), jnp.ones((2, 100)), 0.5)
    >>> jnp.unique(dropped).tolist()
    [0.0, 2.0]
    """
    if rate is None:
        return x
    chex.assert_type(x, float)
    chex.assert_rank(rate, 0)
    _check_rate(rate)
    dropped = jnp.clip(jnp.round(256 * jnp.float32(rate)), 0, 255)
    kept = jax.random.bits(key, x.shape, 'uint8') >= dropped.astype(jnp.uint8)
    return jnp.where(kept, x * (256 / (256 - dropped)).astype(x.dtype), jnp.zeros((), x.dtype))


def gaussian_dropout(key: jax.Array, x: jax.Array, rate: base.Number) -> jax.Array:
    """Multiplies every unit by Gaussian noise with dropout's own mean, 1, and variance.

    `x_i (1 + s n_i)`, `n_i ~ N(0, 1)` independent, `s^2 = rate / (1 - rate)`.

    Args:
        key: PRNG key of any implementation.
        x: `[...]` floats.
        rate: of the dropout with this variance, in `[0, 1)`; it may be traced (then clipped to
            `[0, 255/256]`). 0 returns exactly `x`; `None` also draws nothing.

    Returns:
        Array of the shape and type of `x`.

    Raises:
        ValueError: if a rate that is not traced lies outside `[0, 1)`.

    Reference: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    JMLR 2014, section 10, with `sigma^2 = (1 - p) / p` of the probability `p` that a unit is kept.

    >>> noisy = gaussian_dropout(jax.random.key(0), jnp.ones((100, 100)), 0.5)
    >>> round(float(noisy.mean()), 1), round(float(noisy.std()), 1)
    (1.0, 1.0)
    """
    if rate is None:
        return x
    chex.assert_type(x, float)
    chex.assert_rank(rate, 0)
    _check_rate(rate)
    rate = jnp.clip(jnp.float32(rate), 0, 255 / 256)
    deviation = jnp.sqrt(rate / (1 - rate)).astype(x.dtype)
    return x * (1 + deviation * jax.random.normal(key, x.shape, x.dtype))


def spatial_dropout(key: jax.Array, x: jax.Array, rate: base.Number) -> jax.Array:
    """Sets whole channels to zero at random, since neighbours in a channel say nearly the same.

    `x_bhwc m_bc / q`, with the rounding of the rate and the scale `1 / q` of `dropout`.

    Args:
        key: PRNG key of any implementation.
        x: `[B, ..., C]` floats, channels last.
        rate: probability that a channel of an example is dropped, in `[0, 1)`, as for `dropout`.

    Returns:
        Array of the shape and type of `x`.

    Raises:
        ValueError: if a rate that is not traced lies outside `[0, 1)`.

    Reference: Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015,
    section 3.2 ("SpatialDropout").

    >>> dropped = spatial_dropout(jax.random.key(0), jnp.ones((1, 2, 2, 9)), 0.5)
    >>> bool((dropped == dropped[:, :1, :1]).all()), jnp.unique(dropped).tolist()
    (True, [0.0, 2.0])
    """
    if rate is None:
        return x
    chex.assert_type(x, float)
    chex.assert_axis_dimension_gt(x, 0, 0)
    shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1])
    return x * dropout(key, jnp.ones(shape, x.dtype), rate)


class Dropping(NamedTuple):
    """A kind of dropout, as a field of a net.

    Attributes:
        name: in tables and in saved models.
        apply: `(key, x, rate) -> x`, the identity at a rate of `None` or 0.
        of_weights: whether `x` are the weights that enter a layer rather than the units that leave it; one
            mask then serves a whole batch.
    """

    name: str
    apply: Callable[[base.Key, jax.Array, base.Number], jax.Array]
    of_weights: bool = False


units = Dropping('dropout', dropout)
gaussian = Dropping('Gaussian dropout', gaussian_dropout)
channels = Dropping('spatial dropout', spatial_dropout)
# Wan et al., "Regularization of neural networks using DropConnect", ICML 2013, section 3. The paper draws a
# mask for each example and approximates the mean over masks when it predicts; here one mask serves a batch,
# biases stay, and the weights predict as they are, as with dropout. A mask for each example would make as
# many copies of the weights as the batch has examples, and of one product of matrices many small ones.
connections = Dropping('DropConnect', dropout, of_weights=True)
DROPPINGS = (units, gaussian, channels, connections)


def _check_rate(rate):
    if isinstance(rate, int | float) and not 0 <= rate < 1:
        raise ValueError(f'The dropout rate must be at least 0 and below 1, but {rate} was given.')
