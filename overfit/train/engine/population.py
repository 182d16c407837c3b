"""Trains whole populations: members with the same program share it, side by side on every device.

A lane holds some members on each device, a `vmap` narrow enough that what it touches stays in cache. It runs
until the next moment at which a member of it can end; then members that have ended leave their slot and
waiting ones take it, each with its own step counter, so early stopping saves time. There are two lanes: one
computes while the host reads the other's records, refills its slots and starts it again.
"""

import collections
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from overfit import base
from overfit.train import check, step
from overfit.train import start as start_lib
from overfit.train.engine import lane as lane_lib
from overfit.train.engine import layout as layouts
from overfit.train.engine import parallel, program

MOST_EXAMPLES = 65_535  # of `keys.shuffled`
# Columns of a curve, which are the first fields of a `program.Record`.
CURVE = 5
STEP, TRAIN_LOSS, TRAIN_ERROR, LOSS, ERROR = range(CURVE)


class Member(NamedTuple):
    """One net to train.

    Attributes:
        recipe: what shapes its program.
        hyper: its numbers.
        seed: of all its randomness, 0 to 2^32 - 1; members of one seed draw alike.
        train: `[n]` indices of its training examples.
        validation: `[v]` indices held out; empty: the last weights are kept.
        restore_best: keep the weights of the best evaluation instead of the last ones.
        stop_at: steps after which it ends, where that is not `hyper.steps`.
    """

    recipe: base.Recipe
    hyper: base.Hyper
    seed: int
    train: np.ndarray
    validation: np.ndarray
    restore_best: bool = True
    stop_at: float | None = None

    @property
    def limit(self) -> float:
        """Steps after which it ends."""
        return (self.hyper.steps or 0) if self.stop_at is None else self.stop_at


class Trained(NamedTuple):
    """What became of a member.

    Attributes:
        variables: of the model, `params` and its other collections, as kept; `None` where not asked for.
        loss_state: of the loss, when these variables were kept; likewise.
        inputs: statistics of its inputs.
        error: validation error at the kept weights, a fraction (NaN without validation examples).
        loss: mean validation cross-entropy there, nats.
        best_step: the step of the kept weights.
        steps: steps done.
        diverged: whether the loss became NaN or infinite; the net was stopped there.
        curve: `[evaluations, 5]`: step, training loss and error (means since the last evaluation),
            validation loss and error (NaN without validation examples).
    """

    variables: Any
    loss_state: Any
    inputs: Any
    error: float
    loss: float
    best_step: int
    steps: int
    diverged: bool
    curve: np.ndarray


def train(
    members: Sequence[Member],
    examples: base.Examples,
    *,
    eval_every: int = 50,
    capacity: tuple[int, int] | None = None,
    keep_variables: bool = True,
    layout: layouts.Layout | None = None,
    compact: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> list[Trained]:
    """Trains members, in as few programs as their recipes and fields of `Hyper` allow.

    Args:
        members: any mixture of recipes; a member's result does not depend on its company.
        examples: the labelled pool that the members' indices point into.
        eval_every: steps between evaluations; a member's steps are rounded up to a multiple, at least one.
        capacity: least room for (training, validation) indices; calls with the same capacity share
            their compiled programs.
        keep_variables: return the kept weights.
        layout: members on the devices; by default chosen by `layout.choose`.
        compact: fill a slot again as soon as its member ends; else only when the whole lane is done.
        progress: called with (member-steps done since the last call, members finished since).

    Returns:
        One `Trained` a member, in order.

    Raises:
        ValueError: a member without training examples, or with more than 65,535, or without an end; a
            recipe that prepares inputs of another kind than the examples, or whose given weights do not fit.
    """
    for member in members:
        for name in ('train', 'validation'):
            _check_rows(np.asarray(getattr(member, name)), name, len(examples.y))
        if not 0 < len(member.train) <= MOST_EXAMPLES:
            raise ValueError(
                f'a member has {len(member.train)} training examples; between 1 and {MOST_EXAMPLES} work'
            )
        judged = member.restore_best and len(member.validation)
        if not (np.isfinite(member.limit) or (judged and member.hyper.patience)):
            raise ValueError(
                f'a member of {member.limit} steps would never end: give a number of steps, or patience with '
                'validation examples and restore_best'
            )
    room = tuple(
        max([len(getattr(m, name)) for m in members] + [least, 1])
        for name, least in zip(('train', 'validation'), capacity or (1, 1), strict=True)
    )
    groups = collections.defaultdict(list)
    for number, member in enumerate(members):
        groups[structure(member.recipe)].append(number)
    for recipe, numbers in groups.items():
        _check(recipe, {members[n].recipe.start for n in numbers}, examples)
    results = [None] * len(members)
    # Members of a fold share their training rows; to measure them once each is enough.
    measured = functools.cache(lambda rows: _measured(examples, np.frombuffer(rows, np.int64)))
    data = None
    for recipe, numbers in groups.items():
        fields = fields_of(members[n].hyper for n in numbers)
        group = [members[n]._replace(hyper=filled(members[n].hyper, fields)) for n in numbers]
        where = layout or layouts.choose(recipe, examples, members=len(group))
        if data is None or len(data[0]) != where.devices:
            data = parallel.replicate((examples.x, examples.y, examples.soft), where.devices)
        inputs = [
            measured(np.asarray(m.train, np.int64).tobytes())
            if m.recipe.start.given is None or m.recipe.start.given.inputs is None
            else m.recipe.start.given.inputs
            for m in group
        ]
        group = _fitted(group, inputs, examples)
        jobs = _packed(group, inputs, room)
        slots = where.devices * where.width
        lanes = [
            lane_lib.Lane(recipe, where, data, group, jobs, inputs[0], eval_every)
            for _ in range(min(where.lanes, -(-len(group) // slots)))
        ]
        curves, kept = _run(group, lanes, eval_every, keep_variables, compact, progress)
        trained = [_trained(*one) for one in zip(group, inputs, kept, curves, strict=True)]
        for number, one in zip(numbers, trained, strict=True):
            results[number] = one
    return results


def structure(recipe: base.Recipe) -> base.Recipe:
    """What decides about the program of a recipe: all of it but its start."""
    return recipe._replace(start=None)


def fields_of(hypers: Iterable[base.Hyper]) -> set[str]:
    """Names of the numbers that one of these settings has."""
    return {name for hyper in hypers for name in hyper.numbers()}


def filled(hyper: base.Hyper, fields: Iterable[str]) -> base.Hyper:
    """The same setting with all of these numbers, 0 where absent: then it shares the others' program."""
    present = hyper.numbers()
    return hyper.with_numbers(**{name: 0.0 for name in fields if name not in present})


def _measured(examples, rows):
    """Statistics of the inputs in some rows, in types of four bytes."""
    smaller = {np.dtype('float64'): np.float32, np.dtype('int64'): np.int32}
    inputs = jax.tree.map(np.asarray, examples.kind.measure(examples.x[rows]))
    return jax.tree.map(lambda a: a.astype(smaller.get(a.dtype, a.dtype)), inputs)


def _fitted(group, inputs, examples):
    """Members of one recipe with their fixed first layers made of their own training inputs."""
    recipe = group[0].recipe
    if start_lib.FIXED not in start_lib.shapes_of(recipe.model, layouts.example_of(recipe, examples))[1]:
        return group
    made, found = {}, []
    for member, of_inputs in zip(group, inputs, strict=True):
        rows = np.asarray(member.train, np.int64)[: start_lib.FITTED_TO]
        start, known = member.recipe.start, (member.recipe.start, rows.tobytes(), id(of_inputs))
        if known not in made:
            x = np.asarray(step.prepared(examples.x[rows], of_inputs, member.recipe))
            made[known] = start_lib.fitted(start, recipe.model, x)
        found.append(member._replace(recipe=member.recipe._replace(start=made[known])))
    return found


def _check_rows(rows, name, count):
    """Refuses what would be taken for rows and is none, as a mask of booleans."""
    if len(rows) and (rows.ndim != 1 or rows.dtype.kind not in 'iu'):
        raise ValueError(
            f'{name} holds {rows.dtype} of shape {list(rows.shape)}, but takes row numbers [n]: of a mask, '
            'give numpy.flatnonzero(mask)'
        )
    if len(rows) and not (0 <= rows.min() and rows.max() < count):
        raise ValueError(
            f'{name} holds row {rows.min()} to {rows.max()}, but the examples have rows 0 to {count - 1}'
        )


def _check(recipe, starts, examples):
    """Refuses a recipe that cannot have been meant for these examples."""
    check.prepared_as_the_kind_says(recipe, examples)
    example = layouts.example_of(recipe, examples)
    for start in starts:
        start_lib.check_given(start, recipe.model, example)


def _run(members, lanes, eval_every, keep_variables, compact, progress):
    """Runs members through lanes; returns their records, and what was kept of each.

    A turn of the loop starts every lane that stands still, then waits for the one that has run longest. So
    while the host waits for a lane, the other computes; there is always one at work but in the last call.
    """
    waiting, running = collections.deque(range(len(members))), collections.deque()
    curves = [[] for _ in members]
    kept = [None] * len(members)
    while True:
        for lane in lanes:
            if lane.running:
                continue
            if compact or not len(lane.active):
                lane.admit(waiting)
            if compact and not waiting and _make_room(lane, lanes):
                continue
            if len(lane.active):
                inside = lane.occupant[lane.active]
                lane.dispatch(min(_evaluations_due(members[n], curves[n], eval_every) for n in inside))
                running.append(lane)
        if not running:
            break
        lane = running.popleft()
        records, finished, done = lane.collect(), [], 0
        for slot in lane.active:
            curve = curves[lane.occupant[slot]]
            before = len(curve)
            if _take(curve, records[slot]):
                finished.append(slot)
            done += (len(curve) - before) * eval_every
        if keep_variables:
            for slot, of_slot in zip(finished, lane.kept(finished) if finished else [], strict=True):
                kept[lane.occupant[slot]] = of_slot
        lane.release(finished)
        if progress is not None:
            progress(done, len(finished))
    return curves, kept


def _make_room(lane, lanes):
    """Where the members of two lanes fit into one, moves them together; says whether `lane` is to wait."""
    for other in lanes:
        both = len(lane.active) + len(other.active)
        if other is lane or not len(lane.active) or not len(other.active) or both > len(lane.occupant):
            continue
        if other.running:
            return True
        other.adopt(lane)
        return True
    return False


def _evaluations_due(member, curve, eval_every):
    """Evaluations before which a member cannot end."""
    done = curve[-1].step if curve else 0
    due = np.ceil((member.limit - done) / eval_every)
    if member.hyper.patience:
        waited = (done - max(curve[-1].best_step, 0)) / eval_every if curve else 0
        due = min(due, np.ceil(member.hyper.patience - waited))
    return int(np.clip(due, 1, program.MOST_EVALUATIONS))


def _take(curve, records):
    """Appends a member's records up to its end; says whether it has ended."""
    for record in map(program.Record._make, records):
        curve.append(record)
        if record.stopped:
            return True
    return False


def _packed(members, inputs, room):
    """Jobs of members, `[members, ...]`, index arrays padded to their room."""

    def padded(rows, size):
        return np.pad(np.asarray(rows, np.int32), (0, size - len(rows)))

    return program.pack(
        program.Job(
            seed=np.array([m.seed for m in members], np.uint32),
            hyper=jax.tree.map(lambda *a: np.array(a, np.float32), *[m.hyper for m in members]),
            inputs=jax.tree.map(lambda *a: np.stack(a), *inputs),
            train=np.stack([padded(m.train, room[0]) for m in members]),
            count=np.array([len(m.train) for m in members], np.uint32),
            validation=np.stack([padded(m.validation, room[1]) for m in members]),
            validation_count=np.array([len(m.validation) for m in members], np.int32),
            restore_best=np.array([m.restore_best for m in members], np.int32),
            limit=np.array([m.limit for m in members], np.float32),
        )
    )


def _trained(member, inputs, kept, curve):
    last = curve[-1]
    steps, best_step = int(last.step), int(last.best_step)
    rows = np.array([record[:CURVE] for record in curve])
    if not len(member.validation):
        rows[:, LOSS:] = np.nan
    error = loss = float('nan')
    best = [record for record in curve if record.step == best_step]
    if best and len(member.validation):
        loss, error = float(best[0].loss), float(best[0].error)
    variables, loss_state = (None, None) if kept is None else (kept['variables'], kept['loss_state'])
    return Trained(variables, loss_state, inputs, error, loss, best_step, steps, not last.finite, rows)
