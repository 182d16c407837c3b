"""Dropout whose rate is a number like any other: traced, so that a population can vary it."""

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
    if isinstance(rate, int | float) and not 0 <= rate < 1:
        raise ValueError(f'The dropout rate must be at least 0 and below 1, but {rate} was given.')
    dropped = jnp.clip(jnp.round(256 * jnp.float32(rate)), 0, 255)
    kept = jax.random.bits(key, x.shape, 'uint8') >= dropped.astype(jnp.uint8)
    return jnp.where(kept, x * (256 / (256 - dropped)).astype(x.dtype), jnp.zeros((), x.dtype))
