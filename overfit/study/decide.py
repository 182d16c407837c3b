"""Decides which setting every arm gets and which techniques are combined, on validation examples only.

Nothing here takes a test set, nor what was measured on one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from overfit import base
from overfit.study import combine, search, techniques
from overfit.study.arms import Arm, arm_of
from overfit.study.progress import Progress
from overfit.study.requests import Design


class Decided(NamedTuple):
    """What was chosen.

    Attributes:
        tuned: the baseline with its setting, then every arm with its own.
        squeezed: the combination, with the techniques that validation cannot judge.
    """

    tuned: tuple[search.Tuned, ...]
    squeezed: search.Tuned


def decide(
    pool: base.Examples,
    design: Design,
    progress: Progress,
) -> Decided:
    """Tunes every arm, then combines techniques.

    Args:
        pool: labelled examples.
        design: what is compared, and how.
        progress: told of both phases.

    Returns:
        The settings and the combination.
    """
    plan, protocol = design.plan, design.plan.protocol
    with progress.phase('tuning', plan.member_steps['tuning'], trains=True) as advance:
        tuned = search.search(
            design.arms,
            pool,
            design.labelled,
            protocol,
            progress=advance,
            tell=lambda one: progress.say(f'{one.arm.label}: validation error {combine.percent(one)}'),
        )
    with progress.phase('combining', plan.member_steps['combining'], trains=True) as advance:
        combined = combine.combine(
            tuned,
            design.baseline,
            design.textbook,
            pool,
            design.labelled,
            protocol,
            combine.Effort(plan.level.tries, plan.level.try_trials),
            progress=advance,
            tell=progress.say,
        )
    return Decided(tuple(tuned), finish(combined, plan.level.nets, design))


def finish(combined: search.Tuned, nets: int, design: Design) -> search.Tuned:
    """Puts the last techniques on a combination: refit on all labels, average several nets.

    Neither can be judged on held-out examples (nothing is held out any more), so they are not chosen by
    the search but taken wherever they are among the techniques compared; the ledger has a row for each,
    and the whole is measured as it is.

    Args:
        combined: what the search chose.
        nets: to average.
        design: gives the techniques that were compared.
    """
    last = last_techniques(design.arms, nets)
    arm = arm_of((*combined.arm.techniques, *last), design.baseline)
    return combined._replace(arm=arm)


def last_techniques(arms: Sequence[Arm], nets: int) -> list[techniques.Technique]:
    """Of the techniques compared those that validation cannot judge, each kind once."""
    compared = [technique for arm in arms for technique in arm.techniques]
    refits = [technique for technique in compared if technique.refit]
    several = [technique for technique in compared if technique.nets > 1]
    return refits[:1] + ([techniques.ensemble(nets)] if several and nets > 1 else [])
