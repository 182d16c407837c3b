"""Fixed filters for the first layer of a convolutional net: they need no labels and are not trained."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np

from overfit.nn import convolution

FLOOR = 5e-4  # added to the patches' variances, in units of the inputs' own: weak directions stay weak


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


def response_sizes(x: jax.Array, *, size: int = 3, floor: float = FLOOR) -> jax.Array:
    """How large the responses to each harmonic filter are on these images: `sqrt(mean square + floor)`.

    Args:
        x: `[N, H, W, C]` floats, standardised; labels are not needed.
        size: side of the patches, pixels, odd.
        floor: added to every mean square.

    Returns:
        `[C * size²]`, in the order of `harmonic`.

    >>> response_sizes(jnp.ones((1, 9, 9, 1))).shape
    (9,)
    """
    found = jax.lax.map(lambda image: jnp.square(harmonic(image[None], size=size)).mean((0, 1, 2)), x)
    return jnp.sqrt(found.mean(0) + floor)


def normalised_harmonic(x: jax.Array, sizes: jax.Array) -> jax.Array:
    """Responses to the harmonic filters, each over its size on the training images.

    The mean of a patch is many times as large as its fine detail; without this a net would hardly hear that.

    Args:
        x: `[B, H, W, C]` floats.
        sizes: `[C * 9]`, from `response_sizes`.

    Returns:
        `[B, H, W, C * 9]`.

    Reference: Ulicny, Krylov, Dahyot, "Harmonic networks for image classification", BMVC 2019, where batch
    normalisation does it.

    >>> normalised_harmonic(jnp.ones((1, 3, 3, 1)), jnp.full(9, 2.0))[0, 1, 1, 0].round(2).item()
    1.5
    """
    return harmonic(x) / sizes[None, None, None, :]


def whitening_filters(x: jax.Array, *, size: int = 3, floor: float = FLOOR) -> jax.Array:
    """Filters whose outputs on these images are uncorrelated and of variance 1, but for directions of noise.

    The eigenvectors `v_k` of the second moments of all patches, each `v_k / sqrt(lambda_k + floor)`.

    Args:
        x: `[N, H, W, C]` floats, standardised; labels are not needed.
        size: side of the patches, pixels; zeros stand beyond the border, as for `convolution.convolve`.
        floor: added to every eigenvalue.

    Returns:
        `[size, size, C, size² C]`, the direction of largest variance first.

    Reference: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, section 3.2, where patches of
    2 × 2 pixels are whitened.

    >>> whitening_filters(jnp.ones((2, 4, 4, 3)), size=2).shape
    (2, 2, 3, 12)
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    channels = x.shape[-1]

    def moments(image):
        patches = convolution.windows(image[None], size, size).reshape(-1, size * size * channels)
        return patches.T @ patches / len(patches)

    # One image at a time: all patches at once are size² times the data.
    values, vectors = jnp.linalg.eigh(jax.lax.map(moments, x).mean(0))
    scaled = vectors * jax.lax.rsqrt(jnp.maximum(values, 0.0) + floor)[None, :]
    return scaled[:, ::-1].reshape(size, size, channels, -1)


def both_signs(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Positive and negative parts of what filters find, as channels of their own: `relu([x * k, -x * k])`.

    Args:
        x: `[B, H, W, C]` floats.
        kernel: `[h, w, C, K]`.

    Returns:
        `[B, H, W, 2 K]`, first what is above 0, then what is below.

    Reference: see `whitening_filters`, where the filters' negatives are filters too.

    >>> both_signs(jnp.full((1, 1, 1, 1), -2.0), jnp.ones((1, 1, 1, 1))).ravel().tolist()
    [0.0, 2.0]
    """
    found = convolution.convolve(x, kernel)
    return jax.nn.relu(jnp.concatenate([found, -found], axis=-1))
