"""Muon: momentum whose matrices are made orthogonal before a step; Optax's, in the form of `optimizers`."""

import jax
import optax
from optax import contrib

from overfit import base
from overfit.objectives import penalties

# Liu et al. 2025: an update of this root mean square is as long as AdamW's, so that one learning rate and
# one weight decay fit the kernels, which Muon moves, and the biases, which AdamW moves.
SIZE = 0.2


def muon(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """Muon for kernels, AdamW for all other weights.

    For a kernel seen as a matrix `[fan_in, out]`: `m <- momentum * m + (1 - momentum) * g`, bias-corrected
    and with Nesterov's step ahead; `u` is about the nearest matrix to it whose singular values are all
    equal, by five steps of Newton and Schulz, `0.2 * sqrt(max(fan_in, out))` long in each direction;
    `p <- p - learning_rate * (u + weight_decay * p)`. Other weights move as `optax.adamw` moves them, with
    Nesterov's step ahead too. The products cost `5 * (4 m^2 n + 2 m^3)` operations a step and kernel of
    `m <= n`: with small batches more than the gradient.

    Args:
        learning_rate: scalar, of this step; good ones are of AdamW's size.
        momentum: scalar in [0, 1), also beta 1 of AdamW; `None`: 0.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation.

    Reference: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; Liu et al.,
    "Muon is scalable for LLM training", 2025, eq. 4.

    >>> import jax.numpy as jnp
    >>> params = {'kernel': jnp.eye(4), 'bias': jnp.ones(4)}
    >>> transformation = muon(0.1, momentum=0.9)
    >>> updates, _ = transformation.update(params, transformation.init(params), params)
    >>> [tuple(leaf.shape) for leaf in jax.tree.leaves(updates)]
    [(4,), (4, 4)]
    """
    beta = 0.0 if momentum is None else momentum
    return contrib.muon(
        learning_rate,
        beta=beta,
        adam_b1=beta,
        weight_decay=0.0 if weight_decay is None else weight_decay,
        muon_weight_dimension_numbers=_as_matrices,
        consistent_rms=SIZE,
    )


def _as_matrices(params):
    """Which axes of a kernel are summed over, and which are outputs; `None` for what is no kernel."""

    def axes(is_kernel, leaf):
        if not is_kernel or leaf.ndim < 2:
            return None
        return contrib.MuonDimensionNumbers(tuple(range(leaf.ndim - 1)), leaf.ndim - 1)

    return jax.tree.map(axes, penalties.kernels(params), params)
