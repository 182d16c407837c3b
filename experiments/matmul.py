"""The fastest float32 matrix product of this machine, which shares of the peak are taken of."""

import time

import numpy as np

SIDES, SIDES_GPU, REPEATS = (1024, 2048), (1024, 2048, 8192), 15


def jax_gflops() -> float:
    """With JAX, on all cores or the GPU."""
    import jax

    multiply = jax.jit(lambda a, b: a @ b)
    sides = SIDES if jax.default_backend() == 'cpu' else SIDES_GPU
    return _best(sides, jax.numpy.asarray, lambda a, b: multiply(a, b).block_until_ready())


def torch_gflops(gpu: bool) -> float:
    """With PyTorch, likewise."""
    import torch

    def product(a, b):
        torch.matmul(a, b)
        if gpu:
            torch.cuda.synchronize()

    torch.set_float32_matmul_precision('high' if gpu else 'highest')
    to = 'cuda' if gpu else 'cpu'
    return _best(SIDES_GPU if gpu else SIDES, lambda a: torch.from_numpy(a).to(to), product)


def _best(sides, place, multiply):
    found = []
    for side in sides:
        a, b = (place(a) for a in np.random.default_rng(0).normal(size=(2, side, side)).astype(np.float32))
        multiply(a, b)
        seconds = []
        for _ in range(REPEATS):
            begin = time.perf_counter()
            multiply(a, b)
            seconds.append(time.perf_counter() - begin)
        found.append(2 * side**3 / 1e9 / float(np.median(seconds)))
    return max(found)
