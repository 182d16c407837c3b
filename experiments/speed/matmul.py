"""The fastest float32 matrix product of this machine, which shares of the peak are taken of."""

import os
import time

import numpy as np

from experiments.speed import processes

SIDES, SIDES_GPU, REPEATS = (1024, 2048), (1024, 2048, 8192), 15


class Peak:
    """Measures the peak anew whenever it is called, in processes of its own.

    Args:
        gpu: whether there is one.
        torch: whether PyTorch may be the faster library.

    Attributes:
        history: GFLOP/s of every call so far.
    """

    def __init__(self, gpu: bool, torch: bool):
        self.history: list[float] = []
        self._gpu, self._processes = gpu, {jax_gflops: processes.Process()}
        if torch:
            self._processes[torch_gflops] = processes.Process()

    def __call__(self) -> float:
        """GFLOP/s now, of the faster library."""
        rates = [process.call(library, self._gpu) for library, process in self._processes.items()]
        self.history.append(max(rates))
        return self.history[-1]

    def close(self) -> None:
        """Ends the processes."""
        for process in self._processes.values():
            process.close()


def jax_gflops(gpu: bool) -> float:
    """GFLOP/s of JAX, on all cores or the GPU."""
    os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')  # columns need the memory
    import jax

    multiply = jax.jit(lambda a, b: a @ b)
    return _best(
        SIDES_GPU if gpu else SIDES, jax.numpy.asarray, lambda a, b: multiply(a, b).block_until_ready()
    )


def torch_gflops(gpu: bool) -> float:
    """GFLOP/s of PyTorch, on all cores or the GPU."""
    import torch

    def multiply(a, b):
        torch.matmul(a, b)
        if gpu:
            torch.cuda.synchronize()

    torch.set_float32_matmul_precision('high' if gpu else 'highest')
    device = 'cuda' if gpu else 'cpu'
    return _best(SIDES_GPU if gpu else SIDES, lambda a: torch.from_numpy(a).to(device), multiply)


def _best(sides, place, multiply):
    """GFLOP/s at the best of some sides, median over `REPEATS` products."""
    rates = []
    for side in sides:
        a, b = (place(a) for a in np.random.default_rng(0).normal(size=(2, side, side)).astype(np.float32))
        multiply(a, b)
        seconds = []
        for _ in range(REPEATS):
            begin = time.perf_counter()
            multiply(a, b)
            seconds.append(time.perf_counter() - begin)
        rates.append(2 * side**3 / 1e9 / float(np.median(seconds)))
    return max(rates)
