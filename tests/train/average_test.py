"""Averages of weights against loops: what is evaluated, validated and kept, with batch statistics."""

import chex
import jax
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import kinds
from overfit.train import average
from overfit.train.engine import population
from tests import problems
from tests.train.loops import TRAIN, VECTORS, batch_of, net, plain_loop, train

NORMED = problems.recipe(batch_norm=True)


def weights_by_hand(name, number, states):
    """Averages after each step, by their definitions: a weighted mean of the weights after the steps."""
    found = []
    for t in range(1, len(states)):
        if name == 'ema':
            shares = number ** np.arange(t - 1, -1, -1.0)
        else:
            shares = (np.arange(1, t + 1) / (len(states) - 1) > number).astype(float)
            shares = shares if shares.any() else np.eye(t)[-1]
        shares = shares / shares.sum()
        trees = [states[n + 1].params for n in np.flatnonzero(shares)]
        kept = shares[shares > 0]
        found.append(jax.tree.map(lambda *a, k=kept: sum(s * b for s, b in zip(k, a, strict=True)), *trees))
    return found


class AverageTest(chex.TestCase):
    @parameterized.parameters(('ema', 'ema_decay', 0.8), ('swa', 'swa_start', 0.55))
    def test_it_is_what_a_population_evaluates_and_keeps(self, name, field, number):
        recipe = problems.recipe(average=getattr(average, name))
        last, best = train(
            net(recipe, steps=40, learning_rate=1.0, **{field: number}),
            net(recipe, steps=40, learning_rate=1.0, restore_best=True, **{field: number}),
        )
        hyper = base.Hyper(learning_rate=1.0, steps=40.0)
        states = plain_loop(problems.recipe(), hyper, 40)
        wanted = weights_by_hand(name, number, states)
        chex.assert_trees_all_close(last.variables['params'], wanted[-1], atol=1e-4)
        chex.assert_trees_all_close(best.variables['params'], wanted[best.best_step - 1], atol=1e-4)
        away = jax.tree.map(lambda a, b: np.abs(a - b).max(), wanted[-1], states[-1].params)
        self.assertGreater(max(jax.tree.leaves(away)), 0.01)
        for number, error in last.curve[:, [population.STEP, population.ERROR]]:
            x = kinds.standardise(VECTORS.x[40:60], last.inputs)
            logits = recipe.model.apply({'params': wanted[int(number) - 1]}, x, train=False).logits
            np.testing.assert_allclose(error, (logits.argmax(1) != VECTORS.y[40:60]).mean(), atol=1e-6)

    def test_batch_statistics_are_those_of_the_averaged_weights(self):
        """Far from the trained net's own, near those of the averaged weights over all examples."""
        one = net(NORMED._replace(average=average.swa), steps=30, learning_rate=1.0, swa_start=0.5)
        found = train(one, eval_every=30)[0]
        x = kinds.standardise(batch_of(TRAIN).x, found.inputs)
        layer = found.variables['params']['Dense_0']['kernel']
        wanted = np.asarray(x @ layer)
        stats = found.variables['batch_stats']['BatchNorm_0']
        np.testing.assert_allclose(stats['mean'], wanted.mean(0), atol=0.15 * wanted.std())
        np.testing.assert_allclose(stats['var'], wanted.var(0), rtol=0.35)

    @parameterized.parameters('ema', 'swa')
    def test_without_a_number_the_trained_weights_are_evaluated(self, name):
        value = getattr(average, name)
        params = {'kernel': np.ones((2, 2), np.float32)}
        state = value.update(value.init(params), params, np.float32(0.9), base.Hyper())
        other = {'kernel': 3 * params['kernel']}
        chex.assert_trees_all_equal(value.weights(state, other), other)
