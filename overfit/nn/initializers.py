"""How kernels start: `(key, shape, dtype) -> array`, for `[in, out]` and `[height, width, in, out]`."""

import functools
import math

import jax
import jax.numpy as jnp

from overfit import base


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) < 2:
        raise ValueError(
            f'An initializer draws kernels [..., in, out], but the shape given is {tuple(shape)}.'
        )
    return math.prod(shape[:-1]), math.prod(shape[:-2]) * shape[-1]


def uniform_fan_in(
    key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32
) -> jax.Array:
    """Uniform, scaled by the number of inputs of a unit.

    `U(-1 / sqrt(fan_in), 1 / sqrt(fan_in))`, of variance `1 / (3 fan_in)`.

    Args:
        key: PRNG key.
        shape: of the kernel, `[..., in, out]`.
        dtype: floating type of the result.

    Returns:
        Array of `shape`.

    Raises:
        ValueError: if `shape` has fewer than two axes.

    Reference: the common heuristic, Glorot and Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010, eq. 1.

    >>> kernel = uniform_fan_in(jax.random.key(0), (100, 8))
    >>> kernel.shape, bool(abs(kernel).max() <= 0.1)
    ((100, 8), True)
    """
    bound = 1 / math.sqrt(_fans(shape)[0])
    return jax.random.uniform(key, shape, dtype, -bound, bound)


def he(key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32) -> jax.Array:
    """Normal, keeping the variance of activations through layers of ReLUs.

    `N(0, 2 / fan_in)`.

    Args:
        key: PRNG key.
        shape: of the kernel, `[..., in, out]`.
        dtype: floating type of the result.

    Returns:
        Array of `shape`.

    Raises:
        ValueError: if `shape` has fewer than two axes.

    Reference: He et al., "Delving deep into rectifiers", ICCV 2015, eq. 10.

    >>> kernel = he(jax.random.key(0), (200, 50))
    >>> kernel.shape, round(float(kernel.std()), 2)
    ((200, 50), 0.1)
    """
    return math.sqrt(2 / _fans(shape)[0]) * jax.random.normal(key, shape, dtype)


def glorot(key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32) -> jax.Array:
    """Uniform, balancing the variance of activations and of gradients.

    `U(-b, b)` with `b = sqrt(6 / (fan_in + fan_out))`.

    Args:
        key: PRNG key.
        shape: of the kernel, `[..., in, out]`.
        dtype: floating type of the result.

    Returns:
        Array of `shape`.

    Raises:
        ValueError: if `shape` has fewer than two axes.

    Reference: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, eq. 16.

    >>> kernel = glorot(jax.random.key(0), (100, 50))
    >>> kernel.shape, bool(abs(kernel).max() <= 0.2)
    ((100, 50), True)
    """
    bound = math.sqrt(6 / sum(_fans(shape)))
    return jax.random.uniform(key, shape, dtype, -bound, bound)


def normal(key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32) -> jax.Array:
    """Normal of a fixed size, whatever the layer's width.

    `N(0, 0.01^2)`.

    Args:
        key: PRNG key.
        shape: of the kernel.
        dtype: floating type of the result.

    Returns:
        Array of `shape`.

    Reference: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
    networks", NeurIPS 2012, section 5.

    >>> kernel = normal(jax.random.key(0), (100, 50))
    >>> kernel.shape, round(float(kernel.std()), 3)
    ((100, 50), 0.01)
    """
    return 0.01 * jax.random.normal(key, shape, dtype)


def lecun(key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32) -> jax.Array:
    """Normal, keeping the variance of activations through linear layers.

    `N(0, 1 / fan_in)`.

    Args:
        key: PRNG key.
        shape: of the kernel, `[..., in, out]`.
        dtype: floating type of the result.

    Returns:
        Array of `shape`.

    Raises:
        ValueError: if `shape` has fewer than two axes.

    Reference: LeCun et al., "Efficient backprop", 1998, eq. 16.

    >>> kernel = lecun(jax.random.key(0), (100, 50))
    >>> kernel.shape, round(float(kernel.std()), 2)
    ((100, 50), 0.1)
    """
    return math.sqrt(1 / _fans(shape)[0]) * jax.random.normal(key, shape, dtype)


def orthogonal(
    key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32
) -> jax.Array:
    """A random rotation: keeps the lengths of activations, or of gradients where there are more outputs.

    Args:
        key: PRNG key.
        shape: of the kernel, `[..., in, out]`, seen as `[fan_in, out]`.
        dtype: floating type of the result.

    Returns:
        Array of `shape`; its columns, or where these are more than the rows its rows, are orthonormal.

    Raises:
        ValueError: if `shape` has fewer than two axes.

    Reference: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks", ICLR 2014, section 3.

    >>> kernel = orthogonal(jax.random.key(0), (8, 3))
    >>> (kernel.T @ kernel).round(3).diagonal().tolist()
    [1.0, 1.0, 1.0]
    """
    rows, columns = _fans(shape)[0], shape[-1]
    drawn = jax.random.normal(key, (max(rows, columns), min(rows, columns)), jnp.float32)
    q, r = jnp.linalg.qr(drawn)
    # Without these signs the rotations would not be evenly spread (Mezzadri 2007, section 5).
    q = q * jnp.where(jnp.diagonal(r) < 0, -1.0, 1.0)[None, :]
    return (q if rows >= columns else q.T).reshape(shape).astype(dtype)


def uniform(key: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32) -> jax.Array:
    """Uniform of a size that hangs on the units alone, as word vectors begin.

    `U(-1 / 2 n, 1 / 2 n)` with `n` units (the size of a word vector).

    Args:
        key: PRNG key.
        shape: of the kernel, `[..., in, out]`.
        dtype: floating type of the result.

    Returns:
        Array of `shape`.

    Reference: Mikolov et al., "Distributed representations of words and phrases and their compositionality",
    NeurIPS 2013: the authors' program, `word2vec.c`.

    >>> kernel = uniform(jax.random.key(0), (100, 50))
    >>> kernel.shape, bool(abs(kernel).max() <= 0.01)
    ((100, 50), True)
    """
    bound = 0.5 / shape[-1]
    return jax.random.uniform(key, shape, dtype, -bound, bound)


@functools.cache
def uniform_of(bound: float) -> base.Initializer:
    """An initializer that draws uniformly from `[-bound, bound]`, whatever the layer's width.

    Args:
        bound: above 0.

    Returns:
        `(key, shape, dtype) -> array`; the same object for the same bound.

    Raises:
        ValueError: a bound that is not above 0.

    >>> kernel = uniform_of(0.05)(jax.random.key(0), (100, 50))
    >>> kernel.shape, round(float(abs(kernel).max()), 2)
    ((100, 50), 0.05)
    """
    _check_size('bound', bound)

    def draw(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    draw.__name__ = f'uniform up to {bound:g}'
    return draw


@functools.cache
def normal_of(deviation: float) -> base.Initializer:
    """An initializer that draws from `N(0, deviation^2)`, whatever the layer's width.

    Args:
        deviation: standard deviation, above 0.

    Returns:
        `(key, shape, dtype) -> array`; the same object for the same deviation.

    Raises:
        ValueError: a deviation that is not above 0.

    >>> kernel = normal_of(0.1)(jax.random.key(0), (100, 50))
    >>> kernel.shape, round(float(kernel.std()), 1)
    ((100, 50), 0.1)
    """
    _check_size('deviation', deviation)

    def draw(key, shape, dtype=jnp.float32):
        return deviation * jax.random.normal(key, shape, dtype)

    draw.__name__ = f'normal, s.d. {deviation:g}'
    return draw


def _check_size(name, value):
    if not value > 0:
        raise ValueError(f'{name}={value!r} leaves all weights at 0: give a number above 0')
