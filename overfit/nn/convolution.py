"""Convolution in the form that trains many small nets fastest on the machine at hand."""

import functools
import math

import chex
import jax
import jax.numpy as jnp
from jax import custom_batching

_LAYOUT = ('NHWC', 'HWIO', 'NHWC')
_CACHE = 2**21  # bytes; a gradient by the kernel is a third slower where the outputs' slopes take more


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Correlates images with a kernel, stride 1, zeros beyond the border, so that their size stays.

    `out[b, i, j, o] = sum x[b, i + m - (h - 1) // 2, j + n - (w - 1) // 2, c] kernel[m, n, c, o]`.

    `vmap` over images *and* kernels (a population) would make a grouped convolution of it, 10 to 25 times
    slower on a CPU than one after another, and XLA's own gradients there are 10 to 60 times slower than the
    forward pass. So on a CPU nets go one after another, and both gradients are written as plain
    convolutions. Elsewhere it is one matrix product with all neighbourhoods (`windows`).

    Args:
        x: `[B, H, W, C]` floats.
        kernel: `[h, w, C, O]`, of the type of `x`; an even side reaches one pixel further down or right.

    Returns:
        `[B, H, W, O]`. On a CPU, differentiable in reverse mode only.

    >>> convolve(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1)))[0, :, :, 0].tolist()
    [[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]]
    """
    chex.assert_rank([x, kernel], 4)
    chex.assert_type([x, kernel], float)
    chex.assert_trees_all_equal_dtypes(x, kernel)
    if jax.default_backend() == 'cpu':
        return _direct(x, kernel, kernel.shape[:2])
    return windows(x, *kernel.shape[:2]) @ kernel.reshape(-1, kernel.shape[-1])


def convolve_1d(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Correlates sequences with a kernel, stride 1, zeros beyond the ends, so that their length stays.

    `out[b, i, o] = sum x[b, i + n - (w - 1) // 2, c] kernel[n, c, o]`.

    It is `convolve` on images of one row: for 8 nets under `vmap` on a CPU, with gradients, 1.3 to 2 times as
    fast as XLA's own.

    Args:
        x: `[B, L, C]` floats.
        kernel: `[w, C, O]`, of the type of `x`; an even width reaches one place further to the right.

    Returns:
        `[B, L, O]`. On a CPU, differentiable in reverse mode only.

    >>> convolve_1d(jnp.array([[[1.0], [2.0], [4.0]]]), jnp.ones((3, 1, 1))).ravel().tolist()
    [3.0, 7.0, 6.0]
    """
    chex.assert_rank([x, kernel], 3)
    return convolve(x[:, None], kernel[None])[:, 0]


def windows(x: jax.Array, height: int, width: int) -> jax.Array:
    """Gathers the neighbourhood of every pixel, zeros beyond the border ("im2col").

    Args:
        x: `[B, H, W, C]`.
        height: of the neighbourhood, pixels; an even one reaches one pixel further down.
        width: likewise; an even one reaches one pixel further to the right.

    Returns:
        `[B, H, W, height * width * C]`, in the order of a kernel `[height, width, C, out]`.

    >>> windows(jnp.array([[[[1.0], [2.0], [3.0]]]]), 1, 3)[0, 0].tolist()
    [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 0.0]]
    """
    chex.assert_rank(x, 4)
    rows, columns = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), *_around((height, width)), (0, 0)))
    shifts = [(i, j) for i in range(height) for j in range(width)]
    return jnp.concatenate([padded[:, i : i + rows, j : j + columns] for i, j in shifts], axis=-1)


def _around(size):
    """Zeros before and after each axis, for a kernel of this height and width."""
    return tuple(((side - 1) // 2, side // 2) for side in size)


def _plain(x, kernel, padding):
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=_LAYOUT)


# The convolution, and its gradients by either argument as convolutions of their own. Each of the three is
# linear in both arguments and has the other two for gradients, to any order. `size` is the kernel's height
# and width, which the gradient by the kernel cannot tell from its arguments.


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _direct(x, kernel, size):
    @custom_batching.sequential_vmap
    def one(x, kernel):
        inputs, outputs = kernel.shape[2:]
        if inputs <= 4 and outputs < 32 * inputs:  # measured: up to twice as fast there, slower elsewhere
            return windows(x, *size) @ kernel.reshape(-1, outputs)
        return _plain(x, kernel, _around(size))

    return one(x, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _by_images(slope, kernel, size):
    @custom_batching.sequential_vmap
    def one(slope, kernel):
        mirrored = tuple((after, before) for before, after in _around(size))
        return _plain(slope, kernel[::-1, ::-1].transpose(0, 1, 3, 2), mirrored)

    return one(slope, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _by_kernel(x, slope, size):
    # Channels stand in for images and images for channels: the sum over images is the convolution's own.
    def part(x, slope):
        images, filters = x.transpose(3, 1, 2, 0), slope.transpose(1, 2, 0, 3)
        return _plain(images, filters, _around(size)).transpose(1, 2, 0, 3)

    @custom_batching.sequential_vmap
    def one(x, slope):
        images = math.gcd(len(x), 8)
        if slope.size * slope.dtype.itemsize <= _CACHE or images == 1:
            return part(x, slope)
        xs, slopes = (a.reshape(-1, images, *a.shape[1:]) for a in (x, slope))
        return jax.lax.map(lambda both: part(*both), (xs, slopes)).sum(axis=0)

    return one(x, slope)


def _differentiate(function, by_first, by_second):
    def forward(first, second, size):
        return function(first, second, size), (first, second)

    def backward(size, saved, slope):
        first, second = saved
        return by_first(first, second, slope, size), by_second(first, second, slope, size)

    function.defvjp(forward, backward)


_differentiate(
    _direct, lambda x, k, g, size: _by_images(g, k, size), lambda x, k, g, size: _by_kernel(x, g, size)
)
_differentiate(
    _by_images, lambda g, k, u, size: _direct(u, k, size), lambda g, k, u, size: _by_kernel(u, g, size)
)
_differentiate(
    _by_kernel, lambda x, g, v, size: _by_images(g, v, size), lambda x, g, v, size: _direct(x, v, size)
)


@jax.custom_vjp
def max_pool(x: jax.Array) -> jax.Array:
    """The largest of every 2×2 pixels; those that tie share the gradient evenly.

    Its gradient is elementwise: three times as fast on a CPU as XLA's scatter or its sum of padded slices.

    Args:
        x: `[B, 2 H, 2 W, C]`.

    Returns:
        `[B, H, W, C]`. Differentiable in reverse mode only.

    >>> max_pool(jnp.array([[[[1.0], [2.0]], [[7.0], [4.0]]]])).ravel().tolist()
    [7.0]
    """
    return functools.reduce(jnp.maximum, _quarters(x))


def _quarters(x):
    batch, height, width, channels = x.shape
    squares = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return [squares[:, :, i, :, j] for i in range(2) for j in range(2)]


def _pool_forward(x):
    pooled = max_pool(x)
    return pooled, (x, pooled)


def _pool_backward(saved, slope):
    x, pooled = saved
    hits = [quarter == pooled for quarter in _quarters(x)]
    share = slope / sum(hit.astype(slope.dtype) for hit in hits)
    parts = [jnp.where(hit, share, 0) for hit in hits]
    return (jnp.stack([jnp.stack(parts[:2], 3), jnp.stack(parts[2:], 3)], 2).reshape(x.shape),)


max_pool.defvjp(_pool_forward, _pool_backward)
