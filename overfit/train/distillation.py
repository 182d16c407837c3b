"""Puts what a teacher knows into one net: examples that carry its probabilities, and a recipe for them."""

import chex
import numpy as np

from overfit import base
from overfit.objectives import distillation


def taught(examples: base.Examples, rows: base.Array, probabilities: base.Array) -> base.Examples:
    """Examples with what a teacher says of some of them.

    The teacher may be any model, as the average of several nets. What it says of examples that it was
    trained on is close to their labels; what nets of other folds say of an example tells more.

    Args:
        examples: the pool.
        rows: `[n]` indices of the examples that the students train on.
        probabilities: `[n, classes]` of the teacher on these.

    Returns:
        The same examples with `soft`; of the others, the label.

    Raises:
        ValueError: rows that do not exist, or what is no probability.

    >>> from overfit.data import kinds
    >>> pool = base.Examples(np.zeros((3, 2), np.float32), np.int32([0, 1, 1]), ('a', 'b'), kinds.vector)
    >>> taught(pool, np.array([2]), np.float32([[0.25, 0.75]])).soft.tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.25, 0.75]]
    """
    rows, probabilities = np.asarray(rows), np.asarray(probabilities, np.float32)
    chex.assert_shape(probabilities, (len(rows), len(examples.classes)))
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(examples.y):
        raise ValueError(
            f'rows holds {rows.min()} to {rows.max()}, but the examples have rows 0 to {len(examples.y) - 1}'
        )
    sums = probabilities.sum(1)
    if not (probabilities >= 0).all() or not np.allclose(sums, 1, atol=1e-3):
        raise ValueError(
            f'probabilities holds rows that sum to {sums.min():g} to {sums.max():g}, or values below 0: give '
            'probabilities, of log-probabilities their exponential'
        )
    soft = np.eye(len(examples.classes), dtype=np.float32)[examples.y]
    soft[rows] = probabilities
    return examples._replace(soft=soft)


def student(recipe: base.Recipe) -> base.Recipe:
    """The recipe of a net that hears a teacher by the share `hyper.distillation`.

    Args:
        recipe: that learns from labels alone.
    """
    return recipe._replace(loss=distillation.distilled)
