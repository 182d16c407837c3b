"""Predicts with trained nets, side by side on every device."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from overfit import base
from overfit.train import step
from overfit.train.engine import parallel, program

WIDTH = 8  # nets abreast on a device


class Net(NamedTuple):
    """All of a trained net that predicting takes; a `population.Trained` has these too.

    Attributes:
        variables: of the model.
        loss_state: of the loss.
        inputs: statistics of its inputs.
    """

    variables: base.Variables
    loss_state: Any
    inputs: Any


@functools.lru_cache(maxsize=program.PROGRAMS)
def _predict(recipe):
    def one(net, x):
        return step.log_probabilities(net.variables, net.loss_state, net.inputs, x, recipe)

    return parallel.over_devices(jax.vmap(one, in_axes=(0, None)))


def predict(recipe: base.Recipe, nets: Sequence[Net], x: np.ndarray, *, block: int = 256) -> np.ndarray:
    """Predicts with trained nets of one recipe.

    Args:
        recipe: gives the model, how inputs are prepared, what predicts, and the views.
        nets: `Net`s, or `population.Trained` with variables.
        x: `[N, ...]` raw inputs.
        block: rows at a time; the last block is padded, so all sizes share one program.

    Returns:
        `[nets, N, classes]` float32 log-probabilities.
    """
    devices = len(jax.local_devices())
    program_of = _predict(predicting(recipe))
    rows = np.pad(x, ((0, -len(x) % block or block * (not len(x))),) + ((0, 0),) * (x.ndim - 1))
    blocks = [parallel.replicate(b, devices) for b in np.split(rows, max(1, len(rows) // block))]
    out = []
    for begin in range(0, len(nets), devices * WIDTH):
        group = [
            Net(net.variables, net.loss_state, net.inputs) for net in nets[begin : begin + devices * WIDTH]
        ]
        group += [group[-1]] * (devices * WIDTH - len(group))
        stacked = jax.tree.map(lambda *a: np.stack(a).reshape(devices, WIDTH, *np.shape(a[0])), *group)
        stacked = parallel.shard(stacked, devices)
        parts = [np.asarray(program_of(stacked, b)) for b in blocks]
        out.append(np.concatenate(parts, axis=2).reshape(devices * WIDTH, len(rows), -1)[:, : len(x)])
    return np.concatenate(out)[: len(nets)]


def predicting(recipe: base.Recipe) -> base.Recipe:
    """What of a recipe predicting depends on: recipes that train differently share the program."""
    absent = dict.fromkeys(base.Recipe._fields)
    needed = {name: getattr(recipe, name) for name in ('model', 'predict', 'prepare', 'views')}
    return base.Recipe(**absent | needed)
