"""Where members lie on the devices: how many side by side."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.train import step

MANY = 10_000  # members: so many that their number does not shape the layout
LANES = 2  # one computes while the host looks after the other


class Layout(NamedTuple):
    """How members lie on the devices; the others wait for a free slot.

    Attributes:
        devices: in use.
        lanes: that take turns.
        width: members of a lane on each device.
    """

    devices: int
    lanes: int
    width: int


@functools.cache
def forward_flops(model, shape: tuple[int, ...]) -> float:
    """Floating-point operations of one example's forward pass."""
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = step.shapes_of(model, shape)[1]
    lowered = jax.jit(lambda v, x: model.apply(v, x, train=False).logits).lower(variables, x)
    return float(lowered.cost_analysis()['flops'])


def weights_of(model, shape: tuple[int, ...]) -> int:
    """Number of weights and running statistics of a model."""
    return sum(a.size for a in jax.tree.leaves(step.shapes_of(model, shape)[1]))


def choose(recipe: base.Recipe, examples: base.Examples, members: int = MANY) -> Layout:
    """Chooses how many members run side by side.

    On a CPU a lane is as wide as keeps about 40 MFLOP a step in it (measured: 4 to 8 members
    of an MLP 64-128-128-10; wider ones leave the cache), but at least 2, which XLA multiplies up to twice
    as fast as one; large images one at a time. On an accelerator everything runs abreast.
    A lane is never wider than the power of two that holds a device's share of the members.
    All slots together stay below 1 GiB of weights on a CPU, 16 GiB on an accelerator.

    Args:
        recipe: model and batch size.
        examples: for the shape of an input.
        members: to train.
    """
    shape = examples.x.shape[1:]
    weights = 4 * weights_of(recipe.model, shape)
    devices = len(jax.local_devices())
    cpu = jax.default_backend() == 'cpu'
    most = max(1, int((2**30 if cpu else 2**34) / (6 * weights * devices)))  # slots of a device
    needed = 2 ** int(np.ceil(np.log2(max(1, members / devices))))
    if not cpu:
        return Layout(devices, 1, min(2 ** int(np.log2(min(most, 1024))), needed))
    flops = 3 * recipe.batch_size * forward_flops(recipe.model, shape)
    alone = hasattr(recipe.model, 'channels') and flops > 0.5e9
    width = 1 if alone else 2 ** int(np.log2(np.clip(40e6 / flops, 2, 8)))
    width = min(width, needed, most)
    return Layout(devices, max(1, min(LANES, most // width)), width)
