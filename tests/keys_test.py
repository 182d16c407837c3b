"""The counter generator: quality of its bits, replay, and the shuffle made of them."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from absl.testing import parameterized

from overfit import keys

# Seeds are fixed, so that a test passes always or never; one p-value in a thousand would be bad luck.
RARE = 1e-3
SAMPLERS = {
    'uniform': (lambda key: jax.random.uniform(key, (500,)), lambda s: scipy.stats.kstest(s, 'uniform')),
    'normal': (lambda key: jax.random.normal(key, (500,)), lambda s: scipy.stats.kstest(s, 'norm')),
    'bernoulli': (
        lambda key: jax.random.bernoulli(key, 0.3, (500,)),
        lambda s: scipy.stats.binomtest(int(s.sum()), s.size, 0.3),
    ),
    'permutation': (
        lambda key: jax.random.permutation(key, 5),
        lambda s: scipy.stats.chisquare(np.bincount(s.reshape(-1, 5)[:, 0])),
    ),
}


def member_keys(number, seed=0):
    return jax.vmap(lambda i: jax.random.fold_in(keys.key(seed), i))(jnp.arange(number))


def words(key, count=1 << 16):
    return np.asarray(jax.random.bits(key, (count,), jnp.uint32))


def correlations(a, b):
    """Z-scores of the agreement of each bit of one array of words with each bit of another."""
    left, right = ((w[:, None] >> np.arange(32, dtype=np.uint32)[None, :]) & 1 for w in (a, b))
    return (left * 2.0 - 1).T @ (right * 2.0 - 1) / np.sqrt(len(a))


class BitsTest(chex.TestCase):
    @parameterized.parameters(0, 1, 12345)
    def test_each_bit_is_fair_and_independent_of_the_next_draws(self, seed):
        sample = words(keys.key(seed))
        bits = (sample[:, None] >> np.arange(32, dtype=np.uint32)[None, :]) & 1
        z = (bits.mean(0) - 0.5) * 2 * np.sqrt(len(sample))
        self.assertLess(np.abs(z).max(), 4.5)
        for lag in (1, 2, 32):
            self.assertLess(np.abs(correlations(sample[:-lag], sample[lag:])).max(), 5.2)

    def test_keys_of_neighbouring_numbers_are_independent(self):
        # Of word i of two keys, and of the same word over many keys.
        for a, b in itertools.pairwise([keys.key(0), keys.key(1), *member_keys(3, seed=1)]):
            self.assertLess(np.abs(correlations(words(a), words(b))).max(), 5.2)
        first = np.asarray(jax.jit(jax.vmap(lambda key: jax.random.bits(key, (2,))))(member_keys(1 << 16)))
        self.assertLess(np.abs(correlations(first[:-1, 0], first[1:, 0])).max(), 5.2)
        self.assertLess(np.abs(correlations(first[:, 0], first[:, 1])).max(), 5.2)

    @parameterized.parameters(jnp.uint8, jnp.uint16, jnp.uint32)
    def test_high_and_low_bytes_are_uniform(self, dtype):
        sample = np.asarray(jax.random.bits(keys.key(3), (100_001,), dtype))
        self.assertEqual(sample.dtype, dtype)
        for byte in (sample & 255, sample >> (8 * sample.dtype.itemsize - 8)):
            self.assertGreater(scipy.stats.chisquare(np.bincount(byte, minlength=256)).pvalue, RARE)
        pairs = np.stack([sample[:-1] % 16, sample[1:] % 16])[:, ::2].astype(int)
        self.assertGreater(scipy.stats.chisquare(np.bincount(pairs[0] * 16 + pairs[1])).pvalue, RARE)

    def test_children_are_distinct(self):
        split = jax.random.key_data(jax.random.split(keys.key(0), 20_000))
        folded = jax.random.key_data(member_keys(20_000, seed=1))
        grandchildren = jax.vmap(lambda key: jax.random.split(key, 100))(member_keys(200, seed=2))
        every = np.concatenate([split, folded, jax.random.key_data(grandchildren).reshape(-1, 2)])
        self.assertLen(np.unique(every, axis=0), 60_000)
        self.assertEqual(jax.random.split(keys.key(0), (3, 4)).shape, (3, 4))

    def test_a_seed_is_a_generator(self):
        np.testing.assert_array_equal(words(keys.key(7), 10), words(keys.key(7), 10))
        data = jax.random.key_data(jax.vmap(keys.key)(jnp.arange(1000)))
        self.assertLen(np.unique(data, axis=0), 1000)


class SamplersTest(chex.TestCase):
    @parameterized.parameters(*SAMPLERS)
    def test_distribution_over_members_and_a_member_alone(self, name):
        draw, test = SAMPLERS[name]
        together = np.asarray(jax.jit(jax.vmap(draw))(member_keys(400)))
        self.assertGreater(test(together.ravel()).pvalue, RARE)
        np.testing.assert_array_equal(together[37], draw(jax.random.fold_in(keys.key(0), 37)))
        if name != 'permutation':
            self.assertGreater(test(together[:, 3]).pvalue, RARE)
            self.assertLess(abs(np.corrcoef(together[:, 0], together[:, 1])[0, 1]), 0.17)


def shuffles(size, number, seed=0):
    """`number` permutations of `range(size)`, each of its own key; the size is traced."""
    positions = jnp.arange(size, dtype=jnp.uint32)
    one = jax.vmap(keys.shuffled, in_axes=(0, None, None))
    return np.asarray(jax.jit(one)(member_keys(number, seed), positions, jnp.int32(size))).astype(int)


class ShuffledTest(chex.TestCase):
    @parameterized.parameters(1, 2, 7, 100, 160, 1000, 65_535)
    def test_is_a_permutation(self, size):
        for order in shuffles(size, 3):
            np.testing.assert_array_equal(np.sort(order), np.arange(size))

    @parameterized.parameters(2, 3, 4, 5, 6)
    def test_every_permutation_is_as_likely(self, size):
        orders = shuffles(size, 50_000, seed=size)
        cells = {order: i for i, order in enumerate(itertools.permutations(range(size)))}
        counts = np.bincount([cells[tuple(order)] for order in orders], minlength=len(cells))
        self.assertGreater(scipy.stats.chisquare(counts).pvalue, RARE)

    @parameterized.parameters(7, 8, 100)
    def test_every_position_and_pair_is_as_likely(self, size):
        orders = shuffles(size, 20_000, seed=size)
        p = [scipy.stats.chisquare(np.bincount(column, minlength=size)).pvalue for column in orders.T]
        self.assertGreater(min(p), RARE / size)
        self.assertGreater(scipy.stats.kstest(p, 'uniform').pvalue, RARE)
        # Fixed points of a random permutation are Poisson(1); so are its steps x -> x + 1, nearly.
        fixed = np.sum(orders == np.arange(size)[None, :], axis=1)
        steps = np.sum(np.diff(orders, axis=1) == 1, axis=1)
        np.testing.assert_allclose([fixed.mean(), fixed.var()], 1, atol=0.05)
        np.testing.assert_allclose(steps.mean(), (size - 1) / size, atol=0.04)

    def test_successive_epochs_are_independent(self):
        orders = shuffles(50, 4000)
        same = np.sum(orders[1:] == orders[:-1], axis=1)
        np.testing.assert_allclose([same.mean(), same.var()], 1, atol=0.1)

    def test_a_key_a_position_is_each_keys_own_shuffle(self):
        each = member_keys(3)[jnp.array([0, 2, 1, 0])]
        positions = jnp.array([4, 0, 9, 3], jnp.uint32)
        whole = shuffles(10, 3)
        got = keys.shuffled(each, positions, 10)
        np.testing.assert_array_equal(got, whole[[0, 2, 1, 0], [4, 0, 9, 3]])

    def test_takes_keys_of_any_generator(self):
        order = keys.shuffled(jax.random.key(0, impl='threefry2x32'), jnp.arange(20, dtype=jnp.uint32), 20)
        np.testing.assert_array_equal(np.sort(order), np.arange(20))
