"""Penalties and bounds on weights.

They act on kernels alone: `kernels` says which leaves these are, and is the one place where the name of a
leaf decides anything. Frozen weights that the tree lacks (`None` in their place) are left out.
"""

import chex
import jax
import jax.numpy as jnp

from overfit import base


def kernels(params: base.Params) -> base.Params:
    """Marks the weights that penalties, bounds and weight decay act on: the leaves named `'kernel'`.

    That is flax's own name for the matrix of a dense layer and the filters of a convolution. Biases, scales
    of normalisations and embeddings have other names and stay free; a module of one's own has its weights
    penalised by calling them `'kernel'`.

    Args:
        params: tree of arrays, of weights that are trained; `None` stands where there are none.

    Returns:
        The same tree of bools.

    >>> kernels({'kernel': jnp.ones((3, 2)), 'bias': jnp.ones(2)})
    {'bias': False, 'kernel': True}
    """
    return jax.tree_util.tree_map_with_path(
        lambda path, _: bool(path) and getattr(path[-1], 'key', None) == 'kernel', params
    )


def _total(function, params):
    values = jax.tree.map(
        lambda is_kernel, leaf: jnp.sum(function(leaf)) if is_kernel else None, kernels(params), params
    )
    return sum(jax.tree.leaves(values), jnp.zeros(()))


def l1(params: base.Params) -> jax.Array:
    """Sum of absolute weights, `sum |w|`, whose gradient is a constant pull to zero: `sign(w)`, 0 at 0.

    Args:
        params: tree of arrays; only `kernels` count.

    Returns:
        Scalar.

    Reference: Tibshirani, "Regression shrinkage and selection via the lasso", JRSS B 1996, eq. 1.

    >>> float(l1({'kernel': jnp.array([[3.0], [-4.0]]), 'bias': jnp.array([9.0])}))
    7.0
    """
    return _total(_size, params)


@jax.custom_jvp
def _size(w):
    return jnp.abs(w)


@_size.defjvp
def _slope_of_size(primals, tangents):
    # As jax differentiates |w|, a weight of 0 would be pulled like a positive one.
    return jnp.abs(primals[0]), jnp.sign(primals[0]) * tangents[0]


def l2(params: base.Params) -> jax.Array:
    """Half the sum of squared weights, whose gradient is the weights: `sum w^2 / 2`.

    Args:
        params: tree of arrays; only `kernels` count.

    Returns:
        Scalar.

    Reference: Krogh and Hertz, "A simple weight decay can improve generalization", NeurIPS 1991, eq. 1.

    >>> float(l2({'kernel': jnp.array([[3.0], [-4.0]]), 'bias': jnp.array([9.0])}))
    12.5
    """
    return _total(jnp.square, params) / 2


def soft_threshold(params: base.Params, amount: base.Number) -> base.Params:
    """Moves every weight towards zero by an amount, and to exactly zero from within it.

    `sign(w) max(|w| - amount, 0)`, the proximal operator of `amount * sum |w|`: after a step of plain SGD by
    `-learning_rate * gradient`, with `amount = learning_rate * l1`, it makes a step of proximal gradient
    descent. After an adaptive optimizer it acts apart from its scaling, as decoupled weight decay does.

    Args:
        params: tree of arrays; only `kernels` change.
        amount: scalar, at least 0; 0 or `None`: nothing moves.

    Returns:
        The tree, shrunk.

    Reference: Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse
    problems", SIAM Journal on Imaging Sciences 2009, eq. 1.5; Duchi and Singer, "Efficient online and batch
    learning using forward backward splitting", JMLR 2009, section 5.1.

    >>> soft_threshold({'kernel': jnp.array([[3.0], [-0.25]])}, 0.5)['kernel'].tolist()
    [[2.5], [0.0]]
    """
    if amount is None:
        return params
    chex.assert_rank(amount, 0)

    def shrink(is_kernel, leaf):
        if not is_kernel:
            return leaf
        return jnp.where(jnp.abs(leaf) > amount, leaf - jnp.sign(leaf) * amount, jnp.zeros((), leaf.dtype))

    return jax.tree.map(shrink, kernels(params), params)


def sparsity(params: base.Params) -> jax.Array:
    """Share of the kernels' weights that are exactly zero.

    Args:
        params: tree of arrays; only `kernels` count.

    Returns:
        Scalar in [0, 1]; 0 without kernels.

    >>> float(sparsity({'kernel': jnp.array([[3.0], [0.0]]), 'bias': jnp.array([0.0])}))
    0.5
    """
    count = _total(jnp.ones_like, params)
    return _total(lambda leaf: leaf == 0, params) / jnp.maximum(count, 1)


def max_norm(params: base.Params, bound: base.Number) -> base.Params:
    """Shrinks every unit's incoming weights onto a ball; those inside it stay as they are.

    `w min(1, bound / |w|_2)` for each column `w` of a kernel seen as `[fan_in, out]`.

    Args:
        params: tree of arrays; only `kernels` change.
        bound: radius of the ball; 0 or `None`: no bound.

    Returns:
        The tree, projected.

    Reference: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
    JMLR 2014, section 5.1.

    >>> max_norm({'kernel': jnp.array([[3.0], [-4.0]])}, 2.5)['kernel'].tolist()
    [[1.5], [-2.0]]
    """
    if bound is None:
        return params
    chex.assert_rank(bound, 0)

    def project(is_kernel, leaf):
        if not is_kernel:
            return leaf
        inputs = tuple(range(leaf.ndim - 1))
        norm = jnp.sqrt(jnp.sum(jnp.square(leaf), axis=inputs, keepdims=True))
        outside = (norm > bound) & (bound > 0)
        return jnp.where(outside, leaf * (bound / jnp.where(outside, norm, 1)), leaf)

    return jax.tree.map(project, kernels(params), params)
