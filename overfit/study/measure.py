"""Measures chosen settings again, on fresh paired replicates and the test set."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import search
from overfit.study.protocol import Protocol, seed_of
from overfit.train import predict
from overfit.train.engine import population


class Measured(NamedTuple):
    """What an arm did on the fresh replicates.

    Attributes:
        wrong: `[R, N]` bool: test example misclassified by the replicate's model.
        curve: `[R, evaluations, 5]`, see `population.Trained`, of the first net of an ensemble; NaN after
            the end of a shorter one.
        member_steps: training steps in all.
        diverged: nets whose loss became infinite.
    """

    wrong: np.ndarray
    curve: np.ndarray
    member_steps: int
    diverged: int


class Replicate(NamedTuple):
    """A labelled subset of the pool, `[n]` indices, and the seed of all that is drawn on it."""

    labelled: np.ndarray
    seed: int


def replicate(pool: base.Examples, size: int, protocol: Protocol, number: int) -> Replicate:
    """Draws fresh replicate `number`; for a larger size it holds the smaller one's examples too."""
    seed = seed_of(protocol.seed, 'measure', number)
    return Replicate(splits.subset(pool.y, size, seed=seed), seed)


def members_of(
    tuned: search.Tuned, replicate: Replicate, y: np.ndarray, protocol: Protocol
) -> list[population.Member]:
    """The nets that an arm trains on one replicate.

    Args:
        tuned: arm and setting.
        replicate: labelled examples, and the seed of their split, initial weights and order.
        y: `[N]` labels of the pool.
        protocol: fraction that is held out.
    """
    arm, members = tuned.arm, []
    for net in range(arm.nets):
        seed = replicate.seed if net == 0 else seed_of(replicate.seed, net)
        train, validation = splits.holdout_split(y[replicate.labelled], protocol.validation, seed=seed)
        hyper, stop_at = tuned.hyper, None
        if arm.refit:
            stretch = len(replicate.labelled) / len(train)
            train, validation = np.arange(len(replicate.labelled)), validation[:0]
            stop_at = stretch * tuned.best_step
            hyper = hyper.with_numbers(steps=stretch * hyper.steps)
        members.append(
            population.Member(
                arm.recipe,
                hyper,
                seed,
                replicate.labelled[train],
                replicate.labelled[validation],
                arm.restore_best,
                stop_at,
            )
        )
    return members


def measure(
    tuned: Sequence[search.Tuned],
    pool: base.Examples,
    holdout: splits.Holdout,
    protocol: Protocol,
    *,
    sizes: Sequence[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Measured]:
    """Trains every arm on the fresh replicates and tests it.

    Args:
        tuned: arms with the settings that the search chose.
        pool: labelled examples; a replicate takes a subset of them.
        holdout: the test set.
        protocol: replicates, train size, seed.
        sizes: labelled examples for each arm; by default `protocol.train_size`.
        progress: see `population.train`.

    Returns:
        One `Measured` an arm, in order.
    """
    members, spans = [], []
    for one, size in zip(tuned, sizes or [protocol.train_size] * len(tuned), strict=True):
        begin = len(members)
        for number in range(protocol.replicates):
            members += members_of(one, replicate(pool, size, protocol, number), pool.y, protocol)
        spans.append(range(begin, len(members)))
    trained = population.train(
        members, pool, eval_every=protocol.eval_every, capacity=protocol.capacity, progress=progress
    )
    return [_test(one, [trained[n] for n in span], holdout) for one, span in zip(tuned, spans, strict=True)]


def _test(tuned, trained, holdout):
    probabilities = average(tuned.arm.recipe, trained, holdout.x, tuned.arm.nets)
    curves = [t.curve for t in trained[:: tuned.arm.nets]]
    longest = max(len(c) for c in curves)
    curves = [np.pad(c, ((0, longest - len(c)), (0, 0)), constant_values=np.nan) for c in curves]
    return Measured(
        holdout.wrong(probabilities.argmax(-1)),
        np.stack(curves),
        sum(t.steps for t in trained),
        sum(t.diverged for t in trained),
    )


def average(
    recipe: base.Recipe, trained: Sequence[population.Trained], x: np.ndarray, nets: int
) -> np.ndarray:
    """Mean probabilities of each run of `nets` nets: `[len(trained) / nets, N, classes]`."""
    predicted = np.exp(predict.predict(recipe, trained, x))
    return predicted.reshape(-1, nets, *predicted.shape[1:]).mean(1)
