"""A lane: members side by side on every device, and how they come, run, and leave."""

import time

import jax
import numpy as np

from overfit.train import parallel, program


class Lane:
    """Slots on the devices, each with a member or empty.

    Args:
        recipe: of all members, without their initializers.
        where: devices and width.
        data: `x` and `y`, replicated.
        jobs: of all members of the group, `[members, ...]`; a lane shows the device those in its slots.
        initializers: of all members.
        eval_every: steps between evaluations.

    Attributes:
        occupant: `[slots]`, the member in each slot; -1: none.
        FIRST: evaluations of the first call, at most.
    """

    FIRST = 1

    def __init__(self, recipe, where, data, jobs, initializers, eval_every):
        self._recipe, self._where, self._data = recipe, where, data
        self._shape = data[0].shape[2:]
        self._jobs, self._initializers = jobs, initializers
        self._advance = program.advance(recipe, self._shape, eval_every)
        self._slots = self._placed = self._records = None
        self._began = self._count = None
        self._most = self.FIRST
        self.occupant = np.full(where.devices * where.width, -1)

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
        fresh = np.zeros(len(self.occupant), bool)
        for slot in np.arange(len(self.occupant)).reshape(self._where.devices, -1).T.reshape(-1):
            if self.occupant[slot] < 0 and waiting:
                self.occupant[slot] = waiting.popleft()
                fresh[slot] = True
        if not fresh.any():
            return
        self._show_jobs()
        own = [self._initializers[n] for n in np.maximum(self.occupant, 0)]
        for initializer in sorted({own[slot] for slot in np.flatnonzero(fresh)}, key=lambda f: f.__name__):
            recipe = self._recipe._replace(initializer=initializer)
            begun = program.start(recipe, self._shape)(self._placed)
            mine = fresh & np.array([f is initializer for f in own])
            if self._slots is None or mine.all():
                self._slots = begun
            else:
                self._overwrite(mine, jax.tree.map(lambda a, mine=mine: self._flat(a)[mine], begun))

    def adopt(self, other: 'Lane') -> None:
        """Takes over the members of another lane, which must fit into the empty slots."""
        source = other.active
        target = np.flatnonzero(self.occupant < 0)[: len(source)]
        self._overwrite(target, jax.tree.map(lambda a: self._flat(a)[source], other._slots))
        self.occupant[target] = other.occupant[source]
        other.occupant[:] = -1
        other._slots = other._placed = None
        self._show_jobs()

    def dispatch(self, due: int) -> None:
        """Sets the devices to work, on at most `due` evaluations, without waiting for them."""
        self._count = min(self._most, due)
        self._began = time.monotonic()
        count = parallel.replicate(np.int32(self._count), self._where.devices)
        self._slots, self._records = self._advance(self._slots, self._placed, count, *self._data)

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

    def _show_jobs(self):
        rows = np.maximum(self.occupant, 0)
        self._placed = self._place(jax.tree.map(lambda a: a[rows], self._jobs))

    def _overwrite(self, where, rows):
        # On the host: it happens seldom, and on the device would be one more program a recipe.
        def written(old, new):
            old = self._flat(old).copy()
            old[where] = new
            return old

        self._slots = self._place(jax.tree.map(written, self._slots, rows))

    def _place(self, tree):
        devices = self._where.devices
        return parallel.shard(jax.tree.map(lambda a: a.reshape(devices, -1, *a.shape[1:]), tree), devices)

    def _flat(self, array):
        return np.asarray(array).reshape(-1, *array.shape[2:])
