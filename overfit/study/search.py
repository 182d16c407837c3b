"""Tunes arms on validation examples only.

Nothing here takes a `Holdout`: the test labels are out of reach of all that searches.
"""

import collections
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import race, spaces
from overfit.study.arms import Arm
from overfit.study.protocol import Protocol, fold_count, seed_of
from overfit.train.engine import population
from overfit.train.engine.population import ERROR, LOSS, STEP
from overfit.train.engine.program import score


class Tuned(NamedTuple):
    """An arm with its chosen setting.

    Attributes:
        arm: what was tuned.
        hyper: the chosen numbers.
        fold_scores: of the chosen setting on each fold that it was trained on, see `program.score`.
        error: mean validation error of the setting, a fraction.
        best_step: step at which the mean validation score over the folds is lowest; a refit stops there.
        trials: settings tried.
        member_steps: steps that the search of this arm took.
        diverged: nets whose loss became infinite.
    """

    arm: Arm
    hyper: base.Hyper
    fold_scores: tuple[float, ...]
    error: float
    best_step: int
    trials: int
    member_steps: int
    diverged: int

    @property
    def score(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.fold_scores))


def search(
    arms: Sequence[Arm],
    pool: base.Examples,
    labelled: np.ndarray,
    protocol: Protocol,
    *,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[Tuned], None] = lambda tuned: None,
) -> list[Tuned]:
    """Tunes every arm with the same number of trials on the same folds.

    Args:
        arms: to tune; those that differ in the use of their labels only share their search.
        pool: labelled examples.
        labelled: `[n]` indices of the ones that a practitioner would have.
        protocol: the budget.
        progress: see `population.train`.
        tell: called with every arm when it is tuned.

    Returns:
        One `Tuned` an arm, in order.
    """
    settings = []
    for arm in arms:
        drawn = spaces.trials(arm.space, protocol.trials, seed=protocol.seed)
        steps = float(arm.stretch * protocol.steps)
        settings.append([base.Hyper.of(**{'steps': steps} | values) for values in drawn])
    return evaluate(arms, settings, pool, labelled, protocol, progress=progress, tell=tell)


def evaluate(
    arms: Sequence[Arm],
    settings: Sequence[Sequence[base.Hyper]],
    pool: base.Examples,
    labelled: np.ndarray,
    protocol: Protocol,
    *,
    beat: Tuned | None = None,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[Tuned], None] = lambda tuned: None,
) -> list[Tuned]:
    """Races given settings of each arm over the folds and keeps each arm's best.

    All settings are trained on the first folds; the better half of them on the others too (see `race.heat`).
    An arm whose best setting is behind `beat` on the first folds goes no further.

    Args:
        arms: to judge.
        settings: of each arm.
        pool: labelled examples.
        labelled: `[n]` indices.
        protocol: folds, seed.
        beat: what an arm has to be better than to be of use, judged on all folds.
        progress: see `population.train`.
        tell: called with every arm when it is judged.

    Returns:
        One `Tuned` an arm, in order.
    """
    if not isinstance(pool, base.Examples):
        raise TypeError(f'the search takes base.Examples, never a test set; got {type(pool).__name__}')
    folds = splits.folds(pool.y[labelled], fold_count(protocol.validation), seed=protocol.seed)
    folds = folds[: protocol.folds]
    pairs = list(zip(arms, settings, strict=True))
    course = race.Course(
        pairs,
        [(labelled[train], labelled[held]) for train, held in folds],
        [seed_of(protocol.seed, 'search', number) for number in range(len(folds))],
        functools.partial(
            population.train,
            examples=pool,
            eval_every=protocol.eval_every,
            capacity=protocol.capacity,
            keep_variables=False,
            progress=progress,
        ),
    )

    found = {}
    for numbers in _batches(pairs):
        entrants = [pairs[number] for number in numbers]
        for number, one in zip(numbers, _judge(course, entrants, len(folds), beat), strict=True):
            found[number] = one
            tell(one)
    return [found[n] for n in range(len(pairs))]


def _judge(course, entrants, folds, beat):
    """Lets the settings of some arms race, and keeps the best of each arm."""
    first, going_on = race.heat(max(len(hypers) for _, hypers in entrants), folds)
    course.run([(arm, hyper) for arm, hypers in entrants for hyper in hypers], range(first))
    # An arm may share its nets with one that raced before. The first heat must not see the folds that only
    # that one's better settings were trained on, or equal arms would keep different settings.
    kept = [_ranked(course, arm, hypers, range(first))[:going_on] for arm, hypers in entrants]
    ahead = [
        beat is None or _ahead(course.results(arm, hypers[best[0]], range(first)), beat)
        for (arm, hypers), best in zip(entrants, kept, strict=True)
    ]
    course.run(
        [
            (arm, hypers[n])
            for (arm, hypers), best, goes_on in zip(entrants, kept, ahead, strict=True)
            if goes_on
            for n in best
        ],
        range(first, folds),
    )
    judged = []
    for (arm, hypers), best in zip(entrants, kept, strict=True):
        # Settings that dropped out in the first heat count again where all the others diverged.
        order = _ranked(course, arm, hypers, range(folds))
        lost = {n for n in best if any(t.diverged for t in course.results(arm, hypers[n]))}
        whole = [n for n in order if n in best and n not in lost]
        chosen = (whole or order)[0]
        judged.append(_tuned(arm, hypers, chosen, [course.results(arm, hyper) for hyper in hypers]))
    return judged


def _ranked(course, arm, hypers, folds):
    """Numbers of the settings, the best first, by their results on some folds."""
    groups = [course.results(arm, hyper, folds) for hyper in hypers]
    diverged = [any(t.diverged for t in group) for group in groups]
    scores = [np.mean(_scores(group)) for group in groups]
    return race.ranking(scores, [hyper.learning_rate or 0.0 for hyper in hypers], diverged)


def _tuned(arm, hypers, chosen, groups):
    best = groups[chosen]
    return Tuned(
        arm,
        hypers[chosen],
        tuple(_scores(best)),
        float(np.mean([t.error for t in best])),
        _best_step(best, arm.restore_best),
        len(hypers),
        sum(t.steps for group in groups for t in group),
        sum(t.diverged for group in groups for t in group),
    )


def _batches(pairs):
    """Numbers of the arms that race together: the first alone, to show a result soon, then by program."""
    groups = collections.defaultdict(list)
    for number, (arm, _) in enumerate(pairs):
        groups[number == 0, population.structure(arm.recipe)].append(number)
    return list(groups.values())


def _scores(trained):
    return [1e9 if t.diverged else score(t.error, t.loss) for t in trained]


def _ahead(trained, beat):
    return np.mean(_scores(trained)) < np.mean(beat.fold_scores[: len(trained)])


def _best_step(trained, restore_best):
    """The evaluation that is best on all folds together: steadier than any fold's own best."""
    curves = [t.curve for t in trained if not t.diverged]
    if not restore_best or len({len(curve) for curve in curves}) != 1:
        return int(np.median([t.best_step for t in trained]))
    means = np.mean([score(curve[:, ERROR], curve[:, LOSS]) for curve in curves], axis=0)
    return int(curves[0][means.argmin(), STEP])
