"""Averages and soups against sums by hand; greedy soup against a loop over all its choices."""

import chex
import jax
import numpy as np
from scipy import special

from overfit.train import ensemble


def trees(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        {
            'params': {
                'kernel': rng.normal(size=(3, 2)).astype(np.float32),
                'bias': np.float32(rng.normal()),
            },
            'batch_stats': {'mean': rng.normal(size=2).astype(np.float32)},
        }
        for _ in range(count)
    ]


class AverageTest(chex.TestCase):
    def test_probabilities_are_averaged_and_not_logits(self):
        logits = np.random.default_rng(0).normal(0, 4, (3, 5, 4)).astype(np.float32)
        logits[0, 0] = [0, -300, -300, -300]  # probabilities that are 0 in float32
        found = ensemble.average(special.log_softmax(logits, -1))
        wanted = np.log(special.softmax(logits.astype(np.float64), -1).mean(0))
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(np.exp(found).sum(-1), 1, rtol=1e-5)


class SoupTest(chex.TestCase):
    def test_uniform(self):
        some = trees(3)
        found = ensemble.uniform_soup(some)
        wanted = (some[0]['params']['kernel'] + some[1]['params']['kernel'] + some[2]['params']['kernel']) / 3
        np.testing.assert_allclose(found['params']['kernel'], wanted, rtol=1e-5)
        means = np.mean([one['batch_stats']['mean'] for one in some], 0)
        np.testing.assert_allclose(found['batch_stats']['mean'], means, rtol=1e-5)
        chex.assert_trees_all_equal_shapes_and_dtypes(found, some[0])

    def test_what_does_not_fit_together_is_refused(self):
        with self.assertRaisesRegex(ValueError, 'a soup of no nets'):
            ensemble.uniform_soup([])
        with self.assertRaises(AssertionError):
            ensemble.uniform_soup([{'a': np.zeros(2, np.float32)}, {'a': np.zeros(3, np.float32)}])

    def test_greedy_like_a_loop(self):
        for seed in range(5):
            weights = np.random.default_rng(seed).normal(0.3, 1, 8)
            order = sorted(range(8), key=lambda n: abs(weights[n]))
            taken = order[:1]
            for n in order[1:]:
                if abs(np.mean(weights[[*taken, n]])) <= abs(np.mean(weights[taken])):
                    taken.append(n)
            found = ensemble.greedy_soup(list(weights.astype(np.float32)), lambda w: abs(float(w)))
            self.assertEqual(found.members, tuple(taken))
            self.assertAlmostEqual(found.score, abs(np.mean(weights[taken])), places=5)
            self.assertLessEqual(found.score, np.abs(weights).min() + 1e-6)

    def test_a_net_that_diverged_stays_out(self):
        lost = jax.tree.map(lambda a: a * np.float32(np.nan), trees(1)[0])
        some = [lost, *trees(2, 1)]

        def judge(one):
            return float(np.abs(np.asarray(one['params']['kernel'])).sum())

        found = ensemble.greedy_soup(some, judge)
        self.assertNotIn(0, found.members)
        self.assertTrue(np.isfinite(found.score))
