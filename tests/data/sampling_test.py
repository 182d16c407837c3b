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
