"""Towers side by side: what they compute, what is frozen, and what is saved."""

import json

import chex
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys
from overfit.data import kinds
from overfit.nn import concat, describe, first, models
from overfit.train import start, step
from tests import problems

MLP = models.MLP(3, widths=(6,))
TOWERS = (MLP, models.CNN(3, channels=(4,), widths=(5,), batch_norm=True, first=first.half))
NET = concat.Concat(3, TOWERS)
PICTURES = problems.pictures(24)


def variables_of(model, seed=0):
    return model.init(jax.random.key(seed), jnp.zeros((1, *PICTURES.x.shape[1:])), train=False)


class ConcatTest(chex.TestCase):
    def test_features_are_those_of_the_towers(self):
        x = np.random.default_rng(0).random((4, *PICTURES.x.shape[1:])).astype(np.float32)
        alone = [variables_of(tower, n) for n, tower in enumerate(TOWERS)]
        given, variables = concat.variables_of(alone), variables_of(NET, 5)
        variables = {name: {**variables[name], **given.get(name, {})} for name in variables}
        found = NET.apply(variables, x, train=False)
        wanted = [tower.apply(v, x, train=False).features for tower, v in zip(TOWERS, alone, strict=True)]
        np.testing.assert_allclose(found.features, np.concatenate(wanted, -1), atol=1e-5)
        head = variables['params']['logits']
        np.testing.assert_allclose(
            found.logits, found.features @ head['kernel'] + head['bias'][None], atol=1e-5
        )

    def test_given_towers_stay_as_they_are(self):
        given = concat.variables_of([variables_of(tower, n) for n, tower in enumerate(TOWERS)])
        recipe = problems.recipe(model=NET)._replace(start=start.given(given), trained=concat.head_alone)
        hyper = base.Hyper(learning_rate=0.3)
        state = step.init_state(keys.key(1), PICTURES.x, kinds.image.measure(PICTURES.x), hyper, recipe)
        after, _ = step.train_step(state, base.Batch(PICTURES.x[:8], PICTURES.y[:8]), hyper, recipe)
        for tower in ('tower_0', 'tower_1'):
            chex.assert_trees_all_equal(after.params[tower], given['params'][tower])
        chex.assert_trees_all_equal(after.collections, {'batch_stats': given['batch_stats']})
        moved = np.abs(after.params['logits']['kernel'] - state.params['logits']['kernel']).max()
        self.assertGreater(moved, 0)

    def test_statistics_are_of_the_whole_batch_where_it_is_sharded(self):
        variables = variables_of(NET)
        x = np.random.default_rng(3).random((8, *PICTURES.x.shape[1:])).astype(np.float32)

        def statistics(model, x):
            return model.apply(variables, x, train=True, mutable=['batch_stats'])[1]

        halves = jax.pmap(lambda x: statistics(NET.clone(axis_name='batch'), x), axis_name='batch')
        found = jax.tree.map(lambda a: a[0], halves(x.reshape(2, 4, *x.shape[1:])))
        chex.assert_trees_all_close(found, statistics(NET, x), atol=1e-5)

    def test_a_model_comes_back(self):
        again = describe.from_config(json.loads(json.dumps(describe.to_config(NET))))
        self.assertEqual(again, NET)
        words = describe.describe(NET, (8, 8, 1))
        self.assertEqual(words, 'MLP 6 relu | CNN conv 4-5 relu, batch norm, on half the resolution')
