"""Losses of pairs of examples: contrastive, and supervised contrastive; what losses of triplets need, too.

A loss of pairs gives a value for each example, as all losses do, and is scaled so that the mean over the
examples of a batch is the mean over the terms that there are: a batch without any costs 0. Where the batch
lies in shards, features, labels and weights are gathered, so that every example meets all others.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from overfit import base

FAR = 1e30  # stands for the distance or the logit of what does not count


class Partners(NamedTuple):
    """Whom each example of a batch, or of a shard of it, meets. An example of weight 0 meets nobody.

    Attributes:
        features: `[N, F]`, of the whole batch.
        alike: `[B, N]` bools, others of the same class.
        unlike: `[B, N]` bools, others of another class.
        examples: scalar, how many of the whole batch count.
    """

    features: jax.Array
    alike: jax.Array
    unlike: jax.Array
    examples: jax.Array


def partners_of(
    features: jax.Array,
    labels: jax.Array,
    *,
    weight: jax.Array | None = None,
    axis_name: str | None = None,
) -> Partners:
    """Finds whom each example meets.

    Args:
        features: `[B, F]`.
        labels: `[B]` integers.
        weight: `[B]`, 0 marks padding; `None`: every example counts.
        axis_name: axis over which the batch lies in shards of equal size.

    Returns:
        `Partners`, N being B times the number of shards. Gradients flow back to the features of all shards.

    >>> found = partners_of(jnp.zeros((3, 1)), jnp.array([0, 0, 1]))
    >>> found.alike.tolist()
    [[False, True, False], [True, False, False], [False, False, False]]
    """
    chex.assert_rank([features, labels], [2, 1])
    chex.assert_type([features, labels], [float, int])
    chex.assert_equal_shape_prefix([features, labels], 1)
    counts = jnp.ones(labels.shape, bool) if weight is None else weight > 0
    chex.assert_equal_shape([counts, labels])
    others, place = (features, labels, counts), jnp.arange(len(labels))
    if axis_name is not None:
        others = jax.lax.all_gather(others, axis_name, tiled=True)
        place = place + len(labels) * jax.lax.axis_index(axis_name)
    of_all, labels_of_all, counts_of_all = others
    met = counts[:, None] & counts_of_all[None, :] & (place[:, None] != jnp.arange(len(of_all))[None, :])
    same = labels[:, None] == labels_of_all[None, :]
    return Partners(of_all, met & same, met & ~same, jnp.sum(counts_of_all).astype(jnp.float32))


def distances(features: jax.Array, others: jax.Array, *, squared: bool = False) -> jax.Array:
    """Euclidean distances, with the gradient 0 where two points coincide (its limit does not exist).

    Args:
        features: `[B, F]`.
        others: `[N, F]`.
        squared: their squares.

    Returns:
        `[B, N]`.

    >>> distances(jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
    [[5.0, 0.0]]
    """
    chex.assert_rank([features, others], 2)
    chex.assert_equal_shape_suffix([features, others], 1)
    # Not |a|^2 + |b|^2 - 2 a b, whose rounding would be all that is left between points that lie close.
    square = jnp.sum(jnp.square(features[:, None, :] - others[None, :, :]), axis=-1)
    if squared:
        return square
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)


def normalised(features: jax.Array) -> jax.Array:
    """Features on the unit sphere, `f / |f|`; a vector of zeros stays, with the gradient 0.

    Args:
        features: `[B, F]`.

    Returns:
        `[B, F]`.

    >>> normalised(jnp.array([[3.0, 0.0], [0.0, 0.0]])).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    chex.assert_rank(features, 2)
    chex.assert_type(features, float)
    square = jnp.sum(jnp.square(features), axis=1, keepdims=True)
    return jnp.where(square > 0, features * jax.lax.rsqrt(jnp.where(square > 0, square, 1)), 0)


def of_examples(
    sums: jax.Array, counts: jax.Array, examples: jax.Array, *, axis_name: str | None = None
) -> jax.Array:
    """Values of examples whose mean over a batch is the mean over all terms: `sums_i * examples / terms`.

    Args:
        sums: `[B]`, over the terms of each example; 0 for one that does not count.
        counts: `[B]`, how many terms each has.
        examples: scalar, how many examples of the whole batch count.
        axis_name: axis over which the batch lies in shards.

    Returns:
        `[B]`; zeros where there is no term.

    >>> of_examples(jnp.array([6.0, 0.0]), jnp.array([3.0, 0.0]), jnp.array(2.0)).tolist()
    [4.0, 0.0]
    """
    chex.assert_rank([sums, counts, examples], [1, 1, 0])
    terms = jnp.sum(counts)
    if axis_name is not None:
        terms = jax.lax.psum(terms, axis_name)
    return sums * jax.lax.stop_gradient(examples / jnp.where(terms > 0, terms, 1))


def contrastive(
    features: jax.Array,
    labels: jax.Array,
    margin: base.Number,
    *,
    weight: jax.Array | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Draws examples of a class together, and pushes others away until they are a margin apart.

    `D^2 / 2` of a pair of one class, `max(0, margin - D)^2 / 2` of any other. Each kind of pair is averaged
    on its own, and the two means are added: a batch has many more unlike pairs than alike ones.

    Args:
        features: `[B, F]`, of any length; on the unit sphere (`normalised`) no two are farther apart than 2.
        labels: `[B]` integers.
        margin: a distance, at least 0; 0 or `None`: none is pushed.
        weight: `[B]`, 0 marks padding; `None`: every example counts.
        axis_name: axis over which the batch lies in shards of equal size.

    Returns:
        `[B]`; their mean over the examples that count is the sum of the two means over pairs.

    Reference: Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR
    2006, eq. 4.

    >>> contrastive(jnp.array([[0.0], [2.0]]), jnp.array([1, 1]), 1.0).tolist()
    [2.0, 2.0]
    """
    found = partners_of(features, labels, weight=weight, axis_name=axis_name)
    pull = distances(features, found.features, squared=True) / 2
    values = _mean(pull, found.alike, found.examples, axis_name)
    if margin is None:
        return values
    push = jnp.square(jax.nn.relu(margin - distances(features, found.features))) / 2
    return values + _mean(push, found.unlike, found.examples, axis_name)


def _mean(values, pairs, examples, axis_name):
    sums, counts = jnp.sum(jnp.where(pairs, values, 0), axis=1), jnp.sum(pairs, axis=1).astype(jnp.float32)
    return of_examples(sums, counts, examples, axis_name=axis_name)


def supervised_contrastive(
    features: jax.Array,
    labels: jax.Array,
    temperature: base.Number,
    *,
    weight: jax.Array | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Asks each example to tell the others of its class from all the rest.

    `-mean_p log(exp(z_i z_p / t) / sum_a exp(z_i z_a / t))`, `z = f / |f|`, over the others p of its class;
    a runs over all others. Examples without another of their class are left out of the mean.

    Args:
        features: `[B, F]`, of any length; they are normalised here.
        labels: `[B]` integers.
        temperature: `t`, above 0; 0 or `None`: the loss is left out, all values are 0.
        weight: `[B]`, 0 marks padding; `None`: every example counts.
        axis_name: axis over which the batch lies in shards of equal size.

    Returns:
        `[B]`, nats; their mean over the examples that count is the mean over those with a partner.

    Reference: Khosla et al., "Supervised contrastive learning", NeurIPS 2020, eq. 2.

    >>> x = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> values = supervised_contrastive(x, jnp.array([0, 0, 1]), 1.0)
    >>> round(float(values.mean()), 3)  # log(1 + 1 / e)
    0.313
    """
    z = normalised(features)
    found = partners_of(z, labels, weight=weight, axis_name=axis_name)
    if temperature is None:
        return jnp.zeros(labels.shape, features.dtype)
    present = temperature > 0
    logits = jnp.matmul(z, found.features.T, precision=jax.lax.Precision.HIGHEST)
    logits = logits / jnp.where(present, temperature, 1)
    against = jax.nn.logsumexp(jnp.where(found.alike | found.unlike, logits, -FAR), axis=1)
    count = jnp.sum(found.alike, axis=1).astype(jnp.float32)
    some = count > 0
    mean = jnp.sum(jnp.where(found.alike, logits, 0), axis=1) / jnp.where(some, count, 1)
    values = jnp.where(some & present, jnp.where(some, against, 0) - mean, 0)
    return of_examples(values, some.astype(jnp.float32), found.examples, axis_name=axis_name)
