"""Schedule-free training: steps from one sequence of weights, slopes at a second, evaluation at a third.

`z` takes the steps, `x` is its average, and the slope is taken between them, at `y = (1 - b) z + b x`. A net
of a recipe has `y` as its weights; `x`, which is evaluated and kept, is the recipe's `average`. The two slots
go together: `with_recipe` sets both.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from overfit import base
from overfit.objectives import penalties
from overfit.train import optimizers, schedules


class ScheduleFree(NamedTuple):
    """State of the optimizer.

    Attributes:
        z: the sequence that takes the steps, a tree like the weights.
        highest: scalar, largest learning rate so far.
        total: scalar, sum of the squares of what `highest` was.
        scaled: state of what scales the gradient.
    """

    z: base.Params
    highest: Any
    total: Any
    scaled: Any


def _schedule_free(scaled, learning_rate, momentum, weight_decay):
    """Optax's `schedule_free` divides by the momentum, so that it cannot be 0; this form does not.

    With `x = (y - (1 - b) z) / b` put into `y' = b ((1 - c) x + c z') + (1 - b) z'`, `b` cancels out.
    """
    b = 0.0 if momentum is None else momentum

    def init(params):
        # A copy, so that a caller may give both away.
        z = jax.tree.map(lambda p: jnp.array(p, copy=True), params)
        return ScheduleFree(z, jnp.zeros(()), jnp.zeros(()), scaled.init(params))

    def update(gradients, state, params=None):
        slopes, after = scaled.update(gradients, state.scaled, params)
        if weight_decay is not None:
            slopes = jax.tree.map(
                lambda is_kernel, s, y: s + weight_decay * y if is_kernel else s,
                penalties.kernels(params),
                slopes,
                params,
            )
        z = jax.tree.map(lambda z, s: z - learning_rate * s, state.z, slopes)
        highest, total, c = _share(state.highest, state.total, learning_rate)
        y = jax.tree.map(
            lambda y, old, new: (1 - c) * (y - (1 - b) * old) + (b * c + 1 - b) * new, params, state.z, z
        )
        updates = jax.tree.map(jnp.subtract, y, params)
        return updates, ScheduleFree(z, highest, total, after)

    return optax.GradientTransformation(init, update)


def _share(highest, total, learning_rate):
    """How much the newest `z` counts in the average: by the square of the largest rate so far."""
    highest = jnp.maximum(highest, learning_rate)
    total = total + jnp.square(highest)
    return highest, total, jnp.where(total > 0, jnp.square(highest) / jnp.where(total > 0, total, 1), 0.0)


def schedule_free_sgd(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """Schedule-free SGD.

    `z <- z - learning_rate * (g(y) + weight_decay * y)`; `x <- (1 - c) * x + c * z`;
    `y <- momentum * x + (1 - momentum) * z`, with `c = 1 / t` while the rate does not rise.

    Args:
        learning_rate: scalar, of this step; a warm-up is meant, a decay is not.
        momentum: scalar in [0, 1), the share of the average in `y`; `None`: 0, Polyak's average.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation, of `y`; see `average` for `x`.

    Reference: Defazio et al., "The road less scheduled", NeurIPS 2024, algorithm 1 without its scaling.

    >>> params = {'kernel': jnp.array([1.0])}
    >>> transformation = schedule_free_sgd(0.5, momentum=0.9)
    >>> updates, _ = transformation.update(params, transformation.init(params), params)
    >>> round(float(updates['kernel'][0]), 4)
    -0.5
    """
    return _schedule_free(optax.identity(), learning_rate, momentum, weight_decay)


def schedule_free_adamw(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """Schedule-free AdamW: slopes are divided by the running root mean square, as Adam's.

    Args:
        learning_rate: scalar, of this step; a warm-up is meant, a decay is not.
        momentum: scalar in [0, 1), the share of the average in `y`; `None`: 0.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation, of `y`; see `average` for `x`.

    Reference: Defazio et al., "The road less scheduled", NeurIPS 2024, algorithm 1.

    >>> params = {'kernel': jnp.array([1.0])}
    >>> transformation = schedule_free_adamw(0.5, momentum=0.9)
    >>> updates, _ = transformation.update(params, transformation.init(params), params)
    >>> round(float(updates['kernel'][0]), 4)
    -0.5
    """
    scaled = optax.scale_by_rms(decay=0.999, eps=1e-8, eps_in_sqrt=False, bias_correction=True)
    return _schedule_free(scaled, learning_rate, momentum, weight_decay)


class Evaluated(NamedTuple):
    """State of the average.

    Attributes:
        x: what is evaluated, a tree like the weights.
        highest: scalar, largest share of the learning rate so far, by the schedules.
        total: scalar, sum of the squares of what `highest` was.
    """

    x: base.Params
    highest: Any
    total: Any


def _begin(params):
    return Evaluated(params, jnp.zeros(()), jnp.zeros(()))


def _follow(state, params, progress, hyper):
    """`x` from `y` alone: `z = (y - b (1 - c) x) / (1 - b + b c)`, then `(1 - c) x + c z`.

    The learning rate itself cancels out of `c`. An error in `x` shrinks at every step.
    """
    b = 0.0 if hyper.momentum is None else hyper.momentum
    highest, total, c = _share(state.highest, state.total, schedules.multiplier(progress, hyper))
    x = jax.tree.map(lambda x, y: (1 - c) * x + c * (y - b * (1 - c) * x) / (1 - b + b * c), state.x, params)
    return Evaluated(x, highest, total)


average = base.Average(_begin, _follow, lambda state, params: state.x, 30, 'schedule-free')


def with_recipe(recipe: base.Recipe, *, adam: bool = False) -> base.Recipe:
    """A recipe that trains without a schedule.

    Args:
        recipe: any.
        adam: scale slopes as AdamW does.

    Returns:
        The recipe with the optimizer and the average that belong together.
    """
    rule = schedule_free_adamw if adam else schedule_free_sgd
    return recipe._replace(optimizer=optimizers.by_hyper(rule), average=average)
