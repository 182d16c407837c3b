"""Arms: techniques are values that add up, and a row says what was done."""

import chex
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import augment, kinds
from overfit.nn import models
from overfit.study import baselines, ledger, spaces, techniques
from overfit.study.arms import Arm, Baseline, Technique, arm_of
from overfit.train import optimizers, start
from tests.study import tiny

PLAIN = baselines.baseline(baselines.mlp(3), kinds.image)
SHAPE = (6, 6, 1)


def rolled(key, batch, hyper, inputs):
    """A stranger's augmentation."""
    return batch._replace(x=np.roll(batch.x, 1, axis=1))


own = Technique(
    'rolled by one', change=lambda recipe: recipe._replace(augment=(*recipe.augment, rolled)), order=60
)


def with_(*chosen, baseline=PLAIN):
    return arm_of(chosen, baseline)


class ArmTest(chex.TestCase):
    def test_techniques_add_up(self):
        chosen = (techniques.batch_norm, techniques.adamw, techniques.dropout, techniques.ensemble(5))
        arm, plain = with_(*chosen, baseline=tiny.BASELINE), tiny.RECIPE
        self.assertEqual(arm.recipe.model, plain.model.clone(batch_norm=True))
        self.assertEqual(arm.recipe._replace(model=plain.model, optimizer=plain.optimizer), plain)
        self.assertIs(arm.recipe.optimizer, optimizers.by_hyper(optimizers.adamw))
        self.assertEqual(set(arm.space), {'learning_rate', 'momentum', 'dropout'})
        self.assertEqual(arm.space['learning_rate'], techniques.adamw.space['learning_rate'])
        self.assertEqual((arm.nets, arm.refit, arm.restore_best, arm.stretch), (5, False, True, 1.0))
        self.assertEqual(arm.label, 'batch normalisation + AdamW + dropout + average of 5 nets')
        self.assertEqual(arm.techniques, chosen)

    def test_use_of_the_labels_adds_up_too(self):
        arm = with_(techniques.refit, techniques.longer, techniques.last_weights)
        self.assertEqual((arm.nets, arm.refit, arm.restore_best, arm.stretch), (1, True, False, 2.0))

    def test_the_baseline(self):
        arm = with_(baseline=tiny.BASELINE)
        self.assertEqual(arm, Arm((), tiny.RECIPE, tiny.BASELINE.space, 'tuned baseline'))
        self.assertEqual(with_().label, 'tuned baseline (SGD)')

    def test_composing_leaves_the_baseline_as_it_is(self):
        space = {'learning_rate': 0.1}
        arm = arm_of((techniques.dropout,), Baseline(tiny.RECIPE, space))
        self.assertEqual(set(arm.space), {'learning_rate', 'dropout'})
        self.assertEqual(space, {'learning_rate': 0.1})

    def test_of_two_that_fix_a_number_the_later_wins(self):
        slow, fast = (Technique(f'rate {rate}', space={'learning_rate': rate}) for rate in (0.1, 0.2))
        self.assertEqual(with_(slow, fast).space['learning_rate'], 0.2)
        self.assertEqual(with_(fast, slow).space['learning_rate'], 0.1)

    @parameterized.parameters(
        ((techniques.noise, techniques.lighting, techniques.shift, techniques.deeper, techniques.wider),),
        ((techniques.convolution, techniques.batch_norm, techniques.shift_rotate, techniques.adamw),),
        ((own, techniques.shift, techniques.lighting, techniques.flip, techniques.noise),),
    )
    def test_the_order_of_techniques_does_not_change_the_recipe(self, chosen):
        wanted = with_(*chosen).recipe
        rng = np.random.default_rng(0)
        for _ in range(6):
            shuffled = [chosen[n] for n in rng.permutation(len(chosen))]
            self.assertEqual(with_(*shuffled).recipe, wanted)
        self.assertNotEqual(wanted, PLAIN.recipe)

    def test_what_it_excludes(self):
        arm = with_(techniques.adamw, own)
        self.assertTrue(arm.excludes(techniques.adamw))
        self.assertTrue(arm.excludes(techniques.rmsprop))
        self.assertTrue(arm.excludes(own))
        self.assertFalse(arm.excludes(techniques.dropout))
        self.assertFalse(arm.excludes(Technique('another that is in no group')))
        self.assertFalse(with_().excludes(techniques.adamw))


class SaysWhatItDidTest(chex.TestCase):
    """A row's recipe names what its techniques added, and nothing else."""

    @parameterized.parameters(
        (techniques.shift, 'geometric', {'shift'}),
        (techniques.shift_rotate, 'geometric', {'shift', 'rotate', 'zoom'}),
        (techniques.flip, 'geometric', {'flip'}),
        (techniques.lighting, 'lighting', {'brightness', 'contrast'}),
        (techniques.noise, 'noise', {'noise'}),
    )
    def test_an_augmentation_is_alone(self, technique, name, numbers):
        arm = with_(technique)
        words = ledger.describe(arm.recipe, SHAPE).split('; ')[1].split(', ')
        self.assertEqual(words, ['softmax', 'sgd', 'default start', name])
        self.assertEqual(arm.recipe.augment, (getattr(augment, name),))
        self.assertEqual(set(arm.space), {'learning_rate'} | numbers)

    def test_a_function_that_two_techniques_use_stands_there_once(self):
        arm = with_(techniques.shift, techniques.flip)
        self.assertEqual(arm.recipe.augment, (augment.geometric,))
        self.assertContainsSubset({'shift', 'flip'}, set(arm.space))

    def test_an_augmentation_of_your_own_stays_in_any_order(self):
        chosen = (techniques.shift, techniques.noise, techniques.lighting, own)
        for first in range(4):
            arm = with_(*chosen[first:], *chosen[:first])
            self.assertEqual(arm.recipe.augment, (rolled, augment.geometric, augment.lighting, augment.noise))
            self.assertIn('start, rolled, geometric, lighting, noise', ledger.describe(arm.recipe, SHAPE))

    def test_one_in_the_baseline_stays(self):
        baseline = PLAIN._replace(recipe=PLAIN.recipe._replace(augment=(rolled,)))
        for technique in (techniques.shift, techniques.noise, techniques.lighting, techniques.adamw):
            self.assertEqual(with_(technique, baseline=baseline).recipe.augment[0], rolled)


class TechniquesTest(chex.TestCase):
    def test_every_technique_changes_something(self):
        plain = with_()
        for technique in (*techniques.STANDARD, techniques.nesterov, techniques.patience):
            arm = with_(technique)
            self.assertNotEqual(arm._replace(techniques=(), label=plain.label), plain, technique.label)

    def test_each_is_another(self):
        self.assertLen(set(technique.label for technique in techniques.STANDARD), len(techniques.STANDARD))
        recipes = [(with_(t)._replace(techniques=(), label='')) for t in techniques.STANDARD]
        for number, one in enumerate(recipes):
            self.assertNotIn(one, recipes[:number], techniques.STANDARD[number].label)

    def test_spaces_hold_numbers_of_the_package(self):
        for technique in techniques.STANDARD:
            self.assertContainsSubset(set(technique.space), set(base.NAMES), technique.label)
            for name, one in technique.space.items():
                self.assertIsInstance(one, spaces.Range | float, f'{technique.label}: {name}')

    def test_which_apply(self):
        def labels(kind, baseline):
            return {t.label for t in techniques.STANDARD if t.applies(baseline.recipe, kind)}

        everything = {technique.label for technique in techniques.STANDARD}
        dense = {techniques.convolution.label, techniques.oriented_gradients.label}
        images = {t.label for t in (techniques.affine_elastic, techniques.shift_rotate, techniques.flip)}
        images |= {techniques.lighting.label} | dense
        self.assertEqual(everything - labels(kinds.image, PLAIN), {techniques.noise.label})
        vectors = baselines.baseline(baselines.mlp(3), kinds.vector)
        self.assertEqual(everything - labels(kinds.vector, vectors), images)
        cnn = baselines.baseline(baselines.cnn(3), kinds.image)
        self.assertEqual(labels(kinds.image, PLAIN) - labels(kinds.image, cnn), dense)
        other = kinds.Kind('sounds')
        self.assertEqual(
            everything - labels(other, baselines.baseline(baselines.mlp(3), other)),
            images | {techniques.noise.label},
        )

    def test_what_held_out_examples_cannot_judge(self):
        unjudged = {t.label for t in techniques.STANDARD if not t.judged_by_validation}
        wanted = (techniques.ensemble(5), techniques.refit, techniques.last_weights)
        self.assertEqual(unjudged, {t.label for t in wanted})
        self.assertFalse(techniques.ensemble(2).judged_by_validation)
        self.assertTrue(techniques.ensemble(1).judged_by_validation)

    def test_convolution_keeps_what_other_techniques_chose(self):
        arm = with_(techniques.batch_norm, techniques.maxout, techniques.convolution)
        self.assertIsInstance(arm.recipe.model, models.CNN)
        self.assertTrue(arm.recipe.model.batch_norm)
        self.assertEqual(arm.recipe.model.activation.pieces, 2)


class BaselineTest(chex.TestCase):
    def test_textbooks_are_of_known_techniques_that_go_together(self):
        books = [(kind, book) for kind in (kinds.image, kinds.vector) for book in baselines.textbooks(kind)]
        for kind, book in books:
            plain = baselines.baseline(baselines.mlp(3), kind)
            arm = with_(baseline=plain)
            for technique in book.techniques:
                self.assertIn(technique, techniques.ALL)
                self.assertTrue(technique.applies(plain.recipe, kind), technique.label)
                self.assertFalse(arm.excludes(technique), technique.label)
                arm = arm_of((*arm.techniques, technique), plain)
        searched = {name for _, book in books for technique in book.techniques for name in technique.space}
        self.assertContainsSubset(set(baselines.TEXTBOOK_SPACE), searched | {'learning_rate'})

    def test_the_recipe_prepares_inputs_as_the_kind_does(self):
        def prepare(x, inputs):
            return x

        own_kind = kinds.Kind('tokens', prepare=prepare)
        self.assertIs(baselines.baseline(baselines.mlp(3), own_kind).recipe.prepare, prepare)
        self.assertIsNone(PLAIN.recipe.prepare)
        self.assertEqual(PLAIN.recipe.start, start.own)
