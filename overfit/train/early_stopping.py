"""Early stopping as arrays: the same program for one net and for a population of them."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from overfit import base


class Stopping(NamedTuple):
    """What early stopping remembers of one net.

    Attributes:
        best: float32 scalar, lowest score so far; infinite before the first.
        best_step: int32 scalar, training step of that score; -1 before the first.
        wait: int32 scalar, evaluations since.
        stopped: bool scalar; nothing changes any more once it is true.
        kept: the tree that came with that score (weights, for instance); that of `init` before the first.
    """

    best: jax.Array
    best_step: jax.Array
    wait: jax.Array
    stopped: jax.Array
    kept: Any


def init(params: base.Params) -> Stopping:
    """Returns the state before the first evaluation, holding the initial weights.

    Args:
        params: weights, any tree of arrays.

    >>> int(init({'kernel': jnp.zeros(3)}).best_step)
    -1
    """
    return Stopping(
        best=jnp.full((), jnp.inf, jnp.float32),
        best_step=jnp.full((), -1, jnp.int32),
        wait=jnp.zeros((), jnp.int32),
        stopped=jnp.zeros((), bool),
        kept=jax.tree.map(jnp.asarray, params),
    )


def update(
    state: Stopping,
    score: float | jax.Array,
    step: int | jax.Array,
    params: base.Params,
    patience: base.Number,
) -> Stopping:
    """Takes in one evaluation: keeps the weights if they are the best, stops after too many that are not.

    An improvement is a score strictly below the best; an equal, infinite or NaN score waits. The net stops
    when `wait >= patience`. The best weights are kept whatever ends the run.

    Args:
        state: from `init` or the last `update`.
        score: float scalar, lower is better.
        step: integer scalar, training steps done.
        params: weights that gave the score, the tree of `init`.
        patience: scalar, evaluations without improvement before the net stops; `None` or 0: never.

    Returns:
        The new state; equal to `state` if that was stopped.

    Reference: Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade, 1998: the
    criterion UP (section 2.2.1), counted against the best score in place of the last one.

    >>> state = init(jnp.zeros(()))
    >>> for step, score in enumerate([0.9, 0.5, 0.7, 0.6], start=1):
    ...     state = update(state, score, step, jnp.full((), step), 2)
    >>> int(state.best_step), bool(state.stopped), int(state.kept)
    (2, True, 2)
    """
    chex.assert_rank([score, step], 0)
    chex.assert_trees_all_equal_structs(state.kept, params)
    better = (score < state.best) & ~state.stopped
    wait = jnp.where(better, 0, jnp.where(state.stopped, state.wait, state.wait + 1))
    stopped = state.stopped if patience is None else state.stopped | ((patience > 0) & (wait >= patience))
    return Stopping(
        best=jnp.where(better, score, state.best),
        best_step=jnp.where(better, step, state.best_step),
        wait=wait,
        stopped=stopped,
        kept=jax.tree.map(lambda new, old: jnp.where(better, new, old), params, state.kept),
    )
