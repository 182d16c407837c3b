"""The learning-rate range test: losses while the rate grows from step to step, of several nets at once.

Everything is pure: the nets that are given stay as they are, and those that the test trains are thrown away.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from scipy import ndimage

from overfit import base, keys
from overfit.data import sampling
from overfit.train import schedules, step

FALL = (0.1, 0.9)  # shares of the whole fall of the loss between which rates are suggested


class Curves(NamedTuple):
    """What a range test saw.

    Attributes:
        rates: `[S]`, learning rate of each step, rising.
        losses: `[nets, S]`, training loss of the step, before its update; NaN or infinite once a net
            diverged.
    """

    rates: np.ndarray
    losses: np.ndarray


class Suggestion(NamedTuple):
    """Rates that a range test suggests, `[nets]` each; NaN for a net whose loss never falls.

    Attributes:
        low: where a tenth of the fall is done.
        steepest: where the loss falls fastest, over the logarithm of the rate.
        high: where nine tenths are done.
    """

    low: np.ndarray
    steepest: np.ndarray
    high: np.ndarray


def sweep(
    examples: base.Examples,
    recipe: base.Recipe,
    hyper: base.Hyper,
    *,
    seeds: Sequence[int] = tuple(range(8)),
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
) -> Curves:
    """Runs the test on examples, with nets that differ in their seed: initial weights and order.

    Args:
        examples: of training.
        recipe: what shapes the nets.
        hyper: their numbers; the learning rate and its schedules are left out.
        seeds: a net each.
        low: learning rate of the first step.
        high: of the last.
        steps: with rates between them, evenly on a logarithmic scale.

    Returns:
        The curves.

    Raises:
        ValueError: a range or a number of steps that shows nothing.

    Reference: Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3, with
    a rate that grows geometrically.
    """
    if not 0 < low < high < np.inf or steps < 3:
        raise ValueError(
            f'low={low}, high={high}, steps={steps}: give 0 < low < high, and at least 3 steps, as in '
            'low=1e-5, high=10.0, steps=100'
        )
    inputs = jax.tree.map(jnp.asarray, examples.kind.measure(examples.x))
    numbers = jax.tree.map(np.float32, hyper)
    states, rows = _begun(
        jnp.asarray(seeds, jnp.uint32),
        examples.x[:1],
        jnp.asarray(examples.y),
        inputs,
        numbers,
        recipe,
        steps,
    )
    rows = np.asarray(rows)
    rates = np.geomspace(low, high, steps)
    found = losses(states, base.Batch(examples.x[rows], examples.y[rows]), hyper, recipe, rates)
    return Curves(rates, np.asarray(found))


@functools.partial(jax.jit, static_argnames=('recipe', 'steps'))
def _begun(seeds, x, y, inputs, hyper, recipe, steps):
    """Nets at their start, and the examples `[nets, steps, batch]` that they will see."""
    sampler = recipe.sampler or sampling.epochs

    def of_net(seed):
        key = keys.key(seed)
        rows = jax.vmap(lambda n: sampler(key, n, y, jnp.uint32(len(y)), recipe.batch_size))(
            jnp.arange(steps)
        )
        return step.init_state(key, x, inputs, hyper, recipe), rows

    return jax.vmap(of_net)(seeds)


def losses(
    states: base.State, batches: base.Batch, hyper: base.Hyper, recipe: base.Recipe, rates: base.Array
) -> jax.Array:
    """Training losses while the learning rate changes from step to step.

    Args:
        states: of the nets, stacked `[nets, ...]`; they stay as they are.
        batches: `[nets, S, B, ...]`.
        hyper: numbers of all nets; the learning rate and its schedules are left out.
        recipe: of all.
        rates: `[S]` learning rates.

    Returns:
        `[nets, S]` losses, each before the update of its step.
    """
    chex.assert_rank(rates, 1)
    chex.assert_shape(batches.y, (None, len(rates), None))
    plain = hyper._replace(steps=None, **dict.fromkeys(schedules.SCHEDULES))
    return _losses(
        states, batches, plain._replace(learning_rate=None), recipe, jnp.asarray(rates, jnp.float32)
    )


@functools.partial(jax.jit, static_argnames=('recipe',))
def _losses(states, batches, hyper, recipe, rates):
    def of_net(state, batches):
        def one(state, now):
            batch, rate = now
            state, metrics = step.train_step(state, batch, hyper._replace(learning_rate=rate), recipe)
            return state, metrics.loss

        return jax.lax.scan(one, state, (batches, rates))[1]

    return jax.vmap(of_net)(states, batches)


def smoothed(losses: np.ndarray, *, width: float = 2.0) -> np.ndarray:
    """Curves without their noise: a Gaussian mean over steps, which moves no minimum as a running one does.

    A loss counts as at most twice the first one, so that a net which diverges pulls no step before it up.

    Args:
        losses: `[nets, S]`.
        width: standard deviation of the weights, steps.

    Returns:
        `[nets, S]`.

    >>> smoothed(np.array([[1.0, 1.0, 1.0, np.nan]]), width=0.1).tolist()
    [[1.0, 1.0, 1.0, 2.0]]
    """
    losses = np.asarray(losses, np.float64)
    most = 2 * losses[:, :1]
    losses = np.where(np.isfinite(losses), np.minimum(losses, most), most)
    return ndimage.gaussian_filter1d(losses, width, axis=1, mode='nearest')


def suggest(rates: np.ndarray, losses: np.ndarray, *, width: float = 2.0) -> Suggestion:
    """Reads a range of learning rates off the curves.

    The whole fall of a net's smoothed loss is that from the first rate to the lowest point.

    Args:
        rates: `[S]`, rising.
        losses: `[nets, S]`.
        width: of the smoothing, steps.

    Returns:
        Three rates for each net; `band` sums them up.

    >>> rates = np.geomspace(1e-3, 1.0, 4)
    >>> found = suggest(rates, np.array([[2.0, 1.7, 1.0, 4.0]]), width=0.1)
    >>> [round(float(rate[0]), 3) for rate in found]
    [0.01, 0.1, 0.1]
    """
    curves = smoothed(losses, width=width)
    chex.assert_shape(curves, (None, len(rates)))
    found = []
    for curve in curves:
        best = int(curve.argmin())
        fall = curve[0] - curve[best]
        if best == 0 or not fall > 0:
            found.append((np.nan, np.nan, np.nan))
            continue
        done = (curve[0] - curve[: best + 1]) / fall
        slopes = np.diff(curve[: best + 1]) / np.diff(np.log(rates[: best + 1]))
        low, high = (rates[int((done >= share).argmax())] for share in FALL)
        found.append((low, rates[int(slopes.argmin()) + 1], high))
    return Suggestion(*np.array(found).T)


def band(values: np.ndarray, *, level: float = 0.9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median over nets, and the quantiles between which a share of them lies.

    Args:
        values: `[nets, ...]`, curves or suggested rates; what is no finite number does not count.
        level: that share, in (0, 1).

    Returns:
        Lower end, median, upper end, `[...]` each.

    >>> [round(float(one), 3) for one in band(np.arange(11.0), level=0.8)]
    [1.0, 5.0, 9.0]
    """
    known = np.where(np.isfinite(values), values, np.nan)
    tail = (1 - level) / 2
    return tuple(np.nanquantile(known, q, axis=0) for q in (tail, 0.5, 1 - tail))
