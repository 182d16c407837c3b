"""Settings race over folds: all of them run on the first folds, only the better half on the others."""

import collections
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from overfit import base
from overfit.study.arms import Arm
from overfit.train.engine import population


def heat(trials: int, folds: int) -> tuple[int, int]:
    """Returns the folds of the first heat, and how many settings go on to the others.

    >>> heat(8, 5)
    (2, 4)
    """
    first = max(2, round(0.4 * folds))
    return (folds, trials) if trials < 2 or first >= folds else (first, -(-trials // 2))


def nets(trials: int, folds: int) -> int:
    """Nets that a race trains.

    >>> nets(8, 5)
    28
    """
    first, going_on = heat(trials, folds)
    return trials * first + going_on * (folds - first)


def ranking(scores: Sequence[float], rates: Sequence[float], diverged: Sequence[bool]) -> list[int]:
    """Settings from the best to the worst, those at a safe distance from divergence first.

    A rate that trained on every fold can diverge on the next replicate, so a setting whose rate is above
    half of the smallest rate that diverged comes after all that are safe.

    Args:
        scores: of each setting, lower is better.
        rates: learning rate of each.
        diverged: whether any of its nets did.

    Returns:
        The numbers of the settings.
    """
    scores, rates, diverged = np.asarray(scores), np.asarray(rates), np.asarray(diverged)
    unsafe = rates[diverged].min(initial=np.inf)
    safe = ~diverged & (rates <= unsafe / 2)
    return [int(n) for n in np.lexsort((scores, diverged, ~safe))]


class Course:
    """Trains settings of arms on folds, what arms have in common only once.

    Args:
        pairs: arms and their settings.
        folds: (training, validation) indices into the pool, a pair each.
        seeds: of the nets on each fold.
        train: `population.train` for a list of members.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Arm, Sequence[base.Hyper]]],
        folds: Sequence[tuple[np.ndarray, np.ndarray]],
        seeds: Sequence[int],
        train: Callable[[list[population.Member]], list[population.Trained]],
    ):
        self._folds, self._seeds, self._train = folds, seeds, train
        self._done = {}
        settings = collections.defaultdict(list)
        for arm, hypers in pairs:
            settings[population.structure(arm.recipe)] += hypers
        self._fields = {structure: population.fields_of(hypers) for structure, hypers in settings.items()}

    def run(self, entries: Iterable[tuple[Arm, base.Hyper]], folds: Iterable[int]) -> None:
        """Trains (arm, setting) entries on the folds with these numbers."""
        wanted = {}
        for arm, hyper in entries:
            # With the same numbers present, all batches of a structure share one program.
            filled = population.filled(hyper, self._fields[population.structure(arm.recipe)])
            for fold in folds:
                key = (arm.recipe, hyper, arm.restore_best, fold)
                if key not in self._done:
                    train, validation = self._folds[fold]
                    wanted[key] = population.Member(
                        arm.recipe, filled, self._seeds[fold], train, validation, arm.restore_best
                    )
        self._done |= zip(wanted, self._train(list(wanted.values())), strict=True)

    def results(
        self, arm: Arm, hyper: base.Hyper, folds: Iterable[int] | None = None
    ) -> list[population.Trained]:
        """What a setting did, on the folds with these numbers (`None`: all) on which it was trained."""
        numbers = range(len(self._folds)) if folds is None else folds
        keys = [(arm.recipe, hyper, arm.restore_best, fold) for fold in numbers]
        return [self._done[key] for key in keys if key in self._done]
