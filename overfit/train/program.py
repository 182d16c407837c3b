"""The compiled side of a population: what a device does with the members in its slots."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys
from overfit.objectives import losses
from overfit.train import early_stopping, parallel, step


class Job(NamedTuple):
    """A member as the device sees it: numbers and index arrays only."""

    key: Any
    hyper: base.Hyper
    moments: base.Moments
    train: Any
    count: Any
    validation: Any
    validation_count: Any
    restore_best: Any


class Slot(NamedTuple):
    """What a running member carries from chunk to chunk."""

    state: base.State
    stopping: early_stopping.Stopping


def _all_finite(tree):
    return functools.reduce(jnp.logical_and, [jnp.isfinite(a).all() for a in jax.tree.leaves(tree)])


@functools.cache
def initial(model, initializer, shape):
    """Program: jobs -> initial variables of each."""
    recipe = base.Recipe(model, None, None, initializer)

    def one(key, hyper):
        return step.init_variables(key, recipe, hyper, shape)[1:]

    return parallel.over_devices(jax.vmap(jax.vmap(one)))


@functools.cache
def chunk(recipe, shape, eval_every):
    """Program: advances every active slot by `eval_every` steps and evaluates it."""

    def fresh_slot(job, params, batch_stats):
        x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        variables = {'params': params, 'batch_stats': batch_stats}
        outputs = jax.eval_shape(lambda x: recipe.model.apply(variables, x, train=False), x)
        state = step.start(None, recipe, job.hyper, None, params, batch_stats, outputs)
        return Slot(state, early_stopping.init({'params': params, 'batch_stats': batch_stats}))

    def draw(job, at, x, y):
        position = at.astype(jnp.uint32) * recipe.batch_size + jnp.arange(recipe.batch_size, dtype=jnp.uint32)
        order = jax.random.fold_in(job.key, step.ORDER)
        epochs = jax.vmap(lambda epoch: jax.random.fold_in(order, epoch))(position // job.count)
        rows = job.train[keys.shuffled(epochs, position % job.count, job.count)]
        return base.Batch(x[rows], y[rows])

    def advance(slot, job, x, y):
        def one_step(_, carry):
            state, sums = carry
            state, metrics = step.train_step(state, draw(job, state.step, x, y), job.hyper, recipe)
            return state, jax.tree.map(jnp.add, sums, metrics)

        state = slot.state._replace(key=job.key, moments=job.moments)
        sums = step.Metrics(jnp.float32(0), jnp.float32(0))
        state, sums = jax.lax.fori_loop(0, eval_every, one_step, (state, sums))
        held = base.Batch(
            x[job.validation],
            y[job.validation],
            (jnp.arange(len(job.validation)) < job.validation_count).astype(jnp.float32),
        )
        logits = step.log_probabilities(recipe.model, state.params, state.batch_stats, job.moments, held.x)
        error = step.error_rate(logits, held)
        loss = losses.batch_mean(losses.cross_entropy(logits, held.y), held.weight)
        finite = jnp.isfinite(sums.loss) & _all_finite(state.params)
        by_validation = job.restore_best & (job.validation_count > 0)
        score = jnp.where(by_validation, error + 1e-3 * loss, -state.step.astype(jnp.float32))
        variables = {'params': state.params, 'batch_stats': state.batch_stats}
        stopping = early_stopping.update(
            slot.stopping, jnp.where(finite, score, jnp.nan), state.step, variables, job.hyper.patience
        )
        record = (
            state.step,
            sums.loss / eval_every,
            sums.error / eval_every,
            loss,
            error,
            stopping.best_step,
        )
        record = jnp.stack([jnp.asarray(r, jnp.float32) for r in (*record, finite, stopping.stopped)])
        return Slot(state._replace(key=None, moments=None), stopping), record

    def lane(arguments, x, y):
        slots, jobs, fresh, active, variables = arguments

        def run(slots):
            new = jax.vmap(fresh_slot)(jobs, *variables)
            slots = jax.tree.map(
                lambda n, old: jnp.where(fresh.reshape((-1,) + (1,) * (n.ndim - 1)), n, old), new, slots
            )
            return jax.vmap(advance, in_axes=(0, 0, None, None))(slots, jobs, x, y)

        def skip(slots):
            return slots, jnp.zeros((len(active), 8), jnp.float32)

        return jax.lax.cond(active.any(), run, skip, slots)

    def device(slots, jobs, fresh, active, variables, x, y):
        return jax.lax.map(lambda a: lane(a, x, y), (slots, jobs, fresh, active, variables))

    return parallel.over_devices(device, donate=(0,)), fresh_slot


def blank(fresh_slot, jobs, variables, where):
    """Empty slots of the right shapes."""
    one = jax.eval_shape(
        lambda jobs, variables: jax.vmap(jax.vmap(jax.vmap(fresh_slot)))(jobs, *variables), jobs, variables
    )
    return parallel.shard(jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), one), where.devices)
