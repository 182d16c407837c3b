"""Optimizers that find their learning rate themselves, in the form of `optimizers`.

`learning_rate` multiplies the rate that they find: 1 is their own, and a schedule falls from there. It has to
be above 0.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from optax import contrib

from overfit import base
from overfit.objectives import penalties

MEMORY = 0.999  # share of a running average that stays at a step
WINDOW = 20  # steps over which YellowFin takes the range of the curvature
GROWTH = 100.0  # at most so many times its running value counts as the largest curvature
LEAST, MOST = 1e-30, 1e30


def single_step(
    h_max: base.Number, h_min: base.Number, variance: base.Number, distance: base.Number
) -> tuple[jax.Array, jax.Array]:
    """Momentum and rate by which a step of a noisy quadratic comes closest to its optimum.

    Minimises `momentum * distance^2 + rate^2 * variance` where
    `momentum >= ((sqrt(h_max / h_min) - 1) / (sqrt(h_max / h_min) + 1))^2` and
    `rate = (1 - sqrt(momentum))^2 / h_min`: the root `x = sqrt(momentum)` of `p x = (1 - x)^3`, with
    `p = distance^2 h_min^2 / (2 variance)`, or its bound.

    Args:
        h_max: scalar above 0, largest curvature.
        h_min: scalar above 0, smallest.
        variance: scalar, at least 0, of the gradient, summed over its entries.
        distance: scalar, at least 0, to the optimum.

    Returns:
        Momentum in [0, 1) and rate above 0, scalars.

    Reference: Zhang and Mitliagkas, "YellowFin and the art of momentum tuning", MLSys 2019, `SingleStep` of
    algorithm 1, and the appendix on its closed form.

    >>> momentum, rate = single_step(9.0, 1.0, 0.0, 1.0)  # no noise: Polyak's optimal momentum
    >>> round(float(momentum), 4), round(float(rate), 4)
    (0.25, 0.25)
    """
    chex.assert_rank([h_max, h_min, variance, distance], 0)
    p = jnp.square(distance * h_min) / (2 * jnp.maximum(variance, LEAST))
    p = jnp.clip(p, LEAST, MOST)
    # y = x - 1 solves y^3 + p y + p = 0. This form of Cardano's has no difference of large numbers.
    y = -2 * jnp.sqrt(p / 3) * jnp.sinh(jnp.arcsinh(1.5 * jnp.sqrt(3 / p)) / 3)
    # 1 - x, which is small where x is near 1, is kept rather than x.
    gap = jnp.minimum(-y, 2 / (jnp.sqrt(h_max / h_min) + 1))
    return jnp.square(1 - gap), jnp.square(gap) / h_min


class YellowFinState(NamedTuple):
    """What YellowFin measures; running averages still lack the division by `1 - 0.999^count`.

    Attributes:
        count: int32 scalar, steps done.
        window: `[20]`, squared norms of the latest gradients.
        log_max: running average of the logarithm of the window's maximum.
        log_min: likewise of its minimum.
        square: running average of the squared norm of the gradient.
        norm: running average of its norm.
        distance: running average of the distance to the optimum.
        mean: running average of the gradient, a tree like the weights.
        velocity: the last step, likewise.
        momentum: scalar, of the last step.
        rate: scalar, of the last step, before `learning_rate` multiplies it.
    """

    count: Any
    window: Any
    log_max: Any
    log_min: Any
    square: Any
    norm: Any
    distance: Any
    mean: base.Params
    velocity: base.Params
    momentum: Any
    rate: Any


def yellowfin(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """YellowFin: heavy-ball momentum whose momentum and rate are tuned at every step.

    Measures, in running averages, the range of the curvature (the least and the largest squared norm of the
    gradient within 20 steps, averaged on a logarithmic scale), the gradient's variance, and the distance to
    the optimum; then takes `single_step`. `v <- momentum_t * v - learning_rate * rate_t * g`;
    `p <- p + v - learning_rate * rate_t * weight_decay * p`.

    Gradients are clipped to the norm `sqrt(h_max)`, and a curvature counts as at most 100 times the running
    one. In the first 200 steps the rate rises as `t / 200`. The authors' program smooths momentum and rate
    once more, as their algorithm 1 does not: over a few hundred steps they would hardly leave their start.

    Args:
        learning_rate: scalar above 0, multiplies the rate that is found.
        momentum: scalar in [0, 1), the least momentum; `None`: 0.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation; `momentum` and `rate` of its state tell what was found.

    Reference: Zhang and Mitliagkas, "YellowFin and the art of momentum tuning", MLSys 2019, algorithms 1
    to 4.

    >>> params = {'kernel': jnp.array([1.0])}
    >>> transformation = yellowfin(1.0)
    >>> updates, state = transformation.update(params, transformation.init(params), params)
    >>> float(state.momentum), round(float(updates['kernel'][0]), 4)
    (0.0, -0.005)
    """

    def init(params):
        zero, zeros = jnp.zeros(()), jax.tree.map(jnp.zeros_like, params)
        return YellowFinState(
            jnp.zeros((), jnp.int32),
            jnp.zeros(WINDOW),
            zero,
            zero,
            zero,
            zero,
            zero,
            zeros,
            zeros,
            zero,
            zero,
        )

    def update(gradients, state, params=None):
        count = state.count + 1
        known = 1 - MEMORY ** count.astype(jnp.float32)  # share of a running average that is no zero
        known_before = jnp.maximum(1 - MEMORY ** state.count.astype(jnp.float32), LEAST)
        h_before = jnp.where(state.count > 0, jnp.exp(state.log_max / known_before), jnp.inf)
        norm = optax.tree.norm(gradients)
        h = jnp.clip(jnp.square(norm), LEAST, GROWTH * h_before)
        window = state.window.at[state.count % WINDOW].set(h)
        seen = jnp.arange(WINDOW) < count
        log_max = _averaged(state.log_max, jnp.log(jnp.max(jnp.where(seen, window, 0))))
        log_min = _averaged(state.log_min, jnp.log(jnp.min(jnp.where(seen, window, jnp.inf))))
        h_max, h_min = jnp.exp(log_max / known), jnp.exp(log_min / known)

        clipped = jnp.minimum(1.0, jnp.sqrt(h_before) / jnp.maximum(norm, LEAST))
        gradients, norm = jax.tree.map(lambda g: clipped * g, gradients), clipped * norm
        mean = jax.tree.map(_averaged, state.mean, gradients)
        square = _averaged(state.square, jnp.square(norm))
        variance = square / known - jnp.square(optax.tree.norm(mean) / known)
        norm = _averaged(state.norm, norm)
        distance = _averaged(state.distance, norm / jnp.maximum(square, LEAST))

        tuned, rate = single_step(h_max, h_min, jnp.maximum(variance, 0), distance / known)
        if momentum is not None:
            tuned = jnp.maximum(tuned, momentum)
            rate = jnp.square(1 - jnp.sqrt(tuned)) / h_min
        rate = rate * jnp.minimum(1.0, count / (10 * WINDOW))
        velocity = jax.tree.map(lambda v, g: tuned * v - learning_rate * rate * g, state.velocity, gradients)
        updates = _with_decay(velocity, params, learning_rate * rate, weight_decay)
        return updates, YellowFinState(
            count, window, log_max, log_min, square, norm, distance, mean, velocity, tuned, rate
        )

    return optax.GradientTransformation(init, update)


def prodigy(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """Prodigy: Adam, its rate the estimated distance to the solution; Optax's.

    Args:
        learning_rate: scalar above 0, multiplies the estimate.
        momentum: scalar in [0, 1), beta 1; `None`: 0.
        weight_decay: scalar, at least 0; kernels shrink by `learning_rate * estimate * weight_decay`.

    Returns:
        The transformation; `estim_lr` of its state is the estimate, 1e-6 at first.

    Reference: Mishchenko and Defazio, "Prodigy: an expeditiously adaptive parameter-free learner", ICML
    2024, algorithm 4.

    >>> params = {'kernel': jnp.array([1.0])}
    >>> transformation = prodigy(1.0, momentum=0.9)
    >>> state = transformation.init(params)
    >>> for _ in range(30):
    ...     updates, state = transformation.update(params, state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> bool(state.estim_lr > 1e-3)
    True
    """
    betas = (0.0 if momentum is None else momentum, 0.999)
    return _decayed(contrib.prodigy(learning_rate, betas=betas), learning_rate, weight_decay)


def d_adaptation(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """D-Adaptation of Adam: its rate a lower bound of the distance to the solution; Optax's.

    Args:
        learning_rate: scalar above 0, multiplies the estimate.
        momentum: scalar in [0, 1), beta 1; `None`: 0.
        weight_decay: scalar, at least 0; kernels shrink by `learning_rate * estimate * weight_decay`.

    Returns:
        The transformation; `estim_lr` of its state is the estimate, 1e-6 at first.

    Reference: Defazio and Mishchenko, "Learning-rate-free learning by D-Adaptation", ICML 2023,
    algorithm 5.

    >>> params = {'kernel': jnp.array([1.0])}
    >>> transformation = d_adaptation(1.0, momentum=0.9)
    >>> state = transformation.init(params)
    >>> for _ in range(30):
    ...     updates, state = transformation.update(params, state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> bool(state.estim_lr > 1e-5)
    True
    """
    betas = (0.0 if momentum is None else momentum, 0.999)
    return _decayed(contrib.dadapt_adamw(learning_rate, betas=betas), learning_rate, weight_decay)


def _averaged(before, value):
    return MEMORY * before + (1 - MEMORY) * value


def _with_decay(updates, params, rate, weight_decay):
    """Updates by which kernels shrink too."""
    if weight_decay is None:
        return updates
    return jax.tree.map(
        lambda is_kernel, u, p: u - rate * weight_decay * p if is_kernel else u,
        penalties.kernels(params),
        updates,
        params,
    )


def _decayed(transformation, learning_rate, weight_decay):
    """A transformation with an estimated rate, whose kernels shrink apart from the gradient.

    Optax's own decay shrinks biases too.
    """

    def update(gradients, state, params=None):
        updates, after = transformation.update(gradients, state, params)
        return _with_decay(updates, params, learning_rate * state.estim_lr, weight_decay), after

    return optax.GradientTransformation(transformation.init, update)
