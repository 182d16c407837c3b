"""Cutout: the areas that are lost, by arithmetic, and what fills them."""

import chex
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base, keys
from overfit.data import augment, kinds

PLAIN = kinds.Standard(mean=np.zeros(1), scale=np.ones(1), border=np.zeros(1))


class CutoutTest(chex.TestCase):
    @parameterized.parameters(0.25, 0.5, 1.0)
    def test_cutout_fills_its_area_with_the_mean(self, side):
        x = np.full((400, 8, 8, 2), 200, np.uint8)
        inputs = PLAIN._replace(mean=jnp.array([50.0, 80.0]))
        batch = base.Batch(x, jnp.zeros(400, jnp.int32))
        out = augment.cutout(keys.key(2), batch, base.Hyper(cutout=side), inputs).x
        area = (200 - np.asarray(out).mean((1, 2))) / np.array([150, 120])
        np.testing.assert_allclose(area[:, 0], area[:, 1], atol=1e-4)
        self.assertLessEqual(area.max(), side**2 + 1e-4)
        self.assertGreaterEqual(area.min(), side**2 / 4 - 1e-4)
        self.assertLess(abs(area[:, 0].mean() - (side - side**2 / 4) ** 2), 0.02)
        self.assertAlmostEqual(float(out[..., 0].min()), 50, places=2)
