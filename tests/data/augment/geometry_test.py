"""Shear by linear algebra; map and field in one resampling, as SciPy does it."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.ndimage
import scipy.stats

from overfit import base, keys
from overfit.data import augment, kinds

BLACK = kinds.Standard(mean=np.zeros(1), scale=np.ones(1), border=np.zeros(1, np.float32))


class ShearTest(chex.TestCase):
    def test_shear_is_uniform_and_symmetrical(self):
        matrix = augment.draw_affine(keys.key(5), 4000, 20, 10, shear=0.4, rotate=0.3, zoom=0.2, flip=0.5)
        forward = np.linalg.inv(np.asarray(matrix[:, :, :2], np.float64))
        # Mirrored, sheared, then turned and resized: the shear is what Gram-Schmidt leaves.
        down, right = forward[:, :, 0], forward[:, :, 1]
        size = np.linalg.norm(right, axis=1)
        along = right / size[:, None] * np.sign(np.linalg.det(forward))[:, None]
        shear = (down * along).sum(1) / size
        self.assertGreater(scipy.stats.kstest(shear, 'uniform', (-0.4, 0.8)).pvalue, 1e-3)
        turned = np.arctan2(-along[:, 0], along[:, 1])
        self.assertGreater(scipy.stats.kstest(turned, 'uniform', (-0.3, 0.6)).pvalue, 1e-3)
        drawn = np.corrcoef([shear, turned, size, np.linalg.det(forward) > 0]) - np.eye(4)
        self.assertLess(np.abs(drawn).max(), 0.06)

    def test_a_row_moves_by_the_shear_for_each_row_down(self):
        image = np.zeros((64, 21, 21, 1), np.float32)
        image[:, 15, 10] = 1  # five rows below the centre
        out = np.asarray(augment.random_affine(keys.key(1), image, jnp.zeros(1), shear=0.6))
        matrix = np.asarray(augment.draw_affine(keys.key(1), 64, 21, 21, shear=0.6))
        moved = out.sum((1, 3)) @ (np.arange(21) - 10)
        np.testing.assert_allclose(moved, -5 * matrix[:, 1, 0], atol=1e-4)
        np.testing.assert_allclose(out[:, 15].sum((1, 2)), 1, atol=1e-5)
        self.assertLess(moved.min(), -1)
        self.assertGreater(moved.max(), 1)

    def test_new_numbers_leave_the_draws_of_the_old_ones(self):
        old = {'shift': 0.1, 'rotate': 0.3, 'zoom': 0.2, 'flip': 0.5}
        # Of the first maps under this key, before there were shear and elastic fields.
        known = [
            [0.94399434328, -0.22372931242, -0.18735000491, -0.22372931242, -0.94399434328, -0.92230588198],
            [1.02048182488, 0.10584313422, -0.53239089251, 0.10584313422, -1.02048182488, -0.99791175127],
        ]
        found = augment.draw_affine(keys.key(5), 2, 10, 10, **old)
        np.testing.assert_allclose(found, np.reshape(known, (2, 2, 3)), rtol=1e-6)
        np.testing.assert_array_equal(augment.draw_affine(keys.key(5), 2, 10, 10, **old, shear=0.0), found)


class TogetherTest(chex.TestCase):
    def test_one_resampling_of_map_and_field_as_scipy_does_it(self):
        x = np.random.default_rng(0).uniform(0, 255, (6, 8, 11, 2)).astype(np.float32)
        border = np.array([7, 40], np.float32)
        shape = {'elastic': 0.08, 'elastic_smoothness': 0.1}
        got = augment.random_geometry(keys.key(4), x, border, rotate=0.4, shift=0.1, **shape)
        matrix = np.asarray(augment.draw_affine(keys.key(4), 6, 8, 11, rotate=0.4, shift=0.1), np.float64)
        moved = augment.elastic_field(jax.random.fold_in(keys.key(4), 2), 6, 8, 11, **shape)
        centre = np.array([3.5, 5.0])[:, None, None]
        grid = np.mgrid[:8, :11]
        for b in range(6):
            at = np.einsum('ij,jhw->ihw', matrix[b, :, :2], grid - centre) + matrix[b, :, 2][:, None, None]
            for c in range(2):
                wanted = scipy.ndimage.map_coordinates(
                    x[b, :, :, c].astype(np.float64),
                    at + centre + np.asarray(moved[b], np.float64),
                    order=1,
                    mode='grid-constant',
                    cval=border[c],
                )
                np.testing.assert_allclose(got[b, :, :, c], wanted, atol=5e-3)

    def test_a_strength_is_traced_and_a_population_shares_the_program(self):
        x = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 1)).astype(np.float32)
        batch = base.Batch(x, jnp.zeros(4, jnp.int32))

        @jax.jit
        @chex.assert_max_traces(1)
        def nets(elastic, smoothness):
            def one(elastic, smoothness):
                hyper = base.Hyper(elastic=elastic, elastic_smoothness=smoothness)
                return augment.geometric(keys.key(2), batch, hyper, BLACK).x

            return jax.vmap(one)(elastic, smoothness)

        for strengths in ([0.0, 0.05, 0.1], [0.02, 0.05, 0.2]):
            strengths, smoothness = jnp.array(strengths), jnp.array([0.1, 0.2, 0.0])
            found = nets(strengths, smoothness)
            for net in range(3):
                alone = augment.random_geometry(
                    keys.key(2), x, jnp.zeros(1), elastic=strengths[net], elastic_smoothness=smoothness[net]
                )
                np.testing.assert_allclose(found[net], alone, atol=2e-3)
        self.assertGreater(np.abs(found[0] - found[1]).mean(), 1)
