"""One train step for one member; `jit`, `vmap` and `pmap` make everything else of it."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax

from overfit import base
from overfit.objectives import losses, penalties
from overfit.train import schedules

# Folded into a member's key where the number of a step would stand, so that no draw is used twice.
INIT, ORDER = 0xFFFFFFFF, 0xFFFFFFFE


class Metrics(NamedTuple):
    """Means over the batch of one step.

    Attributes:
        loss: scalar, the objective with its penalties.
        error: scalar, fraction of the batch that is misclassified (as augmented, with dropout).
    """

    loss: base.Array
    error: base.Array


def standardise(x: base.Array, moments: base.Moments) -> base.Array:
    """Returns `(x - mean) / scale` in float32.

    Args:
        x: `[B, ..., C]`, any numeric type.
        moments: `[C]` each.
    """
    shape = (1,) * (x.ndim - 1) + (-1,)
    return (x.astype(jnp.float32) - moments.mean.reshape(shape)) / moments.scale.reshape(shape)


def moments_of(x: np.ndarray, kind: str) -> base.Moments:
    """Measures the standardisation of training inputs.

    Args:
        x: `[N, ..., C]`, the training examples only.
        kind: `'image'`: a mean for each channel, one scale for all, the border's median as fill;
            `'vector'`: a mean and a scale for each column.

    Returns:
        Moments, `[C]` float32 each; what varies less than float32 can tell apart gets scale 1.
    """
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes, dtype=np.float64)
    if kind == 'image':
        scale = np.full_like(mean, np.sqrt(np.square(x - mean).mean()))
        border = [x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]]
        fill = np.median(np.concatenate([b.reshape(-1, x.shape[-1]) for b in border]), axis=0)
    else:
        scale, fill = x.std(axes, dtype=np.float64), mean
    scale = np.where(scale > 8 * np.finfo(np.float32).eps * np.abs(mean), scale, 1.0)
    return base.Moments(*(np.asarray(a, np.float32) for a in (mean, scale, fill)))


def init_state(
    key: jax.Array,
    recipe: base.Recipe,
    hyper: base.Hyper,
    moments: base.Moments,
    shape: tuple[int, ...],
    kernels: Sequence[base.Array] | None = None,
) -> base.State:
    """Makes the initial state of a member.

    Args:
        key: PRNG key of the member.
        recipe: gives the model, and the initializer of every kernel (biases are 0, scales 1).
        hyper: `init_log2_scale` multiplies the kernels; the rest shapes the optimizer's state.
        moments: standardisation of the inputs.
        shape: of one input, without the batch.
        kernels: from `draw_kernels`, where they are drawn already; then the initializer is not called, and
            `init_log2_scale` not looked at.

    Returns:
        State at step 0.
    """
    outputs, variables = shapes_of(recipe.model, tuple(shape))
    if kernels is None:
        numbers, wanted = kernels_of(recipe.model, tuple(shape))
        log2_scale = 0.0 if hyper.init_log2_scale is None else hyper.init_log2_scale
        kernels = draw_kernels(key, recipe.initializer, numbers, wanted, log2_scale)
    remaining = iter(kernels)
    params = jax.tree_util.tree_map_with_path(
        lambda path, leaf: next(remaining) if _name(path) == 'kernel' else _filled(path, leaf, 'scale'),
        variables['params'],
    )
    return base.State(
        step=jnp.int32(0),
        key=key,
        params=params,
        batch_stats=jax.tree_util.tree_map_with_path(
            lambda path, leaf: _filled(path, leaf, 'var'), variables.get('batch_stats', {})
        ),
        opt_state=recipe.optimizer(hyper, 0.0).init(params),
        loss_state=recipe.loss.init(outputs.logits.shape[-1], outputs.features.shape[-1]),
        moments=moments,
    )


@functools.cache
def shapes_of(model, shape: tuple[int, ...]) -> tuple[base.Outputs, base.Params]:
    """What a model gives and holds, without computing it.

    Args:
        model: a linen module, hashable.
        shape: of one input.

    Returns:
        Outputs for one input, and variables: trees of `jax.ShapeDtypeStruct`.
    """
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    return jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x, train=False), x)


def kernels_of(model, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[jax.ShapeDtypeStruct, ...]]:
    """The kernels of a model: their numbers among all its weights, and their shapes and types."""
    leaves = jax.tree_util.tree_leaves_with_path(shapes_of(model, shape)[1]['params'])
    found = {number: leaf for number, (path, leaf) in enumerate(leaves) if _name(path) == 'kernel'}
    return tuple(found), tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in found.values())


def draw_kernels(
    key: jax.Array,
    initializer: base.Initializer,
    numbers: Sequence[int],
    wanted: Sequence[jax.ShapeDtypeStruct],
    log2_scale: base.Number = 0.0,
) -> list[base.Array]:
    """Draws the kernels of a member.

    Args:
        key: PRNG key of the member.
        initializer: of every kernel.
        numbers: what tells the draws of a member apart, whole numbers, traced or not; see `kernels_of`.
        wanted: shapes and types of the kernels, likewise.
        log2_scale: they are multiplied by 2 to this power.

    Returns:
        The kernels.
    """
    own, scale = jax.random.fold_in(key, INIT), jnp.exp2(log2_scale)
    return [
        initializer(jax.random.fold_in(own, number), kernel.shape, kernel.dtype) * scale.astype(kernel.dtype)
        for number, kernel in zip(numbers, wanted, strict=True)
    ]


def _name(path):
    return path[-1].key


def _filled(path, leaf, ones):
    return jnp.full(leaf.shape, float(_name(path) == ones), leaf.dtype)


def train_step(
    state: base.State,
    batch: base.Batch,
    hyper: base.Hyper,
    recipe: base.Recipe,
    axis_name: str | None = None,
) -> tuple[base.State, Metrics]:
    """Trains one member on one batch.

    Augments, standardises, takes the gradient of `loss + l1 * sum|w| + l2 * sum w^2 / 2`, lets the
    optimizer step at the scheduled rate, and projects onto the max-norm ball. Random numbers come from
    `fold_in(state.key, state.step)` alone, so any step can be replayed.

    Args:
        state: of the member.
        batch: `[B, ...]` raw inputs and labels.
        hyper: numbers, traced or not; `None` is absent.
        recipe: what shapes the program (static).
        axis_name: mapped axis over which one large batch is sharded; gradients, batch statistics and
            centers then are those of the whole batch (shards of equal size).

    Returns:
        The next state, and the metrics of this step.
    """
    chex.assert_rank(batch.y, 1)
    chex.assert_equal_shape_prefix([batch.x, batch.y], 1)
    key = jax.random.fold_in(state.key, state.step)
    if axis_name is not None:
        key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))
    x = batch.x.astype(jnp.float32)
    for number, augment in enumerate(recipe.augment):
        x = augment(jax.random.fold_in(key, number + 1), x, hyper, state.moments)
    x = standardise(x, state.moments)
    model = recipe.model if axis_name is None else recipe.model.clone(axis_name=axis_name)

    def objective(params):
        outputs, updates = model.apply(
            {'params': params, 'batch_stats': state.batch_stats},
            x,
            train=True,
            dropout=hyper.dropout,
            input_dropout=hyper.input_dropout,
            rngs={'dropout': key},
            mutable=['batch_stats'],
        )
        loss, loss_state = recipe.loss.apply(state.loss_state, outputs, batch, hyper, axis_name)
        if hyper.l1 is not None:
            loss = loss + hyper.l1 * penalties.l1(params)
        if hyper.l2 is not None:
            loss = loss + hyper.l2 * penalties.l2(params)
        return loss, (outputs.logits, updates.get('batch_stats', {}), loss_state)

    (loss, (logits, batch_stats, loss_state)), gradient = jax.value_and_grad(objective, has_aux=True)(
        state.params
    )
    metrics = Metrics(loss, error_rate(logits, batch, axis_name))
    if axis_name is not None:
        gradient, metrics = jax.lax.pmean((gradient, metrics), axis_name)
    steps = 1.0 if hyper.steps is None else jnp.maximum(hyper.steps, 1.0)
    progress = jnp.minimum((state.step + 1) / steps, 1.0)
    rate = 0.0 if hyper.learning_rate is None else hyper.learning_rate
    rate = rate * schedules.multiplier(progress, hyper)
    transformation = recipe.optimizer(hyper, rate)
    updates, opt_state = transformation.update(gradient, state.opt_state, state.params)
    params = penalties.max_norm(optax.apply_updates(state.params, updates), hyper.max_norm)
    return state._replace(
        step=state.step + 1,
        params=params,
        batch_stats=batch_stats,
        opt_state=opt_state,
        loss_state=loss_state,
    ), metrics


def error_rate(logits: base.Array, batch: base.Batch, axis_name: str | None = None) -> base.Array:
    """Fraction of a batch whose largest logit is not the label's; of a shard as `losses.batch_mean`."""
    return losses.batch_mean((logits.argmax(-1) != batch.y).astype(jnp.float32), batch.weight, axis_name)


def log_probabilities(model, params, batch_stats, moments: base.Moments, x: base.Array) -> base.Array:
    """Returns `[B, classes]` log-probabilities of raw inputs, without dropout or augmentation."""
    variables = {'params': params, 'batch_stats': batch_stats}
    return jax.nn.log_softmax(model.apply(variables, standardise(x, moments), train=False).logits)
