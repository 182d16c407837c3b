"""Tunes arms on labelled sets, each anew on each of them, on validation examples only.

No test label can be had here: a `Course` has the inputs of the test set alone.
"""

import collections
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.study import race, spaces
from overfit.study.arms import Arm
from overfit.study.course import Course, Run
from overfit.study.protocol import seed_of
from overfit.train.engine import layout, population
from overfit.train.engine.population import ERROR, LOSS, STEP
from overfit.train.engine.program import score

MOST_BYTES = 2**30  # of weights that are kept at a time


class Tuned(NamedTuple):
    """An arm with the setting that was chosen on one labelled set.

    Attributes:
        arm: what was tuned.
        place: number of the labelled set.
        hyper: the chosen numbers.
        runs: nets of the chosen setting, one a fold.
        fold_scores: of each of them, see `choice`.
        error: their mean validation error, a fraction.
        refit_step: where a net that is refitted to all labels stops, were it trained on the folds' examples.
        trials: settings tried.
        member_steps: steps that the search took.
        diverged: nets whose loss became infinite.
    """

    arm: Arm
    place: int
    hyper: base.Hyper
    runs: tuple[Run, ...]
    fold_scores: tuple[float, ...]
    error: float
    refit_step: int
    trials: int
    member_steps: int
    diverged: int

    @property
    def score(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.fold_scores))


class Entry(NamedTuple):
    """Settings of an arm that race on one labelled set.

    Attributes:
        arm: what is tuned.
        settings: to choose from.
        place: number of the labelled set.
        beat: goes no further than the first heat where it is behind this there.
    """

    arm: Arm
    settings: tuple[base.Hyper, ...]
    place: int
    beat: Tuned | None = None


def search(
    course: Course,
    arms: Sequence[Arm],
    places: Sequence[int],
    *,
    tell: Callable[[Arm, Sequence[Tuned]], None] = lambda arm, tuned: None,
) -> list[tuple[Tuned, ...]]:
    """Tunes every arm on every labelled set with as many settings and folds, and predicts what tests it.

    Arms try the same values of the numbers that they have in common; every labelled set draws its own.

    Args:
        course: labelled sets.
        arms: to tune.
        places: numbers of the labelled sets.
        tell: called with every arm when it is tuned.

    Returns:
        For each arm, in order, one `Tuned` a labelled set.
    """
    course.expect(arms)
    found = {}
    for numbers in _batches(arms, course, len(places)):
        entries = [
            Entry(arms[number], settings(arms[number], course, place), place)
            for number in numbers
            for place in places
        ]
        tuned = judge(course, entries)
        for position, number in enumerate(numbers):
            found[number] = tuple(tuned[position * len(places) : (position + 1) * len(places)])
            tell(arms[number], found[number])
    return [found[number] for number in range(len(arms))]


def settings(arm: Arm, course: Course, place: int) -> tuple[base.Hyper, ...]:
    """The settings that an arm tries on a labelled set."""
    drawn = spaces.trials(
        arm.space, course.protocol.trials, seed=seed_of(course.sets[place].seed, 'settings')
    )
    steps = {'steps': course.steps(arm, place)}
    return tuple(base.Hyper.of(**steps | values) for values in drawn)


def judge(course: Course, entries: Sequence[Entry]) -> list[Tuned]:
    """Lets the settings of each entry race, and keeps the best; its nets predict, then weights are dropped.

    Args:
        course: labelled sets.
        entries: arms with settings, each on its labelled set; all settings are trained on the first folds,
            the better half of them on the others too (see `race.heat`).

    Returns:
        One `Tuned` an entry, in order.
    """
    folds = course.protocol.folds
    first, going_on = race.heat(max(len(entry.settings) for entry in entries), folds)

    def runs(entry, setting, numbers):
        arm = entry.arm
        return [Run(arm.recipe, entry.settings[setting], entry.place, n, arm.restore_best) for n in numbers]

    heat = [[runs(entry, n, range(first)) for n in range(len(entry.settings))] for entry in entries]
    course.train(run for group in heat for of_setting in group for run in of_setting)
    kept = [_ranked(course, *one)[:going_on] for one in zip(entries, heat, strict=True)]
    whole = [[list(of_setting) for of_setting in group] for group in heat]
    for entry, group, best in zip(entries, whole, kept, strict=True):
        if entry.beat is None or _ahead(course.results(group[best[0]]), entry.beat):
            for n in best:
                group[n] += runs(entry, n, range(first, folds))
    course.train(run for group in whole for of_setting in group for run in of_setting)
    judged = []
    for entry, group, best in zip(entries, whole, kept, strict=True):
        # Settings that dropped out in the first heat count again where all the others diverged.
        order = _ranked(course, entry, group)
        lost = {n for n in best if any(t.diverged for t in course.results(group[n]))}
        sound = [n for n in order if n in best and n not in lost]
        judged.append(_tuned(course, entry, group, (sound or order)[0]))
    course.predict(run for tuned in judged for run in tuned.runs)
    course.forget(run for group in whole for of_setting in group for run in of_setting)
    return judged


def _ranked(course, entry, group):
    """Numbers of the settings, the best first."""
    results = [course.results(of_setting) for of_setting in group]
    diverged = [any(t.diverged for t in of_setting) for of_setting in results]
    scores = [np.mean(_scores(of_setting)) for of_setting in results]
    return race.ranking(scores, [hyper.learning_rate or 0.0 for hyper in entry.settings], diverged)


def _tuned(course, entry, group, chosen):
    best, results = course.results(group[chosen]), [course.results(of_setting) for of_setting in group]
    return Tuned(
        entry.arm,
        entry.place,
        entry.settings[chosen],
        tuple(group[chosen]),
        tuple(_scores(best)),
        float(np.mean([t.error for t in best])),
        _refit_step(best, entry.arm.restore_best, course.validated(entry.place, len(best))),
        len(entry.settings),
        sum(t.steps for of_setting in results for t in of_setting),
        sum(t.diverged for of_setting in results for t in of_setting),
    )


def _batches(arms, course, places):
    """Numbers of the arms that race together: the first alone, to show a result soon, then by program.

    No batch holds more weights than `MOST_BYTES`.
    """
    groups = collections.defaultdict(list)
    for number, arm in enumerate(arms):
        groups[number == 0, population.structure(arm.recipe)].append(number)
    batches = []
    for (_, recipe), numbers in groups.items():
        weights = 4 * layout.weights_of(recipe.model, layout.example_of(recipe, course.pool))
        nets = places * race.nets(course.protocol.trials, course.protocol.folds)
        most = max(1, int(MOST_BYTES / (weights * nets)))
        batches += [numbers[begin : begin + most] for begin in range(0, len(numbers), most)]
    return batches


def choice(error: float, loss: float) -> float:
    """What a setting is chosen by: its validation error plus its validation cross-entropy.

    The error alone counts a few examples. On digits@200 (eight arms, forty labelled sets, four settings,
    three folds) it chooses settings that err on 7.77 % of the test examples, and the arms' differences from
    the baseline have a standard deviation of 0.95 points over labelled sets; this choice has 7.61 % and 0.75.
    On USPS@100 (five arms) it is 22.61 % and 1.19 against 22.49 % and 0.88.
    Which weights a net keeps goes by `program.score`, the error first: there this made no difference.

    Args:
        error: validation error, a fraction.
        loss: validation cross-entropy, nats.
    """
    return error + loss


def _scores(trained):
    return [1e9 if t.diverged else choice(t.error, t.loss) for t in trained]


def _ahead(trained, beat):
    return np.mean(_scores(trained)) < np.mean(beat.fold_scores[: len(trained)])


def _refit_step(trained, restore_best, validated):
    """The last evaluation that is not clearly worse than the best one, on all folds together.

    Nets go on learning where a few validation examples have long stopped to tell; where labels are wrong
    these do tell. Averages of refitted nets of the textbook's recipe err on 1.6, 6.2 and 6.3 % if they stop
    at the best evaluation (digits@200, USPS@100, digits@200 with a fifth of the labels random), on 1.3, 5.9
    and 9.6 % if they never do, on 1.3, 5.7 and 6.6 % if they stop here.
    """
    curves = [t.curve for t in trained if not t.diverged]
    if not restore_best or len({len(curve) for curve in curves}) != 1:
        return int(np.median([t.best_step for t in trained]))
    curve = np.mean(curves, axis=0)
    best = score(curve[:, ERROR], curve[:, LOSS]).argmin()
    share = (curve[best, ERROR] * validated + 1) / (validated + 2)  # no certainty at 0 mistakes
    tolerance = 0.5 * np.sqrt(share * (1 - share) / validated)
    good = np.flatnonzero(curve[:, ERROR] <= curve[best, ERROR] + tolerance)
    return int(curve[good[-1], STEP])
