"""Dropout against the distribution that it claims."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from absl.testing import parameterized

from overfit import keys
from overfit.nn import dropout

SHAPE = (300, 500)


class DropoutTest(chex.TestCase):
    @parameterized.product(rate=(0.0, 0.1, 0.5, 0.8, 0.999), make_key=(keys.key, jax.random.key))
    def test_rate_and_values(self, rate, make_key):
        x = np.random.default_rng(0).uniform(1, 2, SHAPE).astype(np.float32)
        out = np.asarray(jax.jit(dropout.dropout)(make_key(5), x, rate))
        keep = 1 - min(round(rate * 256), 255) / 256
        kept = out != 0
        self.assertGreater(scipy.stats.binomtest(int(kept.sum()), kept.size, keep).pvalue, 1e-3)
        np.testing.assert_allclose(out[kept], x[kept] / keep, rtol=1e-6)

    def test_expectation(self):
        x = jnp.linspace(-3, 3, 41)
        masks = jax.vmap(lambda key: dropout.dropout(key, x, 0.3))(jax.random.split(keys.key(1), 20_000))
        # Standard error of the mean: |x| sqrt(0.3 / 0.7 / 20000) <= 0.014.
        np.testing.assert_allclose(masks.mean(axis=0), x, atol=0.06)

    def test_units_and_keys_are_independent(self):
        split = jax.random.split(keys.key(2), 4000)
        kept = np.asarray(jax.vmap(lambda key: dropout.dropout(key, jnp.ones(12), 0.5))(split) > 0)
        correlation = np.corrcoef(kept.astype(float), rowvar=False) - np.eye(12)
        self.assertLess(np.abs(correlation).max(), 5 / np.sqrt(4000))
        neighbours = np.corrcoef(kept[:-1].ravel(), kept[1:].ravel())[0, 1]
        self.assertLess(abs(neighbours), 5 / np.sqrt(kept.size))

    def test_absent_and_zero_are_the_identity(self):
        x = jax.random.normal(keys.key(0), SHAPE)
        self.assertIs(dropout.dropout(keys.key(1), x, None), x)
        np.testing.assert_array_equal(dropout.dropout(keys.key(1), x, 0), x)
        np.testing.assert_array_equal(jax.jit(dropout.dropout)(keys.key(1), x, 0.0), x)

    def test_gradient_is_the_scaled_mask(self):
        x = jnp.full((64,), 3.0)
        out, pull = jax.vjp(lambda x: dropout.dropout(keys.key(4), x, 0.25), x)
        (gradient,) = pull(jnp.ones(64))
        np.testing.assert_allclose(gradient, np.where(np.asarray(out) != 0, 4 / 3, 0), rtol=1e-6)

    def test_a_population_of_rates_equals_each_alone(self):
        x = jax.random.normal(keys.key(0), (5, 7))
        rates, split = jnp.array([0.0, 0.2, 0.7]), jax.random.split(keys.key(1), 3)
        together = jax.vmap(dropout.dropout, (0, None, 0))(split, x, rates)
        for alone, rate, key in zip(together, (0.0, 0.2, 0.7), split, strict=True):
            dropped = np.asarray(jax.random.bits(key, x.shape, 'uint8')) < round(256 * rate)
            keep = 1 - round(256 * rate) / 256
            np.testing.assert_allclose(alone, np.where(dropped, 0, x / keep), rtol=1e-6)

    @parameterized.parameters(-0.1, 1.0, 1, 2.5, float('nan'))
    def test_wrong_rate(self, rate):
        with self.assertRaisesRegex(ValueError, 'at least 0 and below 1'):
            dropout.dropout(keys.key(0), jnp.ones(3), rate)


class GaussianTest(chex.TestCase):
    @parameterized.parameters(0.1, 0.5, 0.8)
    def test_mean_and_deviation(self, rate):
        x = jnp.full(SHAPE, 2.0)
        noise = np.asarray(jax.jit(dropout.gaussian_dropout)(keys.key(3), x, rate)) / 2
        deviation = np.sqrt(rate / (1 - rate))
        self.assertLess(abs(noise.mean() - 1), 5 * deviation / np.sqrt(noise.size))
        np.testing.assert_allclose(noise.std(), deviation, rtol=0.02)
        fit = scipy.stats.kstest(((noise - 1) / deviation).ravel()[:2000], 'norm')
        self.assertGreater(fit.pvalue, 1e-3)

    def test_it_has_the_variance_of_dropout(self):
        x = jnp.ones(SHAPE)
        plain, noisy = (f(keys.key(1), x, 0.25) for f in (dropout.dropout, dropout.gaussian_dropout))
        np.testing.assert_allclose(plain.std(), noisy.std(), rtol=0.02)


class SpatialTest(chex.TestCase):
    def test_whole_channels_of_an_example(self):
        x = np.random.default_rng(0).uniform(1, 2, (60, 4, 5, 50)).astype(np.float32)
        out = np.asarray(jax.jit(dropout.spatial_dropout)(keys.key(2), x, 0.25))
        kept = out != 0
        np.testing.assert_array_equal(kept, np.broadcast_to(kept[:, :1, :1], kept.shape))
        self.assertGreater(scipy.stats.binomtest(int(kept[:, 0, 0].sum()), 3000, 0.75).pvalue, 1e-3)
        np.testing.assert_allclose(out[kept], x[kept] / 0.75, rtol=1e-6)


class DroppingsTest(chex.TestCase):
    @parameterized.named_parameters((kind.name, kind) for kind in dropout.DROPPINGS)
    def test_absent_and_zero_are_the_identity(self, kind):
        x = jax.random.normal(keys.key(0), (6, 5))
        self.assertIs(kind.apply(keys.key(1), x, None), x)
        np.testing.assert_array_equal(kind.apply(keys.key(1), x, 0), x)
        np.testing.assert_array_equal(jax.jit(kind.apply)(keys.key(1), x, 0.0), x)

    @parameterized.named_parameters((kind.name, kind) for kind in dropout.DROPPINGS)
    def test_wrong_rate(self, kind):
        with self.assertRaisesRegex(ValueError, 'at least 0 and below 1'):
            kind.apply(keys.key(0), jnp.ones((2, 3)), 1.0)
