"""Predicts with trained members, side by side on every device."""

import functools
from collections.abc import Sequence

import jax
import numpy as np

from overfit.train import step
from overfit.train.engine import parallel, population


@functools.cache
def _predict(model):
    def one(variables, moments, x):
        return step.log_probabilities(model, variables['params'], variables['batch_stats'], moments, x)

    return parallel.over_devices(jax.vmap(one, in_axes=(0, 0, None)))


def predict(model, trained: Sequence[population.Trained], x: np.ndarray, *, block: int = 256) -> np.ndarray:
    """Predicts with trained members of one model.

    Args:
        model: of all of them.
        trained: with variables.
        x: `[N, ...]` raw inputs.
        block: rows at a time; the last block is padded, so all sizes share one program.

    Returns:
        `[members, N, classes]` float32 log-probabilities.
    """
    devices = len(jax.local_devices())
    width = 8
    rows = np.pad(x, ((0, -len(x) % block or block * (not len(x))),) + ((0, 0),) * (x.ndim - 1))
    blocks = [parallel.replicate(b, devices) for b in np.split(rows, max(1, len(rows) // block))]
    out = []
    for begin in range(0, len(trained), devices * width):
        group = list(trained[begin : begin + devices * width])
        group += [group[-1]] * (devices * width - len(group))
        stacked = jax.tree.map(
            lambda *a: np.stack(a).reshape(devices, width, *a[0].shape),
            *[(t.variables, t.moments) for t in group],
        )
        stacked = parallel.shard(stacked, devices)
        parts = [np.asarray(_predict(model)(*stacked, b)) for b in blocks]
        out.append(np.concatenate(parts, axis=2).reshape(devices * width, len(rows), -1)[:, : len(x)])
    return np.concatenate(out)[: len(trained)]
