"""What training costs: seconds of a step and of compiling, and memory, estimated from shapes alone."""

import functools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from overfit import base
from overfit.study.arms import Arm
from overfit.train import start
from overfit.train.engine import layout, population

# Measured on a core with AVX-512; only the plan's estimate hangs on them, never a result.
FLOPS_PER_DEVICE = 65e9  # of a net's step
# How many times as long a step takes with running statistics: convolutions 1.28, an MLP 1.15 to 1.2. All of a
# textbook's convolutions took 1.6 times as long without this, the two phases that train them.
NORMALISING = 1.3
STEP_OVERHEAD = 10e-6  # seconds a step
AUGMENT_PER_VALUE = 4e-9  # seconds for an augmentation and a number of the input
COMPILE, COMPILE_CONVOLUTIONS = 1.5, 3.5  # seconds a program
# Labelled sets seldom agree on what to try: for a try 12 of them compiled 6 or 7 programs, 5 of them 1 to 3.
SETS_A_PROGRAM, MOST_PROGRAMS_A_TRY = 2, 6
LOADING = 1.0  # seconds, of the library of the references
COMPILE_COPIES = 2.0  # seconds, of what distorts images for them
RUNTIME_MEGABYTES = 500  # of Python, JAX and compiled programs
COPIES = 8  # of all weights of a lane: weights, gradients, momenta, the best ones


class Costs(NamedTuple):
    """What every level pays alike.

    Attributes:
        steps: seconds of a training step of a net of each arm.
        textbook: likewise, of the combination.
        compiling: seconds, of the programs of all arms.
        compiling_textbook: seconds, of the combination's.
        programs: of all arms.
        megabytes: of memory.
    """

    steps: tuple[float, ...]
    textbook: float
    compiling: float
    compiling_textbook: float
    programs: int
    megabytes: float


def estimate(arms: Sequence[Arm], textbook: Arm, pool: base.Examples) -> Costs:
    """Estimates what training arms costs.

    Args:
        arms: what is compared, the baseline first.
        textbook: the arm of all techniques that a textbook would combine.
        pool: labelled examples.
    """
    structures = {population.structure(arm.recipe) for arm in arms}
    return Costs(
        tuple(seconds_a_step(arm.recipe, pool, numbers=arm.space) for arm in arms),
        seconds_a_step(textbook.recipe, pool, numbers=textbook.space),
        sum(_compiling(recipe, pool) for recipe in structures),
        _compiling(textbook.recipe, pool),
        len(structures),
        _megabytes(structures, pool),
    )


def relative(arm: Arm, baseline: Arm, folds: int, pool: base.Examples) -> float:
    """What training the model of an arm takes, as a multiple of the baseline's: floating-point operations.

    Args:
        arm: its nets, steps, batches, gradients a step (SAM: two) and products of its optimizer (Muon) count,
            and that a refit has more examples; tuning does not.
        baseline: what is compared with.
        folds: of which one is held out, but from a refit.
        pool: labelled examples, for the shape of an input.
    """

    def of(one):
        stretch = one.stretch / (1 - one.refit / folds)
        return one.nets * stretch * _flops(one.recipe, pool, tuple(one.space))

    return float(of(arm) / max(of(baseline), 1.0))


def judged(arms: Sequence[Arm]) -> list[Arm]:
    """The arms that validation can judge, without the baseline, which is the first."""
    return [arm for arm in arms[1:] if all(one.judged_by_validation for one in arm.techniques)]


def candidates(arms: Sequence[Arm]) -> int:
    """How many techniques the combination can try."""
    return sum(len(arm.techniques) == 1 for arm in judged(arms))


def programs(tries: int, labelled_sets: int, arms: Sequence[Arm]) -> float:
    """About how many programs the combination compiles.

    Args:
        tries: techniques that are tried on each labelled set, where there are as many.
        labelled_sets: each of which may try another one.
        arms: what is compared, the baseline first.
    """
    different = min(labelled_sets / SETS_A_PROGRAM, MOST_PROGRAMS_A_TRY, candidates(arms))
    return float(min(tries, candidates(arms)) * different)


def _compiling(recipe, pool):
    example = layout.example_of(recipe, pool)
    return COMPILE_CONVOLUTIONS if layout.reuses_weights(recipe.model, example) else COMPILE


def _megabytes(recipes, pool):
    places = [
        (layout.choose(r, pool), layout.weights_of(r.model, layout.example_of(r, pool))) for r in recipes
    ]
    weights = max(COPIES * 4 * count * np.prod(place) for place, count in places)
    return float(RUNTIME_MEGABYTES + (weights + pool.x.nbytes * len(jax.local_devices())) / 2**20)


def seconds_a_step(recipe: base.Recipe, pool: base.Examples, *, numbers: Iterable[str] = ()) -> float:
    """Estimated seconds of a training step of one net, all devices at work.

    Args:
        recipe: of the net.
        pool: labelled examples, for the shape of an input.
        numbers: names of those that the net has.
    """
    devices = len(jax.local_devices())
    numbers = tuple(numbers)
    flops = _flops(recipe, pool, numbers)
    # An elastic field takes as long again as the resampling: 7.9 in place of 3.4 us for 28 x 28 pixels.
    passes = len(recipe.augment) + ('elastic' in numbers)
    augmenting = AUGMENT_PER_VALUE * np.prod(pool.x.shape[1:]) * recipe.batch_size * passes
    normalising = NORMALISING if _normalises(recipe, pool) else 1.0
    return (normalising * flops / FLOPS_PER_DEVICE + STEP_OVERHEAD + augmenting) / devices


@functools.lru_cache(maxsize=1024)
def _flops_of_step(recipe, example, numbers):
    return layout.step_flops(recipe, example, numbers)


def _flops(recipe, pool, numbers):
    return _flops_of_step(population.structure(recipe), layout.example_of(recipe, pool), numbers)


def _normalises(recipe, pool):
    """Whether a net has running statistics, as batch normalisation does."""
    _, variables = start.shapes_of(recipe.model, layout.example_of(recipe, pool))
    moving = [one for name, one in variables.items() if name not in ('params', start.FIXED)]
    return bool(jax.tree.leaves(moving))
