"""How much is spent on every arm, and the seeds that all arms share."""

from typing import NamedTuple

import numpy as np


class Protocol(NamedTuple):
    """How much is spent, the same for every arm on every labelled set.

    Attributes:
        train_size: labelled examples of a labelled set.
        validation: fraction of them that is held out.
        folds: folds in use. A labelled set is cut into `1 / validation` folds; a setting that survives the
            first heat of the race is trained on this many.
        trials: settings tried of an arm.
        steps: training steps of a net.
        eval_every: steps between evaluations.
        capacity: room for (training, validation) indices, see `population.train`.
    """

    train_size: int
    validation: float
    folds: int
    trials: int
    steps: int
    eval_every: int
    capacity: tuple[int, int]


def fold_count(validation: float) -> int:
    """Folds of which each is the fraction `validation` of the labelled examples.

    >>> fold_count(0.2)
    5
    """
    return round(1 / validation)


def seed_of(*parts: int | str) -> int:
    """A 32-bit seed from whole numbers and words, the same in every process.

    >>> seed_of(0, 'set', 3)
    2407521904
    """
    numbers = [int.from_bytes(p.encode()[:8], 'little') if isinstance(p, str) else p for p in parts]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
