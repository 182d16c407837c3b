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
from overfit.objectives import losses
from overfit.train import early_stopping, parallel, step

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
            validation loss and error.
    """

    variables: Any
    moments: base.Moments
    error: float
    loss: float
    best_step: int
    steps: int
    finite: bool
    curve: np.ndarray


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


class Layout(NamedTuple):
    """How members lie on the devices: `[devices, lanes, width]`."""

    devices: int
    lanes: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return tuple(self)


def train(
    members: Sequence[Member],
    examples: base.Examples,
    *,
    eval_every: int = 50,
    capacity: tuple[int, int] | None = None,
    keep_variables: bool = True,
    layout: Layout | None = None,
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
        layout: members on the devices; by default chosen by `lanes_for`.
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
        where = layout or lanes_for(recipe, examples, group[0].hyper)
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


@functools.cache
def forward_flops(model, shape: tuple[int, ...]) -> float:
    """Floating-point operations of one example's forward pass."""
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = jax.eval_shape(lambda x: model.init(keys.key(0), x, train=False), x)
    lowered = jax.jit(lambda v, x: model.apply(v, x, train=False).logits).lower(variables, x)
    return float(lowered.cost_analysis()['flops'])


@functools.cache
def weights_of(model, shape: tuple[int, ...]) -> int:
    """Number of weights and running statistics of a model."""
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = jax.eval_shape(lambda x: model.init(keys.key(0), x, train=False), x)
    return sum(a.size for a in jax.tree.leaves(variables))


def lanes_for(recipe: base.Recipe, examples: base.Examples, hyper: base.Hyper) -> Layout:
    """Chooses how many members run side by side.

    On a CPU a lane is as wide as keeps about 40 MFLOP a step in it (measured: 8 members of an MLP
    64-128-128-10, one CNN; wider ones leave the cache); on an accelerator everything runs abreast. All
    slots together stay below 1 GiB of weights on a CPU, 16 GiB on an accelerator.
    """
    shape = examples.x.shape[1:]
    weights = 4 * weights_of(recipe.model, shape)
    devices = len(jax.local_devices())
    cpu = jax.default_backend() == 'cpu'
    most = max(1, int((2**30 if cpu else 2**34) / (6 * weights * devices)))
    if not cpu:
        return Layout(devices, 1, 2 ** int(np.log2(min(most, 1024))))
    wanted = 40e6 / (3 * recipe.batch_size * forward_flops(recipe.model, shape))
    width = 2 ** int(np.log2(np.clip(wanted, 1, 8)))
    return Layout(devices, int(np.clip(most // width, 1, 8)), min(width, most))


@functools.cache
def _initial(model, initializer, shape):
    """Program: jobs -> initial variables of each."""
    recipe = base.Recipe(model, None, None, initializer)

    def one(key, hyper):
        return step.init_variables(key, recipe, hyper, shape)[1:]

    return parallel.over_devices(jax.vmap(jax.vmap(one)))


@functools.cache
def _chunk(recipe, shape, eval_every):
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
        finite = jnp.isfinite(sums.loss)
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


def _train_group(members, moments, data, where, room, eval_every, keep_variables, progress):
    """Runs members of one program through the slots of a layout."""
    recipe, shape = members[0].recipe, data[0].shape[2:]
    chunk, fresh_slot = _chunk(recipe._replace(initializer=None), shape, eval_every)
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
            slots = _blank(fresh_slot, placed, variables, where)
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
    return Job(
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
        drawn = _initial(model, initializer, shape)(placed.key, placed.hyper)
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


def _blank(fresh_slot, jobs, variables, where):
    """Empty slots of the right shapes."""
    one = jax.eval_shape(
        lambda jobs, variables: jax.vmap(jax.vmap(jax.vmap(fresh_slot)))(jobs, *variables), jobs, variables
    )
    return parallel.shard(jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), one), where.devices)


def _trained(member, moments, variables, curve, last):
    steps, best_step, finite = int(last[0]), int(last[5]), bool(last[6])
    at = np.flatnonzero(curve[:, 0] == best_step)
    error = loss = float('nan')
    if len(at) and len(member.validation):
        loss, error = float(curve[at[0], 3]), float(curve[at[0], 4])
    return Trained(variables, moments, error, loss, best_step, steps, finite, curve)


@functools.cache
def _predict(model):
    def one(variables, moments, x):
        return step.log_probabilities(model, variables['params'], variables['batch_stats'], moments, x)

    return parallel.over_devices(jax.vmap(one, in_axes=(0, 0, None)))


def predict(model, trained: Sequence[Trained], x: np.ndarray, *, block: int = 256) -> np.ndarray:
    """Predicts with trained members of one model.

    Args:
        model: of all of them.
        trained: with variables.
        x: `[N, ...]` raw inputs.
        block: rows at a time; the last block is padded, so all sizes share one program.

    Returns:
        `[members, N, classes]` float32 log-probabilities.
    """
    devices = len(jax.local_devices())
    width = 8
    rows = np.pad(x, ((0, -len(x) % block),) + ((0, 0),) * (x.ndim - 1))
    blocks = [parallel.replicate(b, devices) for b in np.split(rows, max(1, len(rows) // block))]
    out = []
    for begin in range(0, len(trained), devices * width):
        group = list(trained[begin : begin + devices * width])
        group += [group[-1]] * (devices * width - len(group))
        stacked = jax.tree.map(
            lambda *a: np.stack(a).reshape(devices, width, *a[0].shape),
            *[(t.variables, t.moments) for t in group],
        )
        stacked = parallel.shard(stacked, devices)
        parts = [np.asarray(_predict(model)(*stacked, b)) for b in blocks]
        out.append(np.concatenate(parts, axis=2).reshape(devices * width, len(rows), -1)[:, : len(x)])
    return np.concatenate(out)[: len(trained)]
