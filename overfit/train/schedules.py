"""How the learning rate changes over a training run: factors of it, pure functions of progress.

Each is `(progress, strength) -> multiplier`; strength 0 gives 1. The progress of the step that follows `step`
others is `(step + 1) / steps`, in (0, 1]: a warm-up's first step moves, and its last has the full rate.
"""

import chex
import jax
import jax.numpy as jnp

from overfit import base


def warmup(progress: float | jax.Array, strength: base.Number) -> jax.Array:
    """Rises linearly: `min(1, progress / strength)`.

    Args:
        progress: scalar in [0, 1].
        strength: scalar in [0, 1], fraction of the run that the rise takes.

    Returns:
        Scalar in [0, 1]; 0 only at progress 0.

    Reference: Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2.

    >>> [float(warmup(progress, 0.5)) for progress in (0.25, 0.5, 1.0)]
    [0.5, 1.0, 1.0]
    """
    chex.assert_rank(progress, 0)
    rising = progress < strength
    return jnp.where(rising, progress / jnp.where(rising, strength, 1.0), 1.0)


def cosine(progress: float | jax.Array, strength: base.Number) -> jax.Array:
    """Falls along half a cosine: `1 - strength * (1 - cos(pi * progress)) / 2`.

    Args:
        progress: scalar in [0, 1].
        strength: scalar in [0, 1], share of the rate that is gone at the end.

    Returns:
        Scalar in [0, 1].

    Reference: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, eq.
    5, without restarts.

    >>> [round(float(cosine(progress, 1.0)), 2) for progress in (0.0, 0.5, 1.0)]
    [1.0, 0.5, 0.0]
    """
    chex.assert_rank(progress, 0)
    return 1 - strength * (1 - jnp.cos(jnp.pi * progress)) / 2


def exponential(progress: float | jax.Array, strength: base.Number) -> jax.Array:
    """Falls exponentially: `exp(-strength * progress)`.

    Args:
        progress: scalar in [0, 1].
        strength: scalar, at least 0.

    Returns:
        Scalar in (0, 1].

    Reference: Senior et al., "An empirical study of learning rates in deep neural networks for speech
    recognition", ICASSP 2013, section 2.3.

    >>> [round(float(exponential(progress, 2.0)), 2) for progress in (0.0, 0.5, 1.0)]
    [1.0, 0.37, 0.14]
    """
    chex.assert_rank(progress, 0)
    return jnp.exp(-strength * progress)


def inverse_time(progress: float | jax.Array, strength: base.Number) -> jax.Array:
    """Falls as 1/t: `1 / (1 + strength * progress)`.

    Args:
        progress: scalar in [0, 1].
        strength: scalar, at least 0.

    Returns:
        Scalar in (0, 1].

    Reference: Robbins and Monro, "A stochastic approximation method", Annals of Mathematical Statistics 22,
    1951.

    >>> [float(inverse_time(progress, 3.0)) for progress in (0.0, 1.0)]
    [1.0, 0.25]
    """
    chex.assert_rank(progress, 0)
    return 1 / (1 + strength * progress)


def step_decay(progress: float | jax.Array, strength: base.Number) -> jax.Array:
    """Falls in two steps, after each third of the run: `(1 - strength) ** min(2, floor(3 * progress))`.

    Args:
        progress: scalar in [0, 1].
        strength: scalar in [0, 1], share of the rate that a step takes away.

    Returns:
        Scalar in [0, 1].

    Reference: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
    networks", NeurIPS 2012, section 5.

    >>> [float(step_decay(progress, 0.5)) for progress in (0.2, 0.5, 1.0)]
    [1.0, 0.5, 0.25]
    """
    chex.assert_rank(progress, 0)
    kept = 1 - strength
    return jnp.where(progress < 1 / 3, 1.0, jnp.where(progress < 2 / 3, kept, kept * kept))


SCHEDULES = {
    'warmup': warmup,
    'cosine': cosine,
    'exponential': exponential,
    'inverse_time': inverse_time,
    'step_decay': step_decay,
}


def multiplier(progress: float | jax.Array, hyper: base.Hyper) -> jax.Array:
    """Returns the product of the schedules whose field of `hyper` is given; 1 without any.

    Args:
        progress: scalar in [0, 1].
        hyper: `warmup`, `cosine`, `exponential`, `inverse_time`, `step_decay`.

    Returns:
        Scalar float32, what to multiply the learning rate by.

    >>> float(multiplier(0.5, base.Hyper(inverse_time=2.0, step_decay=0.5)))
    0.25
    """
    chex.assert_rank(progress, 0)
    result = jnp.ones((), jnp.float32)
    for name, schedule in SCHEDULES.items():
        strength = getattr(hyper, name)
        if strength is not None:
            result = result * schedule(progress, strength)
    return result
