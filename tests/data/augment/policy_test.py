"""The policy's changes against SciPy and Pillow, one by one."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage
import scipy.stats
from absl.testing import parameterized
from PIL import Image, ImageFilter

from overfit import keys
from overfit.data import augment
from overfit.data.augment import policy

STRONGEST = policy.STRONGEST


def resampled(image, linear, offset, border):
    """One image `[H, W, C]` along a map from output to input, about its centre."""
    centre = (np.array(image.shape[:2]) - 1) / 2
    linear = np.array(linear, np.float64)
    return np.stack(
        [
            scipy.ndimage.affine_transform(
                image[..., c].astype(np.float64),
                linear,
                centre - linear @ centre - linear @ np.array(offset, np.float64),
                order=1,
                mode='grid-constant',
                cval=border[c],
            )
            for c in range(image.shape[2])
        ],
        axis=-1,
    )


def smoothed(image):
    kernel = np.ones((3, 3)) + 4 * np.eye(3)[1][:, None] * np.eye(3)[1][None]
    channels = [
        scipy.ndimage.convolve(image[..., c].astype(np.float64), kernel / 13, mode='nearest')
        for c in range(image.shape[2])
    ]
    return np.stack(channels, axis=-1)


def by_hand(image, change, strength, border, scale):
    """What an image becomes by one change of a signed strength, 1 for the policy's own."""
    how = strength * getattr(STRONGEST, change)
    height, width = image.shape[:2]
    if change == 'down':
        return resampled(image, np.eye(2), (how * height, 0), border)
    if change == 'right':
        return resampled(image, np.eye(2), (0, how * width), border)
    if change == 'rotate':
        turn = [[np.cos(how), np.sin(how)], [-np.sin(how), np.cos(how)]]
        return resampled(image, turn, (0, 0), border)
    if change == 'shear_right':
        return resampled(image, [[1, 0], [-how, 1]], (0, 0), border)
    if change == 'shear_down':
        return resampled(image, [[1, -how], [0, 1]], (0, 0), border)
    if change == 'brightness':
        return image + how * scale
    if change == 'contrast':
        return image.mean((0, 1)) + (1 + how) * (image - image.mean((0, 1)))
    if change == 'sharpness':
        return smoothed(image) + (1 + how) * (image - smoothed(image))
    if change == 'saturation':
        grey = image.mean(2, keepdims=True)
        return grey + (1 + how) * (image - grey)
    return image


class PolicyTest(chex.TestCase):
    @parameterized.parameters(1, 3)
    def test_each_image_gets_one_change_evenly_drawn(self, channels):
        x = np.random.default_rng(0).uniform(0, 255, (600, 7, 9, channels)).astype(np.float32)
        border, scale = np.array([7, 40, 90], np.float32)[:channels], np.full(channels, 60, np.float32)
        got = np.asarray(augment.random_policy(keys.key(1), x, border, scale, policy=0.8))
        which, how_much = jax.random.split(keys.key(1))
        count = 10 if channels > 1 else 9
        drawn = np.asarray(jax.random.randint(which, (600,), 0, count))
        strength = 0.8 * np.asarray(jax.random.uniform(how_much, (600,), minval=-1.0))
        self.assertGreater(scipy.stats.chisquare(np.bincount(drawn, minlength=count)).pvalue, 1e-3)
        for n in range(100):
            change = STRONGEST._fields[drawn[n]]
            wanted = by_hand(x[n], change, strength[n], border, scale)
            np.testing.assert_allclose(got[n], wanted, atol=0.02, err_msg=change)
        self.assertEqual(set(drawn[:100]), set(range(count)))

    def test_the_smoothing_is_pillows(self):
        image = np.random.default_rng(1).integers(0, 256, (12, 9)).astype(np.uint8)
        wanted = np.asarray(Image.fromarray(image).filter(ImageFilter.SMOOTH))
        inner = smoothed(image[..., None])[1:-1, 1:-1, 0]
        np.testing.assert_allclose(inner, wanted[1:-1, 1:-1], atol=0.51)

    def test_strengths_of_a_population_share_a_program(self):
        x, one = np.random.default_rng(0).uniform(0, 9, (8, 6, 6, 1)).astype(np.float32), jnp.ones(1)

        @jax.jit
        @chex.assert_max_traces(1)
        def nets(strengths):
            change = jax.vmap(lambda policy: augment.random_policy(keys.key(3), x, one, one, policy=policy))
            return jnp.abs(change(strengths) - x[None]).mean((1, 2, 3, 4))

        found = [nets(jnp.array(strengths)) for strengths in ([0.0, 0.2, 0.5], [0.1, 0.7, 1.0])]
        self.assertEqual(float(found[0][0]), 0)
        ordered = [found[0][1], found[0][2], found[1][1], found[1][2]]
        self.assertTrue((np.diff(ordered) > 0).all(), ordered)
