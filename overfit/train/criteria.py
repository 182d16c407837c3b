"""When training would stop: Prechelt's criteria and patience, as functions of the curves that a run left.

A curve is `[..., T]`, one value an evaluation, lower is better; leading axes are nets. Each criterion gives
the index of the evaluation after which training stops, or the last one where it never does. A value that is
not finite counts as infinitely bad.

Reference: Prechelt, "Early stopping - but when?", in Neural Networks: Tricks of the Trade, 1998, section 2.
"""

import chex
import jax
import jax.numpy as jnp

from overfit import base

STRIP = 5  # evaluations of a training strip, as in all of Prechelt's experiments


def generalization_loss(validation: base.Array) -> jax.Array:
    """How far the validation error lies above its lowest value so far: `100 (E / E_opt - 1)`.

    Args:
        validation: `[..., T]`, 0 or more.

    Returns:
        `[..., T]` percent, 0 or more; infinite above a lowest value of 0.

    Reference: Prechelt 1998, section 2.1, `GL(t)`.

    >>> generalization_loss(jnp.array([2.0, 1.0, 1.5])).tolist()
    [0.0, 0.0, 50.0]
    """
    chex.assert_type(validation, float)
    validation = _whole(validation)
    best = jax.lax.cummin(validation, axis=validation.ndim - 1)
    above = validation > best
    ratio = validation / jnp.where(above & (best > 0), best, 1)
    return jnp.where(above, jnp.where(best > 0, 100 * (ratio - 1), jnp.inf), 0)


def progress(training: base.Array, *, strip: int = STRIP) -> jax.Array:
    """How much the training error still falls within a strip: `1000 (mean / lowest - 1)`.

    Args:
        training: `[..., T]`, 0 or more.
        strip: `k`, evaluations that are looked at.

    Returns:
        `[..., T]` per mille, 0 or more, of the `strip` evaluations that end there; infinite where the lowest
        is 0 and the mean is not, or where fewer evaluations were done.

    Reference: Prechelt 1998, section 2.1, `P_k(t)`.

    >>> progress(jnp.array([3.0, 2.0, 1.0]), strip=2).tolist()
    [inf, 250.0, 500.0]
    """
    chex.assert_type(training, float)
    _check_strip(strip)
    training = _whole(training)
    count = training.shape[-1]
    before = jnp.full((*training.shape[:-1], strip - 1), jnp.inf, training.dtype)
    padded = jnp.concatenate([before, training], axis=-1)
    window = jnp.stack([padded[..., n : n + count] for n in range(strip)])
    lowest, mean = window.min(0), window.mean(0)
    ratio = mean / jnp.where(lowest > 0, lowest, 1)
    found = jnp.where(lowest > 0, 1000 * (ratio - 1), jnp.where(mean > 0, jnp.inf, 0))
    # Rounding must not make a strip that stands still move backwards.
    return jnp.where(jnp.isfinite(mean), jnp.maximum(found, 0), jnp.inf)


def gl(validation: base.Array, alpha: base.Number) -> jax.Array:
    """Stops when the generalization loss exceeds `alpha`.

    Args:
        validation: `[..., T]`.
        alpha: percent.

    Returns:
        `[...]` int32, index of the evaluation after which training stops.

    Reference: Prechelt 1998, section 2.1, `GL_alpha`.

    >>> int(gl(jnp.array([2.0, 1.0, 1.01, 1.04, 1.2]), 3.0))
    3
    """
    return _first(generalization_loss(validation) > alpha)


def pq(validation: base.Array, training: base.Array, alpha: base.Number, *, strip: int = STRIP) -> jax.Array:
    """Stops at the end of a strip when generalization loss over training progress exceeds `alpha`.

    Args:
        validation: `[..., T]`.
        training: `[..., T]`.
        alpha: percent over per mille.
        strip: evaluations of a strip.

    Returns:
        `[...]` int32, as `gl`.

    Reference: Prechelt 1998, section 2.1, `PQ_alpha`.
    """
    chex.assert_equal_shape([validation, training])
    # As a product: the quotient is not known where progress is 0.
    moving = progress(training, strip=strip)
    loss = generalization_loss(validation)
    over = jnp.isfinite(moving) & (loss > alpha * jnp.where(jnp.isfinite(moving), moving, 1))
    return _first(over & _ends(validation.shape, strip))


def up(validation: base.Array, strips: int, *, strip: int = STRIP) -> jax.Array:
    """Stops when the validation error rose from end to end of so many strips in succession.

    The first strip has none before it to rise from.

    Args:
        validation: `[..., T]`.
        strips: `s`, 1 or more.
        strip: evaluations of a strip.

    Returns:
        `[...]` int32, as `gl`.

    Raises:
        ValueError: fewer than one strip.

    Reference: Prechelt 1998, section 2.1, `UP_s`.

    >>> int(up(jnp.array([4.0, 3.0, 2.0, 3.5, 2.0, 3.6, 9.0]), 2, strip=2))
    5
    """
    chex.assert_type(validation, float)
    _check_strip(strip)
    if strips < 1:
        raise ValueError(f'strips={strips} would stop before the first evaluation: give 1 or more')
    ends = _whole(validation)[..., strip - 1 :: strip]
    rising = ends[..., 1:] > ends[..., :-1]
    count = rising.shape[-1]
    if count < strips:
        return jnp.full(validation.shape[:-1], validation.shape[-1] - 1, jnp.int32)
    all_rise = jnp.stack([rising[..., n : count - strips + 1 + n] for n in range(strips)]).all(0)
    end = (jnp.argmax(all_rise, -1) + strips + 1) * strip - 1
    return jnp.where(all_rise.any(-1), end, validation.shape[-1] - 1).astype(jnp.int32)


def patience(validation: base.Array, evaluations: base.Number) -> jax.Array:
    """Stops after so many evaluations without a value strictly below the best.

    The same as `early_stopping.update`, which decides while a net trains.

    Args:
        validation: `[..., T]`.
        evaluations: scalar; 0 or `None`: never.

    Returns:
        `[...]` int32, as `gl`.

    >>> int(patience(jnp.array([0.9, 0.5, 0.7, 0.6, 0.1]), 2))
    3
    """
    chex.assert_type(validation, float)
    if evaluations is None:
        return _first(jnp.zeros(validation.shape, bool))
    waited = _places(validation.shape) - _best_so_far(validation)
    return _first((waited >= evaluations) & (evaluations > 0))


def kept(validation: base.Array, stop: base.Array) -> jax.Array:
    """Index of the lowest validation error until training stopped: whose weights are kept.

    Args:
        validation: `[..., T]`.
        stop: `[...]` integers, from a criterion.

    Returns:
        `[...]` int32, the first of equals; -1 where no value was finite.

    >>> int(kept(jnp.array([0.9, 0.5, 0.7, 0.1]), jnp.array(2)))
    1
    """
    chex.assert_shape(stop, validation.shape[:-1])
    best = _best_so_far(validation)
    return jnp.take_along_axis(best, jnp.asarray(stop)[..., None], axis=-1)[..., 0]


def _whole(curve):
    """A curve in which what is not finite is infinitely bad."""
    return jnp.where(jnp.isfinite(curve), curve, jnp.inf)


def _first(marks):
    """Index of the first mark, the last index where there is none."""
    last = marks.shape[-1] - 1
    return jnp.where(marks.any(-1), jnp.argmax(marks, -1), last).astype(jnp.int32)


def _places(shape):
    """The index of each evaluation."""
    return jnp.broadcast_to(jnp.arange(shape[-1], dtype=jnp.int32), shape)


def _ends(shape, strip):
    """Which evaluations end a strip."""
    return (_places(shape) + 1) % strip == 0


def _best_so_far(validation):
    """Index of the lowest value up to each evaluation, the first of equals; -1 before a finite one."""
    validation = _whole(validation)
    axis = validation.ndim - 1
    lowest = jax.lax.cummin(validation, axis=axis)
    before = jnp.concatenate([jnp.full_like(lowest[..., :1], jnp.inf), lowest[..., :-1]], -1)
    places = jnp.where(validation < before, _places(validation.shape), -1)
    return jax.lax.cummax(places, axis=axis)


def _check_strip(strip):
    if strip < 1:
        raise ValueError(f'strip={strip} holds no evaluation: give 1 or more')
