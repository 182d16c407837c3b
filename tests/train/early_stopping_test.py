"""Early stopping against a plain Python loop, for many nets at once."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit.train import early_stopping

EVALUATIONS, EVERY = 40, 10


def naive(scores, patience):
    """What a person would write around a training loop; the weights of evaluation t are named t."""
    best, best_step, weights, wait, stopped = np.inf, -1, 'initial', 0, None
    for t, score in enumerate(scores):
        if score < best:
            best, best_step, weights, wait = score, (t + 1) * EVERY, t, 0
        else:
            wait += 1
        if patience and wait >= patience:
            stopped = t
            break
    return best, best_step, weights, wait, stopped


def params_at(t):
    return {'dense': {'kernel': jnp.full((3, 2), t, jnp.float32)}, 'count': jnp.asarray(t, jnp.int32)}


def run(scores, patience):
    def one(state, inputs):
        t, score = inputs
        state = early_stopping.update(state, score, (t + 1) * EVERY, params_at(t), patience)
        return state, state.stopped

    return jax.lax.scan(one, early_stopping.init(params_at(-1)), (jnp.arange(EVALUATIONS), scores))


class EarlyStoppingTest(chex.TestCase):
    def check(self, got, stopped, scores, patience):
        best, best_step, weights, wait, when = naive(scores, patience)
        self.assertEqual(float(got.best), best)
        self.assertEqual(int(got.best_step), best_step)
        self.assertEqual(int(got.wait), wait)
        self.assertEqual(bool(got.stopped), when is not None)
        np.testing.assert_array_equal(stopped, np.arange(EVALUATIONS) >= (np.inf if when is None else when))
        wanted = -1 if weights == 'initial' else weights
        np.testing.assert_array_equal(got.kept['dense']['kernel'], np.full((3, 2), wanted))
        self.assertEqual(int(got.kept['count']), wanted)

    def test_like_a_loop_for_each_net_of_a_population(self):
        rng = np.random.default_rng(0)
        nets = 60
        drift = np.linspace(-0.1, 0.1, nets)[:, None] * np.arange(EVALUATIONS)[None, :]
        scores = np.round(rng.normal(size=(nets, EVALUATIONS)) + drift, 1).astype(np.float32)  # with ties
        scores[rng.random(scores.shape) < 0.1] = np.nan
        scores[:6, :3] = np.nan
        scores[6:8] = np.inf
        patience = rng.choice([0.0, 1.0, 3.0, 4.5, 8.0], nets).astype(np.float32)
        states, stopped = jax.jit(jax.vmap(run))(scores, patience)
        self.assertBetween(np.asarray(states.stopped).sum(), 10, 55)
        for n in range(nets):
            self.check(jax.tree.map(lambda a, n=n: a[n], states), stopped[n], scores[n], patience[n])

    @parameterized.parameters(None, 0, 0.0)
    def test_without_patience_it_never_stops_and_keeps_the_best(self, patience):
        scores = np.r_[3.0, 1.0, 2.0, np.full(EVALUATIONS - 3, np.nan)].astype(np.float32)
        state, stopped = run(scores, patience)
        self.check(state, stopped, scores, None)
        self.assertEqual(int(state.best_step), 2 * EVERY)

    def test_an_equal_score_is_no_improvement(self):
        state, _ = run(np.full(EVALUATIONS, 0.5, np.float32), 5)
        self.assertEqual((int(state.best_step), int(state.wait), bool(state.stopped)), (EVERY, 5, True))

    def test_another_tree_of_weights_is_refused(self):
        with self.assertRaises(AssertionError):
            early_stopping.update(early_stopping.init(params_at(0)), 1.0, 1, {'other': 1.0}, None)
