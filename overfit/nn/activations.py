"""Nonlinearities. All but GELU never fall where an input rises, and may be applied after max-pooling.

>>> tanh.name, tanh.apply(jnp.zeros(2)).tolist()
('tanh', [0.0, 0.0])
"""

import functools

import jax
import jax.numpy as jnp

from overfit import base

relu = base.Activation('relu', jax.nn.relu)
tanh = base.Activation('tanh', jnp.tanh)
sigmoid = base.Activation('sigmoid', jax.nn.sigmoid)


def _leaky(z: jax.Array) -> jax.Array:
    return jnp.where(z >= 0, z, 0.01 * z)


def _gelu(z: jax.Array) -> jax.Array:
    return jax.nn.gelu(z, approximate=False)


# `z` where it is positive, else `0.01 z` (Maas, Hannun, Ng, "Rectifier nonlinearities improve neural network
# acoustic models", ICML workshop 2013, eq. 3).
leaky_relu = base.Activation('leaky relu', _leaky)
# `z Phi(z)` with the normal distribution function (Hendrycks, Gimpel, "Gaussian error linear units", 2016).
gelu = base.Activation('gelu', _gelu, monotone=False)


def maxout(pieces: int) -> base.Activation:
    """The largest of several linear functions: a unit that learns its own convex activation.

    `h_i = max_j z_ij`, `j = 1 .. pieces`.

    Args:
        pieces: linear functions of one unit, at least 2.

    Returns:
        `[..., pieces * width] -> [..., width]`; unit `i` has the pre-activations `i`, `width + i`, ...
        Equal arguments give the same object. Where pieces tie, they share the gradient.

    Raises:
        ValueError: if `pieces` is not a whole number of at least 2.

    Reference: Goodfellow et al., "Maxout networks", ICML 2013, section 3.

    >>> maxout(2).apply(jnp.array([1.0, 5.0, 3.0, 4.0])).tolist()
    [3.0, 5.0]
    """
    if not isinstance(pieces, int) or pieces < 2:
        raise ValueError(f'maxout needs a whole number of pieces, 2 or more, but was given {pieces!r}.')
    return _maxout(pieces)


@functools.cache
def _maxout(pieces: int) -> base.Activation:
    def apply(z: jax.Array) -> jax.Array:
        if z.shape[-1] % pieces:
            raise ValueError(
                f'maxout of {pieces} pieces needs a multiple of {pieces} pre-activations, but was given '
                f'{z.shape[-1]}.'
            )
        return functools.reduce(jnp.maximum, jnp.split(z, pieces, axis=-1))

    return base.Activation(f'maxout {pieces}', apply, pieces)
