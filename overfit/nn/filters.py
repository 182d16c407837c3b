"""Fixed filters for the first layer of a convolutional net: they need no labels and are not trained."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np

from overfit.nn import convolution


@functools.cache
def harmonic_filters(size: int) -> np.ndarray:
    """The basis of the two-dimensional cosine transform of small patches.

    `psi[u, v][i, j] = c_u c_v cos(pi (i + 1/2) u / n) cos(pi (j + 1/2) v / n)` with `c_0 = sqrt(1 / n)` and
    `c_u = sqrt(2 / n)` else: an orthonormal basis, from the mean to the finest checks.

    Args:
        size: side `n` of the patches, pixels.

    Returns:
        `[n, n, n * n]` float32, frequencies in the order `(0, 0), (0, 1), ...`.

    Reference: Ulicny, Krylov, Dahyot, "Harmonic convolutional networks based on discrete cosine transform",
    Pattern Recognition 2022, eq. 1.

    >>> harmonic_filters(2)[..., 0].tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    """
    place, order = np.arange(size) + 0.5, np.arange(size)
    waves = np.cos(np.pi * place[:, None] * order / size) * np.where(order, 2.0, 1.0) ** 0.5 / size**0.5
    basis = waves[:, None, :, None] * waves[None, :, None, :]
    return basis.reshape(size, size, size * size).astype(np.float32)


def harmonic(x: jax.Array, *, size: int = 3) -> jax.Array:
    """What every channel has of each frequency around each pixel, beside the channel's own values.

    Args:
        x: `[B, H, W, C]` floats.
        size: side of the patches, pixels, odd.

    Returns:
        `[B, H, W, C * size²]`, channel by channel, frequencies in the order of `harmonic_filters`.

    Reference: see `harmonic_filters`.

    >>> harmonic(jnp.ones((1, 4, 4, 2))).shape
    (1, 4, 4, 18)
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    batch, height, width, channels = x.shape
    # Every channel is an image of its own, as the filters are the same for all.
    alone = x.transpose(0, 3, 1, 2).reshape(batch * channels, height, width, 1)
    kernel = jnp.asarray(harmonic_filters(size), x.dtype)[:, :, None, :]
    found = convolution.convolve(alone, kernel).reshape(batch, channels, height, width, size * size)
    return found.transpose(0, 2, 3, 1, 4).reshape(batch, height, width, channels * size * size)
