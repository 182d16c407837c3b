"""How good an embedding is: neighbours, verification, variances, and an alarm where it has collapsed.

All are judged by distances between features, so features of classes that training never saw serve as well
(open set). Shapes are static; examples of weight 0 are padding, which neither asks nor answers.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from overfit.objectives import pairs

FEW = 0.01  # share of the features' squared length that differs between examples, below which they coincide
FLAT = 1.5  # effective dimensions; 1 is a line


class Neighbours(NamedTuple):
    """How often the neighbours of an example are of its class, means over the examples with a partner.

    Attributes:
        map_at_r: mean average precision at R, 0 to 1.
        precision_at_1: share whose nearest neighbour is of their class, 0 to 1.
    """

    map_at_r: jax.Array
    precision_at_1: jax.Array


def neighbours(
    features: jax.Array,
    labels: jax.Array,
    *,
    weight: jax.Array | None = None,
    most: int | None = None,
) -> Neighbours:
    """Looks up the neighbours of every example among all others.

    `MAP@R = mean over examples of (1 / R) sum_{i <= R} [i-th neighbour is of the class] P(i)`, R the number
    of others of the class, `P(i)` the share of the class among the first i. Neighbours by Euclidean distance;
    of equally near ones the first in the order of the rows comes first.

    Args:
        features: `[N, F]`; normalise them (`pairs.normalised`) for neighbours by angle.
        labels: `[N]` integers.
        weight: `[N]`, 0 marks padding; `None`: every example counts.
        most: bound on R, which saves time: one less than the examples of the largest class, or more.
            `None`: `N - 1`.

    Returns:
        Two scalars; 0 where no class has two examples.

    Reference: Musgrave, Belongie and Lim, "A metric learning reality check", ECCV 2020, section 3.1.

    >>> found = neighbours(jnp.array([[0.0], [1.0], [1.5], [9.0]]), jnp.array([0, 0, 1, 1]))
    >>> float(found.map_at_r), float(found.precision_at_1)
    (0.5, 0.5)
    """
    found = pairs.partners_of(features, labels, weight=weight)
    apart = _apart(features)
    nearness = jnp.where(found.alike | found.unlike, -apart, -jnp.inf)
    most = len(labels) - 1 if most is None else min(most, len(labels) - 1)
    _, order = jax.lax.top_k(nearness, most)
    right = jnp.take_along_axis(found.alike, order, axis=1)
    others = jnp.sum(found.alike, axis=1)
    rank = jnp.arange(1, most + 1)
    precision = jnp.cumsum(right, axis=1) / rank[None, :]
    counted = right & (rank[None, :] <= others[:, None])
    average = jnp.sum(jnp.where(counted, precision, 0), axis=1) / jnp.maximum(others, 1)
    asked = others > 0
    total = jnp.maximum(jnp.sum(asked), 1)
    first = right[:, 0] & asked
    return Neighbours(jnp.sum(jnp.where(asked, average, 0)) / total, jnp.sum(first) / total)


def _apart(features):
    """Squared distances by products: the order of neighbours needs no more digits, and N may be large."""
    centred = features - jnp.mean(features, axis=0, keepdims=True)
    square = jnp.sum(jnp.square(centred), axis=1)
    product = jnp.matmul(centred, centred.T, precision=jax.lax.Precision.HIGHEST)
    return square[:, None] + square[None, :] - 2 * product


class Pairs(NamedTuple):
    """All pairs of examples, each once.

    Attributes:
        scores: `[N (N - 1) / 2]`, cosine of the angle between the two.
        same: likewise, bools: both are of one class.
        weight: likewise, 0 where one of them is padding.
    """

    scores: jax.Array
    same: jax.Array
    weight: jax.Array


def all_pairs(features: jax.Array, labels: jax.Array, *, weight: jax.Array | None = None) -> Pairs:
    """Makes the pairs of which verification says whether both are of one class.

    Args:
        features: `[N, F]`, of any length.
        labels: `[N]` integers.
        weight: `[N]`, 0 marks padding; `None`: every example counts.

    Returns:
        `Pairs`.

    >>> all_pairs(jnp.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]), jnp.array([0, 0, 1])).scores.tolist()
    [1.0, 0.0, 0.0]
    """
    chex.assert_rank([features, labels], [2, 1])
    chex.assert_equal_shape_prefix([features, labels], 1)
    z = pairs.normalised(features)
    cosines = jnp.matmul(z, z.T, precision=jax.lax.Precision.HIGHEST)
    one, other = jnp.triu_indices(len(labels), k=1)
    counts = jnp.ones(len(labels)) if weight is None else (weight > 0).astype(jnp.float32)
    return Pairs(cosines[one, other], labels[one] == labels[other], counts[one] * counts[other])


class Verification(NamedTuple):
    """How well a threshold on the score tells pairs of one class from others.

    Attributes:
        equal_error_rate: where as large a share of pairs of one class is refused as of others is accepted,
            0 to 1, linear between thresholds.
        true_accepts: `[A]`, the largest share of pairs of one class that can be accepted while at most the
            given share of the others is.
    """

    equal_error_rate: jax.Array
    true_accepts: jax.Array


def verification(
    scores: jax.Array,
    same: jax.Array,
    false_accepts: jax.Array,
    *,
    weight: jax.Array | None = None,
) -> Verification:
    """Error rates of saying "of one class" wherever a score reaches a threshold, over all thresholds.

    Args:
        scores: `[P]`, higher for pairs that are alike, as `all_pairs` has them.
        same: `[P]` bools, whether a pair is of one class.
        false_accepts: `[A]` shares of the other pairs that may be accepted, 0 to 1 (TAR@FAR).
        weight: `[P]`, 0 leaves a pair out; `None`: all count.

    Returns:
        Rates, NaN where there are no pairs of one class, or no others. Equal scores are accepted together.

    Reference: ISO/IEC 19795-1:2021, "Biometric performance testing and reporting", for the rates.

    >>> found = verification(jnp.array([0.9, 0.8, 0.3]), jnp.array([True, False, True]), jnp.array([0.0]))
    >>> float(found.equal_error_rate), found.true_accepts.tolist()
    (0.5, [0.5])
    """
    chex.assert_rank([scores, same, false_accepts], 1)
    chex.assert_equal_shape([scores, same])
    counts = jnp.ones(scores.shape) if weight is None else (weight > 0).astype(jnp.float32)
    chex.assert_equal_shape([counts, scores])
    # Whole numbers: sums of more than 2^24 ones are not exact in float32.
    alike, unlike = (counts * same).astype(jnp.int32), (counts * ~same).astype(jnp.int32)
    ordered = jax.lax.sort((jnp.where(counts > 0, -scores, jnp.inf), alike, unlike), num_keys=1)
    falling, alike, unlike = ordered
    accepted = jnp.cumsum(alike) / jnp.sum(alike)
    mistaken = jnp.cumsum(unlike) / jnp.sum(unlike)
    # A threshold lies after the last of equal scores; before that, the rates of the threshold before hold.
    last = jnp.append(falling[1:] != falling[:-1], True)
    place = jax.lax.cummax(jnp.where(last, jnp.arange(len(scores)), -1))
    begun = place >= 0
    accepted = jnp.where(begun, accepted[place], 0)
    mistaken = jnp.where(begun, mistaken[place], 0)
    allowed = mistaken[None, :] <= false_accepts[:, None]
    true_accepts = jnp.max(jnp.where(allowed, accepted[None, :], 0), axis=1)
    excess = mistaken - (1 - accepted)  # rises from -1 to 1
    crossed = jnp.argmax(excess >= 0)
    before = jnp.where(crossed > 0, excess[crossed - 1], -1.0)
    start = jnp.where(crossed > 0, mistaken[crossed - 1], 0.0)
    share = -before / (excess[crossed] - before)
    defined = (jnp.sum(alike) > 0) & (jnp.sum(unlike) > 0)
    equal = start + share * (mistaken[crossed] - start)
    return Verification(jnp.where(defined, equal, jnp.nan), jnp.where(defined, true_accepts, jnp.nan))


def variance_ratio(
    features: jax.Array, labels: jax.Array, classes: int, *, weight: jax.Array | None = None
) -> jax.Array:
    """How widely classes scatter within, for how far they lie apart: lower is tighter.

    `mean_i |f_i - m_{y_i}|^2 / mean_i |m_{y_i} - m|^2`, `m_c` the mean of a class, `m` that of all.

    Args:
        features: `[N, F]`.
        labels: `[N]` integers in `[0, classes)`.
        classes: bound on the labels.
        weight: `[N]`, 0 marks padding; `None`: every example counts.

    Returns:
        Scalar, at least 0; infinite where the means of all classes coincide.

    Reference: Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 1936.

    >>> x = jnp.array([[0.0], [2.0], [10.0], [12.0]])
    >>> round(float(variance_ratio(x, jnp.array([0, 0, 1, 1]), 2)), 3)
    0.04
    """
    chex.assert_rank([features, labels], [2, 1])
    chex.assert_equal_shape_prefix([features, labels], 1)
    counts = jnp.ones(len(labels)) if weight is None else (weight > 0).astype(jnp.float32)
    total = jnp.maximum(jnp.sum(counts), 1)
    centred = features - (counts @ features / total)[None, :]
    member = jax.nn.one_hot(labels, classes) * counts[:, None]
    exact = jax.lax.Precision.HIGHEST
    size = jnp.sum(member, axis=0)
    means = jnp.matmul(member.T, centred, precision=exact) / jnp.maximum(size, 1)[:, None]
    own = jnp.matmul(member, means, precision=exact)
    within = jnp.sum(counts * jnp.sum(jnp.square(centred - own), axis=1)) / total
    between = jnp.sum(size * jnp.sum(jnp.square(means), axis=1)) / total
    return jnp.where(between > 0, within / jnp.where(between > 0, between, 1), jnp.inf)


class Collapse(NamedTuple):
    """Whether an embedding tells examples apart at all.

    Attributes:
        spread: `mean |f - m|^2 / mean |f|^2`, 0 to 1: the share of the features' squared length that differs
            between examples. Half the mean squared distance of two examples over their mean square.
        effective_rank: `exp(entropy)` of the singular values of the centred features, as shares of their
            sum: 1 on a line, as many as there are dimensions where all are used alike; 0 in one point.
        alarm: bool, `spread < 0.01`, or `effective_rank < 1.5` where there is more than one dimension.
    """

    spread: jax.Array
    effective_rank: jax.Array
    alarm: jax.Array


def collapse(features: jax.Array, *, weight: jax.Array | None = None) -> Collapse:
    """Sounds the alarm where all examples lie in one point, or along one line.

    A loss of pairs can fold all features into one point, where its value stops at the margin and its gradient
    vanishes. An embedding of two classes lies along a line by right: the alarm is meant for more of them.

    Args:
        features: `[N, F]`, as the metrics see them.
        weight: `[N]`, 0 marks padding; `None`: every example counts.

    Returns:
        `Collapse`.

    Reference: Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007,
    definition 1.

    >>> bool(collapse(jnp.array([[1.0, 2.0], [1.0, 2.0]])).alarm), bool(collapse(jnp.eye(3)).alarm)
    (True, False)
    """
    chex.assert_rank(features, 2)
    chex.assert_type(features, float)
    counts = jnp.ones(len(features)) if weight is None else (weight > 0).astype(jnp.float32)
    total = jnp.maximum(jnp.sum(counts), 1)
    centred = (features - (counts @ features / total)[None, :]) * counts[:, None]
    length = jnp.sum(jnp.square(features) * counts[:, None]) / total
    scatter = jnp.sum(jnp.square(centred)) / total
    spread = scatter / jnp.where(length > 0, length, 1)
    values = jnp.linalg.svd(centred, compute_uv=False)
    # What rounding leaves of a direction is none.
    least = max(features.shape) * jnp.finfo(features.dtype).eps * jnp.sqrt(length * total)
    values = jnp.where(values > least, values, 0)
    share = values / jnp.where(jnp.sum(values) > 0, jnp.sum(values), 1)
    entropy = -jnp.sum(jnp.where(share > 0, share * jnp.log(jnp.where(share > 0, share, 1)), 0))
    rank = jnp.where(jnp.sum(values) > 0, jnp.exp(entropy), 0.0)
    flat = (rank < FLAT) & (features.shape[1] > 1)
    return Collapse(spread, rank, (spread < FEW) | flat)
