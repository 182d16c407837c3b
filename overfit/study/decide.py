"""Decides, on validation examples only, which setting every arm gets and which techniques are combined.

Nothing here takes a test label, nor what was measured with one: the inputs of the test set are all that a
`Course` has of it, and its predictions are what leaves this module.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overfit.study import combine as combine_lib
from overfit.study import procedures, search, techniques
from overfit.study.arms import Arm, arm_of
from overfit.study.course import Course
from overfit.study.plan import BEST
from overfit.study.procedures import Outcome
from overfit.study.progress import Progress
from overfit.study.requests import Design
from overfit.train.engine import population


class Compared(NamedTuple):
    """What the procedures that are compared did.

    Attributes:
        tuned: of every labelled set on which all arms were tuned, the baseline's and the arms' settings.
        outcomes: of every arm, the baseline first, one a measured labelled set.
        controls: likewise of the baseline, tuned again.
        sizes: of the baseline, by number of labelled examples.
        fewer: of the arms that validation likes best, by label and number of labelled examples.
    """

    tuned: tuple[tuple[search.Tuned, ...], ...]
    outcomes: tuple[tuple[Outcome, ...], ...]
    controls: tuple[tuple[Outcome, ...], ...]
    sizes: Mapping[int, tuple[Outcome, ...]]
    fewer: Mapping[str, Mapping[int, tuple[Outcome, ...]]]


class Combined(NamedTuple):
    """What the combination came to.

    Attributes:
        outcomes: one a measured labelled set.
        final: the combination that is handed over.
        nets: its nets, trained on the final labelled set.
    """

    outcomes: tuple[Outcome, ...]
    final: search.Tuned
    nets: tuple[population.Trained, ...]


def compare(course: Course, design: Design, progress: Progress) -> Compared:
    """Runs every procedure on every labelled set.

    Args:
        course: the labelled sets of the design.
        design: what is compared, and how.
        progress: told of the phase.

    Returns:
        What they did, without controls and other sizes: see `check`.
    """
    plan, places = design.plan, design.places

    def tell(arm: Arm, tuned: Sequence[search.Tuned]) -> None:
        progress.say(f'{arm.label}: validation error {100 * np.mean([t.error for t in tuned]):.1f} %')

    with progress.phase('tuning', plan.member_steps['tuning'], trains=True) as course.progress:
        tuned = search.search(course, design.arms, places.tuned, tell=tell)
        flat = [one for of_arm in tuned for one in of_arm[: len(places.measured)]]
        outcomes = _regrouped(procedures.outcomes(course, flat), len(places.measured))
    return Compared(tuple(zip(*tuned, strict=True)), outcomes, (), {}, {})


def check(course: Course, compared: Compared, design: Design, progress: Progress) -> Compared:
    """Tunes the baseline again, and with other numbers of labels; the best arms with fewer labels too.

    Args:
        course: the labelled sets of the design.
        compared: what the arms did.
        design: what is compared, and how.
        progress: told of the phase.

    Returns:
        `compared`, with these.
    """
    plan, places = design.plan, design.places
    with progress.phase('checking', plan.member_steps['checking'], trains=True) as course.progress:
        fewer = [size for size in plan.fewer if size in places.sizes]
        controls = tuple(_run(course, design.arms[0], again) for again in places.controls)
        sizes = {size: _run(course, design.arms[0], at) for size, at in places.sizes.items()}
        fewer = {
            arm.label: {size: _run(course, arm, places.sizes[size]) for size in fewer}
            for arm in (_liked(list(zip(*compared.tuned, strict=True))) if fewer else ())
        }
    return compared._replace(controls=controls, sizes=sizes, fewer=fewer)


def combine(course: Course, compared: Compared, design: Design, progress: Progress) -> Combined:
    """Combines techniques on every labelled set, and trains the model that is handed over.

    Args:
        course: the labelled sets of the design.
        compared: what the arms did on validation examples.
        design: what is compared, and how.
        progress: told of both phases.
    """
    plan, places = design.plan, design.places
    effort = combine_lib.Effort(plan.level.tries, plan.level.try_trials)
    with progress.phase('combining', plan.member_steps['combining'], trains=True) as course.progress:
        combined = combine_lib.combine(course, compared.tuned, design.baseline, effort, tell=progress.say)
        finished = [finish(one, plan.level.nets, design) for one in combined]
    with progress.phase('final', plan.member_steps['final'], trains=True) as course.progress:
        outcomes = procedures.outcomes(course, finished[: len(places.measured)])
        final = finished[places.tuned.index(places.final)]
        nets = course.nets(run for nets in procedures.models_of(final, course)[:1] for run in nets)
    return Combined(tuple(outcomes), final, tuple(nets))


def finish(combined: search.Tuned, nets: int, design: Design) -> search.Tuned:
    """Puts the last techniques on a combination: refit on all labels, average several nets.

    Neither can be judged on held-out examples (nothing is held out any more), so they are not chosen by
    the search but taken wherever they are among the techniques compared; the ledger has a row for each,
    and the whole is measured as it is. Where a study is cross-fitted, the model handed over has all labels:
    there a combination is always refitted.

    Args:
        combined: what the search chose.
        nets: to average.
        design: gives the techniques that were compared.
    """
    last = last_techniques(design.arms, nets)
    if design.places.final not in design.places.measured and not any(one.refit for one in last):
        last = [techniques.refit, *last]
    arm = arm_of((*combined.arm.techniques, *last), design.baseline)
    return combined._replace(arm=arm)


def last_techniques(arms: Sequence[Arm], nets: int) -> list[techniques.Technique]:
    """Of the techniques compared those that validation cannot judge, each kind once."""
    compared = [technique for arm in arms for technique in arm.techniques]
    refits = [technique for technique in compared if technique.refit]
    several = [technique for technique in compared if technique.nets > 1]
    return refits[:1] + ([techniques.ensemble(nets)] if several and nets > 1 else [])


def _run(course, arm, places):
    [tuned] = search.search(course, [arm], places)
    return tuple(procedures.outcomes(course, tuned))


def _regrouped(flat, count):
    return tuple(tuple(flat[begin : begin + count]) for begin in range(0, len(flat), count))


def _liked(tuned):
    """The arms of the lowest mean validation error, as far as validation can judge them."""
    plain, *others = tuned
    judged = [t for t in others if all(one.judged_by_validation for one in t[0].arm.techniques)]
    order = sorted(judged, key=lambda of_arm: np.mean([one.score for one in of_arm]))
    return [of_arm[0].arm for of_arm in order[:BEST]]
