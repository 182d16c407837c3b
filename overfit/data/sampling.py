"""Which examples make a batch: each a `base.Sampler`, a pure function of the net's key and the step."""

import functools

import chex
import jax
import jax.numpy as jnp

from overfit import base, keys

# Folded into a net's key where the number of a step would stand; no step has this number, so the order of
# the examples shares no draw with dropout, augmentation or initial weights.
ORDER = 0xFFFFFFFE
CLASSES = 0xFFFFFFFD  # likewise, for which classes make a batch


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


@functools.cache
def per_class(m: int) -> base.Sampler:
    """Makes batches of m examples of each of some classes, which losses of pairs and triplets need.

    A batch of B examples has `ceil(B / m)` distinct classes, drawn alike whatever their sizes, and m distinct
    examples of each, class by class. Where there are fewer classes, their turn comes again, with examples
    that were not taken yet; only where a class has no more are its examples taken again.

    Args:
        m: examples of a class, 2 or more.

    Returns:
        `(key, step, y, count, batch size) -> positions`, as `epochs`; labels from `count` on are padding.
        Equal arguments give the same object, so that recipes which hold it are equal.

    Raises:
        ValueError: m is no whole number of at least 2; when called, a batch that has no room for two classes.

    Reference: Hermans, Beyer and Leibe, "In defense of the triplet loss for person re-identification",
    arXiv:1703.07737, section 2 ("PK batches").

    >>> y = jnp.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
    >>> batch = per_class(2)(keys.key(0), 0, y, 9, 6)
    >>> sorted(y[batch].tolist())
    [0, 0, 1, 1, 2, 2]
    """
    if not isinstance(m, int) or m < 2:
        raise ValueError(f'per_class({m!r}): give a whole number of examples of a class, 2 or more')

    def sampler(
        key: jax.Array, step: jax.Array, y: jax.Array, count: jax.Array, batch_size: int
    ) -> jax.Array:
        chex.assert_rank([step, y, count], [0, 1, 0])
        chex.assert_type([step, y, count], int)
        if batch_size <= m:
            raise ValueError(
                f'per_class({m}) needs batches of more than {m} examples, to have two classes in them, but '
                f'batch_size={batch_size}'
            )
        key = jax.random.fold_in(jax.random.fold_in(key, CLASSES), step)
        # A draw for each position: the counter generator's do not depend on how many there are.
        draws = jax.random.bits(jax.random.fold_in(key, 0), y.shape)
        words = jax.random.bits(jax.random.fold_in(key, 1), (2,))
        # One to one in the label, so that no two classes have the same place in the order of this step.
        turn = keys.mix(keys.mix(y.astype(jnp.uint32) ^ words[0]) + words[1])
        position = jnp.arange(len(y), dtype=jnp.uint32)
        padding = (position >= count).astype(jnp.uint32)
        _, turn, _, order = jax.lax.sort((padding, turn, draws, position), num_keys=3)
        real = position < count
        begins = real & jnp.append(True, turn[1:] != turn[:-1])
        number = jnp.where(real, jnp.cumsum(begins) - 1, len(y))  # of the class, in the order of their turns
        classes = jnp.sum(begins)
        slot = jnp.arange(batch_size)
        taken, again = slot // m % classes, slot // m // classes
        first = jnp.searchsorted(number, taken)
        size = jnp.searchsorted(number, taken, side='right') - first
        return order[first + (again * m + slot % m) % size]

    sampler.__name__ = f'per_class_{m}'
    return sampler
