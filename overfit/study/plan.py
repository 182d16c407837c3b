"""What a study will do and what it will cost: settings, labelled sets and steps that a budget pays for."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from overfit import base
from overfit.data.splits import OUTER_FOLDS
from overfit.study import costs as costs_lib
from overfit.study import race, references
from overfit.study.arms import Arm
from overfit.study.levels import LEVELS, STANDARD, Level
from overfit.study.protocol import Protocol, fold_count
from overfit.train.engine import population

GUESSED_ERROR = 0.1
# Parts of the variance of a difference, as shares of that of a single mistake.
OF_SETS, OF_EXAMPLES, OF_BOTH = 8e-4, 8e-3, 0.3
BEST = 3  # arms that are measured with fewer labels too, to say how few would do
SHARE_OF_REFERENCES = 0.2  # of the rest of the study: references take no longer
LEAST_REFERENCES = 30.0  # seconds that they may take in any case
STANDARD_MINUTES = 7.5  # of the estimate; USPS@100 took 7.2 to 8 minutes where it says 7.8
LEAST_STEPS, MOST_STEPS = 300, 6000


class Plan(NamedTuple):
    """What will run.

    Attributes:
        protocol: of search and measurement.
        level: the rung.
        sizes: labelled examples at which the baseline is tuned, the arms' own number among them.
        fewer: those of them at which the best arms are tuned too, where none is larger than the arms' own.
        member_steps: planned training steps of each phase.
        seconds: estimated seconds of each phase, in the order in which they run, compile time included.
        compiling: those of them that are spent on compiling, by phase.
        nets: in all.
        programs: compiled programs of training.
        megabytes: estimated peak memory.
        references: names of the references that are affordable.
        reference_sets: labelled sets on which they are measured.
        detectable: about the smallest difference that is found four times in five, percentage points, where
            the baseline errs on `GUESSED_ERROR` of the examples.
        cut: sentences that say what is less than the standard.
    """

    protocol: Protocol
    level: Level
    sizes: tuple[int, ...]
    fewer: tuple[int, ...]
    member_steps: dict[str, int]
    seconds: dict[str, float]
    compiling: dict[str, float]
    nets: int
    programs: int
    megabytes: float
    references: tuple[str, ...]
    reference_sets: int
    detectable: float
    cut: tuple[str, ...]


class Task(NamedTuple):
    """What a plan is for.

    Attributes:
        pool: labelled examples.
        arms: what is compared, the baseline first.
        textbook: the costliest arm of a textbook's techniques: what a combination may cost.
        train_size: labelled examples of a labelled set.
        tests: test examples that are independent of one another: groups, where there are any.
        cross_fitted: whether the pool tests itself, so that there are no larger labelled sets.
        validation: fraction held out.
    """

    pool: base.Examples
    arms: Sequence[Arm]
    textbook: Arm
    train_size: int
    tests: int
    cross_fitted: bool
    validation: float


def make(
    task: Task, *, minutes: float | None, trials: int | None = None, labelled_sets: int | None = None
) -> Plan:
    """Chooses the most generous level whose estimate fits the budget.

    The choice hangs on sizes alone, never on a clock, so the same command runs the same study again.

    Args:
        task: what the plan is for.
        minutes: for everything; `None`: the standard effort, or what `STANDARD_MINUTES` pay for.
        trials: settings an arm, where the user fixes it.
        labelled_sets: likewise.

    Returns:
        The plan; the lowest level where none fits.
    """

    def rounded(level):
        """Cross-fitting takes whole rounds of outer folds."""
        whole = level.sets - level.sets % OUTER_FOLDS if task.cross_fitted else level.sets
        return level._replace(sets=whole)

    levels, standard = LEVELS if minutes else LEVELS[: LEVELS.index(STANDARD) + 1], rounded(STANDARD)
    levels = [
        level._replace(trials=trials or level.trials, sets=labelled_sets or level.sets)
        for level in map(rounded, levels)
    ]
    costs = costs_lib.estimate(task.arms, task.textbook, task.pool)
    plans = [_at(level, task, costs) for level in levels]
    allowed = minutes or STANDARD_MINUTES
    fitting = [p for p in plans if sum(p.seconds.values()) <= 60 * allowed]
    chosen = fitting[-1] if fitting else plans[0]
    cut = []
    asked = {'trials': trials, 'sets': labelled_sets}
    for field, what in (
        ('trials', 'settings an arm'),
        ('folds', 'folds a setting'),
        ('sets', 'labelled sets'),
        ('epochs', 'epochs'),
        ('tries', 'techniques tried in the combination'),
        ('nets', 'nets in the final average'),
        ('controls', 'controls'),
    ):
        have, usual = getattr(chosen.level, field), getattr(standard, field)
        if have < usual and not asked.get(field):
            cut.append(f'{what}: {have} instead of {usual}')
    known = references.names(task.pool.kind, task.pool.x.shape[1:])
    missing = [name for name in known if name not in chosen.references]
    if missing:
        cut.append(f'references that would take too long at this size: {", ".join(missing)}')
    if not fitting:
        needed, limit = f'{sum(chosen.seconds.values()) / 60:.1f}', f'more than the {allowed:g} allowed'
        much = f'about {needed} min are needed, {limit}' if float(needed) > allowed else ''
        cut.append('even so ' + (much or f'a little {limit} min are needed'))
    return chosen._replace(cut=tuple(cut))


class Work(NamedTuple):
    """What a phase trains.

    Attributes:
        nets: how many.
        lengths: of all of them together, as a multiple of the protocol's steps.
        seconds: for that many steps of each, without compiling.
    """

    nets: float
    lengths: float
    seconds: float


def _at(level, task, costs):
    """The plan of one level."""
    sizes = _sizes(task)
    fewer = sizes[:-1] if sizes[-1] == task.train_size else ()
    protocol = _protocol(level, task, sizes)
    work = _work(level, protocol, task, costs, sizes, fewer)
    seconds = {phase: w.seconds for phase, w in work.items()}
    compiling = {
        'tuning': costs.compiling,
        'combining': costs_lib.programs(level.tries, level.sets, task.arms) * costs.compiling_textbook,
        'final': costs.compiling_textbook,
    }
    others = sum(seconds.values()) + sum(compiling.values())
    affordable, seconds['references'] = _references(task, level.sets, others)
    compiling['references'] = costs_lib.COMPILE_COPIES * (references.COPIES in affordable)
    for phase, more in compiling.items():
        seconds[phase] += more
    return Plan(
        protocol,
        level,
        sizes,
        fewer,
        {phase: round(w.lengths * protocol.steps) for phase, w in work.items()},
        seconds,
        compiling,
        round(sum(w.nets for w in work.values())),
        costs.programs,
        costs.megabytes,
        affordable,
        level.sets,
        detectable(level.sets, task.tests, len(task.arms) - 1),
        (),
    )


def _references(task, sets, others):
    """The references that fit into their share of the time, the cheap ones first, and seconds of all that."""
    pool, folds = task.pool, fold_count(task.validation)
    tested = task.tests // OUTER_FOLDS if task.cross_fitted else task.tests
    given = {'tested': tested, 'classes': len(pool.classes), 'folds': folds}
    estimates = references.seconds(pool.kind, pool.x.shape[1:], task.train_size, **given)
    allowed = max(LEAST_REFERENCES, SHARE_OF_REFERENCES * others)
    chosen = set()
    for name in sorted(estimates, key=estimates.get):
        if sets * references.abreast(estimates, (*chosen, name)) <= allowed:
            chosen.add(name)
    names = tuple(name for name in estimates if name in chosen)
    return names, costs_lib.LOADING + sets * references.abreast(estimates, names)


def detectable(labelled_sets: int, tests: int, comparisons: int) -> float:
    """About the smallest difference that simultaneous intervals find four times in five.

    `(t + 0.84) sqrt(p (1 - p) (a / J + b / N + c / (J N)))` with the parts of the variance that were measured
    on digits@200 and USPS@100, as shares of `p (1 - p)`, and t at `0.025 / comparisons` with twice J - 1
    degrees of freedom (the arms lend each other theirs).

    Args:
        labelled_sets: J.
        tests: N, test examples.
        comparisons: arms.

    Returns:
        Percentage points, where the baseline errs on `GUESSED_ERROR` of the examples.

    >>> round(detectable(10, 797, 38), 1), round(detectable(10, 90, 38), 1)
    (1.6, 3.1)
    """
    spread = GUESSED_ERROR * (1 - GUESSED_ERROR)
    variance = spread * (OF_SETS / labelled_sets + OF_EXAMPLES / tests + OF_BOTH / (labelled_sets * tests))
    quantile = special.stdtrit(2 * (labelled_sets - 1), 1 - 0.025 / max(1, comparisons))
    return float(100 * (quantile + special.ndtri(0.8)) * np.sqrt(variance))


def _sizes(task):
    """Labelled examples at which the baseline's curve is measured: a quarter to four times `train_size`."""
    share = np.bincount(task.pool.y).min() / len(task.pool.y)
    least = min(3 / share, task.train_size)  # about three of the rarest class
    most = task.train_size if task.cross_fitted else min(len(task.pool.y), population.MOST_EXAMPLES)
    sizes = {int(task.train_size * f) for f in (0.25, 0.5, 1, 2, 4)}
    return tuple(sorted({size for size in sizes if least <= size <= most} | {task.train_size}))


def _protocol(level, task, sizes):
    epoch = task.train_size / task.arms[0].recipe.batch_size
    steps = int(np.clip(level.epochs * epoch, LEAST_STEPS, max(MOST_STEPS, 20 * epoch)))
    eval_every = max(10, steps // 20)
    largest = max(sizes[-1], len(task.pool.y) if task.cross_fitted else 0)
    return Protocol(
        train_size=task.train_size,
        validation=task.validation,
        folds=min(level.folds, round(1 / task.validation)),
        trials=level.trials,
        steps=eval_every * round(steps / eval_every),
        eval_every=eval_every,
        capacity=(largest, -(-largest // fold_count(task.validation)) + len(task.pool.classes)),
    )


def _work(level, protocol, task, costs, sizes, fewer):
    """What each phase trains: `decide.compare`, `decide.check` and `decide.combine`.

    A net that is refitted stops where validation was best, and a combination leaves out tries that are
    behind: both are counted whole.
    """
    arms, textbook = task.arms, task.textbook

    def of(nets, lengths, cost):
        return Work(nets, lengths, cost * protocol.steps)

    places = level.sets + task.cross_fitted
    stretches = [arm.stretch for arm in arms]
    arm_costs = [arm.stretch * cost for arm, cost in zip(arms, costs.steps, strict=True)]
    # Arms that differ in the use of their labels only share their search.
    searched = {
        (arm.recipe, tuple(arm.space.items()), arm.restore_best, arm.stretch): number
        for number, arm in enumerate(arms)
    }.values()
    race_nets = race.nets(protocol.trials, protocol.folds)
    more = [(arm.nets if arm.nets > 1 else protocol.folds * arm.refit) * level.sets for arm in arms]
    tuned = race_nets * places
    # More labels than the arms have take more steps.
    curve = [max(1.0, s / protocol.train_size) for s in sizes if s != protocol.train_size]
    downwards = min(BEST, len(costs_lib.judged(arms))) * len(fewer)
    raced = race_nets * level.sets
    checks = (level.controls + sum(curve) + downwards) * raced
    longest = max(textbook.stretch, 1.0)
    tries = min(level.tries, costs_lib.candidates(arms))
    tried = tries * race.nets(level.try_trials, protocol.folds) * places
    final = (level.nets if any(arm.nets > 1 for arm in arms) else protocol.folds) * (places + 1)
    refits = task.cross_fitted or any(arm.refit for arm in arms)
    refitted = longest / (1 - refits / fold_count(protocol.validation))
    return {
        'tuning': of(
            len(searched) * tuned + sum(more),
            tuned * sum(stretches[n] for n in searched) + np.dot(stretches, more),
            tuned * sum(arm_costs[n] for n in searched) + np.dot(arm_costs, more),
        ),
        'checking': of((level.controls + len(curve) + downwards) * raced, checks, checks * arm_costs[0]),
        'combining': of(tried, longest * tried, longest * costs.textbook * tried),
        'final': of(final, refitted * final, refitted * costs.textbook * final),
    }
