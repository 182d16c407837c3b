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
from overfit.study import race, spaces, techniques
from overfit.train.engine import population


class Arm(NamedTuple):
    """A recipe to be tuned: the baseline with some techniques.

    Attributes:
        keys: of its techniques, in the order in which they were added; `()` for the baseline.
        recipe: with all of them.
        space: fields to be searched or fixed.
        members: nets to average.
        refit: train on all labels.
        restore_best: keep the best weights.
        stretch: times the protocol's steps.
    """

    keys: tuple[str, ...]
    recipe: base.Recipe
    space: spaces.Space
    members: int = 1
    refit: bool = False
    restore_best: bool = True
    stretch: float = 1.0

    @property
    def label(self) -> str:
        if not self.keys:
            return techniques.BASELINE.label
        labels = {key: techniques.TECHNIQUES[key].label for key in self.keys}
        if 'ensemble' in labels:
            labels['ensemble'] = f'average of {self.members} nets'
        return ' + '.join(labels.values())

    @property
    def groups(self) -> set[str]:
        return {techniques.TECHNIQUES[key].group for key in self.keys}


class Protocol(NamedTuple):
    """How much is spent, the same for every arm.

    Attributes:
        train_size: labelled examples of a replicate.
        validation: fraction of them that is held out.
        folds: of the `1 / validation` folds, how many the better trials are trained on, see `race.heat`.
        trials: settings an arm.
        replicates: fresh ones, on which the chosen settings are measured.
        steps: training steps of a member.
        eval_every: steps between evaluations.
        capacity: room for indices, see `population.train`.
        seed: of everything.
    """

    train_size: int
    validation: float
    folds: int
    trials: int
    replicates: int
    steps: int
    eval_every: int
    capacity: tuple[int, int]
    seed: int


class Tuned(NamedTuple):
    """An arm with its chosen setting.

    Attributes:
        arm: what was tuned.
        hyper: the chosen numbers.
        fold_scores: of the chosen setting on each fold that it was trained on, see `score`.
        error: mean validation error of the setting, a fraction.
        best_step: step with the best weights, where that of all folds together is judged.
        trials: settings tried.
        member_steps: steps that the search of this arm took.
        frozen: members whose loss became infinite.
    """

    arm: Arm
    hyper: base.Hyper
    fold_scores: tuple[float, ...]
    error: float
    best_step: int
    trials: int
    member_steps: int
    frozen: int

    @property
    def score(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.fold_scores))


def arm_of(keys: Sequence[str], baseline: base.Recipe) -> Arm:
    """Composes techniques onto a baseline; later ones win where two fix the same field."""
    chosen = [techniques.TECHNIQUES[key] for key in keys]
    order = list(techniques.TECHNIQUES)
    recipe = baseline
    for key in sorted(keys, key=order.index):
        recipe = techniques.TECHNIQUES[key].change(recipe)
    space = dict(techniques.BASELINE.space)
    for technique in chosen:
        space |= technique.space
    return Arm(
        tuple(keys),
        recipe,
        space,
        members=max([t.members for t in chosen], default=1),
        refit=any(t.refit for t in chosen),
        restore_best=all(t.restore_best for t in chosen),
        stretch=max([t.stretch for t in chosen], default=1.0),
    )


def score(error: float, loss: float) -> float:
    """What selection minimises: the validation error, and among near-equals the lower cross-entropy."""
    return error + 1e-3 * loss


def search(
    arms: Sequence[Arm],
    pool: base.Examples,
    labelled: np.ndarray,
    protocol: Protocol,
    *,
    progress: Callable[[int, int], None] | None = None,
    said: Callable[[Tuned], None] = lambda tuned: None,
) -> list[Tuned]:
    """Tunes every arm with the same number of trials on the same folds.

    Args:
        arms: to tune; those that differ in the use of their labels only share their search.
        pool: labelled examples.
        labelled: `[n]` indices of the ones that a practitioner would have.
        protocol: the budget.
        progress: see `population.train`.
        said: told of every arm when it is tuned.

    Returns:
        One `Tuned` an arm, in order.
    """
    settings = []
    for arm in arms:
        drawn = spaces.trials(arm.space, protocol.trials, seed=protocol.seed)
        settings.append([base.Hyper(**values, steps=float(arm.stretch * protocol.steps)) for values in drawn])
    return evaluate(arms, settings, pool, labelled, protocol, progress=progress, said=said)


def evaluate(
    arms: Sequence[Arm],
    settings: Sequence[Sequence[base.Hyper]],
    pool: base.Examples,
    labelled: np.ndarray,
    protocol: Protocol,
    *,
    beat: Tuned | None = None,
    progress: Callable[[int, int], None] | None = None,
    said: Callable[[Tuned], None] = lambda tuned: None,
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
        said: told of every arm when it is judged.

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

    def ranked(arm, hypers):
        groups = [course.results(arm, hyper) for hyper in hypers]
        finite = [all(t.finite for t in group) for group in groups]
        scores = [np.mean(_scores(group)) for group in groups]
        return race.ranking(scores, [h.learning_rate for h in hypers], finite)

    def judge(numbers):
        entrants = [pairs[n] for n in numbers]
        first, going_on = race.heat(max(len(hypers) for _, hypers in entrants), len(folds))
        course.run([(arm, hyper) for arm, hypers in entrants for hyper in hypers], range(first))
        kept = [ranked(arm, hypers)[:going_on] for arm, hypers in entrants]
        course.run(
            [
                (arm, hypers[n])
                for (arm, hypers), best in zip(entrants, kept, strict=True)
                if beat is None or _ahead(course.results(arm, hypers[best[0]]), beat)
                for n in best
            ],
            range(first, len(folds)),
        )
        judged = []
        for (arm, hypers), best in zip(entrants, kept, strict=True):
            # Settings that dropped out on the first folds count again where all the others were lost.
            order = ranked(arm, hypers)
            whole = [n for n in order if n in best and all(t.finite for t in course.results(arm, hypers[n]))]
            chosen = (whole or order)[0]
            judged.append(_tuned(arm, hypers, chosen, [course.results(arm, hyper) for hyper in hypers]))
        return judged

    found = {}
    for numbers in _batches(pairs):
        for number, one in zip(numbers, judge(numbers), strict=True):
            found[number] = one
            said(one)
    return [found[n] for n in range(len(pairs))]


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
        sum(not t.finite for group in groups for t in group),
    )


def _batches(pairs):
    """Numbers of the arms that race together: the first alone, as it is wanted soon, then by program."""
    groups = collections.defaultdict(list)
    for number, (arm, _) in enumerate(pairs):
        groups[number == 0, population.structure(arm.recipe)].append(number)
    return list(groups.values())


def _scores(trained):
    return [score(t.error, t.loss) if t.finite else 1e9 for t in trained]


def _ahead(trained, beat):
    return np.mean(_scores(trained)) < np.mean(beat.fold_scores[: len(trained)])


def _best_step(trained, restore_best):
    """The evaluation that is best on all folds together: steadier than any fold's own best."""
    curves = [t.curve for t in trained if t.finite]
    if not restore_best or len({len(curve) for curve in curves}) != 1:
        return int(np.median([t.best_step for t in trained]))
    means = np.mean([score(curve[:, 4], curve[:, 3]) for curve in curves], axis=0)
    return int(curves[0][means.argmin(), 0])


def fold_count(validation: float) -> int:
    """Folds of which each is the fraction `validation` of the labelled examples."""
    return round(1 / validation)


def seed_of(*parts: int | str) -> int:
    """A 32-bit seed from whole numbers and words, the same in every process."""
    numbers = [int.from_bytes(p.encode()[:8], 'little') if isinstance(p, str) else p for p in parts]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
