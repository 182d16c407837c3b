"""Bootstrap samples: what a net sees of its examples over the epochs, counted."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from overfit import keys
from overfit.data import bootstrap

COUNT, SIZE = 20, 5


@functools.partial(jax.jit, static_argnames='steps')
def seen(seed, steps):
    """Positions of a net's first steps, in order."""
    y = jnp.zeros(24, jnp.int32)  # four of them padding
    of_step = jax.vmap(lambda step: bootstrap.resampled(keys.key(seed), step, y, COUNT, SIZE))
    return of_step(jnp.arange(steps)).reshape(-1)


class BootstrapTest(chex.TestCase):
    def test_every_epoch_holds_the_same_sample_in_another_order(self):
        epochs = np.asarray(seen(3, 12)).reshape(3, COUNT)
        for epoch in epochs[1:]:
            self.assertEqual(sorted(epoch), sorted(epochs[0]))
            self.assertNotEqual(epoch.tolist(), epochs[0].tolist())

    def test_nets_draw_their_own_and_draws_are_uniform(self):
        samples = [seen(seed, COUNT // SIZE).tolist() for seed in range(60)]
        self.assertLess(np.max(samples), COUNT)
        self.assertLen({tuple(sorted(sample)) for sample in samples}, 60)
        counts = np.bincount(np.concatenate(samples), minlength=COUNT)
        self.assertGreater(stats.chisquare(counts).pvalue, 1e-3)
        # Of 20 examples a sample holds 20 (1 - 0.95^20) = 12.8 on average.
        distinct = np.mean([len(set(sample)) for sample in samples])
        self.assertAlmostEqual(distinct, COUNT * (1 - (1 - 1 / COUNT) ** COUNT), delta=0.6)
