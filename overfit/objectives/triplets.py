"""Losses of triplets: an anchor, another example of its class, an example of another class.

They differ in the triplets that they take from a batch. As losses of pairs they give a value for each
example, whose mean over the batch is the mean over the triplets taken (see `overfit.objectives.pairs`).
A batch needs several examples of a class for that: see `overfit.data.sampling.per_class`.
"""

import jax
import jax.numpy as jnp

from overfit import base
from overfit.objectives import pairs


def batch_all(
    features: jax.Array,
    labels: jax.Array,
    margin: base.Number,
    *,
    soft: bool = False,
    weight: jax.Array | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Takes every triplet of the batch, and averages over those that cost something.

    `max(0, margin + D(anchor, alike) - D(anchor, unlike))`. Most triplets soon cost nothing; a mean over
    all would wash the others out. It keeps `B N^2` numbers: 2 million for a batch of 128.

    Args:
        features: `[B, F]`.
        labels: `[B]` integers.
        margin: how much farther the other class must lie, at least 0; `None`: 0.
        soft: `log(1 + exp(.))` in place of the maximum, over all triplets.
        weight: `[B]`, 0 marks padding; `None`: every example counts.
        axis_name: axis over which the batch lies in shards of equal size.

    Returns:
        `[B]`; zeros where there is no triplet.

    Reference: Hermans, Beyer and Leibe, "In defense of the triplet loss for person re-identification",
    arXiv:1703.07737, eq. 7, averaged over what is not 0 as in its section 4.1.

    >>> batch_all(jnp.array([[0.0], [1.0], [2.0]]), jnp.array([0, 0, 1]), 0.5).tolist()
    [0.0, 1.5, 0.0]
    """
    found = pairs.partners_of(features, labels, weight=weight, axis_name=axis_name)
    apart = pairs.distances(features, found.features)
    taken = found.alike[:, :, None] & found.unlike[:, None, :]
    gap = _gap(margin, apart[:, :, None], apart[:, None, :])
    cost = _cost(gap, soft)
    active = taken if soft else taken & (gap > 0)
    sums = jnp.sum(jnp.where(taken, cost, 0), axis=(1, 2))
    return pairs.of_examples(sums, _counted(active, (1, 2)), found.examples, axis_name=axis_name)


def batch_hard(
    features: jax.Array,
    labels: jax.Array,
    margin: base.Number,
    *,
    soft: bool = False,
    weight: jax.Array | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Takes for each example the farthest of its class and the nearest of all others.

    `max(0, margin + max_p D(a, p) - min_n D(a, n))`, averaged over all anchors that have both.

    Args:
        features: `[B, F]`.
        labels: `[B]` integers.
        margin: how much farther the other class must lie, at least 0; `None`: 0.
        soft: `log(1 + exp(.))` in place of the maximum: a triplet that lies right is still drawn apart.
        weight: `[B]`, 0 marks padding; `None`: every example counts.
        axis_name: axis over which the batch lies in shards of equal size.

    Returns:
        `[B]`; zeros where there is no triplet.

    Reference: Hermans, Beyer and Leibe, "In defense of the triplet loss for person re-identification",
    arXiv:1703.07737, eq. 5; the soft margin is of its section 3.

    >>> batch_hard(jnp.array([[0.0], [1.0], [2.0]]), jnp.array([0, 0, 1]), 0.5).tolist()
    [0.0, 0.75, 0.0]
    """
    found = pairs.partners_of(features, labels, weight=weight, axis_name=axis_name)
    apart = pairs.distances(features, found.features)
    farthest = jnp.max(jnp.where(found.alike, apart, -pairs.FAR), axis=1)
    nearest = jnp.min(jnp.where(found.unlike, apart, pairs.FAR), axis=1)
    taken = found.alike.any(axis=1) & found.unlike.any(axis=1)
    gap = _gap(margin, jnp.where(taken, farthest, 0), jnp.where(taken, nearest, 0))
    values = jnp.where(taken, _cost(gap, soft), 0)
    return pairs.of_examples(values, taken.astype(jnp.float32), found.examples, axis_name=axis_name)


def semi_hard(
    features: jax.Array,
    labels: jax.Array,
    margin: base.Number,
    *,
    weight: jax.Array | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Takes for each pair of a class the nearest other example that is farther than the pair, if too near.

    `margin + D^2(a, p) - D^2(a, n)` on the unit sphere, `n` the nearest of another class with
    `D^2(a, p) < D^2(a, n) < D^2(a, p) + margin`, averaged over the pairs that have one. Negatives that are
    nearer than the pair, whose gradient can fold all points into one early in training, are passed over.

    Args:
        features: `[B, F]`, of any length; they are normalised here.
        labels: `[B]` integers.
        margin: how much farther the other class must lie, a squared distance (0 to 4); 0 or `None`: there
            are no such triplets, all values are 0.
        weight: `[B]`, 0 marks padding; `None`: every example counts.
        axis_name: axis over which the batch lies in shards of equal size.

    Returns:
        `[B]`; zeros where there is no triplet.

    Reference: Schroff, Kalenichenko and Philbin, "FaceNet: a unified embedding for face recognition and
    clustering", CVPR 2015, eq. 2 and 4.

    >>> x = jnp.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
    >>> [round(float(v), 3) for v in semi_hard(x, jnp.array([0, 0, 1]), 0.5)]  # (0.5 + 0.4 - 0.8) * 3
    [0.3, 0.0, 0.0]
    """
    z = pairs.normalised(features)
    found = pairs.partners_of(z, labels, weight=weight, axis_name=axis_name)
    apart = pairs.distances(z, found.features, squared=True)
    farther = found.unlike[:, None, :] & (apart[:, None, :] > apart[:, :, None])
    nearest = jnp.min(jnp.where(farther, apart[:, None, :], pairs.FAR), axis=2)
    gap = _gap(margin, apart, nearest)
    taken = found.alike & (gap > 0)
    sums = jnp.sum(jnp.where(taken, gap, 0), axis=1)
    return pairs.of_examples(sums, _counted(taken, 1), found.examples, axis_name=axis_name)


def _gap(margin, alike, unlike):
    gap = alike - unlike
    return gap if margin is None else margin + gap


def _cost(gap, soft):
    return jax.nn.softplus(gap) if soft else jax.nn.relu(gap)


def _counted(taken, axes):
    return jnp.sum(taken, axis=axes).astype(jnp.float32)
