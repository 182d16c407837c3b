"""The noise scale on Gaussian gradients of known mean and covariance, and of a net by plain loops."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.data import kinds
from overfit.train import noise_scale
from tests import problems

MEAN, SCALES = np.array([0.3, -0.4, 0.0]), np.array([1.0, 2.0, 0.5])
TRACE, SQUARE = 5.25, 0.25  # sum of SCALES^2, and of MEAN^2


def drawn(count, size, seed=0):
    return MEAN + SCALES * np.random.default_rng(seed).normal(size=(count, size, 3))


class GaussianTest(chex.TestCase):
    def test_from_examples_is_unbiased(self):
        """Mean over many small samples, against truth: the plain |mean|^2 would be at 1.1, not 0.25."""
        found = jax.jit(jax.vmap(noise_scale.from_examples))(jnp.float32(drawn(4000, 6)))
        for estimates, truth in ((found.trace, TRACE), (found.square, SQUARE)):
            error = np.std(estimates) / np.sqrt(len(estimates))
            self.assertLess(abs(float(np.mean(estimates)) - truth), 4 * error)
        pooled = jax.tree.map(jnp.mean, found)
        np.testing.assert_allclose(pooled.scale, TRACE / SQUARE, rtol=0.15)

    def test_from_sizes_is_unbiased(self):
        gradients = drawn(6000, 16)
        small = np.square(gradients[:, :2].mean(1)).sum(1)
        large = np.square(gradients.mean(1)).sum(1)
        found = noise_scale.from_sizes(jnp.float32(small), jnp.float32(large), 2, 16)
        for estimates, truth in ((found.trace, TRACE), (found.square, SQUARE)):
            error = np.std(estimates) / np.sqrt(len(estimates))
            self.assertLess(abs(float(np.mean(estimates)) - truth), 4 * error)

    def test_noise_that_hides_the_gradient(self):
        self.assertEqual(float(noise_scale.Noise(jnp.float32(2), jnp.float32(-0.1)).scale), np.inf)
        self.assertEqual(float(noise_scale.Noise(jnp.float32(2), jnp.float32(0.5)).scale), 4)


class NetTest(chex.TestCase):
    def test_like_the_variance_of_gradients_taken_one_by_one(self):
        recipe = problems.recipe(batch_norm=True)
        state = problems.begun(recipe, base.Hyper())
        batch = base.Batch(problems.VECTORS.x[:12], problems.VECTORS.y[:12])
        found = jax.jit(noise_scale.of_net, static_argnums=3)(state, batch, base.Hyper(), recipe)
        x = kinds.standardise(batch.x, state.inputs)

        @jax.jit
        def gradient(params, x, y):
            def loss(params):
                outputs = recipe.model.apply({'params': params, **state.collections}, x[None], train=False)
                return -jax.nn.log_softmax(outputs.logits[0])[y]

            return jax.grad(loss)(params)

        rows = [gradient(state.params, x[n], batch.y[n]) for n in range(12)]
        rows = np.array([np.concatenate([np.ravel(a) for a in jax.tree.leaves(row)]) for row in rows])
        trace = rows.var(0, ddof=1).sum()
        np.testing.assert_allclose(found.trace, trace, rtol=1e-4)
        np.testing.assert_allclose(found.square, np.square(rows.mean(0)).sum() - trace / 12, rtol=1e-3)
