"""Sharpness-aware minimisation: the gradient is taken at the worst point of a ball around the weights."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from overfit import base


def sam(
    objective: Callable[[base.Params], tuple[base.Array, Any]],
    params: base.Params,
    hyper: base.Hyper,
    axis_name: str | None,
) -> tuple[tuple[base.Array, Any], base.Params]:
    """The slot `gradient` of a recipe: `grad L(w + sam_radius * grad L(w) / |grad L(w)|_2)`.

    Loss, batch statistics and the state of the loss are those at the weights themselves, from the first of
    the two passes. Of a batch in shards the whole batch's gradient says where the worst point lies, so that
    shards give the result of the whole. (The paper lets each shard climb for itself.) Twice the cost of a
    plain gradient.

    Args:
        objective: `(params) -> (loss, aux)`.
        params: trained weights.
        hyper: `sam_radius`, the ball's radius in the 2-norm of all weights; 0 or `None`: the plain gradient.
        axis_name: axis over which the batch is sharded, or `None`.

    Returns:
        `((loss, aux), gradient)`.

    Reference: Foret et al., "Sharpness-aware minimization for efficiently improving generalization", ICLR
    2021, eq. 2 and algorithm 1.

    >>> slope = sam(lambda w: (w**3 / 3, ()), 2.0, base.Hyper(sam_radius=0.5), None)[1]
    >>> float(slope)  # the slope w^2 at 2.5
    6.25
    """
    slopes = jax.value_and_grad(objective, has_aux=True)
    first, slope = slopes(params)
    if hyper.sam_radius is None:
        return first, slope
    if axis_name is not None:
        slope = jax.lax.pmean(slope, axis_name)
    step = hyper.sam_radius / (optax.tree.norm(slope) + 1e-12)
    _, gradient = slopes(jax.tree.map(lambda w, s: w + step * s, params, slope))
    return first, gradient
