"""A counter-based generator for `jax.random`: cheap to run, cheap to compile, replayable.

Bits are a hash of (key, position), so a draw depends on nothing but its key: the same under `vmap`,
on any device, and alone. Every function of `jax.random` accepts these keys. The hash is the
`lowbias32` finaliser (C. Wellons, "Prospecting for hash functions", 2018), twice.
"""

import math

import jax
import jax.numpy as jnp
from jax.extend.random import define_prng_impl


def mix(x: jax.Array) -> jax.Array:
    """Scrambles uint32 words, one to one (`lowbias32`)."""
    x = x ^ (x >> 16)
    x = x * jnp.uint32(0x7FEB352D)
    x = x ^ (x >> 15)
    x = x * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def _fold_in(key, data):
    first, second = key[0], key[1]
    h = mix(jnp.uint32(data) ^ first)
    return jnp.stack([mix(h + second), mix((h ^ jnp.uint32(0x9E3779B9)) + (second ^ mix(first)))])


def _seed(number):
    return _fold_in(jnp.array([0x243F6A88, 0x85A308D3], jnp.uint32), number.astype(jnp.uint32))


def _split(key, shape):
    count = math.prod(shape)
    return jax.vmap(lambda i: _fold_in(key, i))(jnp.arange(count, dtype=jnp.uint32)).reshape(*shape, 2)


def _words(key, count):
    return mix(mix(jax.lax.iota(jnp.uint32, count) ^ key[0]) + key[1])


def _bits(key, bit_width, shape):
    count = math.prod(shape)
    if bit_width == 32:
        return _words(key, count).reshape(shape)
    if bit_width < 32:
        words = _words(key, -(-count * bit_width // 32))
        dtype = {8: jnp.uint8, 16: jnp.uint16}[bit_width]
        return jax.lax.bitcast_convert_type(words, dtype).reshape(-1)[:count].reshape(shape)
    low, high = jnp.split(_words(key, 2 * count).astype(jnp.uint64), 2)
    return (high << 32 | low).reshape(shape)


COUNTER = define_prng_impl(
    key_shape=(2,), seed=_seed, split=_split, random_bits=_bits, fold_in=_fold_in, name='counter', tag='ctr'
)


def key(seed: int) -> jax.Array:
    """Returns a key of the counter generator for an integer seed."""
    return jax.random.key(seed, impl=COUNTER)


def shuffled(key: jax.Array, position: jax.Array, size: jax.Array, *, rounds: int = 16) -> jax.Array:
    """Where a random permutation of `range(size)` sends a position, without making the permutation.

    The swap-or-not shuffle (Hoang, Morris, Rogaway, "An enciphering scheme based on a card shuffle",
    CRYPTO 2012, fig. 1): no sort, no memory, and `size` may be traced.

    Args:
        key: PRNG key of the permutation (any implementation), or `[B]` keys, one a position.
        position: `[B]` uint32, each below `size`.
        size: scalar, 1 .. 65535.
        rounds: with 8 the permutations are uneven, from 16 on they are not (measured for sizes 2 to 7).

    Returns:
        `[B]` uint32, distinct for distinct positions under one key.
    """
    words = jnp.broadcast_to(jax.random.key_data(key)[..., :2], (*position.shape, 2)).astype(jnp.uint32)
    size = jnp.uint32(size)

    def one_round(number, x):
        h = mix(mix(words[:, 0] ^ (jnp.uint32(number) << 24)) + words[:, 1])
        pivot = (h >> 16) * size >> 16
        partner = jnp.where(pivot >= x, pivot - x, pivot + size - x)
        larger = jnp.maximum(x, partner)
        swap = mix(larger ^ h) & 1
        return jnp.where(swap == 1, partner, x)

    return jax.lax.fori_loop(0, rounds, one_round, position.astype(jnp.uint32))
