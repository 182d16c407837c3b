"""Views of inputs: the mean of probabilities, in validation, in prediction, and in saved models."""

import json
import pathlib
import tempfile

import chex
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import views
from overfit.objectives import losses
from overfit.study import ledger
from overfit.train import check, checkpoint, predict, predictions, step
from overfit.train.engine import population
from tests import problems

NOISY = problems.pictures(120, seed=1)
NOISY = NOISY._replace(
    x=np.clip(NOISY.x * 0.5 + np.random.default_rng(0).integers(0, 160, NOISY.x.shape), 0, 255).astype(
        np.uint8
    )
)
TRAIN, VALIDATION = np.arange(30), np.arange(30, 120)
PLAIN = problems.recipe()
SHIFTED = PLAIN._replace(views=views.shifted)
MIRRORED = PLAIN._replace(views=views.mirrored)


def member(recipe):
    hyper = base.Hyper(learning_rate=0.1, steps=40.0)
    return population.Member(recipe, hyper, 3, TRAIN, VALIDATION)


def rolled(image, down, right, border):
    out = np.full_like(image, border)
    height, width = image.shape[:2]
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                out[i, j] = image[i - down, j - right]
    return out


def only_the_first(x, inputs):
    return x


def of_half_the_batch(x, inputs):
    return jnp.stack([x[: len(x) // 2]] * 2)


def a_mean(x, inputs, more):
    return x[None]


def as_text(x, inputs):
    return [x, x]


def as_they_are(x, inputs):
    """A stranger's views."""
    return jnp.stack([x, x])


class ViewsTest(chex.TestCase):
    def test_shifted_by_loops(self):
        x = np.random.default_rng(0).integers(0, 255, (3, 6, 9, 2)).astype(np.uint8)
        inputs = NOISY.kind.measure(x)._replace(border=jnp.array([7.0, 9.0]))
        found = views.shifted(x, inputs)
        for view, (down, right) in zip(found, [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)], strict=True):
            for image, out in zip(x, view, strict=True):
                np.testing.assert_allclose(
                    out, rolled(image.astype(np.float32), down, right, [7, 9]), atol=1e-4
                )

    def test_a_large_image_moves_further(self):
        x = np.arange(64, dtype=np.float32)[None, None, :, None] * np.ones((1, 96, 1, 1), np.float32)
        found = np.asarray(views.shifted(x, NOISY.kind.measure(x)))
        self.assertEqual(found[3, 0, 50, 40, 0], 38)
        self.assertTrue((found[1, 0, :3, 5] != 5).all())

    def test_mirrored(self):
        found = views.mirrored(NOISY.x[:3], None)
        np.testing.assert_array_equal(found, np.stack([NOISY.x[:3], NOISY.x[:3, :, ::-1]]))


class PredictionTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        recipes = [PLAIN, SHIFTED, MIRRORED]
        cls.nets = population.train([member(r) for r in recipes], NOISY, eval_every=10, layout=problems.FOUR)

    @parameterized.parameters((1, SHIFTED), (2, MIRRORED))
    def test_probabilities_are_averaged_over_views(self, place, recipe):
        net = self.nets[place]
        x = NOISY.x[:5]
        found = step.log_probabilities(net.variables, net.loss_state, net.inputs, x, recipe)
        shown = np.asarray(recipe.views(x, net.inputs))
        each = [
            np.exp(step.log_probabilities(net.variables, net.loss_state, net.inputs, view, PLAIN))
            for view in shown
        ]
        np.testing.assert_allclose(np.exp(found), np.mean(each, axis=0), atol=1e-6)
        self.assertGreater(np.abs(np.exp(found) - each[0]).max(), 1e-3)

    @parameterized.parameters((0, PLAIN), (1, SHIFTED), (2, MIRRORED))
    def test_validation_judges_what_predicts(self, place, recipe):
        net = self.nets[place]
        found = predict.predict(recipe, [net], NOISY.x[VALIDATION])[0]
        y = NOISY.y[VALIDATION]
        self.assertAlmostEqual(net.error, np.mean(found.argmax(1) != y), places=5)
        self.assertAlmostEqual(net.loss, -found[np.arange(len(y)), y].mean(), places=4)

    def test_views_change_nothing_of_the_training(self):
        plain, shown = self.nets[0], self.nets[1]
        columns = [population.STEP, population.TRAIN_LOSS]
        np.testing.assert_allclose(plain.curve[:, columns], shown.curve[:, columns], atol=1e-4)
        self.assertGreater(
            np.abs(plain.curve[:, population.LOSS] - shown.curve[:, population.LOSS]).max(), 1e-3
        )

    def test_saved_and_loaded_it_shows_the_same_views(self):
        folder = pathlib.Path(tempfile.mkdtemp())
        made = checkpoint.Predictor.of(SHIFTED, [self.nets[1]], NOISY)
        made.save(folder / 'ours')
        loaded = checkpoint.load(folder / 'ours')
        self.assertEqual(loaded.recipe.views, views.shifted)
        np.testing.assert_array_equal(loaded.predict_proba(NOISY.x[:9]), made.predict_proba(NOISY.x[:9]))
        plain = made._replace(recipe=PLAIN).predict_proba(NOISY.x[:9])
        self.assertGreater(np.abs(plain - made.predict_proba(NOISY.x[:9])).max(), 1e-3)
        # Saved before there were views, a model has none.
        config = json.loads((folder / 'ours' / 'config.json').read_text())
        config.pop('views')
        (folder / 'ours' / 'config.json').write_text(json.dumps(config))
        older = checkpoint.load(folder / 'ours')
        self.assertIsNone(older.recipe.views)
        np.testing.assert_array_equal(older.predict_proba(NOISY.x[:9]), plain)

    def test_views_of_ones_own_are_given_again(self):
        folder, recipe = pathlib.Path(tempfile.mkdtemp()), PLAIN._replace(views=as_they_are)
        made = checkpoint.Predictor.of(recipe, [self.nets[0]], NOISY)
        made.save(folder)
        with self.assertRaisesRegex(ValueError, 'predicts with as_they_are, which is not part of overfit'):
            checkpoint.load(folder)
        loaded = checkpoint.load(folder, recipe=recipe)
        np.testing.assert_array_equal(loaded.predict_proba(NOISY.x[:9]), made.predict_proba(NOISY.x[:9]))

    def test_with_another_rule(self):
        recipe = SHIFTED._replace(loss=losses.center, predict=predictions.nearest_center)
        hyper = base.Hyper(learning_rate=0.1, center_weight=0.1, center_rate=0.5)
        state = problems.begun(recipe._replace(augment=(lambda *a: None,)), hyper)
        variables = step.evaluated(state, recipe)
        args = variables, state.loss_state + 1.0, state.inputs
        found = step.log_probabilities(*args, NOISY.x[:4], recipe)
        each = [
            np.exp(step.log_probabilities(*args, view, recipe._replace(views=None)))
            for view in views.shifted(NOISY.x[:4], state.inputs)
        ]
        np.testing.assert_allclose(np.exp(found), np.mean(each, axis=0), atol=1e-6)


class CheckTest(chex.TestCase):
    @parameterized.parameters(
        (
            only_the_first,
            r'the views only_the_first gives \[8, 6, 6, 1\] for inputs \[8, 6, 6, 1\], but has to ',
        ),
        (of_half_the_batch, r'gives \[2, 4, 6, 6, 1\] .*return views one after another, \[V, 8, 6, 6, 1\]'),
        (a_mean, r'the views a_mean fails when it is called as \(x, inputs\): TypeError'),
        (as_text, r'the views as_text gives a list for inputs'),
        (7, r'the slot views holds a int, but takes a function \(x, inputs\)'),
    )
    def test_what_is_no_view_is_refused_in_one_sentence(self, value, message):
        with self.assertRaisesRegex(ValueError, message) as caught:
            check.recipes([(PLAIN._replace(views=value), ())], NOISY)
        self.assertNotIn('\n', str(caught.exception))

    def test_views_are_accepted_and_told(self):
        check.recipes([(SHIFTED, ()), (MIRRORED, ()), (PLAIN._replace(views=as_they_are), ())], NOISY)
        self.assertIn('views shifted', ledger.describe(SHIFTED, (6, 6, 1)))
        self.assertEqual(predict.predicting(SHIFTED).views, views.shifted)
        self.assertIsNone(predict.predicting(PLAIN).views)
