"""The compiled side of a population: what a device does with the members in its slots."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys
from overfit.data import sampling
from overfit.objectives import losses
from overfit.train import early_stopping, start, step
from overfit.train.engine import parallel

MOST_EVALUATIONS = 32  # in one call of a program
PROGRAMS = 128  # compiled ones that are kept; in a notebook every module that is defined again makes new ones


class Job(NamedTuple):
    """A net as the device sees it: numbers and index arrays of four bytes only.

    Attributes:
        seed: uint32, of all its randomness.
        hyper: its numbers, float32.
        inputs: statistics of its inputs.
        train: `[room]` int32 rows of its training examples, padded.
        count: uint32, how many of them there are.
        validation: `[room]` int32 rows held out, padded.
        validation_count: int32, how many of them there are.
        restore_best: int32, 1: the best weights are kept, 0: the last.
        limit: float32, steps after which it ends.
    """

    seed: Any
    hyper: base.Hyper
    inputs: Any
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

    A job is about forty small arrays. Placing them one by one took 1.3 ms a call of the program, one array
    of words takes 0.2 ms (two CPU devices): a lane of small nets is called every few milliseconds.

    Attributes:
        words: `[..., n]` uint32.
        form: what they mean: the tree, and shape and type of every leaf of a single job.
    """

    words: Any
    form: tuple = dataclasses.field(metadata={'static': True})


def pack(jobs: Job) -> Packed:
    """Packs jobs, arrays `[nets, ...]` on the host.

    Raises:
        ValueError: an array whose elements have not four bytes.
    """
    leaves, tree = jax.tree.flatten(jobs)
    for leaf in leaves:
        if leaf.itemsize != 4:
            raise ValueError(
                f'statistics of the inputs hold {leaf.dtype}, but must have four bytes a number: let the '
                'kind of the data measure float32 or int32'
            )
    words = [np.ascontiguousarray(a).reshape(len(a), -1).view(np.uint32) for a in leaves]
    return Packed(np.concatenate(words, axis=1), (tree, tuple((a.shape[1:], a.dtype) for a in leaves)))


def unpack(packed: Packed) -> Job:
    """The job of a single net, `packed.words` being `[n]`."""
    tree, leaves = packed.form
    values, begin = [], 0
    for shape, dtype in leaves:
        end = begin + math.prod(shape)
        values.append(jax.lax.bitcast_convert_type(packed.words[begin:end], dtype).reshape(shape))
        begin = end
    return jax.tree.unflatten(tree, values)


class Slot(NamedTuple):
    """What a running net carries from evaluation to evaluation.

    Attributes:
        state: without key and inputs (`None`), which its job gives.
        stopping: with the best weights so far, and the loss's state that goes with them.
    """

    state: base.State
    stopping: early_stopping.Stopping


class Record(NamedTuple):
    """One evaluation of a net; `[..., 8]` float32 on the device.

    Attributes:
        step: training steps done.
        train_loss: mean objective since the last evaluation.
        train_error: likewise, fraction of the examples as they were trained on.
        loss: validation cross-entropy, nats.
        error: validation error, a fraction.
        best_step: step of the weights kept so far; -1: the initial ones.
        finite: whether losses and predictions were; if not, the net diverged.
        stopped: whether it has ended: all steps done, patience run out, or diverged.
    """

    step: Any
    train_loss: Any
    train_error: Any
    loss: Any
    error: Any
    best_step: Any
    finite: Any
    stopped: Any


def score(error: base.Array | float, loss: base.Array | float) -> base.Array | float:
    """What selection minimises: the validation error, and among near-equals the lower cross-entropy.

    A net keeps its weights of the lowest score. (Settings are chosen by `study.search.choice`.)

    Args:
        error: validation error, a fraction.
        loss: validation cross-entropy, nats.
    """
    return error + 1e-3 * loss


def slot_of(recipe: base.Recipe, raw: jax.ShapeDtypeStruct, packed: Packed) -> Slot:
    """Shapes and types of a slot.

    Args:
        recipe: of the nets to come.
        raw: shape and type of raw inputs, `[1, ...]`.
        packed: their jobs.
    """
    words = jax.ShapeDtypeStruct(packed.words.shape[-1:], jnp.uint32)
    packed = dataclasses.replace(packed, words=words)

    def begun(packed):
        example = step.example_of(raw, unpack(packed).inputs, recipe)
        variables = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), dict(start.shapes_of(recipe.model, example)[1])
        )
        return _begun(recipe, raw, packed, variables)

    return jax.eval_shape(begun, packed)


@functools.lru_cache(maxsize=PROGRAMS)
def draw(function: Callable, model: nn.Module, example: jax.ShapeDtypeStruct) -> Callable:
    """Program: seeds and log2 scales `[devices, width]`, given variables likewise -> variables.

    A program of its own, so that recipes which differ in their start alone share `advance`, which takes
    about 1.5 s to compile on two cores.
    """

    def one(seed, log2_scale, given):
        variables = function(keys.key(seed), model, example, log2_scale, given)
        return {'params': {}} | dict(variables)

    return parallel.over_devices(jax.vmap(one))


def _begun(recipe, raw, packed, variables):
    job = unpack(packed)
    state = step.init_state(keys.key(job.seed), raw, job.inputs, job.hyper, recipe, variables=variables)
    kept = _kept(step.evaluated(state, recipe), state)
    return Slot(state._replace(key=None, inputs=None), early_stopping.init(kept))


def _kept(variables, state):
    """What is kept of a net: all that predicting takes."""
    return {'variables': variables, 'loss_state': state.loss_state}


@functools.lru_cache(maxsize=PROGRAMS)
def advance(recipe: base.Recipe, raw: jax.ShapeDtypeStruct, eval_every: int) -> Callable:
    """Program: slots, which begin, variables, jobs, evaluations `[devices]`, x, y, soft -> slots, records.

    A slot that begins takes the initial state, with its variables. Then every slot does `eval_every` steps
    and is evaluated, `evaluations` times (at most `MOST_EVALUATIONS`), without coming back to the host.
    Records are `[devices, MOST_EVALUATIONS, width, 8]`.
    """
    sampler = recipe.sampler or sampling.epochs

    def train_and_evaluate(slot, packed, x, y, soft):
        job = unpack(packed)
        key = keys.key(job.seed)

        def batch_at(number):
            rows = job.train[sampler(key, number, y[job.train], job.count, recipe.batch_size)]
            return base.Batch(x[rows], y[rows], soft=None if soft is None else soft[rows])

        def one_step(_, carry):
            state, sums = carry
            state, metrics = step.train_step(state, batch_at(state.step), job.hyper, recipe)
            return state, jax.tree.map(jnp.add, sums, metrics)

        state = slot.state._replace(key=key, inputs=job.inputs)
        sums = step.Metrics(jnp.float32(0), jnp.float32(0))
        state, sums = jax.lax.fori_loop(0, eval_every, one_step, (state, sums))
        variables = step.evaluated(state, recipe, batch_at)
        loss, error, predicted = _validated(variables, state, job, x, y, recipe)
        # Predictions of padding count too: they tell of lost weights where nothing is held out.
        finite = jnp.isfinite(sums.loss) & predicted
        by_validation = (job.restore_best > 0) & (job.validation_count > 0)
        value = jnp.where(by_validation, score(error, loss), -state.step.astype(jnp.float32))
        stopping = early_stopping.update(
            slot.stopping,
            jnp.where(finite, value, jnp.nan),
            state.step,
            _kept(variables, state),
            job.hyper.patience,
        )
        # A net that diverged or is done keeps what it had, whatever becomes of it until the host looks.
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
        return Slot(state._replace(key=None, inputs=None), stopping), record

    def begin(slot, fresh, variables, packed):
        begun = _begun(recipe, raw, packed, variables)
        return jax.tree.map(lambda new, old: jnp.where(fresh, new, old), begun, slot)

    def device(slots, fresh, variables, jobs, evaluations, x, y, soft):
        def evaluation(number, carry):
            slots, records = carry
            each = jax.vmap(train_and_evaluate, in_axes=(0, 0, None, None, None))
            slots, record = each(slots, jobs, x, y, soft)
            return slots, records.at[number].set(record)

        # Behind a condition, a beginning costs this program little; as a program of its own it took 0.3 to
        # 0.7 s more to compile for every recipe.
        slots = jax.lax.cond(
            fresh.any(),
            lambda slots: jax.vmap(begin)(slots, fresh, variables, jobs),
            lambda slots: slots,
            slots,
        )
        records = jnp.zeros((MOST_EVALUATIONS, len(jobs.words), len(Record._fields)), jnp.float32)
        return jax.lax.fori_loop(0, evaluations, evaluation, (slots, records))

    return parallel.over_devices(device, donate=(0,))


def _validated(variables, state, job, x, y, recipe):
    """Validation loss and error of a net, and whether all its predictions are finite."""
    held = base.Batch(
        x[job.validation],
        y[job.validation],
        (jnp.arange(len(job.validation)) < job.validation_count).astype(jnp.float32),
    )
    scores = step.log_probabilities(variables, state.loss_state, job.inputs, held.x, recipe)
    error = step.error_rate(scores, held)
    loss = losses.batch_mean(losses.cross_entropy(scores, held.y), held.weight)
    return loss, error, jnp.isfinite(scores).all()
