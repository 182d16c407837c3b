"""A lane: members side by side on every device, and how they come, run, and leave."""

import dataclasses
import time

import jax
import numpy as np

from overfit.train import step
from overfit.train.engine import parallel, program


class Lane:
    """Slots on the devices, each with a member or empty.

    Args:
        recipe: of all members, without their initializers.
        where: devices and width.
        data: `x` and `y`, replicated.
        members: of the group.
        jobs: theirs, packed; a lane shows the devices those in its slots.
        eval_every: steps between evaluations.

    Attributes:
        occupant: `[slots]`, the member in each slot; -1: none.
    """

    FIRST = 1  # evaluations of the first call, at most

    def __init__(self, recipe, where, data, members, jobs, eval_every):
        self._recipe, self._where, self._data = recipe, where, data
        self._shape = data[0].shape[2:]
        self._members, self._jobs = members, jobs
        self._advance = program.advance(recipe, self._shape, eval_every)
        self._slots = self._placed = self._kernels = self._records = None
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

    def admit(self, waiting) -> None:
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
            slot = program.slot_of(self._recipe, self._shape, self._jobs)
            self._slots = self._place(jax.tree.map(lambda a: np.zeros((len(fresh), *a.shape), a.dtype), slot))

    def release(self, slots) -> None:
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
        other._slots = other._placed = other._kernels = None
        self._show_jobs()

    def dispatch(self, due: int) -> None:
        """Sets the devices to work, on at most `due` evaluations, without waiting for them."""
        self._count = min(self._most, due)
        self._began = time.monotonic()
        if self._fresh.any():
            self._kernels = self._draw()
        count = parallel.replicate(np.int32(self._count), self._where.devices)
        fresh = self._place(self._fresh)
        self._slots, self._records = self._advance(
            self._slots, fresh, self._kernels, self._placed, count, *self._data
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

    def kept(self, slots) -> list:
        """Copies of the best weights in some slots."""
        best = jax.tree.map(self._flat, self._slots.stopping.best_params)
        return [jax.tree.map(lambda a, slot=slot: a[slot].copy(), best) for slot in slots]

    def _draw(self):
        """Kernels for the slots that begin; of what the others show nothing comes."""
        inside = [self._members[n] for n in np.maximum(self.occupant, 0)]
        seeds = np.array([m.seed for m in inside], np.uint32)
        scales = np.array([m.hyper.init_log2_scale or 0 for m in inside], np.float32)
        numbers, wanted = step.kernels_of(self._recipe.model, self._shape)
        numbers = parallel.replicate(np.array(numbers, np.uint32), self._where.devices)
        drawn = {}
        for slot in np.flatnonzero(self._fresh):
            initializer = inside[slot].recipe.initializer
            if initializer not in drawn:
                draw = program.draw(initializer, wanted)
                drawn[initializer] = draw(*self._place((seeds, scales)), numbers)
        if len(drawn) == 1:
            return drawn.popitem()[1]
        flat = {initializer: jax.tree.map(self._flat, kernels) for initializer, kernels in drawn.items()}
        first = next(iter(flat))
        own = [m.recipe.initializer if m.recipe.initializer in flat else first for m in inside]
        rows = [jax.tree.map(lambda a, slot=slot: a[slot], flat[f]) for slot, f in enumerate(own)]
        return self._place(jax.tree.map(lambda *a: np.stack(a), *rows))

    def _show_jobs(self):
        rows = np.maximum(self.occupant, 0)
        self._placed = self._place(dataclasses.replace(self._jobs, words=self._jobs.words[rows]))

    def _place(self, tree):
        devices = self._where.devices
        return parallel.shard(jax.tree.map(lambda a: a.reshape(devices, -1, *a.shape[1:]), tree), devices)

    def _flat(self, array):
        return np.asarray(array).reshape(-1, *array.shape[2:])
