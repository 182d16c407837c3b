"""What a study will do and what it will cost: how many trials, replicates and steps a budget pays for."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from overfit import base
from overfit.study import race, search, techniques
from overfit.train.engine import layout, population

# Measured on a core with AVX-512; only the plan's estimate hangs on them, never a result.
FLOPS_PER_DEVICE = 75e9
STEP_OVERHEAD = 10e-6
AUGMENT_PER_VALUE = 4e-9
COMPILE_MLP, COMPILE_CNN, COMPILE_REST = 1.5, 3.5, 8.0
REFERENCE, MOST_REFERENCES = 0.4, 30.0


class Level(NamedTuple):
    """One rung of effort.

    Attributes:
        trials: settings an arm.
        folds: at most so many of the folds that `--validation` makes.
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
        seconds: estimated seconds of each phase, compile time included.
        members: nets in all.
        programs: compiled programs of training.
        megabytes: estimated peak memory.
        reference_replicates: on which scikit-learn's references are measured; 0: they would take too long.
        cut: sentences that say what is less than the standard.
    """

    protocol: search.Protocol
    level: Level
    sizes: tuple[int, ...]
    member_steps: dict[str, int]
    seconds: dict[str, float]
    members: int
    programs: int
    megabytes: float
    reference_replicates: int
    cut: tuple[str, ...]


def make(
    pool: base.Examples,
    arms: Sequence[search.Arm],
    *,
    train_size: int,
    validation: float,
    budget_minutes: float | None,
    seed: int,
    trials: int | None = None,
    replicates: int | None = None,
) -> Plan:
    """Chooses the most generous level whose estimate fits the budget.

    The choice hangs on sizes alone, never on a clock, so the same command runs the same study again.

    Args:
        pool: labelled examples.
        arms: what is compared, the baseline first.
        train_size: labelled examples of a replicate.
        validation: fraction held out.
        budget_minutes: for everything; `None`: the standard effort, or what `STANDARD_MINUTES` pay for.
        seed: of the study.
        trials: settings an arm, where the user fixes it.
        replicates: likewise.

    Returns:
        The plan; the lowest level where none fits.
    """
    allowed_levels = LEVELS if budget_minutes else LEVELS[: LEVELS.index(STANDARD) + 1]
    plans = [
        _at(level, pool, arms, train_size, validation, seed, trials, replicates) for level in allowed_levels
    ]
    allowed = budget_minutes or STANDARD_MINUTES
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
        minutes = sum(chosen.seconds.values()) / 60
        cut.append(f'even so about {minutes:.1f} min are needed, more than the {allowed:g} allowed')
    return chosen._replace(cut=tuple(cut))


def _at(level, pool, arms, train_size, validation, seed, trials, replicates):
    level = level._replace(trials=trials or level.trials, replicates=replicates or level.replicates)
    epoch = train_size / arms[0].recipe.batch_size
    steps = int(np.clip(level.epochs * epoch, LEAST_STEPS, max(MOST_STEPS, 20 * epoch)))
    eval_every = max(10, steps // 20)
    steps = eval_every * round(steps / eval_every)
    smallest = max(2 * len(pool.classes), train_size // 4)
    sizes = {max(smallest, int(train_size * f)) for f in (0.25, 0.5, 1, 2, 4)} | {train_size}
    sizes = tuple(sorted(s for s in sizes if s <= min(len(pool.y), population.MOST_EXAMPLES)))
    largest = sizes[-1]
    protocol = search.Protocol(
        train_size=train_size,
        validation=validation,
        folds=min(level.folds, round(1 / validation)),
        trials=level.trials,
        replicates=level.replicates,
        steps=steps,
        eval_every=eval_every,
        capacity=(largest, int(np.ceil(validation * largest)) + len(pool.classes)),
        seed=seed,
    )
    shape = pool.x.shape[1:]
    costs = [arm.stretch * _seconds_a_step(arm.recipe, shape) for arm in arms]
    textbook = [key for key in techniques.TEXTBOOK[pool.kind] if any(key in arm.keys for arm in arms)]
    together = search.arm_of(textbook, arms[0].recipe)
    combined = _seconds_a_step(together.recipe, shape)
    stretch = {
        'tuning': 1.0,
        'measuring': 1.0,
        'combining': together.stretch,
        'final': together.stretch / (1 - validation),
    }
    searched = {
        (arm.recipe, tuple(arm.space.items()), arm.restore_best, arm.stretch): c
        for arm, c in zip(arms, costs, strict=True)
    }
    nets = [arm.members for arm in arms]
    curve = sum(max(1.0, s / train_size) for s in sizes if s != train_size)  # in nets of the usual length
    runs = {
        'tuning': sum(searched.values()) * race.members(protocol.trials, protocol.folds),
        'measuring': (sum(c * n for c, n in zip(costs, nets, strict=True)) + curve * costs[0])
        * protocol.replicates,
        'combining': combined * (level.tries + 2) * race.members(level.try_trials, protocol.folds),
        'final': combined * level.nets * (protocol.replicates + 1),
    }
    counts = {
        'tuning': len(searched) * race.members(protocol.trials, protocol.folds),
        'measuring': (sum(nets) + curve) * protocol.replicates,
        'combining': (level.tries + 2) * race.members(level.try_trials, protocol.folds),
        'final': level.nets * (protocol.replicates + 1),
    }
    recipes = {population.structure(arm.recipe): arm for arm in arms}
    compiling = sum(COMPILE_CNN if hasattr(r.model, 'channels') else COMPILE_MLP for r in recipes)
    recompiling = COMPILE_CNN if 'convolution' in textbook else COMPILE_MLP
    seconds = {phase: s * steps * stretch[phase] for phase, s in runs.items()}
    seconds['tuning'] += compiling
    seconds['combining'] += (1 + level.tries / 2) * recompiling
    one = REFERENCE * max(0.5, train_size / 200) ** 2 * np.sqrt(np.prod(shape) / 64)
    compared = min(protocol.replicates, int(max(MOST_REFERENCES, 0.1 * sum(seconds.values())) / one))
    compared = compared if compared > 1 else 0
    seconds['references'] = COMPILE_REST + compared * one
    places = [layout.choose(r, pool) for r in recipes]
    weights = [layout.weights_of(r.model, shape) for r in recipes]
    megabytes = (
        500 + max(8 * 4 * w * np.prod(place) for w, place in zip(weights, places, strict=True)) / 2**20
    )
    return Plan(
        protocol,
        level,
        sizes,
        {phase: round(n * steps * stretch[phase]) for phase, n in counts.items()},
        seconds,
        round(sum(counts.values())),
        len(recipes),
        float(megabytes + pool.x.nbytes * len(jax.local_devices()) / 2**20),
        compared,
        (),
    )


def _seconds_a_step(recipe, shape):
    devices = len(jax.local_devices())
    flops = 3 * recipe.batch_size * layout.forward_flops(recipe.model, shape)
    augmenting = AUGMENT_PER_VALUE * np.prod(shape) * recipe.batch_size * len(recipe.augment)
    return (flops / FLOPS_PER_DEVICE + STEP_OVERHEAD + augmenting) / devices
