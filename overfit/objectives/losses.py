"""Losses: plain functions of arrays first, then `base.Loss` values composed of them."""

import chex
import jax
import jax.numpy as jnp

from overfit import base


def cross_entropy(logits: jax.Array, labels: jax.Array, *, label_smoothing: base.Number = None) -> jax.Array:
    """Softmax cross-entropy, with labels that may be smoothed.

    `-sum_k q_k log softmax(logits)_k`, `q_k = (1 - s) [k = label] + s / classes`.

    Args:
        logits: `[B, classes]`.
        labels: `[B]` integers in `[0, classes)`.
        label_smoothing: `s`, probability mass spread over all classes, in `[0, 1]`; 0 or `None`: none.

    Returns:
        `[B]`, nats.

    Reference: Szegedy et al., "Rethinking the Inception architecture", CVPR 2016, section 7.

    >>> values = cross_entropy(jnp.zeros((1, 4)), jnp.array([2]))
    >>> round(float(values[0]), 3)  # the logarithm of 4
    1.386
    """
    chex.assert_rank([logits, labels], [2, 1])
    chex.assert_type([logits, labels], [float, int])
    chex.assert_equal_shape_prefix([logits, labels], 1)
    log_p = jax.nn.log_softmax(logits)
    value = -jnp.sum(jnp.where(_one_hot(labels, logits.shape[1]) > 0, log_p, 0), axis=1)
    if label_smoothing is None:
        return value
    return (1 - label_smoothing) * value - label_smoothing * jnp.mean(log_p, axis=1)


def center_distance(centers: jax.Array, features: jax.Array, labels: jax.Array) -> jax.Array:
    """How far each example lies from the center of its class.

    `|f - c_label|^2 / 2`.

    Args:
        centers: `[classes, F]`.
        features: `[B, F]`.
        labels: `[B]` integers in `[0, classes)`.

    Returns:
        `[B]`.

    Reference: Wen et al., "A discriminative feature learning approach for deep face recognition",
    ECCV 2016, eq. 2.

    >>> centers = jnp.array([[0.0, 0.0], [1.0, 1.0]])
    >>> center_distance(centers, jnp.array([[3.0, 4.0], [1.0, 1.0]]), jnp.array([0, 1])).tolist()
    [12.5, 0.0]
    """
    chex.assert_rank([centers, features, labels], [2, 2, 1])
    chex.assert_type([centers, features, labels], [float, float, int])
    chex.assert_equal_shape_prefix([features, labels], 1)
    chex.assert_equal_shape_suffix([features, centers], 1)
    own = jnp.matmul(_one_hot(labels, centers.shape[0]), centers, precision=jax.lax.Precision.HIGHEST)
    return jnp.sum(jnp.square(features - own), axis=1) / 2


def center_update(
    centers: jax.Array,
    features: jax.Array,
    labels: jax.Array,
    rate: base.Number,
    *,
    weight: jax.Array | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Moves each center towards the examples of its class; centers of absent classes stay.

    `c_j - rate sum_i [y_i = j] (c_j - f_i) / (1 + sum_i [y_i = j])`.

    Args:
        centers: `[classes, F]`.
        features: `[B, F]`; no gradient flows through them.
        labels: `[B]` integers in `[0, classes)`.
        rate: share of the way, in `[0, 1]`; 0 or `None`: the centers stay.
        weight: `[B]`, how often each example counts; `None`: once.
        axis_name: axis over which the batch is sharded; sums and counts are taken over all shards.

    Returns:
        `[classes, F]`.

    Reference: Wen et al., "A discriminative feature learning approach for deep face recognition",
    ECCV 2016, eq. 4.

    >>> center_update(jnp.array([[1.0], [9.0]]), jnp.array([[3.0]]), jnp.array([0]), 0.5).tolist()
    [[1.5], [9.0]]
    """
    chex.assert_rank([centers, features, labels], [2, 2, 1])
    chex.assert_type([centers, features, labels], [float, float, int])
    chex.assert_equal_shape_prefix([features, labels], 1)
    chex.assert_equal_shape_suffix([features, centers], 1)
    if rate is None:
        return centers
    one_hot = _one_hot(labels, centers.shape[0])
    if weight is not None:
        chex.assert_equal_shape([weight, labels])
        one_hot = one_hot * weight[:, None]
    counts = jnp.sum(one_hot, axis=0)
    sums = jnp.matmul(one_hot.T, features, precision=jax.lax.Precision.HIGHEST)
    if axis_name is not None:
        counts, sums = jax.lax.psum((counts, sums), axis_name)
    delta = (counts[:, None] * centers - sums) / (1 + counts[:, None])
    return jax.lax.stop_gradient(centers - rate * delta)


def _one_hot(labels, classes):
    return jax.nn.one_hot(labels, classes, dtype=jnp.float32)


def batch_mean(values: jax.Array, weight: jax.Array | None, axis_name: str | None = None) -> jax.Array:
    """Mean over the examples that count.

    `sum_i w_i v_i / sum_i w_i`; 0 where no example counts.

    Args:
        values: `[B]`.
        weight: `[B]`; `None`: every example counts once.
        axis_name: axis over which the batch lies in shards of equal size. A shard's result is then its
            part of the global mean: the mean of the shards' results (`pmean`) is the mean over the whole
            batch, and so for gradients, even where shards hold unequal weight.

    Returns:
        Scalar.

    >>> float(batch_mean(jnp.array([1.0, 3.0, 8.0]), jnp.array([1.0, 1.0, 0.0])))
    2.0
    """
    chex.assert_rank(values, 1)
    if weight is None:
        return jnp.mean(values)
    chex.assert_equal_shape([values, weight])
    total = jnp.sum(weight)
    if axis_name is not None:
        total = jax.lax.pmean(total, axis_name)
    return jnp.sum(weight * values) / jnp.where(total > 0, total, 1)


def _softmax_init(classes, features):
    del classes, features
    return ()


def _softmax_apply(key, state, outputs, batch, hyper, axis_name):
    del key, axis_name  # nothing is drawn, and no example knows of another
    return cross_entropy(outputs.logits, batch.y, label_smoothing=hyper.label_smoothing), state


def _center_init(classes, features):
    return jnp.zeros((classes, features))


def _center_apply(key, state, outputs, batch, hyper, axis_name):
    del key  # nothing is drawn
    values = cross_entropy(outputs.logits, batch.y, label_smoothing=hyper.label_smoothing)
    if hyper.center_weight is not None:
        values = values + hyper.center_weight * center_distance(state, outputs.features, batch.y)
    moved = center_update(
        state, outputs.features, batch.y, hyper.center_rate, weight=batch.weight, axis_name=axis_name
    )
    return values, moved


# Cross-entropy, smoothed by `hyper.label_smoothing`.
softmax = base.Loss(_softmax_init, _softmax_apply, 'softmax')

# Cross-entropy plus `hyper.center_weight` times the center loss (Wen et al. 2016, eq. 5, for each example);
# the state is the centers `[classes, F]`, which move by `hyper.center_rate`.
center = base.Loss(_center_init, _center_apply, 'center')
