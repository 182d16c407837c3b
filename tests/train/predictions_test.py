"""What predicts: nearest centers against loops; trained, judged, saved and loaded with them."""

import json
import pathlib
import tempfile

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.data import kinds
from overfit.objectives import losses
from overfit.train import checkpoint, predict, predictions
from overfit.train.engine import population
from tests import problems

NOISY = problems.blobs(80, spread=1.2)
TRAIN, VALIDATION = np.arange(50), np.arange(50, 80)
RECIPE = problems.recipe(loss=losses.center, predict=predictions.nearest_center)


def by_loops(features, centers):
    """Log-probabilities of unit Gaussians around the centers, one number at a time."""
    found = np.empty((len(features), len(centers)))
    for i, feature in enumerate(features):
        density = [
            np.exp(-sum((f - c) ** 2 for f, c in zip(feature, center, strict=True)) / 2) for center in centers
        ]
        found[i] = np.log(density) - np.log(sum(density))
    return found


def of_net(net, x):
    """The same for a trained net and raw inputs."""
    inputs = (x - net.inputs.mean) / net.inputs.scale
    features = RECIPE.model.apply(net.variables, inputs, train=False).features
    return by_loops(np.asarray(features, float), np.asarray(net.loss_state, float))


class NearestCenterTest(chex.TestCase):
    def test_like_loops(self):
        rng = np.random.default_rng(0)
        features, centers = rng.normal(size=(20, 5)), rng.normal(size=(4, 5))
        outputs = base.Outputs(jnp.float32(features), jnp.zeros((20, 4)))
        found = jax.jit(predictions.nearest_center)(outputs, jnp.float32(centers))
        np.testing.assert_allclose(found, by_loops(features, centers), atol=1e-5)
        np.testing.assert_allclose(np.exp(found).sum(1), 1, rtol=1e-5)

    def test_features_and_centers_of_two_sizes_are_refused(self):
        outputs = base.Outputs(jnp.zeros((2, 5)), jnp.zeros((2, 4)))
        for centers in (jnp.zeros((4, 6)), jnp.zeros(5)):
            with self.assertRaises(AssertionError):
                predictions.nearest_center(outputs, centers)


class TrainedTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        numbers = {'learning_rate': 0.3, 'steps': 60.0, 'center_weight': 0.3, 'center_rate': 0.5}
        members = [
            population.Member(recipe, base.Hyper(**numbers), seed, TRAIN, VALIDATION, restore_best)
            for recipe in (RECIPE, RECIPE._replace(predict=None))
            for seed, restore_best in ((1, True), (2, False))
        ]
        options = {'eval_every': 10, 'layout': problems.FOUR}
        cls.trained = population.train(members, NOISY, **options)
        cls.by_center, cls.by_logits = cls.trained[:2], cls.trained[2:]

    def folder(self):
        return pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / 'best'

    def test_validation_is_by_the_nearest_center(self):
        x, y = NOISY.x[VALIDATION], NOISY.y[VALIDATION]
        for net in self.by_center:
            log_p = of_net(net, x)
            distance = -log_p  # the nearest center has the least
            self.assertAlmostEqual(net.error, (distance.argmin(1) != y).mean(), places=6)
            np.testing.assert_allclose(net.loss, -log_p[np.arange(30), y].mean(), rtol=1e-4)
            self.assertGreater(np.abs(net.loss_state).max(), 0.1)
        self.assertLess(self.by_center[0].error, 0.5)
        kept = self.by_center[0]
        score = kept.curve[:, population.ERROR] + 1e-3 * kept.curve[:, population.LOSS]
        self.assertEqual(kept.best_step, kept.curve[score.argmin(), population.STEP])

    def test_what_predicts_changes_nothing_of_the_training(self):
        last, other = self.by_center[1], self.by_logits[1]
        chex.assert_trees_all_close(last.variables, other.variables, atol=1e-5)
        columns = [population.STEP, population.TRAIN_LOSS]
        np.testing.assert_allclose(last.curve[:, columns], other.curve[:, columns], atol=1e-4)
        self.assertGreater(
            np.abs(last.curve[:, population.LOSS] - other.curve[:, population.LOSS]).max(), 0.01
        )

    def test_predict_is_by_the_nearest_center(self):
        x = problems.blobs(30, spread=1.2, seed=4).x
        found = predict.predict(RECIPE, self.by_center, x)
        for log_p, net in zip(found, self.by_center, strict=True):
            np.testing.assert_allclose(log_p, of_net(net, x), atol=1e-4)

    def test_saved_and_loaded_it_predicts_the_same(self):
        path, made = self.folder(), checkpoint.Predictor.of(RECIPE, self.by_center, NOISY)
        made.save(path)
        loaded = checkpoint.load(path)
        self.assertEqual(loaded.recipe.predict, predictions.nearest_center)
        for old, new in zip(self.by_center, loaded.nets, strict=True):
            chex.assert_trees_all_equal(new.loss_state, np.asarray(old.loss_state))
        x = problems.blobs(30, spread=1.2, seed=4).x
        np.testing.assert_array_equal(loaded.predict_proba(x), made.predict_proba(x))
        wanted = np.mean([np.exp(of_net(net, x)) for net in self.by_center], axis=0)
        np.testing.assert_allclose(loaded.predict_proba(x), wanted, atol=1e-4)
        self.assertEqual(loaded.predict(x).tolist(), [('a', 'b', 'c')[n] for n in wanted.argmax(1)])

    def test_a_loss_whose_state_does_not_predict_is_not_saved(self):
        path, made = (
            self.folder(),
            checkpoint.Predictor.of(RECIPE._replace(predict=None), self.by_logits, NOISY),
        )
        made.save(path)
        self.assertEmpty(json.loads((path / 'config.json').read_text())['leaves']['loss_state'])
        loaded = checkpoint.load(path)
        np.testing.assert_array_equal(loaded.predict_proba(NOISY.x), made.predict_proba(NOISY.x))

    def test_a_rule_of_ones_own(self):
        recipe, path = RECIPE._replace(predict=farthest), self.folder()
        made = checkpoint.Predictor.of(recipe, self.by_center, NOISY)
        made.save(path)
        with self.assertRaisesRegex(ValueError, r'predicts with farthest, .* as load\(path, recipe=...\)'):
            checkpoint.load(path)
        loaded = checkpoint.load(path, recipe=recipe)
        np.testing.assert_array_equal(loaded.predict_proba(NOISY.x), made.predict_proba(NOISY.x))
        self.assertGreater(
            np.abs(made.predict_proba(NOISY.x) - np.exp(of_net(self.by_center[0], NOISY.x))).max(), 0.1
        )


def farthest(outputs, loss_state):
    """Predicts the class whose center is farthest."""
    return jax.nn.log_softmax(-predictions.nearest_center(outputs, loss_state))


class Two(nn.Module):
    """A module of one's own: two layers beside each other."""

    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        z = jnp.concatenate([nn.tanh(nn.Dense(3)(x)), nn.Dense(2)(x)], axis=1)
        return base.Outputs(z, nn.Dense(3)(z))


def _measure(x):
    return {'low': x.min(0).astype(float), 'span': np.ptp(x, axis=0).astype(float)}


def _prepare(x, inputs):
    return (x - inputs['low'][None, :]) / inputs['span'][None, :]


RANKED = kinds.Kind('ranked', measure=_measure, prepare=_prepare)


class OwnTest(chex.TestCase):
    def test_a_module_and_a_kind_of_ones_own(self):
        path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / 'best'
        recipe, examples = (
            problems.recipe(prepare=_prepare)._replace(model=Two()),
            NOISY._replace(kind=RANKED),
        )
        member = population.Member(recipe, base.Hyper(learning_rate=0.3, steps=20.0), 1, TRAIN, VALIDATION)
        trained = population.train([member], examples, eval_every=10, layout=problems.FOUR)
        self.assertEqual({a.dtype.name for a in trained[0].inputs.values()}, {'float32'})  # cast
        made = checkpoint.Predictor.of(recipe, trained, examples)
        made.save(path)
        x = NOISY.x[VALIDATION]
        outputs = Two().apply(trained[0].variables, _prepare(x, _measure(NOISY.x[TRAIN])), train=False)
        np.testing.assert_allclose(made.predict_proba(x), jax.nn.softmax(outputs.logits), atol=1e-5)
        for options, message in (
            ({}, r'of the kind ranked: give that as load\(path, kind=...\)'),
            ({'kind': kinds.vector}, 'of the kind ranked'),
            ({'kind': RANKED}, r'is a Two, which is not part .* as load\(path, recipe=...\)'),
        ):
            with self.assertRaisesRegex(ValueError, message):
                checkpoint.load(path, **options)
        loaded = checkpoint.load(path, recipe=recipe, kind=RANKED)
        np.testing.assert_array_equal(loaded.predict_proba(x), made.predict_proba(x))
        chex.assert_trees_all_equal(loaded.nets[0].inputs, trained[0].inputs)
