"""Tunes arms on validation examples only.

Nothing here takes a `Holdout`: the test labels are out of reach of all that searches.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import spaces, techniques
from overfit.train import population


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
        folds: of the `1 / validation` folds, how many every trial is trained on.
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
        score: what chose them, see `score`.
        error: mean validation error of the setting, a fraction.
        best_step: median over the folds of the step with the best weights.
        trials: settings tried.
        member_steps: steps that the search of this arm took.
        frozen: members whose loss became infinite.
    """

    arm: Arm
    hyper: base.Hyper
    score: float
    error: float
    best_step: int
    trials: int
    member_steps: int
    frozen: int


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
) -> list[Tuned]:
    """Tunes every arm with the same number of trials on the same folds.

    Args:
        arms: to tune; those that differ in the use of their labels only share their search.
        pool: labelled examples.
        labelled: `[n]` indices of the ones that a practitioner would have.
        protocol: the budget.
        progress: see `population.train`.

    Returns:
        One `Tuned` an arm, in order.
    """
    settings = []
    for arm in arms:
        drawn = spaces.trials(arm.space, protocol.trials, seed=protocol.seed)
        settings.append([base.Hyper(**values, steps=float(arm.stretch * protocol.steps)) for values in drawn])
    return evaluate(arms, settings, pool, labelled, protocol, progress=progress)


def evaluate(
    arms: Sequence[Arm],
    settings: Sequence[Sequence[base.Hyper]],
    pool: base.Examples,
    labelled: np.ndarray,
    protocol: Protocol,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Tuned]:
    """Trains given settings of each arm on every fold and keeps each arm's best."""
    if not isinstance(pool, base.Examples):
        raise TypeError(f'the search takes base.Examples, never a test set; got {type(pool).__name__}')
    folds = splits.folds(pool.y[labelled], fold_count(protocol.validation), seed=protocol.seed)
    folds = folds[: protocol.folds]
    members, where = [], {}
    for arm, hypers in zip(arms, settings, strict=True):
        for hyper in hypers:
            key = (arm.recipe, hyper, arm.restore_best)
            if key in where:
                continue
            where[key] = len(members)
            members += [
                population.Member(
                    arm.recipe,
                    hyper,
                    seed_of(protocol.seed, 'search', number),
                    labelled[train],
                    labelled[held],
                    arm.restore_best,
                )
                for number, (train, held) in enumerate(folds)
            ]
    trained = population.train(
        members,
        pool,
        eval_every=protocol.eval_every,
        capacity=protocol.capacity,
        keep_variables=False,
        progress=progress,
    )
    results = []
    for arm, hypers in zip(arms, settings, strict=True):
        groups = [trained[where[arm.recipe, h, arm.restore_best] :][: len(folds)] for h in hypers]
        scores = [np.mean([score(t.error, t.loss) if t.finite else 1e9 for t in group]) for group in groups]
        best = choose(scores, [h.learning_rate for h in hypers], [all(t.finite for t in g) for g in groups])
        results.append(
            Tuned(
                arm,
                hypers[best],
                float(scores[best]),
                float(np.mean([t.error for t in groups[best]])),
                int(np.median([t.best_step for t in groups[best]])),
                len(hypers),
                sum(t.steps for group in groups for t in group),
                sum(not t.finite for group in groups for t in group),
            )
        )
    return results


def choose(scores: Sequence[float], rates: Sequence[float], finite: Sequence[bool]) -> int:
    """The best setting at a safe distance from divergence.

    A rate that trained on every fold can diverge on the next replicate, so a setting whose rate is above
    half of the smallest rate that diverged is taken only where nothing else is left.

    Args:
        scores: of each setting, lower is better.
        rates: learning rate of each.
        finite: whether all its members stayed finite.

    Returns:
        The number of the setting.
    """
    scores, rates, finite = np.asarray(scores), np.asarray(rates), np.asarray(finite)
    unsafe = rates[~finite].min(initial=np.inf)
    safe = finite & (rates <= unsafe / 2)
    allowed = safe if safe.any() else finite if finite.any() else np.ones_like(finite)
    return int(np.flatnonzero(allowed)[scores[allowed].argmin()])


def fold_count(validation: float) -> int:
    """Folds of which each is the fraction `validation` of the labelled examples."""
    return round(1 / validation)


def seed_of(*parts: int | str) -> int:
    """A 32-bit seed from whole numbers and words, the same in every process."""
    numbers = [int.from_bytes(p.encode()[:8], 'little') if isinstance(p, str) else p for p in parts]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
