"""Initialisers against the distributions that their papers name."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from absl.testing import parameterized

from overfit import keys
from overfit.nn import initializers

DENSE = (400, 300)
CONV = (5, 5, 40, 60)
# Fans by hand: 5 * 5 * 40 = 1000 inputs, 5 * 5 * 60 = 1500 outputs.
CASES = (
    ('uniform_dense', initializers.uniform_fan_in, DENSE, scipy.stats.uniform(-1 / 20, 2 / 20)),
    ('uniform_conv', initializers.uniform_fan_in, CONV, scipy.stats.uniform(-(1000**-0.5), 2 * 1000**-0.5)),
    ('he_dense', initializers.he, DENSE, scipy.stats.norm(0, (2 / 400) ** 0.5)),
    ('he_conv', initializers.he, CONV, scipy.stats.norm(0, (2 / 1000) ** 0.5)),
    (
        'glorot_dense',
        initializers.glorot,
        DENSE,
        scipy.stats.uniform(-((6 / 700) ** 0.5), 2 * (6 / 700) ** 0.5),
    ),
    (
        'glorot_conv',
        initializers.glorot,
        CONV,
        scipy.stats.uniform(-((6 / 2500) ** 0.5), 2 * (6 / 2500) ** 0.5),
    ),
    ('lecun_dense', initializers.lecun, DENSE, scipy.stats.norm(0, (1 / 400) ** 0.5)),
    ('lecun_conv', initializers.lecun, CONV, scipy.stats.norm(0, (1 / 1000) ** 0.5)),
    ('uniform_of_units_dense', initializers.uniform, DENSE, scipy.stats.uniform(-1 / 600, 2 / 600)),
    ('uniform_of_units_conv', initializers.uniform, CONV, scipy.stats.uniform(-1 / 120, 2 / 120)),
    ('uniform_of_dense', initializers.uniform_of(0.05), DENSE, scipy.stats.uniform(-0.05, 0.1)),
    ('uniform_of_conv', initializers.uniform_of(2.0), CONV, scipy.stats.uniform(-2, 4)),
    ('normal_of_dense', initializers.normal_of(0.3), DENSE, scipy.stats.norm(0, 0.3)),
    ('normal_of_conv', initializers.normal_of(2.0), CONV, scipy.stats.norm(0, 2.0)),
    ('normal_dense', initializers.normal, DENSE, scipy.stats.norm(0, 0.01)),
    ('normal_conv', initializers.normal, CONV, scipy.stats.norm(0, 0.01)),
)


class InitializersTest(chex.TestCase):
    @parameterized.named_parameters(*CASES)
    def test_distribution(self, initializer, shape, expected):
        values = np.asarray(initializer(keys.key(3), shape))
        self.assertEqual(values.shape, shape)
        self.assertEqual(values.dtype, np.float32)
        low, high = expected.support()
        # Half a unit in the last place, where a float32 bound is rounded.
        self.assertGreaterEqual(values.min(), low * (1 + 1e-6))
        self.assertLessEqual(values.max(), high * (1 + 1e-6))
        np.testing.assert_allclose(values.var(), expected.var(), rtol=0.02)
        sample = values.ravel()[:20_000].astype(np.float64)
        self.assertGreater(scipy.stats.kstest(sample, expected.cdf).pvalue, 1e-3)

    @parameterized.named_parameters(*CASES[::2])
    def test_key_and_type(self, initializer, shape, _):
        one, other = (initializer(jax.random.key(seed), shape, jnp.bfloat16) for seed in (0, 1))
        self.assertEqual(one.dtype, jnp.bfloat16)
        self.assertLess(abs(np.corrcoef(np.float32(one).ravel(), np.float32(other).ravel())[0, 1]), 0.02)

    @parameterized.parameters((12, 5), (5, 12), (3, 3, 4, 7))
    def test_orthogonal(self, *shape):
        kernel = np.asarray(initializers.orthogonal(keys.key(0), shape)).reshape(-1, shape[-1])
        small = kernel.T @ kernel if len(kernel) >= shape[-1] else kernel @ kernel.T
        np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-5)
        # Evenly spread: an entry is as often negative as positive.
        drawn = [initializers.orthogonal(keys.key(n), (2, 2))[0, 0] for n in range(200)]
        self.assertLess(abs(np.mean(np.sign(drawn))), 0.25)

    @parameterized.parameters(
        initializers.uniform_fan_in,
        initializers.he,
        initializers.glorot,
        initializers.lecun,
        initializers.orthogonal,
    )
    def test_a_vector_has_no_fans(self, initializer):
        with self.assertRaisesRegex(ValueError, r'\[..., in, out\].*\(7,\)'):
            initializer(keys.key(0), (7,))

    @parameterized.parameters(initializers.uniform_of, initializers.normal_of)
    def test_of_a_given_size(self, of):
        self.assertIs(of(0.1), of(0.1))
        self.assertIn('0.25', of(0.25).__name__)
        with self.assertRaisesRegex(ValueError, 'leaves all weights at 0: give a number above 0'):
            of(0.0)
