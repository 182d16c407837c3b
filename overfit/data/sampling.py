"""Which examples make a batch: each a `base.Sampler`, a pure function of the net's key and the step."""

import chex
import jax
import jax.numpy as jnp

from overfit import keys

# Folded into a net's key where the number of a step would stand; no step has this number, so the order of
# the examples shares no draw with dropout, augmentation or initial weights.
ORDER = 0xFFFFFFFE


def epochs(key: jax.Array, step: jax.Array, y: jax.Array, count: jax.Array, batch_size: int) -> jax.Array:
    """Takes every example once an epoch, in an order of its own for each net and epoch.

    Position `p = step * batch_size + i` of the endless sequence is example `p % count` of a random
    permutation that belongs to epoch `p // count`; a batch may end one epoch and begin the next.

    Args:
        key: PRNG key of the net.
        step: integer scalar, steps done.
        y: `[room]` integers, labels of the net's training examples and padding; not looked at.
        count: integer scalar, how many of them are no padding, 1 to 65535.
        batch_size: examples a step.

    Returns:
        `[batch_size]` uint32, positions below `count`.

    >>> y, key = jnp.zeros(6, jnp.int32), keys.key(0)
    >>> batches = [epochs(key, step, y, 6, 2) for step in range(3)]
    >>> sorted(jnp.concatenate(batches).tolist())
    [0, 1, 2, 3, 4, 5]
    """
    chex.assert_rank([step, y, count], [0, 1, 0])
    chex.assert_type([step, y, count], int)
    position = jnp.asarray(step, jnp.uint32) * batch_size + jnp.arange(batch_size, dtype=jnp.uint32)
    order = jax.random.fold_in(key, ORDER)
    of_epochs = jax.vmap(lambda epoch: jax.random.fold_in(order, epoch))(position // count)
    return keys.shuffled(of_epochs, position % count, count)
