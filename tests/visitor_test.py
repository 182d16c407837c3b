"""Each exercise of `visitors` as an arm of a whole study on tiny data; the model is saved and loaded."""

import inspect
import pathlib
import tempfile
from typing import Any

import chex
import flax.linen as nn
import jax
import numpy as np

import overfit
from overfit import base
from overfit.data import kinds
from overfit.nn import models
from overfit.objectives import losses
from overfit.study import baselines
from overfit.train import checkpoint, start
from overfit.train.engine import population
from tests import problems, visitors

VECTORS, PICTURES = problems.blobs(90, spread=0.8), problems.pictures(90)
MOST_LINES = 20


def study(x, y, techniques, **options):
    """A whole study on tiny data, of which some are held out."""
    options = {'trials': 2, 'labelled_sets': 3, 'test': 'holdout', 'minutes': 0.1} | options
    return overfit.squeeze(x, y, techniques=techniques, **options)


class VisitorTest(chex.TestCase):
    def check(self, result, x, names, *, below=50.0, **loading):
        """Every arm ran as what it is, learnt something, and the model is what is loaded again."""
        self.assertEqual([row.technique for row in result.arms], names)
        for row in (result.results.baseline, *result.arms, result.results.squeezed):
            self.assertLess(row.test_error.mean, below, row.technique)
            self.assertEqual(row.diverged, 0, row.technique)
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        result.save(folder)
        loaded = overfit.load(folder / 'best', **loading)
        np.testing.assert_array_equal(loaded.predict_proba(x), result.model.predict_proba(x))
        self.assertGreater(np.ptp(loaded.predict_proba(x), axis=0).max(), 0.1)
        return loaded

    def test_a_and_e_mixed_labels_and_numbers_of_ones_own(self):
        result = study(
            PICTURES.x, PICTURES.y, [visitors.mixup(), visitors.cutmix(), overfit.techniques.dropout]
        )
        self.check(result, PICTURES.x, ['mixup', 'CutMix', 'dropout'])
        self.assertBetween(result.arms[0].hyper['mix'], 0.2, 1.0)
        self.assertIn('mix', result.arms[0].recipe)

    def test_b_triplets_their_sampler_and_a_loss_that_draws(self):
        result = study(VECTORS.x, VECTORS.y, [visitors.triplet(), visitors.drawing_loss()])
        self.check(result, VECTORS.x, ['triplet loss', 'noise on the logits'])
        self.assertIn('predict nearest_center', result.arms[0].recipe)
        self.assertIn('sampler four_of_a_class', result.arms[0].recipe)

    def test_b_a_net_without_logits_of_its_own_is_saved(self):
        recipe = visitors.triplet().change(problems.recipe(batch_size=16))
        hyper = base.Hyper.of(learning_rate=0.1, steps=60.0, gap=1.0)
        member = population.Member(recipe, hyper, 1, np.arange(60), np.arange(60, 90))
        [net] = population.train([member], VECTORS, eval_every=20)
        self.assertLess(net.error, 0.3)
        model = checkpoint.Predictor.of(recipe, [net], VECTORS)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        model.save(folder)
        np.testing.assert_array_equal(overfit.load(folder).predict(VECTORS.x), model.predict(VECTORS.x))

    def test_c_text(self):
        x, y = visitors.sentences(120)
        result = study(
            x,
            y,
            [visitors.word_dropout(), overfit.techniques.dropout],
            kind=visitors.text(),
            baseline=visitors.TextCNN(3),
            test='cross-fitted',
            labelled_sets=5,
        )
        table = np.asarray(result.model.nets[0].variables['params']['words']['embedding'])
        self.assertGreater(table.std(), 0.1)
        names = ['word dropout', 'dropout']
        recipe = baselines.baseline(visitors.TextCNN(3), visitors.text()).recipe
        self.check(result, x, names, below=60.0, kind=visitors.text(), recipe=recipe)
        self.assertIn('96 labelled sentences, 3 classes · all 120 sentences tested', result.table)

    def test_e_a_module_of_ones_own(self):
        result = study(
            VECTORS.x,
            VECTORS.y,
            [overfit.techniques.l2, overfit.techniques.adamw],
            baseline=visitors.Gated(3),
        )
        recipe = baselines.baseline(visitors.Gated(3), kinds.vector).recipe
        self.check(result, VECTORS.x, ['L2 penalty', 'AdamW'], recipe=recipe)
        self.assertIn('Gated classes 3, width 12', result.results.baseline.recipe)
        with self.assertRaisesRegex(ValueError, 'Gated, which is not part of overfit'):
            folder = self.enterContext(tempfile.TemporaryDirectory())
            result.model.save(folder)
            overfit.load(folder)

    def test_f_given_weights_and_frozen_layers(self):
        other = problems.blobs(90, spread=0.4, seed=3)
        baseline = baselines.baseline(models.MLP(3, widths=(16,)), kinds.vector)
        member = population.Member(
            baseline.recipe, base.Hyper(learning_rate=0.1, steps=100.0), 1, np.arange(90), np.arange(0)
        )
        [source] = population.train([member], other, eval_every=50)
        result = study(
            VECTORS.x, VECTORS.y, [visitors.fine_tuning(source.variables, source.inputs)], baseline=baseline
        )
        self.check(result, VECTORS.x, ['from given weights'])
        self.assertIn('given, else default start', result.arms[0].recipe)
        arm = visitors.fine_tuning(source.variables, source.inputs).change(baseline.recipe)
        tuned = member._replace(recipe=arm, train=np.arange(60), validation=np.arange(60, 90))
        [net] = population.train([tuned], VECTORS, eval_every=50)
        chex.assert_trees_all_equal(net.variables['params']['Dense_0'], source.variables['params']['Dense_0'])
        chex.assert_trees_all_equal(net.inputs, source.inputs)
        heads = [one.variables['params']['logits']['kernel'] for one in (net, source)]
        self.assertGreater(np.abs(np.subtract(*heads)).max(), 0.1)

    def test_g_averages_of_weights_and_sam(self):
        normed = baselines.baseline(models.MLP(3, widths=(16,), batch_norm=True), kinds.vector)
        result = study(
            VECTORS.x, VECTORS.y, [visitors.ema(), visitors.swa(), visitors.sam()], baseline=normed
        )
        self.check(result, VECTORS.x, ['average of weights (EMA)', 'SWA', 'SAM'])

    def test_h_two_towers(self):
        result = study(PICTURES.x, PICTURES.y, [overfit.techniques.shift], baseline=visitors.Towers(3))
        recipe = baselines.baseline(visitors.Towers(3), kinds.image).recipe
        self.check(result, PICTURES.x, ['augmentation: shift'], recipe=recipe)

    def test_i_audio(self):
        x, y = visitors.sounds(90)
        result = study(x, y, [visitors.gain(), overfit.techniques.label_smoothing], kind=visitors.audio())
        self.check(result, x, ['augmentation: gain', 'label smoothing'], kind=visitors.audio())
        self.assertIn('labelled recordings', result.table)

    def test_every_exercise_is_short(self):
        exercises = [f for f in vars(visitors).values() if getattr(f, '__module__', '') == visitors.__name__]
        self.assertGreater(len(exercises), 15)
        for one in exercises:
            self.assertLessEqual(len(inspect.getsource(one).splitlines()), MOST_LINES, one.__name__)


class NoFeatures(nn.Module):
    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        return nn.Dense(3)(x)


def _with(**slots: Any):
    return overfit.Technique('mine', change=lambda recipe: recipe._replace(**slots))


class WrongVisitorTest(chex.TestCase):
    """One sentence, before anything is compiled."""

    def refuse(self, message, techniques, **options):
        compiled = []

        def listen(event, seconds, **_):
            if event == '/jax/core/compile/backend_compile_duration':
                compiled.append(seconds)

        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            with self.assertRaisesRegex(ValueError, message) as caught:
                study(VECTORS.x, VECTORS.y, techniques, **options)
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)
        self.assertNotIn('\n', str(caught.exception))
        self.assertLess(sum(compiled), 1.0)

    def test_a_module_without_features(self):
        self.refuse(
            'model NoFeatures returns an array, but must return base.Outputs',
            [_with()],
            baseline=NoFeatures(),
        )

    def test_a_module_for_other_classes(self):
        self.refuse('gives 7 logits, but the examples have 3 classes', [_with()], baseline=visitors.Gated(7))

    def test_a_loss_that_averages(self):
        def mean(key, state, outputs, batch, hyper, axis_name):
            return losses.cross_entropy(outputs.logits, batch.y).mean(), state

        loss = base.Loss(lambda *_: (), mean, 'mean')
        self.refuse(
            r'loss mean gives \[\] for a batch of 32, but has to return one value', [_with(loss=loss)]
        )

    def test_an_augmentation_that_drops_examples(self):
        def halve(key, batch, hyper, inputs):
            return batch._replace(x=batch.x[::2], y=batch.y[::2])

        self.refuse(r'augmentation halve makes inputs \[16, 4\]', [_with(augment=(halve,))])

    def test_a_number_that_nothing_reads(self):
        technique = overfit.Technique('mine', space={'dropuot': 0.5})
        self.refuse(
            "number dropuot is given, but nothing in the recipe reads hyper.own\\['dropuot'\\]", [technique]
        )

    def test_words_in_place_of_values(self):
        self.refuse('techniques holds a str: give overfit.Technique values', ['dropout'])

    def test_weights_that_do_not_fit(self):
        weights = {'params': {'Dense_0': {'kernel': np.zeros((5, 8), np.float32)}}}
        self.refuse('given weights do not fit the MLP', [_with(start=start.given(weights))])

    def test_an_optimizer_that_is_none(self):
        optimizer = lambda hyper, rate: 'adam'  # noqa: E731
        self.refuse('optimizer .* returns a str, but has to return an optax', [_with(optimizer=optimizer)])
