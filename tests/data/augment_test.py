"""Augmentation against SciPy's resampling, exact moves of the array, and the distribution of draws."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage
from absl.testing import parameterized

from overfit import base, keys
from overfit.data import augment, kinds

AUGMENTS = {
    'geometric': ('shift', 'zoom', 'rotate', 'flip', 'shear', 'elastic'),
    'lighting': ('brightness', 'contrast'),
    'colour': ('colour',),
    'noise': ('noise',),
    'cutout': ('cutout',),
    'trivial_augment': ('policy',),
}
STRENGTHS = {
    'shift': 0.1,
    'zoom': 0.2,
    'rotate': 0.3,
    'flip': 0.5,
    'shear': 0.2,
    'elastic': 0.05,
    'elastic_smoothness': 0.1,
    'brightness': 0.5,
    'contrast': 0.5,
    'colour': 0.2,
    'noise': 0.2,
    'cutout': 0.4,
    'policy': 1.0,
}
FIELDS = [(name, field) for name, fields in AUGMENTS.items() for field in fields]


def images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


def standard(channels):
    ramp = np.arange(channels, dtype=np.float32)
    return kinds.Standard(mean=100 + ramp, scale=np.full(channels, 50.0, np.float32), border=7 + 30 * ramp)


def changed(name, key, x, hyper, inputs):
    """The inputs that an augmentation makes of a batch."""
    batch = base.Batch(x, jnp.zeros(len(x), jnp.int32))
    return getattr(augment, name)(key, batch, hyper, inputs).x


def moved(image, down, right, border):
    """Shifts an array by whole pixels: what comes from outside is border."""
    out = np.empty_like(image)
    out[:] = border
    height, width = image.shape[:2]
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                out[i, j] = image[i - down, j - right]
    return out


def uniform_p(sample, low, high):
    return scipy.stats.kstest(np.asarray(sample).ravel(), 'uniform', (low, high - low)).pvalue


class AffineTest(chex.TestCase):
    @parameterized.parameters((8, 8, 1), (7, 10, 3))
    def test_like_scipy_also_at_the_border(self, height, width, channels):
        rng = np.random.default_rng(3)
        x = images(12, height, width, channels)
        matrix = (np.eye(2, 3) + rng.normal(size=(12, 2, 3)) * np.array([0.3, 0.3, 2.0])).astype(np.float32)
        border = standard(channels).border
        got = augment.affine(x, matrix, border)
        centre = (np.array([height, width]) - 1) / 2
        for b in range(12):
            linear, offset = matrix[b, :, :2].astype(np.float64), matrix[b, :, 2].astype(np.float64)
            for c in range(channels):
                wanted = scipy.ndimage.affine_transform(
                    x[b, :, :, c].astype(np.float64),
                    linear,
                    centre - linear @ centre + offset,
                    order=1,
                    mode='grid-constant',
                    cval=border[c],
                )
                np.testing.assert_allclose(got[b, :, :, c], wanted, atol=2e-3)

    def test_whole_pixels_shift_the_array(self):
        x, border = images(5, 6, 8, 2), standard(2).border
        moves = [(0, 0), (2, 0), (0, -3), (-1, 5), (9, 1)]
        matrix = np.array([[[1, 0, -down], [0, 1, -right]] for down, right in moves], np.float32)
        got = augment.affine(x, matrix, border)
        for image, out, (down, right) in zip(x, got, moves, strict=True):
            np.testing.assert_allclose(out, moved(image, down, right, border), rtol=1e-6)

    @parameterized.parameters(7, 8)
    def test_quarter_turns_and_mirrors_move_pixels(self, side):
        x = images(4, side, side, 3)
        # One turn maps output (i, j), seen from the centre, to input (j, -i): as rot90.
        turn, mirror = np.array([[0, 1], [-1, 0]]), np.diag([1, -1])
        linear = [turn, turn @ turn, turn @ turn @ turn, mirror]
        matrix = np.concatenate([np.array(linear), np.zeros((4, 2, 1))], axis=2).astype(np.float32)
        got = augment.affine(x, matrix, np.zeros(3, np.float32))
        wanted = [np.rot90(x[0]), np.rot90(x[1], 2), np.rot90(x[2], 3), x[3, :, ::-1]]
        np.testing.assert_allclose(got, np.stack(wanted), rtol=1e-6)


class DrawTest(chex.TestCase):
    """What `draw_affine` draws, read from the maps by linear algebra."""

    def maps(self, number=4000, height=20, width=10, **fields):
        matrix = augment.draw_affine(keys.key(5), number, height, width, **fields)
        return np.asarray(matrix, np.float64)

    def test_shift_is_uniform_in_each_axis(self):
        # A rotation, a change of size and a mirror must not spoil it: where does the centre go?
        matrix = self.maps(shift=0.1, rotate=0.3, zoom=0.2, flip=0.5)
        where = np.stack([np.linalg.solve(m[:, :2], -m[:, 2]) for m in matrix])
        self.assertGreater(uniform_p(where[:, 0], -2.0, 2.0), 1e-3)
        self.assertGreater(uniform_p(where[:, 1], -1.0, 1.0), 1e-3)
        self.assertLess(abs(np.corrcoef(where.T)[0, 1]), 0.06)

    def test_angle_size_and_mirror(self):
        matrix = self.maps(rotate=0.4, zoom=0.25, flip=0.3)
        np.testing.assert_array_equal(matrix[:, :, 2], 0)
        forward = np.linalg.inv(matrix[:, :, :2])
        determinant = np.linalg.det(forward)
        self.assertBetween(np.mean(determinant < 0), 0.27, 0.33)
        size = np.sqrt(np.abs(determinant))
        self.assertGreater(uniform_p(np.log(size), -np.log(1.25), np.log(1.25)), 1e-3)
        # The vertical axis is not mirrored: the image of "down" gives the angle.
        angle = np.arctan2(forward[:, 1, 0], forward[:, 0, 0])
        self.assertGreater(uniform_p(angle, -0.4, 0.4), 1e-3)
        correlation = np.corrcoef([angle, size, np.sign(determinant)]) - np.eye(3)
        self.assertLess(np.abs(correlation).max(), 0.06)

    def test_a_field_leaves_the_draws_of_the_others(self):
        one, both = self.maps(shift=0.1), self.maps(shift=0.1, rotate=0.3)
        centre = [np.linalg.solve(m[:, :2], -m[:, 2]) for m in both]
        np.testing.assert_allclose(-one[:, :, 2], centre, atol=1e-5)

    def test_a_blob_lands_where_the_map_says(self):
        x = np.zeros((64, 33, 33, 1), np.float32)
        x[:, 16, 16] = 1
        numbers = {'shift': 0.2, 'rotate': 0.4, 'flip': 0.5}
        matrix = augment.draw_affine(keys.key(2), 64, 33, 33, **numbers)
        out = np.asarray(jax.jit(augment.random_affine)(keys.key(2), x, np.zeros(1, np.float32), **numbers))
        grid = np.arange(33) - 16
        total = out.sum((1, 2, 3))
        got = np.stack([(out.sum((2, 3)) @ grid) / total, (out.sum((1, 3)) @ grid) / total], axis=1)
        wanted = [np.linalg.solve(m[:, :2], -m[:, 2]) for m in np.asarray(matrix)]
        np.testing.assert_allclose(got, wanted, atol=0.25)
        self.assertGreater(np.ptp(got[:, 0]), 8)


class AugmentTest(chex.TestCase):
    @parameterized.parameters(*AUGMENTS)
    def test_absent_returns_the_batch_itself(self, name):
        batch = base.Batch(jnp.asarray(images(3, 5, 5, 1)), jnp.zeros(3, jnp.int32))
        hyper = base.Hyper(dropout=0.5)
        self.assertIs(getattr(augment, name)(keys.key(0), batch, hyper, standard(1)), batch)

    def test_absent_returns_x_itself(self):
        x, one = jnp.asarray(images(3, 5, 5, 1)), jnp.ones(1)
        self.assertIs(augment.random_affine(keys.key(0), x, one), x)
        self.assertIs(augment.random_lighting(keys.key(0), x, one), x)
        self.assertIs(augment.random_geometry(keys.key(0), x, one, elastic_smoothness=0.1), x)
        self.assertIs(augment.random_colour(keys.key(0), x, colour=None), x)
        self.assertIs(augment.gaussian_noise(keys.key(0), x, one, noise=None), x)
        self.assertIs(augment.random_cutout(keys.key(0), x, one, cutout=None), x)
        self.assertIs(augment.random_policy(keys.key(0), x, one, one, policy=None), x)

    @parameterized.parameters(*FIELDS)
    def test_only_the_inputs_change_and_whole_values_act_as_floats(self, name, field):
        x = images(6, 8, 8, 3).astype(np.uint8)
        mixed = base.Mixed(jnp.ones(6, jnp.int32), jnp.full(6, 0.7))
        batch = base.Batch(jnp.asarray(x), jnp.arange(6), jnp.ones(6), mixed)
        hyper = base.Hyper(**{field: 0.4})
        got = getattr(augment, name)(keys.key(2), batch, hyper, standard(3))
        self.assertEqual(got.x.dtype, jnp.float32)
        for part in ('y', 'weight', 'mixed'):
            self.assertIs(getattr(got, part), getattr(batch, part))
        np.testing.assert_array_equal(got.x, changed(name, keys.key(2), jnp.float32(x), hyper, standard(3)))

    @parameterized.parameters(*AUGMENTS)
    def test_the_plain_function_is_the_slot_with_numbers(self, name):
        x, inputs, key = images(6, 8, 8, 3), standard(3), keys.key(2)
        numbers = {field: STRENGTHS[field] for field in AUGMENTS[name]}
        plain = {
            'geometric': lambda: augment.random_geometry(key, x, inputs.border, **numbers),
            'colour': lambda: augment.random_colour(key, x, **numbers),
            'cutout': lambda: augment.random_cutout(key, x, inputs.mean, **numbers),
            'trivial_augment': lambda: augment.random_policy(key, x, inputs.border, inputs.scale, **numbers),
            'lighting': lambda: augment.random_lighting(key, x, inputs.scale, **numbers),
            'noise': lambda: augment.gaussian_noise(key, x, inputs.scale, **numbers),
        }
        got = changed(name, key, x, base.Hyper(**numbers), inputs)
        np.testing.assert_array_equal(got, plain[name]())
        self.assertGreater(np.abs(got - x).mean(), 1)

    @parameterized.parameters(*FIELDS)
    def test_0_is_absent_and_more_is_a_change_of_each_image(self, name, field):
        x, numbers = images(40, 8, 8, 3), jnp.array([0.0, 0.3])
        nets = jax.vmap(
            lambda number: changed(name, keys.key(1), x, base.Hyper(**{field: number}), standard(3))
        )
        none, some = np.asarray(nets(numbers))
        np.testing.assert_allclose(none, x, rtol=1e-6)
        change = np.abs(some - x).mean((1, 2, 3))
        if field == 'flip':
            self.assertBetween(np.sum(change > 0), 5, 20)
        elif field == 'policy':  # a tenth of the images draws no change
            self.assertBetween(np.sum(change > 1e-3), 28, 39)
        else:
            self.assertGreater(change.min(), 0)
            self.assertGreater(len(np.unique(change)), 38)

    @parameterized.parameters(*AUGMENTS)
    def test_a_key_replays_and_a_net_of_many_is_itself_alone(self, name):
        x = images(4, 6, 8, 8, 1)
        hyper = jax.tree.map(jnp.float32, base.Hyper(**STRENGTHS))
        hypers = jax.tree.map(lambda n: n * jnp.array([0.5, 1.0, 1.0, 1.0]), hyper)
        net_keys = jax.vmap(lambda i: jax.random.fold_in(keys.key(3), i))(jnp.array([0, 1, 2, 2]))
        apply = functools.partial(changed, name)
        together = jax.jit(jax.vmap(apply, in_axes=(0, 0, 0, None)))(net_keys, x, hypers, standard(1))
        alone = apply(net_keys[2], x[2], hyper, standard(1))
        np.testing.assert_allclose(together[2], alone, rtol=1e-5, atol=2e-3)
        np.testing.assert_array_equal(apply(net_keys[3], x[2], hyper, standard(1)), alone)
        other = apply(net_keys[1], x[2], hyper, standard(1))
        self.assertGreater(np.abs(other - alone).mean(), 0.1)

    def test_contrast_scales_about_each_channels_mean(self):
        x = images(2000, 4, 4, 2)
        x[..., 1] = x[..., 1] / 2 + 100
        out = np.asarray(augment.random_lighting(keys.key(4), x, standard(2).scale, contrast=0.6))
        np.testing.assert_allclose(out.mean((1, 2)), x.mean((1, 2)), rtol=1e-4)
        factor = out.std((1, 2)) / x.std((1, 2))
        np.testing.assert_allclose(factor[:, 0], factor[:, 1], rtol=1e-4)
        self.assertGreater(uniform_p(factor[:, 0], 0.4, 1.6), 1e-3)

    def test_brightness_adds_one_number_an_image(self):
        x = images(2000, 4, 4, 2)
        out = np.asarray(augment.random_lighting(keys.key(4), x, standard(2).scale, brightness=0.8))
        added = out - x
        self.assertLess(np.ptp(added.reshape(2000, -1), axis=1).max(), 1e-3)
        self.assertGreater(uniform_p(added[:, 0, 0, 0], -40.0, 40.0), 1e-3)

    def test_brightness_and_contrast_are_drawn_apart(self):
        x = images(2000, 4, 4, 1)
        scale = standard(1).scale
        out = np.asarray(augment.random_lighting(keys.key(4), x, scale, brightness=0.8, contrast=0.6))
        drawn = [out.mean((1, 2, 3)) - x.mean((1, 2, 3)), out.std((1, 2, 3)) / x.std((1, 2, 3))]
        self.assertLess(abs(np.corrcoef(drawn)[0, 1]), 0.08)

    @parameterized.parameters((400, 20, 3), (400, 4, 5, 3))
    def test_noise_is_gaussian_in_standardised_units(self, *shape):
        x = images(*shape)
        scale = np.array([1.0, 50.0, 0.01], np.float32)
        out = augment.gaussian_noise(keys.key(6), x, scale, noise=0.3)
        for c in range(2):
            added = np.ravel(np.asarray(out - x)[..., c]) / scale[c]
            self.assertGreater(scipy.stats.kstest(added / 0.3, 'norm').pvalue, 1e-3)
        self.assertLess(np.abs(np.asarray(out - x)[..., 2]).max(), 0.03)
