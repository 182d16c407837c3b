"""What predicts, as a slot of the recipe: `(outputs, loss state) -> [B, classes]` log-probabilities."""

import chex
import jax
import jax.numpy as jnp

from overfit import base


def nearest_center(outputs: base.Outputs, loss_state: jax.Array) -> jax.Array:
    """Classifies by the nearest class center, for losses whose state is the centers (center loss).

    `log softmax_c(-|f - c|^2 / 2)`: the posterior of equally frequent classes that lie around their centers
    with unit variance.

    Args:
        outputs: features `[B, F]`.
        loss_state: centers `[classes, F]`.

    Returns:
        `[B, classes]` log-probabilities.

    Reference: Snell, Swersky and Zemel, "Prototypical networks for few-shot learning", NeurIPS 2017, eq. 2.
    """
    chex.assert_rank([outputs.features, loss_state], 2)
    chex.assert_equal_shape_suffix([outputs.features, loss_state], 1)
    apart = outputs.features[:, None, :] - loss_state[None, :, :]
    return jax.nn.log_softmax(-jnp.square(apart).sum(-1) / 2)
