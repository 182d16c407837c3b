"""The order of examples: every one once an epoch, its own for each net, and the same as ever."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import keys
from overfit.data import sampling


def positions(seed, steps, count, batch_size, room=64):
    def one(step):
        return sampling.epochs(
            keys.key(seed), step, jnp.zeros(room, jnp.int32), jnp.uint32(count), batch_size
        )

    return np.asarray(jax.jit(jax.vmap(one))(jnp.arange(steps)))


class EpochsTest(chex.TestCase):
    @parameterized.parameters((1, 4), (5, 8), (12, 4), (37, 8), (64, 64))
    def test_every_example_once_an_epoch(self, count, batch_size):
        epochs = 6
        steps = -(-epochs * count // batch_size)
        found = positions(3, steps, count, batch_size)
        self.assertEqual(found.shape, (steps, batch_size))
        in_turn = found.ravel()[: epochs * count].reshape(epochs, count)
        np.testing.assert_array_equal(np.sort(in_turn, axis=1), np.tile(np.arange(count), (epochs, 1)))

    def test_each_epoch_and_each_net_has_an_order_of_its_own(self):
        orders = np.concatenate([positions(seed, 3, 50, 50) for seed in range(3)])
        self.assertLen({tuple(order) for order in orders}, 9)

    def test_where_an_example_stands_is_uniform(self):
        places = np.argsort(positions(0, 3000, 10, 10), axis=1)[:, 4]
        counts = np.bincount(places, minlength=10)
        # Chi-square with 9 degrees of freedom: above 27.9 once in a thousand.
        self.assertLess(np.sum((counts - 300) ** 2 / 300), 27.9)

    def test_labels_and_their_padding_are_not_looked_at(self):
        one, other = (
            sampling.epochs(keys.key(1), 5, jnp.asarray(y, jnp.int32), 9, 4)
            for y in (np.zeros(9), np.arange(32))
        )
        np.testing.assert_array_equal(one, other)

    def test_the_order_is_the_same_as_ever(self):
        # What the engine drew before samplers were slots. It may change only with a note to those who replay
        # a run by its seed.
        wanted = [[2, 3, 4, 0], [1, 0, 4, 2], [1, 3, 0, 3]]
        np.testing.assert_array_equal(positions(7, 3, 5, 4), wanted)


def batches_of(m, y, count, steps, batch_size, *, seed=0):
    """`[steps, batch_size]` positions."""

    @jax.jit
    def drawn(y, count):
        return jax.vmap(lambda step: sampling.per_class(m)(keys.key(seed), step, y, count, batch_size))(
            jnp.arange(steps)
        )

    return np.asarray(drawn(jnp.asarray(y, jnp.int32), jnp.int32(count)))


class PerClassTest(chex.TestCase):
    @parameterized.parameters((2, 8), (4, 32), (3, 9), (4, 12))
    def test_m_distinct_examples_of_distinct_classes(self, m, batch_size):
        y = np.random.default_rng(0).permutation(np.repeat(np.arange(12), 7))
        y = np.append(y, np.zeros(20))  # padding
        for batch in batches_of(m, y, 84, 30, batch_size):
            self.assertLess(batch.max(), 84)
            self.assertLen(set(batch), batch_size)
            _, counts = np.unique(y[batch], return_counts=True)
            np.testing.assert_array_equal(counts, m)

    def test_a_batch_that_m_does_not_divide_ends_with_fewer_of_a_class(self):
        y = np.repeat(np.arange(8), 5)
        for batch in batches_of(4, y, 40, 10, 10):
            self.assertEqual(sorted(np.unique(y[batch], return_counts=True)[1]), [2, 4, 4])

    def test_where_classes_are_few_their_turn_comes_again_with_other_examples(self):
        y = np.repeat(np.arange(2), 9)
        for batch in batches_of(4, y, 18, 20, 16):
            self.assertLen(set(batch), 16)
            np.testing.assert_array_equal(np.bincount(y[batch]), [8, 8])

    def test_where_examples_are_few_they_come_again_evenly(self):
        y = np.array([0, 0, 0, 1, 2, 2])
        for batch in batches_of(4, y, 6, 20, 12):
            counts = np.bincount(batch, minlength=6)
            self.assertEqual((sorted(counts[:3]), counts[3], sorted(counts[4:])), ([1, 1, 2], 4, [2, 2]))

    def test_one_class_alone(self):
        for batch in batches_of(2, np.zeros(10), 5, 5, 6):
            np.testing.assert_array_equal(np.sort(np.bincount(batch, minlength=5)), [1, 1, 1, 1, 2])

    def test_classes_and_examples_are_drawn_evenly_whatever_their_sizes(self):
        sizes = [3, 30, 6, 12, 9]
        y = np.repeat(np.arange(5), sizes)
        drawn = batches_of(2, y, 60, 3000, 4).ravel()
        # Chi-square with 4 and 29 degrees of freedom: above 18.5 and 58.3 once in a thousand.
        classes = np.bincount(y[drawn])
        self.assertLess(np.sum((classes - 2400) ** 2 / 2400), 18.5)
        members = np.bincount(drawn)[3:33]
        self.assertLess(np.sum((members - 80) ** 2 / 80), 58.3)

    def test_padding_and_room_do_not_matter(self):
        y = np.repeat(np.arange(4), 5)
        padded = batches_of(2, np.append(y, [9] * 12), 20, 10, 8)
        np.testing.assert_array_equal(padded, batches_of(2, y, 20, 10, 8))

    def test_a_step_can_be_replayed_and_no_other_is_like_it(self):
        y = np.repeat(np.arange(6), 5)
        whole = batches_of(2, y, 30, 8, 8)
        alone = jax.jit(sampling.per_class(2), static_argnums=4)(
            keys.key(0), jnp.uint32(5), jnp.asarray(y, jnp.int32), 30, 8
        )
        np.testing.assert_array_equal(alone, whole[5])
        self.assertLen({tuple(batch) for batch in whole}, 8)
        self.assertFalse(np.array_equal(whole, batches_of(2, y, 30, 8, 8, seed=1)))

    def test_equal_arguments_give_the_same_object(self):
        self.assertIs(sampling.per_class(4), sampling.per_class(4))
        self.assertIsNot(sampling.per_class(4), sampling.per_class(2))

    def test_refuses_what_holds_no_pairs(self):
        for m in (1, 0, 2.0):
            with self.assertRaisesRegex(ValueError, '2 or more'):
                sampling.per_class(m)
        with self.assertRaisesRegex(ValueError, 'batch_size=4'):
            sampling.per_class(4)(keys.key(0), 0, jnp.zeros(8, jnp.int32), 8, 4)
