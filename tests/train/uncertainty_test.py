"""MC-dropout against NumPy, and against passes that are known."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import stats

from overfit import base, keys
from overfit.nn import dropout
from overfit.train import predict, uncertainty
from tests import problems

HYPER = base.Hyper(learning_rate=np.float32(0.1), dropout=np.float32(0.5))


def net_of(recipe):
    state = problems.begun(recipe, HYPER)
    state, _ = problems.alone(state, HYPER, problems.batches(problems.VECTORS, 20, 8), recipe)
    variables = {'params': state.params, **state.collections}
    return predict.Net(variables, state.loss_state, state.inputs)


class OfPassesTest(chex.TestCase):
    def test_against_numpy(self):
        logits = 3 * np.random.default_rng(0).normal(size=(7, 5, 4)).astype(np.float32)
        log = np.asarray(jax.nn.log_softmax(logits))
        found = uncertainty.of_passes(log)
        mean = np.exp(log).mean(0)
        np.testing.assert_allclose(np.exp(found.log_probabilities), mean, rtol=1e-5)
        wanted = [stats.entropy(mean[b]) - stats.entropy(np.exp(log[:, b]), axis=1).mean() for b in range(5)]
        np.testing.assert_allclose(found.information, wanted, atol=1e-5)

    def test_passes_that_agree_and_that_do_not(self):
        unsure = jnp.log(jnp.full((3, 1, 2), 0.5))
        self.assertAlmostEqual(float(uncertainty.of_passes(unsure).information[0]), 0, places=6)
        apart = jax.nn.log_softmax(100 * jnp.eye(4)[:, None, :])
        found = uncertainty.of_passes(apart)
        self.assertAlmostEqual(float(found.information[0]), np.log(4), places=5)
        chex.assert_tree_all_finite(uncertainty.of_passes(jnp.log(jnp.eye(2))[:, None, :]).information)


class McDropoutTest(chex.TestCase):
    @parameterized.named_parameters((kind.name, kind) for kind in dropout.DROPPINGS)
    def test_rates_and_keys(self, kind):
        recipe = problems.recipe(widths=(30,))
        recipe = recipe._replace(model=recipe.model.clone(dropping=kind))
        net, x = net_of(recipe), problems.VECTORS.x[:10]

        def said(seed=0, **options):
            return uncertainty.mc_dropout(keys.key(seed), net, x, recipe, **{'passes': 6} | options)

        plain = predict.predict(recipe, [net], x)[0]
        for nothing in (said(dropout=None), said(dropout=0.0)):
            np.testing.assert_allclose(nothing.log_probabilities, plain, atol=1e-5)
            np.testing.assert_allclose(nothing.information, 0, atol=1e-5)
        one = said(dropout=0.5)
        chex.assert_trees_all_equal(one, said(dropout=0.5))
        self.assertGreater(np.abs(one.log_probabilities - said(1, dropout=0.5).log_probabilities).max(), 1e-3)
        self.assertGreater(said(dropout=0.8).information.mean(), said(dropout=0.1).information.mean())
        self.assertGreater(
            np.abs(said(dropout=0.5, input_dropout=0.5).information - one.information).max(), 0
        )

    def test_another_rate_shares_the_program(self):
        recipe = problems.recipe()
        net, x = net_of(recipe), problems.VECTORS.x[:4]
        uncertainty.mc_dropout(keys.key(0), net, x, recipe, dropout=0.3, passes=3)
        before = uncertainty._passes._cache_size()
        for rate in (0.1, 0.7):
            uncertainty.mc_dropout(keys.key(0), net, x, recipe, dropout=rate, passes=3)
        self.assertEqual(uncertainty._passes._cache_size(), before)

    def test_many_passes_come_to_the_mean_over_masks(self):
        """Of one hidden unit there are two masks, whose probabilities are known."""
        recipe = problems.recipe(widths=(1,))
        net, x = net_of(recipe), problems.VECTORS.x[:6]
        found = uncertainty.mc_dropout(keys.key(0), net, x, recipe, dropout=0.25, passes=4000)
        params = jax.tree.map(np.asarray, net.variables['params'])
        z = np.asarray((recipe.prepare or problems.kinds.standardise)(x, net.inputs))
        hidden = np.tanh(z @ params['Dense_0']['kernel'] + params['Dense_0']['bias'])
        wanted = 0
        for unit, share in ((hidden / 0.75, 0.75), (0 * hidden, 0.25)):
            logits = unit @ params['logits']['kernel'] + params['logits']['bias']
            wanted += share * np.asarray(jax.nn.softmax(logits))
        np.testing.assert_allclose(np.exp(found.log_probabilities), wanted, atol=0.03)

    def test_what_is_refused(self):
        recipe = problems.recipe(batch_norm=True)
        net, x = net_of(recipe), problems.VECTORS.x[:4]
        with self.assertRaisesRegex(ValueError, "'batch_stats'.*without batch normalisation"):
            uncertainty.mc_dropout(keys.key(0), net, x, recipe, dropout=0.5)
        with self.assertRaisesRegex(ValueError, 'passes=0 predict nothing'):
            uncertainty.mc_dropout(keys.key(0), net, x, recipe, dropout=0.5, passes=0)
