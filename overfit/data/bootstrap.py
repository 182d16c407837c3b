"""A sample of the training examples for each net, drawn with replacement: bagging."""

import chex
import jax
import jax.numpy as jnp

from overfit.data import sampling

BAG = 0xFFFFFFFD  # folded into a net's key where the number of a step would stand; no step has this number


def members(key: jax.Array, position: jax.Array, count: jax.Array) -> jax.Array:
    """Which example stands at each position of a net's bootstrap sample.

    Args:
        key: PRNG key of the net; each has one sample, as large as its training set.
        position: `[B]` integers below `count`.
        count: integer scalar, training examples.

    Returns:
        `[B]` uint32 below `count`, of all positions about 63 % of the examples.

    Reference: Breiman, "Bagging predictors", Machine Learning 24, 1996, section 1.

    >>> from overfit import keys
    >>> sample = members(keys.key(0), jnp.arange(1000), 1000)
    >>> 0.6 < len(set(sample.tolist())) / 1000 < 0.66
    True
    """
    chex.assert_rank([position, count], [1, 0])
    chex.assert_type([position, count], int)
    bag = jax.random.fold_in(key, BAG)
    count = jnp.asarray(count, jnp.uint32)

    def one(place):
        return jax.random.randint(jax.random.fold_in(bag, place), (), jnp.uint32(0), count, jnp.uint32)

    return jax.vmap(one)(position)


def resampled(key: jax.Array, step: jax.Array, y: jax.Array, count: jax.Array, batch_size: int) -> jax.Array:
    """Takes every example of a net's bootstrap sample once an epoch: a sampler of a recipe.

    Args:
        key: PRNG key of the net.
        step: integer scalar, steps done.
        y: `[room]` integers, labels of the net's training examples and padding; not looked at.
        count: integer scalar, how many of them are no padding, 1 to 65535.
        batch_size: examples a step.

    Returns:
        `[batch_size]` uint32, positions below `count`.
    """
    return members(key, sampling.epochs(key, step, y, count, batch_size), count)
