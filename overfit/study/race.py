"""Settings race over folds: all of them run on the first folds, only the better half on the others."""

import collections
from collections.abc import Sequence

import numpy as np

from overfit.train.engine import population


def heat(trials: int, folds: int) -> tuple[int, int]:
    """The first heat of a race: on how many folds all settings run, and how many settings go on."""
    first = max(2, round(0.4 * folds))
    return (folds, trials) if trials < 2 or first >= folds else (first, -(-trials // 2))


def members(trials: int, folds: int) -> int:
    """Members that a race trains."""
    first, going_on = heat(trials, folds)
    return trials * first + going_on * (folds - first)


def ranking(scores: Sequence[float], rates: Sequence[float], finite: Sequence[bool]) -> list[int]:
    """Settings from the best to the worst, those at a safe distance from divergence first.

    A rate that trained on every fold can diverge on the next replicate, so a setting whose rate is above
    half of the smallest rate that diverged comes after all that are safe.

    Args:
        scores: of each setting, lower is better.
        rates: learning rate of each.
        finite: whether all its members stayed finite.

    Returns:
        The numbers of the settings.
    """
    scores, rates, finite = np.asarray(scores), np.asarray(rates), np.asarray(finite)
    unsafe = rates[~finite].min(initial=np.inf)
    safe = finite & (rates <= unsafe / 2)
    return [int(n) for n in np.lexsort((scores, ~finite, ~safe))]


class Course:
    """Trains settings of arms on folds, what arms have in common only once.

    Args:
        pairs: arms (with `recipe` and `restore_best`) and their settings.
        folds: (training, validation) indices into the pool, a pair each.
        seeds: of the members on each fold.
        train: `population.train` for a list of members.
    """

    def __init__(self, pairs, folds, seeds, train):
        self._folds, self._seeds, self._train = folds, seeds, train
        self._done = {}
        settings = collections.defaultdict(list)
        for arm, hypers in pairs:
            settings[population.structure(arm.recipe)] += hypers
        self._fields = {structure: population.fields_of(hypers) for structure, hypers in settings.items()}

    def run(self, entries, numbers) -> None:
        """Trains (arm, setting) entries on the folds with these numbers."""
        wanted = {}
        for arm, hyper in entries:
            # With the same fields, all batches of a structure share one program.
            filled = population.filled(hyper, self._fields[population.structure(arm.recipe)])
            for number in numbers:
                key = (arm.recipe, hyper, arm.restore_best, number)
                if key not in self._done:
                    train, held = self._folds[number]
                    wanted[key] = population.Member(
                        arm.recipe, filled, self._seeds[number], train, held, arm.restore_best
                    )
        self._done |= zip(wanted, self._train(list(wanted.values())), strict=True)

    def results(self, arm, hyper) -> list[population.Trained]:
        """What a setting did, on the folds so far."""
        keys = [(arm.recipe, hyper, arm.restore_best, number) for number in range(len(self._folds))]
        return [self._done[key] for key in keys if key in self._done]
