"""Boxes: what they cover by fine sampling, their areas by arithmetic."""

import chex
import jax.numpy as jnp
import numpy as np

from overfit import keys
from overfit.data.augment import boxes


class BoxTest(chex.TestCase):
    def test_covered_by_fine_sampling(self):
        middle, length = np.array([0.3, 2.0, 3.9, 1.7]), np.array([1.0, 1.5, 2.5, 0.2])
        fine = (np.arange(4 * 1000) + 0.5) / 1000
        inside = np.abs(fine[None] - middle[:, None]) < length[:, None] / 2
        wanted = inside.reshape(4, 4, 1000).mean(2)
        found = boxes.covered(jnp.float32(middle), jnp.float32(length), 4)
        np.testing.assert_allclose(found, wanted, atol=2e-3)

    def test_a_box_inside_has_the_area_that_was_drawn(self):
        key, side = keys.key(6), jnp.full(3000, 0.4)
        area = np.asarray(boxes.random_boxes(key, 3000, 10, 20, side)).mean((1, 2))
        self.assertAlmostEqual(area.max(), 0.16, places=5)
        self.assertGreaterEqual(area.min(), 0.04 - 1e-6)  # its centre is inside: a quarter at least
        # The chance that a side of length a lies inside is 1 - a, in each axis.
        self.assertLess(abs(np.mean(area > 0.16 - 1e-6) - 0.6**2), 0.03)
        # What is left of a side is on average a - a^2 / 4.
        self.assertLess(abs(area.mean() - (0.4 - 0.04) ** 2), 0.003)
