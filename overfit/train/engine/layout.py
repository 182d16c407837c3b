"""Where members lie on the devices: how many side by side."""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.train import start, step

MANY = 10_000  # members: so many that their number does not shape the layout
# One computes while the host looks after the other: 1.15 times the steps of a single lane (64 members of an
# MLP 64-64-64-10, two CPU devices).
LANES = 2
REUSE = 4  # multiplications by each weight above which a model counts as convolutional


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


@functools.lru_cache(maxsize=1024)
def forward_flops(model: nn.Module, example: jax.ShapeDtypeStruct) -> float:
    """Floating-point operations of one example's forward pass.

    Args:
        model: a linen module.
        example: shape and type of prepared inputs, `[1, ...]`.
    """
    variables = start.shapes_of(model, example)[1]
    lowered = jax.jit(lambda v, x: model.apply(v, x, train=False).logits).lower(variables, example)
    return float(lowered.cost_analysis().get('flops', 0.0))


def weights_of(model: nn.Module, example: jax.ShapeDtypeStruct) -> int:
    """Number of weights and running statistics of a model; arguments as of `forward_flops`."""
    return sum(a.size for a in jax.tree.leaves(start.shapes_of(model, example)[1]))


def reuses_weights(model: nn.Module, example: jax.ShapeDtypeStruct) -> bool:
    """Whether a model uses its weights at many places of an input, as convolutions do.

    A dense net multiplies by every weight once for an example, two operations each.
    """
    return forward_flops(model, example) > REUSE * 2 * max(1, weights_of(model, example))


def step_flops(recipe: base.Recipe, example: jax.ShapeDtypeStruct, numbers: Iterable[str]) -> float:
    """Floating-point operations of one training step of a net.

    A gradient takes three forward passes; of some recipes a step takes several gradients (SAM two), or its
    update multiplies matrices (Muon).

    Args:
        recipe: model, batch size, gradient and optimizer.
        example: shape and type of prepared inputs, `[1, ...]`.
        numbers: names of those that its nets have.
    """
    hyper = base.Hyper.of(**dict.fromkeys(numbers, 0.5))
    shapes = start.shapes_of(recipe.model, example)[1]['params']
    params = step.parted(shapes, recipe)[0]
    gradients = 3 * recipe.batch_size * forward_flops(recipe.model, example)
    return _gradients(recipe.gradient, hyper, params) * gradients + _update_flops(
        recipe.optimizer, hyper, params
    )


def _gradients(gradient, hyper, params):
    """How many gradients a step takes: how often the objective is asked for."""
    if gradient is None:
        return 1
    asked = []

    def objective(params):
        asked.append(params)
        return sum((jnp.sum(leaf) for leaf in jax.tree.leaves(params)), jnp.zeros(())), ()

    jax.eval_shape(lambda params: gradient(objective, params, hyper, None), params)
    return len(asked)


def _update_flops(optimizer, hyper, params):
    def update(rate, gradients, state, params):
        return optimizer(hyper, rate).update(gradients, state, params)

    state = jax.eval_shape(optimizer(hyper, 0.5).init, params)
    rate = jax.ShapeDtypeStruct((), jnp.float32)
    lowered = jax.jit(update).lower(rate, params, state, params)
    return float(lowered.cost_analysis().get('flops', 0.0))


def example_of(recipe: base.Recipe, examples: base.Examples) -> jax.ShapeDtypeStruct:
    """Shape and type of one prepared input, `[1, ...]`."""
    inputs = examples.kind.measure(examples.x[:1])
    return step.example_of(examples.x, inputs, recipe)


def choose(recipe: base.Recipe, examples: base.Examples, *, members: int = MANY) -> Layout:
    """Chooses how many members run side by side.

    On a CPU a lane is as wide as keeps about 40 MFLOP a step in it (measured: 4 to 8 members
    of an MLP 64-128-128-10; wider ones leave the cache), but at least 2, which XLA multiplies up to twice
    as fast as one; nets that convolve large images one at a time, as their products fill the cores alone.
    On an accelerator everything runs abreast.
    A lane is never wider than the power of two that holds a device's share of the members.
    All slots together stay below 1 GiB of weights on a CPU, 16 GiB on an accelerator.

    Args:
        recipe: model and batch size.
        examples: for the shape of an input, and its kind.
        members: to train.
    """
    example = example_of(recipe, examples)
    weights = 4 * weights_of(recipe.model, example)
    devices = len(jax.local_devices())
    cpu = jax.default_backend() == 'cpu'
    most = max(1, int((2**30 if cpu else 2**34) / (6 * weights * devices)))  # slots of a device
    needed = 2 ** int(np.ceil(np.log2(max(1, members / devices))))
    if not cpu:
        return Layout(devices, 1, min(2 ** int(np.log2(min(most, 1024))), needed))
    flops = 3 * recipe.batch_size * forward_flops(recipe.model, example)
    alone = flops > 0.5e9 and reuses_weights(recipe.model, example)
    width = 1 if alone else 2 ** int(np.log2(np.clip(40e6 / max(flops, 1.0), 2, 8)))
    width = min(width, needed, most)
    return Layout(devices, max(1, min(LANES, most // width)), width)
