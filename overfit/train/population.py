"""Trains whole populations: members with the same program share it, side by side on every device.

Each device holds a few lanes of members. A lane is a `vmap`; lanes run one after another, so that what
a lane touches stays in cache. Between chunks of steps the host looks: members that have finished leave
their slot and waiting ones take it, each with its own step counter, so early stopping saves time.
"""

import collections
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys
from overfit.train import layout as layouts
from overfit.train import parallel, program, step

MOST_EXAMPLES = 65_535  # of `keys.shuffled`


class Member(NamedTuple):
    """One net to train.

    Attributes:
        recipe: what shapes its program.
        hyper: its numbers.
        seed: of all its randomness; members of different arms with one seed share a replicate.
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
        return self.stop_at or self.hyper.steps or 0


class Trained(NamedTuple):
    """What became of a member.

    Attributes:
        variables: `{'params', 'batch_stats'}` of the kept weights, or `None` where not asked for.
        moments: standardisation of its inputs.
        error: validation error at the kept weights, a fraction (NaN without validation examples).
        loss: mean validation cross-entropy there, nats.
        best_step: the step of the kept weights.
        steps: steps done.
        finite: False: the loss became NaN or infinite, and the member was stopped there.
        curve: `[evaluations, 5]`: step, training loss and error (means since the last evaluation),
            validation loss and error (NaN without validation examples).
    """

    variables: Any
    moments: base.Moments
    error: float
    loss: float
    best_step: int
    steps: int
    finite: bool
    curve: np.ndarray


def train(
    members: Sequence[Member],
    examples: base.Examples,
    *,
    eval_every: int = 50,
    capacity: tuple[int, int] | None = None,
    keep_variables: bool = True,
    layout: layouts.Layout | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Trained]:
    """Trains members, in as few programs as their recipes and fields of `Hyper` allow.

    Args:
        members: any mixture of recipes; a member's result does not depend on its company.
        examples: the labelled pool that the members' indices point into.
        eval_every: steps between evaluations; a member's steps are rounded up to a multiple.
        capacity: least room for (training, validation) indices; calls with the same capacity share
            their compiled programs.
        keep_variables: return the kept weights.
        layout: members on the devices; by default chosen by `layout.lanes_for`.
        progress: called with (member-steps done since the last call, members finished since).

    Returns:
        One `Trained` a member, in order.

    Raises:
        ValueError: a member without training examples, or with more than 65,535.
    """
    for member in members:
        if not 0 < len(member.train) <= MOST_EXAMPLES:
            raise ValueError(
                f'a member has {len(member.train)} training examples; between 1 and {MOST_EXAMPLES} work'
            )
    room = tuple(
        max([len(getattr(m, name)) for m in members] + [least])
        for name, least in zip(('train', 'validation'), capacity or (1, 1), strict=True)
    )
    groups = collections.defaultdict(list)
    for number, member in enumerate(members):
        groups[member.recipe._replace(initializer=None)].append(number)
    results = [None] * len(members)
    measured = functools.cache(lambda rows: step.moments_of(examples.x[list(rows)], examples.kind))
    data = None
    for recipe, numbers in groups.items():
        group = _fill_absent([members[n] for n in numbers])
        where = layout or layouts.lanes_for(recipe, examples, len(group))
        if data is None or len(data[0]) != where.devices:
            data = parallel.replicate((examples.x, examples.y), where.devices)
        moments = [measured(tuple(m.train.tolist())) for m in group]
        trained = _train_group(group, moments, data, where, room, eval_every, keep_variables, progress)
        for number, one in zip(numbers, trained, strict=True):
            results[number] = one
    return results


def _fill_absent(members):
    """Gives every member every field that one of them has; 0 is the same as absent."""
    used = {f for m in members for f, value in m.hyper._asdict().items() if value is not None}
    return [
        m._replace(hyper=m.hyper._replace(**{f: np.float32(getattr(m.hyper, f) or 0.0) for f in used}))
        for m in members
    ]


def _train_group(members, moments, data, where, room, eval_every, keep_variables, progress):
    """Runs members of one program through the slots of a layout."""
    recipe, shape = members[0].recipe, data[0].shape[2:]
    chunk, fresh_slot = program.chunk(recipe._replace(initializer=None), shape, eval_every)
    count = int(np.prod(where.shape))
    jobs = _jobs(members, moments, room)
    occupant = np.full(count, -1)
    waiting = collections.deque(range(len(members)))
    slots = variables = None
    curves = [[] for _ in members]
    last = [None] * len(members)
    kept = [None] * len(members)

    def place(tree):
        return parallel.shard(
            jax.tree.map(lambda a: a.reshape(*where.shape, *a.shape[1:]), tree), where.devices
        )

    while waiting or (occupant >= 0).any():
        fresh = np.zeros(count, bool)
        for place_number in _spread(where):
            if occupant[place_number] < 0 and waiting:
                occupant[place_number] = waiting.popleft()
                fresh[place_number] = True
        if fresh.any():
            rows = np.maximum(occupant, 0)
            placed = place(jax.tree.map(lambda a, rows=rows: a[rows], jobs))
            variables = _fresh_variables(members, occupant, fresh, placed, place, recipe.model, shape)
        if slots is None:
            slots = program.blank(fresh_slot, placed, variables, where)
        active = occupant >= 0
        slots, record = chunk(slots, placed, *place((fresh, active)), variables, *data)
        record = np.asarray(record).reshape(count, -1)
        finished = []
        for place_number in np.flatnonzero(active):
            number = occupant[place_number]
            curves[number].append(record[place_number, :5])
            last[number] = record[place_number]
            done, *_, finite, stopped = record[place_number]
            if done >= members[number].limit or not finite or stopped:
                finished.append(place_number)
        if finished and keep_variables:
            best = jax.tree.map(
                lambda a: np.asarray(a).reshape(count, *a.shape[3:]), slots.stopping.best_params
            )
            for place_number in finished:
                kept[occupant[place_number]] = jax.tree.map(lambda a, p=place_number: a[p].copy(), best)
        occupant[finished] = -1
        if progress is not None:
            progress(int(active.sum()) * eval_every, len(finished))
    return [
        _trained(*arguments)
        for arguments in zip(members, moments, kept, map(np.array, curves), last, strict=True)
    ]


def _spread(where):
    """Slot numbers in the order in which members take them: devices in turn, then side by side in a lane."""
    return np.arange(np.prod(where.shape)).reshape(where.shape).transpose(1, 2, 0).reshape(-1)


def _jobs(members, moments, room):
    """Stacks members into arrays `[members, ...]`, index arrays padded to their room."""

    def padded(rows, size):
        return np.pad(np.asarray(rows, np.int32), (0, size - len(rows)))

    seeds = np.array([m.seed for m in members], np.uint32)
    return program.Job(
        key=jax.vmap(keys.key)(seeds),
        hyper=jax.tree.map(lambda *a: np.array(a, np.float32), *[m.hyper for m in members]),
        moments=jax.tree.map(lambda *a: np.stack(a), *moments),
        train=np.stack([padded(m.train, room[0]) for m in members]),
        count=np.array([len(m.train) for m in members], np.uint32),
        validation=np.stack([padded(m.validation, room[1]) for m in members]),
        validation_count=np.array([len(m.validation) for m in members], np.int32),
        restore_best=np.array([m.restore_best for m in members]),
    )


def _fresh_variables(members, occupant, fresh, placed, place, model, shape):
    """Initial variables for every slot; where members differ in their initializer, each its own."""
    variables = None
    wanted = {members[n].recipe.initializer for n in occupant[fresh]}
    for initializer in sorted(wanted, key=lambda f: f.__name__):
        drawn = program.initial(model, initializer, shape)(placed.key, placed.hyper)
        if variables is None:
            variables = drawn
            continue
        mine = place(np.array([n >= 0 and members[n].recipe.initializer is initializer for n in occupant]))
        variables = jax.tree.map(
            lambda new, old, mine=mine: jnp.where(mine.reshape(mine.shape + (1,) * (new.ndim - 3)), new, old),
            drawn,
            variables,
        )
    return variables


def _trained(member, moments, variables, curve, last):
    steps, best_step, finite = int(last[0]), int(last[5]), bool(last[6])
    if not len(member.validation):
        curve[:, 3:] = np.nan
    at = np.flatnonzero(curve[:, 0] == best_step)
    error = loss = float('nan')
    if len(at) and len(member.validation):
        loss, error = float(curve[at[0], 3]), float(curve[at[0], 4])
    return Trained(variables, moments, error, loss, best_step, steps, finite, curve)
