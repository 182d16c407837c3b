"""Histograms of oriented gradients: against a pixel-by-pixel loop, and what they do not see."""

import math

import chex
import numpy as np
from absl.testing import parameterized

from overfit.data import gradients


def naive(image, rows, columns, orientations, signed):
    """The same description of one image `[H, W, C]`, one pixel, cell and block at a time."""
    height, width, channels = image.shape
    cells = np.zeros((rows, columns, orientations))
    circle = 2 * math.pi if signed else math.pi
    for i in range(height):
        for j in range(width):
            steps = []
            for c in range(channels):
                down = image[min(i + 1, height - 1), j, c] - image[max(i - 1, 0), j, c]
                right = image[i, min(j + 1, width - 1), c] - image[i, max(j - 1, 0), c]
                steps.append((math.hypot(down, right), math.atan2(down, right)))
            length, angle = max(steps, key=lambda step: step[0])
            place = (angle % circle) / circle * orientations
            for o in range(orientations):
                apart = abs(place - o)
                share = max(0.0, 1 - min(apart, orientations - apart))
                for r in range(rows):
                    for c in range(columns):
                        near_row = max(0.0, 1 - abs((i + 0.5) / (height / rows) - (r + 0.5)))
                        near_column = max(0.0, 1 - abs((j + 0.5) / (width / columns) - (c + 0.5)))
                        cells[r, c, o] += length * share * near_row * near_column
    blocks = [
        np.concatenate([cells[r, c], cells[r, c + 1], cells[r + 1, c], cells[r + 1, c + 1]])
        for r in range(rows - 1)
        for c in range(columns - 1)
    ]
    floor = 0.05 * np.mean([block.sum() for block in blocks])
    return np.concatenate([np.sqrt(block / (block.sum() + floor) / len(blocks)) for block in blocks])


class DescribeTest(chex.TestCase):
    @parameterized.parameters((8, 8, 1, False), (9, 12, 3, False), (9, 12, 3, True), (12, 7, 1, True))
    def test_against_a_loop(self, height, width, channels, signed):
        x = np.random.default_rng(1).uniform(0, 255, (3, height, width, channels)).astype(np.float32)
        found = gradients.describe(x, [(2, 3), (4, 3)], orientations=9, signed=signed)
        chex.assert_shape(found, (3, 2 * 36 + 6 * 36))
        chex.assert_type(found, np.float32)
        for image, vector in zip(x.astype(np.float64), found, strict=True):
            expected = [naive(image, 2, 3, 9, signed), naive(image, 4, 3, 9, signed)]
            np.testing.assert_allclose(vector, np.concatenate(expected), atol=2e-4)

    def test_edges_by_hand(self):
        """A ramp to the right, downwards, and along the diagonal: 0, 90 and 45 degrees of 4 bins."""
        right = np.tile(np.arange(8.0), (8, 1))
        x = np.stack([right, right.T, right + right.T, -right])[..., None]
        unsigned = gradients.describe(x, [(1, 1)], orientations=4, signed=False)
        np.testing.assert_array_equal(unsigned.argmax(1), [0, 2, 1, 0])
        signed = gradients.describe(x, [(1, 1)], orientations=4, signed=True)
        np.testing.assert_array_equal(signed[[0, 1, 3]].argmax(1), [0, 1, 2])
        # Within the border every gradient of the diagonal ramp points half-way between bins 0 and 1.
        self.assertLess(abs(signed[2, 0] - signed[2, 1]), 1e-5)

    @parameterized.parameters(False, True)
    def test_contrast_and_brightness_do_not_matter(self, signed):
        x = np.random.default_rng(2).integers(0, 100, (4, 12, 12, 3))
        plain = gradients.describe(x.astype(np.uint8), [(3, 3)], signed=signed)
        changed = gradients.describe(2 * x + 17, [(3, 3)], signed=signed)
        np.testing.assert_allclose(plain, changed, atol=1e-5)
        negative = gradients.describe(255 - x, [(3, 3)], signed=signed)
        self.assertEqual(np.allclose(plain, negative, atol=1e-4), not signed)

    def test_of_channels_the_longest_gradient_counts(self):
        strong, weak = np.random.default_rng(3).uniform(0, 255, (2, 5, 10, 10, 1))
        alone = gradients.describe(strong, [(3, 3)], signed=True)
        for channels in ([strong, weak / 1000], [weak / 1000, strong]):
            found = gradients.describe(np.concatenate(channels, -1), [(3, 3)], signed=True)
            np.testing.assert_allclose(found, alone, atol=0.02)

    def test_an_empty_image_is_described_by_zeros(self):
        np.testing.assert_array_equal(gradients.describe(np.full((2, 8, 8, 1), 7), [(2, 2)], signed=False), 0)

    def test_each_image_by_itself_and_no_scale_longer_than_one(self):
        x = np.random.default_rng(4).uniform(0, 1, (700, 16, 16, 1))  # more than a chunk
        found = gradients.describe(x, [(3, 3), (4, 5)], orientations=12, signed=True)
        for n in (0, 681, 699):
            one = gradients.describe(x[n : n + 1], [(3, 3), (4, 5)], orientations=12, signed=True)
            np.testing.assert_allclose(found[n : n + 1], one, atol=1e-6)
        lengths = np.square(found[:, : 4 * 48]).sum(1), np.square(found[:, 4 * 48 :]).sum(1)
        for squared in lengths:
            self.assertBetween(squared.max(), 0.5, 1.0)
