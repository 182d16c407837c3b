"""Stopping criteria replayed on the curves of runs that went on to their end.

Reference: Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade, 1998, section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.train import criteria


class Criterion(NamedTuple):
    """A rule with its threshold.

    Attributes:
        name: in tables.
        stop: `(validation [..., T], training [..., T]) -> [...]` index of the last evaluation.
    """

    name: str
    stop: Callable[[base.Array, base.Array], jax.Array]


def _gl(alpha):
    return Criterion(f'GL {alpha:g}', lambda validation, training: criteria.gl(validation, alpha))


def _pq(alpha):
    return Criterion(f'PQ {alpha:g}', lambda validation, training: criteria.pq(validation, training, alpha))


def _up(strips):
    return Criterion(f'UP {strips}', lambda validation, training: criteria.up(validation, strips))


# The fourteen of Prechelt's experiments (section 3.2).
PRECHELT = (
    *map(_gl, (1.0, 2.0, 3.0, 5.0)),
    *map(_pq, (0.5, 0.75, 1.0, 2.0, 3.0)),
    *map(_up, (2, 3, 4, 6, 8)),
)


class Replayed(NamedTuple):
    """What a criterion would have done to R runs.

    Attributes:
        stop: `[R]`, index of the evaluation after which each would have stopped.
        kept: `[R]`, of the evaluation whose weights it would have kept.
        stopped: `[R]` bool, whether it stopped the run before its end.
    """

    stop: np.ndarray
    kept: np.ndarray
    stopped: np.ndarray


def replay(
    validation: base.Array, training: base.Array, *, rules: Sequence[Criterion] = PRECHELT
) -> Mapping[str, Replayed]:
    """Replays criteria on stored curves.

    What a kept checkpoint is worth is read off another curve, which no criterion has seen:
    `np.take_along_axis(test_error, replayed.kept[:, None], 1)`.

    Args:
        validation: `[R, T]` validation error or cross-entropy of R runs.
        training: `[R, T]` training error or objective.
        rules: to replay; by default Prechelt's fourteen.

    Returns:
        By the criterion's name, in order.

    >>> found = replay(np.array([[2.0, 1.0, 1.5, 1.6]]), np.ones((1, 4)))
    >>> found['GL 5'].stop.tolist(), found['GL 5'].kept.tolist(), found['UP 2'].stopped.tolist()
    ([2], [1], [False])
    """
    chex.assert_rank([validation, training], 2)
    chex.assert_equal_shape([validation, training])
    validation, training = jnp.asarray(validation), jnp.asarray(training)
    found = {}
    for one in rules:
        stop = one.stop(validation, training)
        best = criteria.kept(validation, stop)
        found[one.name] = Replayed(
            np.asarray(stop), np.asarray(best), np.asarray(stop) < validation.shape[1] - 1
        )
    return found
