"""What a study will do and what it will cost: how many trials, replicates and steps a budget pays for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.study import costs as costs_lib
from overfit.study import race
from overfit.study.arms import Arm
from overfit.study.protocol import Protocol
from overfit.train.engine import population

REFERENCE, MOST_REFERENCES = 0.4, 30.0  # seconds a replicate of 200 examples of 64 numbers; in all
COMPILE_REST = 8.0  # seconds, of all that is no training


class Level(NamedTuple):
    """One rung of effort.

    Attributes:
        trials: settings an arm.
        folds: at most so many of the folds that `validation` makes.
        replicates: fresh paired replicates.
        epochs: passes over the labelled examples.
        tries: techniques tried in the combination.
        try_trials: settings a try.
        nets: in the final average.
    """

    trials: int
    folds: int
    replicates: int
    epochs: int
    tries: int
    try_trials: int
    nets: int


LEVELS = (
    Level(2, 2, 5, 25, 1, 1, 1),
    Level(3, 2, 8, 40, 1, 2, 2),
    Level(4, 3, 10, 60, 2, 2, 2),
    Level(6, 4, 15, 70, 3, 2, 2),
    Level(8, 5, 20, 80, 4, 2, 3),
    Level(10, 5, 20, 125, 5, 3, 4),
    Level(12, 5, 20, 150, 6, 3, 5),
    Level(16, 5, 20, 200, 8, 4, 5),
    Level(16, 5, 30, 250, 10, 5, 8),
    Level(24, 5, 30, 300, 12, 6, 10),
)
STANDARD = LEVELS[4]
STANDARD_MINUTES = 7.0
LEAST_STEPS, MOST_STEPS = 300, 6000


class Plan(NamedTuple):
    """What will run.

    Attributes:
        protocol: of search and measurement.
        level: the rung.
        sizes: labelled examples at which the baseline's data-size curve is measured.
        member_steps: planned training steps of each phase.
        seconds: estimated seconds of each phase, in the order in which they run, compile time included.
        nets: in all.
        programs: compiled programs of training.
        megabytes: estimated peak memory.
        reference_replicates: on which scikit-learn's references are measured; 0: they would take too long.
        cut: sentences that say what is less than the standard.
    """

    protocol: Protocol
    level: Level
    sizes: tuple[int, ...]
    member_steps: dict[str, int]
    seconds: dict[str, float]
    nets: int
    programs: int
    megabytes: float
    reference_replicates: int
    cut: tuple[str, ...]


def make(
    pool: base.Examples,
    arms: Sequence[Arm],
    textbook: Arm,
    *,
    train_size: int,
    validation: float,
    minutes: float | None,
    seed: int,
    trials: int | None = None,
    replicates: int | None = None,
) -> Plan:
    """Chooses the most generous level whose estimate fits the budget.

    The choice hangs on sizes alone, never on a clock, so the same command runs the same study again.

    Args:
        pool: labelled examples.
        arms: what is compared, the baseline first.
        textbook: the arm of all techniques that a textbook would combine: what a combination may cost.
        train_size: labelled examples of a replicate.
        validation: fraction held out.
        minutes: for everything; `None`: the standard effort, or what `STANDARD_MINUTES` pay for.
        seed: of the study.
        trials: settings an arm, where the user fixes it.
        replicates: likewise.

    Returns:
        The plan; the lowest level where none fits.
    """
    levels = LEVELS if minutes else LEVELS[: LEVELS.index(STANDARD) + 1]
    levels = [
        level._replace(trials=trials or level.trials, replicates=replicates or level.replicates)
        for level in levels
    ]
    costs = costs_lib.estimate(arms, textbook, pool)
    plans = [_at(level, pool, arms, textbook, costs, train_size, validation, seed) for level in levels]
    allowed = minutes or STANDARD_MINUTES
    fitting = [p for p in plans if sum(p.seconds.values()) <= 60 * allowed]
    chosen = fitting[-1] if fitting else plans[0]
    cut = []
    asked = {'trials': trials, 'replicates': replicates}
    for field, what in (
        ('trials', 'trials an arm'),
        ('folds', 'folds a trial'),
        ('replicates', 'fresh replicates'),
        ('epochs', 'epochs'),
        ('tries', 'techniques tried in the combination'),
        ('nets', 'nets in the final average'),
    ):
        have, usual = getattr(chosen.level, field), getattr(STANDARD, field)
        if have < usual and not asked.get(field):
            cut.append(f'{what}: {have} instead of {usual}')
    if not chosen.reference_replicates:
        cut.append("no references: scikit-learn's cross-validated SVM would take too long at this size")
    if not fitting:
        needed = sum(chosen.seconds.values()) / 60
        cut.append(f'even so about {needed:.1f} min are needed, more than the {allowed:g} allowed')
    return chosen._replace(cut=tuple(cut))


class Work(NamedTuple):
    """What a phase trains.

    Attributes:
        nets: how many.
        lengths: of all of them together, as a multiple of the protocol's steps.
        seconds: for that many steps of each, without compiling.
    """

    nets: int
    lengths: float
    seconds: float


def _at(level, pool, arms, textbook, costs, train_size, validation, seed):
    """The plan of one level."""
    sizes = _sizes(pool, train_size)
    protocol = _protocol(
        level, arms[0].recipe.batch_size, len(pool.classes), train_size, validation, sizes, seed
    )
    work = _work(level, protocol, arms, textbook, costs, sizes)
    seconds = {phase: w.seconds for phase, w in work.items()}
    seconds['tuning'] += costs.compiling
    # Every second try of a combination needs another program.
    seconds['combining'] += (1 + level.tries / 2) * costs.compiling_textbook
    values = np.prod(pool.x.shape[1:])
    one = REFERENCE * max(0.5, train_size / 200) ** 2 * np.sqrt(values / 64)
    affordable = int(max(MOST_REFERENCES, 0.1 * sum(seconds.values())) / one)
    compared = min(protocol.replicates, affordable)
    compared = compared if compared > 1 else 0
    seconds['references'] = COMPILE_REST + compared * one
    return Plan(
        protocol,
        level,
        sizes,
        {phase: round(w.lengths * protocol.steps) for phase, w in work.items()},
        seconds,
        sum(w.nets for w in work.values()),
        costs.programs,
        costs.megabytes,
        compared,
        (),
    )


def _sizes(pool, train_size):
    """Labelled examples at which the baseline's curve is measured: a quarter to four times `train_size`."""
    smallest = max(2 * len(pool.classes), train_size // 4)
    sizes = {max(smallest, int(train_size * f)) for f in (0.25, 0.5, 1, 2, 4)} | {train_size}
    return tuple(sorted(s for s in sizes if s <= min(len(pool.y), population.MOST_EXAMPLES)))


def _protocol(level, batch_size, classes, train_size, validation, sizes, seed):
    epoch = train_size / batch_size
    steps = int(np.clip(level.epochs * epoch, LEAST_STEPS, max(MOST_STEPS, 20 * epoch)))
    eval_every = max(10, steps // 20)
    return Protocol(
        train_size=train_size,
        validation=validation,
        folds=min(level.folds, round(1 / validation)),
        trials=level.trials,
        replicates=level.replicates,
        steps=eval_every * round(steps / eval_every),
        eval_every=eval_every,
        capacity=(sizes[-1], int(np.ceil(validation * sizes[-1])) + classes),
        seed=seed,
    )


def _work(level, protocol, arms, textbook, costs, sizes):
    """What each phase trains: `search.search`, `combine.combine`, `measure.measure` and the final nets.

    A net that is refitted stops where validation was best, and a combination leaves out tries that are
    behind: both are counted whole.
    """

    def of(nets, lengths, cost):
        return Work(nets, lengths, cost * protocol.steps)

    arm_costs = [arm.stretch * cost for arm, cost in zip(arms, costs.steps, strict=True)]
    # Arms that differ in the use of their labels only share their search.
    searched = {
        (arm.recipe, tuple(arm.space.items()), arm.restore_best, arm.stretch): cost
        for arm, cost in zip(arms, arm_costs, strict=True)
    }
    race_nets = race.nets(protocol.trials, protocol.folds)
    searched_lengths = sum(stretch for *_, stretch in searched)
    # More labels than the arms have take more steps.
    curve = [max(1.0, s / protocol.train_size) for s in sizes if s != protocol.train_size]
    measured = sum(cost * arm.nets for cost, arm in zip(arm_costs, arms, strict=True))
    measured += sum(curve) * arm_costs[0]
    measured_lengths = sum(arm.stretch * arm.nets for arm in arms) + sum(curve)
    combined, longest = costs.textbook, max(arm.stretch for arm in (*arms, textbook))
    # The textbook's combination has two tries' settings.
    tried = (level.tries + 2) * race.nets(level.try_trials, protocol.folds)
    averaged = level.nets if any(arm.nets > 1 for arm in arms) else 1
    final = averaged * (protocol.replicates + 1)
    refitted = longest / (1 - protocol.validation if any(arm.refit for arm in arms) else 1)
    replicates = protocol.replicates
    return {
        'tuning': of(
            len(searched) * race_nets, searched_lengths * race_nets, sum(searched.values()) * race_nets
        ),
        'combining': of(tried, longest * tried, longest * combined * tried),
        'measuring': of(
            (sum(arm.nets for arm in arms) + len(curve)) * replicates,
            measured_lengths * replicates,
            measured * replicates,
        ),
        'final': of(final, refitted * final, refitted * combined * final),
    }
