"""Distillation: what a teacher says of an example beside its label."""

import chex
import jax
import jax.numpy as jnp

from overfit import base
from overfit.objectives import losses


def soft_cross_entropy(
    logits: jax.Array, probabilities: jax.Array, *, temperature: base.Number = 1.0
) -> jax.Array:
    """Cross-entropy against a teacher's probabilities: `-T^2 sum_k q_k log softmax(logits / T)_k`.

    The factor keeps the gradient's size where T grows.

    Args:
        logits: `[B, classes]` of the student.
        probabilities: `[B, classes]` of the teacher, softened by the same temperature.
        temperature: `T`, above 0.

    Returns:
        `[B]`, nats.

    Reference: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, section 2.

    >>> values = soft_cross_entropy(jnp.zeros((1, 2)), jnp.array([[0.3, 0.7]]))
    >>> round(float(values[0]), 3)  # the logarithm of 2
    0.693
    """
    chex.assert_rank([logits, probabilities], 2)
    chex.assert_type([logits, probabilities], float)
    chex.assert_equal_shape([logits, probabilities])
    log_p = jax.nn.log_softmax(logits / temperature)
    return -temperature * temperature * jnp.sum(probabilities * log_p, axis=1)


def soften(probabilities: jax.Array, temperature: base.Number) -> jax.Array:
    """A teacher's probabilities at another temperature: `p_k^(1/T) / sum_j p_j^(1/T)`.

    Args:
        probabilities: `[..., classes]`.
        temperature: `T`, above 0; above 1 they come closer to each other.

    Returns:
        `[..., classes]`.

    Reference: Hinton, Vinyals and Dean 2015, eq. 1, of logits `log p`.

    >>> [round(float(p), 2) for p in soften(jnp.array([0.2, 0.8]), 2.0)]
    [0.33, 0.67]
    """
    chex.assert_type(probabilities, float)
    tiny = jnp.finfo(jnp.float32).tiny
    return jax.nn.softmax(jnp.log(jnp.maximum(probabilities, tiny)) / temperature)


def _init(classes, features):
    del classes, features
    return ()


def _apply(key, state, outputs, batch, hyper, axis_name):
    del key, axis_name  # nothing is drawn, and no example knows of another
    values = losses.cross_entropy(outputs.logits, batch.y, label_smoothing=hyper.label_smoothing)
    if hyper.distillation is None:
        return values, state
    if batch.soft is None:
        raise ValueError(
            'distillation is given, but the examples have no teacher: give them what it says '
            '(overfit.train.distillation.taught), or leave distillation out'
        )
    if batch.mixed is not None:
        raise ValueError(
            'a teacher speaks of whole examples, and these are mixed: leave out the mixing augmentation or '
            'distillation'
        )
    taught = soft_cross_entropy(outputs.logits, batch.soft)
    return (1 - hyper.distillation) * values + hyper.distillation * taught, state


# The share `hyper.distillation` is the cross-entropy against `Batch.soft`, the rest that of the label.
distilled = base.Loss(_init, _apply, 'distilled')
