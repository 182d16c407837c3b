"""Averages of the weights of a run, evaluated and kept in place of the last ones: values of a slot."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from overfit import base

# Batch statistics have a memory of 0.9 a step: after 30 steps 4 % are left of the trained weights' own.
REFRESH = 30


class Sum(NamedTuple):
    """A weighted mean of weights.

    Attributes:
        total: tree like the weights.
        weight: scalar; 0: there is no average yet, and the trained weights stand for it.
    """

    total: base.Params
    weight: Any


def _begin(params):
    return Sum(jax.tree.map(jnp.zeros_like, params), jnp.zeros(()))


def ema_update(average: Sum, params: base.Params, *, decay: base.Number) -> Sum:
    """Puts new weights into an exponential moving average.

    `total <- decay * total + (1 - decay) * params`, and likewise of its weight, by which the total is
    divided at the end: so the initial weights, or zeros, have no share in it (the correction of Adam).

    Args:
        average: before.
        params: the weights after a step.
        decay: scalar in [0, 1).

    Returns:
        The average after it.

    Reference: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control
    Optim. 30, 1992; Kingma and Ba, "Adam", ICLR 2015, section 7.2.
    """
    total = jax.tree.map(lambda t, p: decay * t + (1 - decay) * p, average.total, params)
    return Sum(total, decay * average.weight + (1 - decay))


def swa_update(average: Sum, params: base.Params, *, progress: base.Number, start: base.Number) -> Sum:
    """Puts new weights into the equal average of all that follow a share of the steps.

    The paper takes one an epoch; here it is every step's, which small sets have few of.

    Args:
        average: before.
        params: the weights after a step.
        progress: scalar in (0, 1], share of the steps done.
        start: scalar in [0, 1), share of the steps before the first that counts; 0: none counts.

    Returns:
        The average after it; its total is the mean already, its weight a count.

    Reference: Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI
    2018, algorithm 1.
    """
    counts = ((progress > start) & (start > 0)).astype(jnp.float32)
    weight = average.weight + counts
    share = counts / jnp.maximum(weight, 1)
    return Sum(jax.tree.map(lambda t, p: t + share * (p - t), average.total, params), weight)


def _ema(average, params, progress, hyper):
    return average if hyper.ema_decay is None else ema_update(average, params, decay=hyper.ema_decay)


def _ema_weights(average, params):
    return jax.tree.map(
        lambda t, p: jnp.where(average.weight > 0, t / jnp.where(average.weight > 0, average.weight, 1), p),
        average.total,
        params,
    )


def _swa(average, params, progress, hyper):
    if hyper.swa_start is None:
        return average
    return swa_update(average, params, progress=progress, start=hyper.swa_start)


def _swa_weights(average, params):
    return jax.tree.map(lambda t, p: jnp.where(average.weight > 0, t, p), average.total, params)


# `hyper.ema_decay`; 0 or `None`: the trained weights.
ema = base.Average(_begin, _ema, _ema_weights, REFRESH, 'EMA')
# `hyper.swa_start`; 0 or `None`: the trained weights. Before that share of the steps likewise.
swa = base.Average(_begin, _swa, _swa_weights, REFRESH, 'SWA')
