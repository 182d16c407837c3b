"""The compiled side of a population: what a device does with the members in its slots."""

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys
from overfit.objectives import losses
from overfit.train import early_stopping, step
from overfit.train.engine import parallel

MOST_EVALUATIONS = 32  # in one call of a program


class Job(NamedTuple):
    """A member as the device sees it: numbers and index arrays of four bytes only."""

    seed: Any
    hyper: base.Hyper
    moments: base.Moments
    train: Any
    count: Any
    validation: Any
    validation_count: Any
    restore_best: Any
    limit: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Packed:
    """Jobs as one array, which a device is shown in one go.

    Attributes:
        words: `[..., n]` uint32.
        form: what they mean: the tree, and shape and type of every leaf of a single job.
    """

    words: Any
    form: tuple = dataclasses.field(metadata={'static': True})


def pack(jobs: Job) -> Packed:
    """Packs jobs, arrays `[members, ...]` on the host."""
    leaves, tree = jax.tree.flatten(jobs)
    assert all(a.itemsize == 4 for a in leaves)
    words = [np.ascontiguousarray(a).reshape(len(a), -1).view(np.uint32) for a in leaves]
    return Packed(np.concatenate(words, axis=1), (tree, tuple((a.shape[1:], a.dtype) for a in leaves)))


def unpack(packed: Packed) -> Job:
    """The job of a single member, `packed.words` being `[n]`."""
    tree, leaves = packed.form
    values, begin = [], 0
    for shape, dtype in leaves:
        end = begin + math.prod(shape)
        values.append(jax.lax.bitcast_convert_type(packed.words[begin:end], dtype).reshape(shape))
        begin = end
    return jax.tree.unflatten(tree, values)


class Slot(NamedTuple):
    """What a running member carries from evaluation to evaluation.

    Attributes:
        state: without key and moments (`None`), which its job gives.
        stopping: with the best weights so far.
    """

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
        stopped: whether it has ended: all steps done, patience run out, or not finite.
    """

    step: Any
    train_loss: Any
    train_error: Any
    loss: Any
    error: Any
    best_step: Any
    finite: Any
    stopped: Any


def slot_of(recipe: base.Recipe, shape: tuple[int, ...], packed: Packed) -> Slot:
    """Shapes and types of a slot.

    Args:
        recipe: of the members to come.
        shape: of one input.
        packed: their jobs.
    """
    words = jax.ShapeDtypeStruct(packed.words.shape[-1:], jnp.uint32)
    kernels = list(step.kernels_of(recipe.model, shape)[1])
    packed = dataclasses.replace(packed, words=words)
    return jax.eval_shape(functools.partial(_begun, recipe, shape), packed, kernels)


@functools.cache
def draw(initializer: base.Initializer, wanted: tuple[jax.ShapeDtypeStruct, ...]):
    """Program: seeds `[devices, width]`, log2 scales, numbers `[devices, kernels]` -> kernels.

    All models with such kernels share it.
    """

    def one(seed, log2_scale, numbers):
        return step.draw_kernels(keys.key(seed), initializer, numbers, wanted, log2_scale)

    return parallel.over_devices(jax.vmap(one, in_axes=(0, 0, None)))


def _begun(recipe, shape, packed, kernels):
    job = unpack(packed)
    state = step.init_state(keys.key(job.seed), recipe, job.hyper, None, shape, kernels)
    return Slot(state._replace(key=None), early_stopping.init(_variables(state)))


@functools.cache
def advance(recipe: base.Recipe, shape: tuple[int, ...], eval_every: int):
    """Program: slots, which of them begin, kernels, jobs, evaluations `[devices]`, x, y -> slots, records.

    A slot that begins takes the initial state, with its kernels. Then every slot does `eval_every` steps and
    is evaluated, `evaluations` times (at most `MOST_EVALUATIONS`), without coming back to the host. Records
    are `[devices, MOST_EVALUATIONS, width, 8]`.
    """

    def batch_of(key, job, at, x, y):
        position = at.astype(jnp.uint32) * recipe.batch_size + jnp.arange(recipe.batch_size, dtype=jnp.uint32)
        order = jax.random.fold_in(key, step.ORDER)
        epochs = jax.vmap(lambda epoch: jax.random.fold_in(order, epoch))(position // job.count)
        rows = job.train[keys.shuffled(epochs, position % job.count, job.count)]
        return base.Batch(x[rows], y[rows])

    def train_and_evaluate(slot, packed, x, y):
        job = unpack(packed)
        key = keys.key(job.seed)

        def one_step(_, carry):
            state, sums = carry
            state, metrics = step.train_step(state, batch_of(key, job, state.step, x, y), job.hyper, recipe)
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
        by_validation = (job.restore_best > 0) & (job.validation_count > 0)
        score = jnp.where(by_validation, error + 1e-3 * loss, -state.step.astype(jnp.float32))
        stopping = early_stopping.update(
            slot.stopping,
            jnp.where(finite, score, jnp.nan),
            state.step,
            _variables(state),
            job.hyper.patience,
        )
        # A member that is lost or done keeps what it had, whatever becomes of it until the host looks.
        ended = ~finite | (state.step >= job.limit)
        stopping = stopping._replace(stopped=stopping.stopped | ended)
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

    def begin(slot, fresh, kernels, packed):
        begun = _begun(recipe, shape, packed, kernels)
        return jax.tree.map(lambda new, old: jnp.where(fresh, new, old), begun, slot)

    def device(slots, fresh, kernels, jobs, evaluations, x, y):
        def evaluation(number, carry):
            slots, records = carry
            slots, record = jax.vmap(train_and_evaluate, in_axes=(0, 0, None, None))(slots, jobs, x, y)
            return slots, records.at[number].set(record)

        slots = jax.lax.cond(
            fresh.any(),
            lambda slots: jax.vmap(begin)(slots, fresh, kernels, jobs),
            lambda slots: slots,
            slots,
        )
        records = jnp.zeros((MOST_EVALUATIONS, len(jobs.words), len(Record._fields)), jnp.float32)
        return jax.lax.fori_loop(0, evaluations, evaluation, (slots, records))

    return parallel.over_devices(device, donate=(0,))


def _variables(state):
    return {'params': state.params, 'batch_stats': state.batch_stats}
