"""The range test against a loop, on curves whose answer is known, and that it leaves nets as they were."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.train import range_test, step
from tests import problems

HYPER = base.Hyper(learning_rate=0.3, momentum=0.9, cosine=1.0, steps=20.0)


class LossesTest(chex.TestCase):
    def test_like_a_loop_and_the_nets_stay_as_they_were(self):
        recipe = problems.recipe(batch_norm=True)
        rates = np.array([0.01, 0.1, 1.0, 5.0])
        states = [problems.begun(recipe, HYPER, seed) for seed in range(2)]
        stacked = jax.tree.map(lambda *a: jnp.stack(a), *states)
        before = jax.tree.map(np.array, stacked._replace(key=None))
        data = [problems.batches(problems.VECTORS, 4, 8), problems.batches(problems.VECTORS, 4, 8)]
        data[1] = data[1]._replace(x=data[1].x[::-1], y=data[1].y[::-1])
        found = range_test.losses(stacked, jax.tree.map(lambda *a: np.stack(a), *data), HYPER, recipe, rates)
        chex.assert_trees_all_equal(jax.tree.map(np.array, stacked._replace(key=None)), before)
        one = jax.jit(step.train_step, static_argnums=3)
        for net, state in enumerate(states):
            for n, rate in enumerate(rates):
                hyper = base.Hyper(learning_rate=np.float32(rate), momentum=np.float32(0.9))
                batch = jax.tree.map(lambda a, n=n: a[n], data[net])
                state, metrics = one(state, batch, hyper, recipe)
                np.testing.assert_allclose(found[net, n], metrics.loss, rtol=1e-3)

    def test_a_sweep_falls_and_then_bursts(self):
        found = range_test.sweep(
            problems.VECTORS, problems.recipe(), base.Hyper(momentum=0.9), seeds=(1, 2, 3), high=1e3, steps=60
        )
        self.assertEqual(found.losses.shape, (3, 60))
        self.assertEqual((found.rates[0], found.rates[-1]), (1e-5, 1e3))
        self.assertGreater(np.abs(found.losses[0] - found.losses[1]).max(), 0.01)
        rates = range_test.suggest(*found)
        low, middle, high = (range_test.band(one)[1] for one in rates)
        self.assertTrue(1e-4 < low < middle <= high < 10, (low, middle, high))

    @parameterized.parameters({'low': 0.0}, {'low': 2.0, 'high': 1.0}, {'steps': 2})
    def test_what_shows_nothing(self, **options):
        with self.assertRaisesRegex(ValueError, 'give 0 < low < high, and at least 3 steps'):
            range_test.sweep(problems.VECTORS, problems.recipe(), base.Hyper(), **options)


class SuggestTest(chex.TestCase):
    def test_a_smooth_fall_between_two_plateaus(self):
        """A logistic fall around 1e-2, steepest there; a tenth and nine tenths of it at known rates."""
        rates = np.geomspace(1e-5, 1e1, 301)
        curve = 2 - 1 / (1 + np.exp(-3 * np.log(rates / 1e-2)))
        curve = np.where(rates > 1.0, np.nan, curve)
        low, steepest, high = range_test.suggest(rates, np.stack([curve, 3 * curve]), width=1.0)
        np.testing.assert_allclose(steepest, 1e-2, rtol=0.1)
        np.testing.assert_allclose(low, 1e-2 * 9 ** (-1 / 3), rtol=0.1)
        np.testing.assert_allclose(high, 1e-2 * 9 ** (1 / 3), rtol=0.1)

    def test_a_loss_that_only_rises_suggests_nothing(self):
        found = range_test.suggest(np.geomspace(0.1, 1, 10), np.arange(1.0, 11.0)[None])
        self.assertTrue(np.isnan(np.array(found)).all())

    def test_smoothing_keeps_a_line_and_caps_what_bursts(self):
        losses = np.array([[3.0, 3.0, 3.0, 3.0, 3.0, 1e9, np.inf, np.nan]])
        found = range_test.smoothed(losses, width=0.5)
        np.testing.assert_allclose(found[0, :3], 3.0)
        self.assertLessEqual(found.max(), 6.0)

    def test_a_band_holds_its_share(self):
        values = np.random.default_rng(0).normal(size=(4000, 2))
        low, middle, high = range_test.band(values, level=0.8)
        inside = ((values >= low) & (values <= high)).mean(0)
        np.testing.assert_allclose(inside, 0.8, atol=0.01)
        np.testing.assert_allclose(middle, 0, atol=0.06)
