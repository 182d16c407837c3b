"""How far probabilities can be believed: scores of predictions against labels, lower is better.

>>> import jax.numpy as jnp
>>> said, y = jnp.log(jnp.array([[0.8, 0.2], [0.6, 0.4]])), jnp.array([0, 1])
>>> [round(float(score(said, y)), 3) for score in (nll, brier, calibration_error)]
[0.57, 0.4, 0.4]
"""

import chex
import jax
import jax.numpy as jnp

from overfit import base


def nll(log_probabilities: base.Array, y: base.Array) -> jax.Array:
    """Mean negative log-likelihood of the labels: `-mean_i log p_i[y_i]`.

    Args:
        log_probabilities: `[N, classes]`, as `train.predict` gives them.
        y: `[N]` int, class of each example.

    Returns:
        Scalar, nats, at least 0.

    Reference: Good, "Rational decisions", JRSS B 1952, section 8.
    """
    _check(log_probabilities, y)
    return -jnp.take_along_axis(jnp.asarray(log_probabilities), y[:, None], axis=1).mean()


def brier(log_probabilities: base.Array, y: base.Array) -> jax.Array:
    """Mean squared distance of the probabilities from the labels: `mean_i sum_c (p_ic - [y_i = c])^2`.

    Args:
        log_probabilities: `[N, classes]`.
        y: `[N]` int, class of each example.

    Returns:
        Scalar in [0, 2].

    Reference: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review
    1950, eq. 2.
    """
    _check(log_probabilities, y)
    labels = jax.nn.one_hot(y, log_probabilities.shape[1])
    return jnp.square(jnp.exp(log_probabilities) - labels).sum(1).mean()


def calibration_error(log_probabilities: base.Array, y: base.Array, *, bins: int = 15) -> jax.Array:
    """Expected calibration error (ECE): how far the confidence of predictions lies from their accuracy.

    `sum_b (n_b / N) |accuracy_b - confidence_b|`, where bin `b` holds the examples whose largest probability
    lies in `(b / bins, (b + 1) / bins]`, b = 0, 1, ... It is biased upwards where bins hold few examples, so
    compare it for equally many examples alone.

    Args:
        log_probabilities: `[N, classes]`.
        y: `[N]` int, class of each example.
        bins: number of bins of equal width.

    Returns:
        Scalar in [0, 1].

    Raises:
        ValueError: no bin.

    Reference: Guo et al., "On calibration of modern neural networks", ICML 2017, eq. 3, after Naeini, Cooper
    and Hauskrecht, AAAI 2015.
    """
    _check(log_probabilities, y)
    if bins < 1:
        raise ValueError(f'bins={bins} leaves nothing to average in: give 1 or more')
    confidence = jnp.exp(jnp.max(log_probabilities, axis=1))
    right = (jnp.argmax(log_probabilities, axis=1) == y).astype(confidence.dtype)
    place = jnp.clip(jnp.ceil(confidence * bins).astype(jnp.int32) - 1, 0, bins - 1)
    gaps = jnp.zeros(bins).at[place].add(right - confidence)
    return jnp.abs(gaps).sum() / len(y)


def _check(log_probabilities, y):
    chex.assert_rank([log_probabilities, y], [2, 1])
    chex.assert_type([log_probabilities, y], [float, int])
    chex.assert_equal_shape_prefix([log_probabilities, y], 1)
