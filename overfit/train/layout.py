"""Where members lie on the devices: how many side by side, how many one after another."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys


class Layout(NamedTuple):
    """How members lie on the devices: `[devices, lanes, width]`."""

    devices: int
    lanes: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return tuple(self)


@functools.cache
def forward_flops(model, shape: tuple[int, ...]) -> float:
    """Floating-point operations of one example's forward pass."""
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = jax.eval_shape(lambda x: model.init(keys.key(0), x, train=False), x)
    lowered = jax.jit(lambda v, x: model.apply(v, x, train=False).logits).lower(variables, x)
    return float(lowered.cost_analysis()['flops'])


@functools.cache
def weights_of(model, shape: tuple[int, ...]) -> int:
    """Number of weights and running statistics of a model."""
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = jax.eval_shape(lambda x: model.init(keys.key(0), x, train=False), x)
    return sum(a.size for a in jax.tree.leaves(variables))


def lanes_for(recipe: base.Recipe, examples: base.Examples) -> Layout:
    """Chooses how many members run side by side.

    On a CPU a lane is as wide as keeps about 40 MFLOP a step in it (measured: 4 to 8 members
    of an MLP 64-128-128-10, one CNN; wider ones leave the cache); on an accelerator everything runs abreast.
    All slots together stay below 1 GiB of weights on a CPU, 16 GiB on an accelerator.
    """
    shape = examples.x.shape[1:]
    weights = 4 * weights_of(recipe.model, shape)
    devices = len(jax.local_devices())
    cpu = jax.default_backend() == 'cpu'
    most = max(1, int((2**30 if cpu else 2**34) / (6 * weights * devices)))
    if not cpu:
        return Layout(devices, 1, 2 ** int(np.log2(min(most, 1024))))
    wanted = 40e6 / (3 * recipe.batch_size * forward_flops(recipe.model, shape))
    width = 2 ** int(np.log2(np.clip(wanted, 1, 8)))
    return Layout(devices, int(np.clip(most // width, 1, 8)), min(width, most))
