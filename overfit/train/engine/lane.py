"""A lane: members side by side on every device, and how they come, run, and leave."""

import collections
import dataclasses
import time
from collections.abc import Sequence

import jax
import numpy as np

from overfit import base
from overfit.train import step
from overfit.train.engine import layout, parallel, program


class Lane:
    """Slots on the devices, each with a member or empty.

    Args:
        recipe: of all members, whatever their start.
        where: devices and width.
        data: `x`, `y` and `soft` of the examples, replicated, `[devices, N, ...]`.
        members: of the group (`population.Member`).
        jobs: theirs, packed; a lane shows the devices those in its slots.
        inputs: statistics of the inputs of one member, for shapes and types.
        eval_every: steps between evaluations.

    Attributes:
        occupant: `[slots]`, the member in each slot; -1: none.
    """

    FIRST = 1  # evaluations of the first call, at most

    def __init__(
        self,
        recipe: base.Recipe,
        where: 'layout.Layout',
        data: tuple[jax.Array, jax.Array, jax.Array | None],
        members: Sequence,
        jobs: program.Packed,
        inputs,
        eval_every: int,
    ):
        self._recipe, self._where, self._data = recipe, where, data
        self._raw = jax.ShapeDtypeStruct((1, *data[0].shape[2:]), data[0].dtype)
        self._example = step.example_of(self._raw, inputs, recipe)
        self._members, self._jobs = members, jobs
        self._advance = program.advance(recipe, self._raw, eval_every)
        self._slots = self._placed = self._variables = self._records = None
        self._began = self._count = None
        self._most = self.FIRST
        self.occupant = np.full(where.devices * where.width, -1)
        self._fresh = np.zeros(len(self.occupant), bool)

    @property
    def active(self) -> np.ndarray:
        """Slots that hold a member."""
        return np.flatnonzero(self.occupant >= 0)

    @property
    def running(self) -> bool:
        """Whether the devices are at work on it."""
        return self._records is not None

    def admit(self, waiting: collections.deque) -> None:
        """Fills empty slots from a deque of member numbers, the devices in turn."""
        fresh = np.zeros_like(self._fresh)
        for slot in np.arange(len(self.occupant)).reshape(self._where.devices, -1).T.reshape(-1):
            if self.occupant[slot] < 0 and waiting:
                self.occupant[slot] = waiting.popleft()
                fresh[slot] = True
        if not fresh.any():
            return
        self._fresh |= fresh
        self._show_jobs()
        if self._slots is None:
            slot = program.slot_of(self._recipe, self._raw, self._jobs)
            self._slots = self._place(jax.tree.map(lambda a: np.zeros((len(fresh), *a.shape), a.dtype), slot))

    def release(self, slots: Sequence[int]) -> None:
        """Empties some slots."""
        self.occupant[slots] = -1

    def adopt(self, other: 'Lane') -> None:
        """Takes over the members of another lane, which must fit into the empty slots."""
        source = other.active
        target = np.flatnonzero(self.occupant < 0)[: len(source)]

        def joined(own, others):
            own = self._flat(own).copy()
            own[target] = self._flat(others)[source]
            return own

        # On the host: it happens seldom, and on the device would be one more program a recipe.
        self._slots = self._place(jax.tree.map(joined, self._slots, other._slots))
        self.occupant[target], self._fresh[target] = other.occupant[source], other._fresh[source]
        other.occupant[:], other._fresh[:] = -1, False
        other._slots = other._placed = other._variables = None
        self._show_jobs()

    def dispatch(self, due: int) -> None:
        """Sets the devices to work, on at most `due` evaluations, without waiting for them."""
        self._count = min(self._most, due)
        self._began = time.monotonic()
        if self._fresh.any():
            self._variables = self._draw()
        count = parallel.replicate(np.int32(self._count), self._where.devices)
        fresh = self._place(self._fresh)
        self._slots, self._records = self._advance(
            self._slots, fresh, self._variables, self._placed, count, *self._data
        )
        self._fresh = np.zeros_like(self._fresh)

    def collect(self) -> np.ndarray:
        """Waits for the devices; returns records `[slots, evaluations, 8]`."""
        records = np.asarray(self._records)[:, : self._count].swapaxes(1, 2)
        self._records = None
        seconds = time.monotonic() - self._began
        # A call of half a second: progress shows, and little waits.
        if seconds > 1:
            self._most = max(1, self._most // 2)
        elif seconds < 0.25:
            self._most = min(2 * self._most, program.MOST_EVALUATIONS)
        return records.reshape(len(self.occupant), self._count, -1)

    def kept(self, slots: Sequence[int]) -> list:
        """Copies of what some slots keep: the best variables, and the loss's state at that time."""
        best = jax.tree.map(self._flat, self._slots.stopping.kept)
        return [jax.tree.map(lambda a, slot=slot: a[slot].copy(), best) for slot in slots]

    def _draw(self):
        """Draws initial variables for all slots; the program looks only at those of slots marked fresh.

        Members that begin together usually share their start, and then the variables never leave the
        devices. Where starts differ, each is drawn for all slots and the rows are put together on the host.
        """
        inside = [self._members[n] for n in np.maximum(self.occupant, 0)]
        seeds = np.array([m.seed for m in inside], np.uint32)
        scales = np.array([m.hyper.init_log2_scale or 0 for m in inside], np.float32)
        slots_of = collections.defaultdict(list)
        for slot in np.flatnonzero(self._fresh):
            slots_of[_program_of(inside[slot].recipe.start)].append(slot)
        drawn = {}
        for program_of, slots in slots_of.items():
            # Slots of another start are filled with the first one's given variables, and never looked at.
            starts = [m.recipe.start for m in inside]
            starts = [start if _program_of(start) == program_of else starts[slots[0]] for start in starts]
            given = None
            if starts[0].given is not None:
                trees = [start.given.variables for start in starts]
                given = jax.tree.map(lambda *a: np.stack(a), *trees)
            draw = program.draw(starts[0].draw, self._recipe.model, self._example)
            drawn[program_of] = draw(*self._place((seeds, scales)), self._place(given))
        if len(drawn) == 1:
            return drawn.popitem()[1]
        rows = {}
        for program_of, variables in drawn.items():
            flat = jax.tree.map(self._flat, variables)
            rows |= {slot: jax.tree.map(lambda a, n=slot: a[n], flat) for slot in slots_of[program_of]}
        blank = jax.tree.map(np.zeros_like, next(iter(rows.values())))
        return self._place(
            jax.tree.map(lambda *a: np.stack(a), *[rows.get(n, blank) for n in range(len(inside))])
        )

    def _show_jobs(self):
        rows = np.maximum(self.occupant, 0)
        self._placed = self._place(dataclasses.replace(self._jobs, words=self._jobs.words[rows]))

    def _place(self, tree):
        devices = self._where.devices
        return parallel.shard(jax.tree.map(lambda a: a.reshape(devices, -1, *a.shape[1:]), tree), devices)

    def _flat(self, array):
        return np.asarray(array).reshape(-1, *array.shape[2:])


def _program_of(start):
    """What of a start decides about the program that draws: given weights are its arguments."""
    return start.draw, None if start.given is None else jax.tree.structure(start.given.variables)
