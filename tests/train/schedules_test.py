"""Schedules against values worked out by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.train import schedules

PROGRESS = np.array([0.0, 0.1, 0.25, 0.5, 0.75, 1.0], np.float32)


class SchedulesTest(chex.TestCase):
    @parameterized.parameters(
        ('warmup', 0.5, [0.0, 0.2, 0.5, 1.0, 1.0, 1.0]),
        ('warmup', 1.0, [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]),
        ('warmup', 0.05, [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ('cosine', 1.0, [1.0, 0.97552826, 0.85355339, 0.5, 0.14644661, 0.0]),
        ('cosine', 0.6, [1.0, 0.98531695, 0.91213203, 0.7, 0.48786797, 0.4]),
        ('exponential', 4.0, [1.0, 0.67032005, 0.36787944, 0.13533528, 0.04978707, 0.01831564]),
        ('inverse_time', 10.0, [1.0, 0.5, 1 / 3.5, 1 / 6, 1 / 8.5, 1 / 11]),
        ('step_decay', 0.9, [1.0, 1.0, 1.0, 0.1, 0.01, 0.01]),
        ('step_decay', 1.0, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
    )
    def test_values(self, name, strength, wanted):
        schedule = getattr(schedules, name)
        np.testing.assert_allclose([schedule(p, strength) for p in PROGRESS], wanted, rtol=2e-6, atol=1e-7)
        traced = jax.vmap(schedule, in_axes=(0, None))(PROGRESS, jnp.float32(strength))
        np.testing.assert_allclose(traced, wanted, rtol=2e-6, atol=1e-7)

    @parameterized.parameters('warmup', 'cosine', 'exponential', 'inverse_time', 'step_decay')
    def test_strength_0_is_1_everywhere(self, name):
        traced = jax.vmap(getattr(schedules, name), in_axes=(0, None))(PROGRESS, jnp.float32(0))
        np.testing.assert_array_equal(traced, np.ones(6))
        absent = schedules.multiplier(jnp.float32(0.5), base.Hyper())
        np.testing.assert_array_equal(absent, 1.0)

    def test_step_decay_falls_after_each_third(self):
        steps = 300
        rates = [float(schedules.step_decay(np.float32((t + 1) / steps), 0.5)) for t in range(steps)]
        self.assertEqual([t for t in range(1, steps) if rates[t] != rates[t - 1]], [99, 199])

    def test_multiplier_is_the_product_of_the_given_fields(self):
        hyper = base.Hyper(warmup=0.5, cosine=1.0, exponential=4.0, inverse_time=10.0, step_decay=0.9)
        got = jax.vmap(schedules.multiplier, in_axes=(0, None))(PROGRESS, jax.tree.map(jnp.float32, hyper))
        wanted = [
            0.0,
            0.2 * 0.97552826 * 0.67032005 * 0.5,
            0.5 * 0.85355339 * 0.36787944 / 3.5,
            0.5 * 0.13533528 / 6 * 0.1,
            0.14644661 * 0.04978707 / 8.5 * 0.01,
            0.0,
        ]
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-9)
        two = schedules.multiplier(PROGRESS[3], base.Hyper(warmup=1.0, step_decay=0.9, dropout=0.3))
        np.testing.assert_allclose(two, 0.5 * 0.1, rtol=1e-6)
