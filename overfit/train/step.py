"""One train step for one net; `jit`, `vmap` and `pmap` make everything else of it."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from overfit import base
from overfit.data import kinds
from overfit.objectives import losses, penalties
from overfit.train import schedules, start

LOSS = 0  # folded into the key of a step for the loss; augmentations have 1, 2, ...


class Metrics(NamedTuple):
    """Means over the batch of one step.

    Attributes:
        loss: scalar, the objective with its penalties.
        error: scalar, fraction of the batch that is misclassified (as augmented, with dropout; where labels
            are mixed, against the one with the larger share).
    """

    loss: base.Array
    error: base.Array


def prepared(x: base.Array, inputs: Any, recipe: base.Recipe) -> base.Array:
    """Raw inputs `[B, ...]` as the model takes them."""
    return (recipe.prepare or kinds.standardise)(x, inputs)


def init_state(
    key: jax.Array,
    x: base.Array,
    inputs: Any,
    hyper: base.Hyper,
    recipe: base.Recipe,
    *,
    variables: base.Variables | None = None,
) -> base.State:
    """Makes the initial state of a net.

    Args:
        key: PRNG key of the net.
        x: `[B, ...]` raw inputs, of which shape and type alone are used.
        inputs: statistics of the inputs, `kind.measure(x)` of the training examples.
        hyper: `init_log2_scale` multiplies the drawn kernels; the rest shapes the optimizer's state.
        recipe: gives the model, its start, its loss and its optimizer.
        variables: where they are drawn already; then the start is not called.

    Returns:
        State at step 0.
    """
    example = example_of(x, inputs, recipe)
    if variables is None:
        log2_scale = jnp.float32(0.0 if hyper.init_log2_scale is None else hyper.init_log2_scale)
        known = None if recipe.start.given is None else recipe.start.given.variables
        variables = recipe.start.draw(key, recipe.model, example, log2_scale, known)
    outputs, _ = start.shapes_of(recipe.model, example)
    variables = dict(variables)
    params = variables.pop('params', {})
    trained, _ = parted(params, recipe)
    return base.State(
        step=jnp.int32(0),
        key=key,
        params=params,
        collections=variables,
        opt_state=recipe.optimizer(hyper, 0.0).init(trained),
        loss_state=recipe.loss.init(outputs.logits.shape[-1], outputs.features.shape[-1]),
        average=None if recipe.average is None else recipe.average.init(params),
        inputs=inputs,
    )


def example_of(x: base.Array, inputs: Any, recipe: base.Recipe) -> jax.ShapeDtypeStruct:
    """Shape and type of one prepared input, `[1, ...]`, from raw ones `[B, ...]`."""
    raw = jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype)
    shape = jax.eval_shape(lambda x, inputs: prepared(x, inputs, recipe), raw, inputs)
    return jax.ShapeDtypeStruct(shape.shape, shape.dtype)


def train_step(
    state: base.State,
    batch: base.Batch,
    hyper: base.Hyper,
    recipe: base.Recipe,
    axis_name: str | None = None,
) -> tuple[base.State, Metrics]:
    """Trains one net on one batch.

    Augments the batch, prepares its inputs, takes the gradient of `loss + l1 * sum|w| + l2 * sum w^2 / 2`,
    lets the optimizer step at the scheduled rate, moves weights towards 0 by `rate * l1_proximal`, and
    projects onto the max-norm ball. Random numbers come from `fold_in(state.key, state.step)` alone, so any
    step can be replayed.

    Args:
        state: of the net.
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
    for number, augment in enumerate(recipe.augment):
        batch = augment(jax.random.fold_in(key, number + 1), batch, hyper, state.inputs)
    x = prepared(batch.x, state.inputs, recipe)
    model = recipe.model if axis_name is None else _sharded(recipe.model, axis_name)
    trained, frozen = parted(state.params, recipe)

    def objective(trained):
        outputs, collections = model.apply(
            {'params': joined(trained, frozen), **state.collections},
            x,
            train=True,
            dropout=hyper.dropout,
            input_dropout=hyper.input_dropout,
            rngs={'dropout': key},
            mutable=list(state.collections),
        )
        values, loss_state = _values(recipe.loss, key, state.loss_state, outputs, batch, hyper, axis_name)
        loss = losses.batch_mean(values, batch.weight, axis_name)
        if hyper.l1 is not None:
            loss = loss + hyper.l1 * penalties.l1(trained)
        if hyper.l2 is not None:
            loss = loss + hyper.l2 * penalties.l2(trained)
        return loss, (outputs, collections, loss_state)

    (loss, (outputs, collections, loss_state)), gradient = (
        jax.value_and_grad(objective, has_aux=True)(trained)
        if recipe.gradient is None
        else recipe.gradient(objective, trained, hyper, axis_name)
    )
    scores = outputs.logits if recipe.predict is None else recipe.predict(outputs, state.loss_state)
    metrics = Metrics(loss, error_rate(scores, batch, axis_name))
    if axis_name is not None:
        gradient, metrics = jax.lax.pmean((gradient, metrics), axis_name)
    steps = 1.0 if hyper.steps is None else jnp.maximum(hyper.steps, 1.0)
    progress = jnp.minimum((state.step + 1) / steps, 1.0)
    rate = 0.0 if hyper.learning_rate is None else hyper.learning_rate
    rate = rate * schedules.multiplier(progress, hyper)
    updates, opt_state = recipe.optimizer(hyper, rate).update(gradient, state.opt_state, trained)
    trained = optax.apply_updates(trained, updates)
    if hyper.l1_proximal is not None:
        trained = penalties.soft_threshold(trained, rate * hyper.l1_proximal)
    trained = penalties.max_norm(trained, hyper.max_norm)
    params = joined(trained, frozen)
    average = state.average
    if recipe.average is not None:
        average = recipe.average.update(average, params, progress, hyper)
    return state._replace(
        step=state.step + 1,
        params=params,
        collections=_kept_if_frozen(collections, state.collections, recipe),
        opt_state=opt_state,
        loss_state=loss_state,
        average=average,
    ), metrics


def _sharded(model, axis_name):
    """A model that averages its batch statistics over shards; one without statistics has no such field."""
    fields = {field.name for field in dataclasses.fields(model)}
    return model.clone(axis_name=axis_name) if 'axis_name' in fields else model


def _values(loss, key, state, outputs, batch, hyper, axis_name):
    """One value an example and the loss's next state; where labels are mixed, so are their values."""
    key = jax.random.fold_in(key, LOSS)
    values, state_after = loss.apply(key, state, outputs, batch, hyper, axis_name)
    if batch.mixed is not None:
        other = batch._replace(y=batch.mixed.y, mixed=None)
        second, _ = loss.apply(key, state, outputs, other, hyper, axis_name)
        values = batch.mixed.share * values + (1 - batch.mixed.share) * second
    return values, state_after


def parted(params: base.Params, recipe: base.Recipe) -> tuple[base.Params, base.Params]:
    """Trained and frozen weights as two trees of the same form, `None` where the other has the leaf."""
    if recipe.trained is None:
        return params, None
    marks = _marks(params, recipe)
    return (
        jax.tree.map(lambda mark, leaf: leaf if mark else None, marks, params),
        jax.tree.map(lambda mark, leaf: None if mark else leaf, marks, params),
    )


def joined(trained: base.Params, frozen: base.Params) -> base.Params:
    """The weights that `parted` took apart."""
    if frozen is None:
        return trained
    return jax.tree.map(
        lambda a, b: b if a is None else a, trained, frozen, is_leaf=lambda leaf: leaf is None
    )


def _marks(tree, recipe):
    return jax.tree_util.tree_map_with_path(
        lambda path, _: bool(recipe.trained(tuple(str(part.key) for part in path))), tree
    )


def _kept_if_frozen(after, before, recipe):
    if recipe.trained is None:
        return dict(after)
    return {
        name: jax.tree.map(
            lambda mark, new, old: new if mark else old,
            _marks(after[name], recipe),
            after[name],
            before[name],
        )
        for name in before
    }


def error_rate(scores: base.Array, batch: base.Batch, axis_name: str | None = None) -> base.Array:
    """Fraction of a batch whose largest score is not the label's; of a shard as `losses.batch_mean`."""
    return losses.batch_mean((scores.argmax(-1) != batch.y).astype(jnp.float32), batch.weight, axis_name)


def evaluated(
    state: base.State, recipe: base.Recipe, batch_at: Callable[[base.Array], base.Batch] | None = None
) -> base.Variables:
    """The variables that are evaluated, kept and saved: the trained ones, or their average.

    Args:
        state: of the net.
        recipe: with `average`, or without.
        batch_at: training batch of a step, for an average that measures batch statistics anew: they move,
            as in training, over the next `average.refresh` batches, not augmented.

    Returns:
        Variables of the model, all collections.
    """
    average = recipe.average
    if average is None:
        return {'params': state.params, **state.collections}
    params = average.weights(state.average, state.params)

    def refreshed(number, collections):
        x = prepared(batch_at(state.step + number).x, state.inputs, recipe)
        variables = {'params': params, **collections}
        key = jax.random.fold_in(state.key, state.step + number)
        _, moved = recipe.model.apply(
            variables, x, train=True, rngs={'dropout': key}, mutable=list(collections)
        )
        return _kept_if_frozen(moved, collections, recipe)

    collections = dict(state.collections)
    if average.refresh and batch_at is not None and collections:
        collections = jax.lax.fori_loop(0, average.refresh, refreshed, collections)
    return {'params': params, **collections}


def log_probabilities(
    variables: base.Variables, loss_state: Any, inputs: Any, x: base.Array, recipe: base.Recipe
) -> base.Array:
    """Returns `[B, classes]` log-probabilities of raw inputs, without dropout or augmentation.

    With `recipe.views` they are of the mean of the probabilities over the views of each input.

    Args:
        variables: from `evaluated`.
        loss_state: of the same state; some recipes predict with it.
        inputs: statistics of the inputs.
        x: `[B, ...]` raw inputs.
        recipe: gives the model, what predicts, and the views.
    """

    def of_one_view(x):
        outputs = recipe.model.apply(variables, prepared(x, inputs, recipe), train=False)
        if recipe.predict is None:
            return jax.nn.log_softmax(outputs.logits)
        return recipe.predict(outputs, loss_state)

    if recipe.views is None:
        return of_one_view(x)
    views = recipe.views(x, inputs)
    # One after another: side by side, convolutions of many nets would need the memory of all views at once.
    return jax.nn.logsumexp(jax.lax.map(of_one_view, views), axis=0) - jnp.log(len(views))
