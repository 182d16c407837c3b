"""The compiled side of a population: what a device does with the members in its slots."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from overfit import base, keys
from overfit.objectives import losses
from overfit.train import early_stopping, parallel, step

MOST_EVALUATIONS = 32  # in one call of a program


class Job(NamedTuple):
    """A member as the device sees it: numbers and index arrays only."""

    seed: Any
    hyper: base.Hyper
    moments: base.Moments
    train: Any
    count: Any
    validation: Any
    validation_count: Any
    restore_best: Any


class Slot(NamedTuple):
    """What a running member carries from evaluation to evaluation."""

    state: base.State
    stopping: early_stopping.Stopping


class Record(NamedTuple):
    """One evaluation of a member; `[..., 8]` float32 on the device.

    Attributes:
        step: training steps done.
        train_loss: mean objective since the last evaluation.
        train_error: likewise, fraction of the examples as they were trained on.
        loss: validation cross-entropy, nats.
        error: validation error, a fraction.
        best_step: step of the weights kept so far; -1: the initial ones.
        finite: whether losses and predictions were.
        stopped: whether patience ran out, or it is not finite.
    """

    step: Any
    train_loss: Any
    train_error: Any
    loss: Any
    error: Any
    best_step: Any
    finite: Any
    stopped: Any


def start(recipe: base.Recipe, shape: tuple[int, ...]):
    """Program: jobs `[devices, width, ...]` -> the slots in which they begin."""
    return _start(recipe._replace(augment=(), batch_size=0), shape)


@functools.cache
def _start(recipe, shape):
    def one(job):
        state = step.init_state(keys.key(job.seed), recipe, job.hyper, None, shape)
        return Slot(state._replace(key=None), early_stopping.init(_variables(state)))

    return parallel.over_devices(jax.vmap(one))


@functools.cache
def advance(recipe: base.Recipe, shape: tuple[int, ...], eval_every: int):
    """Program: slots and their jobs, evaluations `[devices]`, x, y -> slots, records.

    Every slot does `eval_every` steps and is evaluated, `evaluations` times (at most
    `MOST_EVALUATIONS`), without coming back to the host. Records are `[devices, MOST_EVALUATIONS, width, 8]`.
    """

    def draw(key, job, at, x, y):
        position = at.astype(jnp.uint32) * recipe.batch_size + jnp.arange(recipe.batch_size, dtype=jnp.uint32)
        order = jax.random.fold_in(key, step.ORDER)
        epochs = jax.vmap(lambda epoch: jax.random.fold_in(order, epoch))(position // job.count)
        rows = job.train[keys.shuffled(epochs, position % job.count, job.count)]
        return base.Batch(x[rows], y[rows])

    def train_and_evaluate(slot, job, x, y):
        key = keys.key(job.seed)

        def one_step(_, carry):
            state, sums = carry
            state, metrics = step.train_step(state, draw(key, job, state.step, x, y), job.hyper, recipe)
            return state, jax.tree.map(jnp.add, sums, metrics)

        state = slot.state._replace(key=key, moments=job.moments)
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
        # Predictions of padding count too: they tell of lost weights where nothing is held out.
        finite = jnp.isfinite(sums.loss) & jnp.isfinite(logits).all()
        by_validation = job.restore_best & (job.validation_count > 0)
        score = jnp.where(by_validation, error + 1e-3 * loss, -state.step.astype(jnp.float32))
        stopping = early_stopping.update(
            slot.stopping,
            jnp.where(finite, score, jnp.nan),
            state.step,
            _variables(state),
            job.hyper.patience,
        )
        # A lost member keeps what it had, whatever becomes of it until the host looks.
        stopping = stopping._replace(stopped=stopping.stopped | ~finite)
        record = Record(
            state.step,
            sums.loss / eval_every,
            sums.error / eval_every,
            loss,
            error,
            stopping.best_step,
            finite,
            stopping.stopped,
        )
        record = jnp.stack([jnp.asarray(r, jnp.float32) for r in record])
        return Slot(state._replace(key=None, moments=None), stopping), record

    def device(slots, jobs, evaluations, x, y):
        def evaluation(number, carry):
            slots, records = carry
            slots, record = jax.vmap(train_and_evaluate, in_axes=(0, 0, None, None))(slots, jobs, x, y)
            return slots, records.at[number].set(record)

        records = jnp.zeros((MOST_EVALUATIONS, len(jobs.seed), len(Record._fields)), jnp.float32)
        return jax.lax.fori_loop(0, evaluations, evaluation, (slots, records))

    return parallel.over_devices(device, donate=(0,))


def _variables(state):
    return {'params': state.params, 'batch_stats': state.batch_stats}
