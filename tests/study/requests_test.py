"""Requests: what cannot be served is refused in one sentence that names the argument, the rest is planned."""

import re
from unittest import mock

import chex
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import kinds
from overfit.data import splits as splits_lib
from overfit.nn import models
from overfit.study import baselines, requests, spaces, techniques
from overfit.study.arms import Baseline, Technique
from overfit.train.engine import population
from tests import problems
from tests.study import tiny

TEST = problems.blobs(80, spread=1.0, seed=8)
SPLITS = splits_lib.Splits(tiny.POOL, splits_lib.Holdout(TEST.x, TEST.y), 'blobs', 'made up', (), 'ab' * 32)
IMAGES = SPLITS._replace(train=problems.pictures())
own = Technique('rings', space={'ring': spaces.Range(0.1, 1.0, 'log')})


def scaled(key, batch, hyper, inputs):
    return batch._replace(x=batch.x * (1 + hyper.own['ring']))


def halved(key, batch, hyper, inputs):
    return base.Batch(batch.x[::2], batch.y[::2])


def augmented(function, **space):
    return Technique(
        function.__name__,
        space=space,
        change=lambda recipe: recipe._replace(augment=(*recipe.augment, function)),
    )


def prepare(splits=SPLITS, **changes):
    return requests.prepare(
        splits, requests.Request(**{'techniques': [techniques.l2], 'minutes': 0.1} | changes)
    )


class RefusedTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        nothing = AssertionError('something is trained before the request is checked')
        self.enterContext(mock.patch.object(population, 'train', side_effect=nothing))

    @parameterized.parameters(
        ({'validation': 0.05}, 'validation=0.05 is out of range: give a fraction from 0.1 to 0.3'),
        ({'validation': 0.5}, 'validation=0.5 is out of range: give a fraction from 0.1 to 0.3'),
        (
            {'train_size': 73},
            'train_size=73 does not fit this data: it has 72 labelled examples of 3 classes',
        ),
        ({'train_size': 5}, 'train_size=5 does not fit this data: .* give 6 (two a class) to 72'),
        ({'train_size': 70_000}, 'train_size=70,000 is more than the 65,535 that a labelled set may have'),
        ({'techniques': []}, 'techniques is empty: name at least one, or leave it out for all that apply'),
        ({'techniques': ['dropout']}, 'techniques holds a str: give overfit.Technique values'),
        ({'techniques': [techniques.ensemble]}, 'techniques holds a function: give overfit.Technique'),
        (
            {'techniques': [techniques.l2, techniques.flip]},
            'the technique "augmentation: left-right flip" does not apply to this baseline on data of the '
            'kind vector: leave it out of techniques',
        ),
        (
            {'techniques': [techniques.l2, own._replace(label='L2 penalty')]},
            'two techniques have the label "L2 penalty": give each its own',
        ),
        (
            {'techniques': [Technique('none', change=lambda recipe: None)]},
            'the technique "none" changes a recipe into a NoneType: let its change return a base.Recipe',
        ),
        (
            {'techniques': [Technique('broken', change=lambda recipe: recipe.model.depth)]},
            'the technique "broken" cannot change a recipe with the model MLP: AttributeError',
        ),
        (
            {'techniques': [Technique('from 0', space={'l2': spaces.Range(0.0, 1.0, 'log')})]},
            '"from 0" has l2=Range(low=0.0, high=1.0, scale=.*): a Range needs low < high, and low > 0 on a',
        ),
        (
            {'techniques': [Technique('back', space={'l2': spaces.Range(1.0, 0.1, 'linear')})]},
            'a Range needs low < high',
        ),
        (
            {'techniques': [Technique('scale', space={'l2': spaces.Range(0.1, 1.0, 'lin')})]},
            "the scale of a Range is 'log' or 'linear'",
        ),
        (
            {'techniques': [Technique('pair', space={'l2': (0.1, 1.0)})]},
            '"pair" has l2=(0.1, 1.0): give a finite number, or an overfit.Range to be searched',
        ),
        (
            {'baseline': Baseline(problems.recipe(), {'learning_rate': float('nan')})},
            '"tuned baseline" has learning_rate=nan: give a finite number',
        ),
        (
            {'techniques': [own]},
            "the number ring is given, but nothing in the recipe reads hyper.own['ring']",
        ),
        ({'techniques': [augmented(halved)]}, 'the augmentation halved makes inputs [16, 4] and labels [16]'),
        (
            {'baseline': Baseline(problems.recipe(model=models.MLP(4, widths=(8,))), {'learning_rate': 0.1})},
            'the model MLP gives 4 logits, but the examples have 3 classes',
        ),
    )
    def test_in_one_sentence_that_names_the_argument(self, changes, message):
        with self.assertRaises(ValueError) as caught:
            prepare(**changes)
        text = str(caught.exception)
        self.assertRegex(text, re.escape(message).replace(r'\.\*', '.*'))
        self.assertNotIn('--', text)
        self.assertNotIn('\n', text)

    @parameterized.parameters(
        (2, 0.2, None, 'class c has 2 labelled examples, fewer than the 5 folds of validation=0.2: add ex'),
        (4, 0.2, None, 'give validation=0.3 (3 folds), or add examples of it until there are 5, or leave it'),
        (9, 0.1, 30, 'fewer than the 10 folds of validation=0.1: .* or leave train_size out and add exampl'),
    )
    def test_a_class_smaller_than_the_folds(self, count, validation, size, message):
        rows = np.concatenate([np.flatnonzero(tiny.POOL.y < 2), np.flatnonzero(tiny.POOL.y == 2)[:count]])
        pool = tiny.POOL._replace(x=tiny.POOL.x[rows], y=tiny.POOL.y[rows])
        splits = SPLITS._replace(train=pool)
        with self.assertRaises(ValueError) as caught:
            prepare(splits, validation=validation, train_size=size, minutes=60)
        self.assertRegex(str(caught.exception), re.escape(message).replace(r'\.\*', '.*'))

    def test_few_labelled_sets(self):
        with self.assertRaisesRegex(ValueError, 'give 3 or more, cross-fitted a multiple of 5, or leave it'):
            prepare(labelled_sets=1)


class PreparedTest(chex.TestCase):
    def test_a_request_without_wishes(self):
        made = requests.prepare(SPLITS, requests.Request(minutes=0.1))
        design, applicable = (
            made.design,
            [t for t in techniques.STANDARD if t.applies(design_recipe(SPLITS), kinds.vector)],
        )
        [book] = baselines.textbooks(kinds.vector)
        together = baselines.together(book._replace(techniques=tuple(book.techniques)), design.baseline)
        self.assertEqual([arm.techniques for arm in design.arms[:-1]], [(), *((t,) for t in applicable)])
        self.assertEqual(design.arms[-1], together)
        labels = {arm.label for arm in design.arms}
        self.assertNotIn(techniques.shift.label, labels)
        self.assertNotIn(techniques.convolution.label, labels)
        self.assertContainsSubset({'dropout', 'batch normalisation', 'AdamW', 'average of 5 nets'}, labels)
        self.assertEqual(design.baseline, baselines.baseline(baselines.mlp(3), kinds.vector))
        for place in design.places.measured:
            self.assertEqual(sorted(design.sets[place].labelled), list(range(72)))
        self.assertIs(made.splits, SPLITS)

    def test_many_minutes_pay_for_all_techniques(self):
        def count(minutes):
            return len(requests.prepare(SPLITS, requests.Request(minutes=minutes)).design.arms)

        little, much = count(0.5), count(500.0)
        applicable = [t for t in techniques.ALL if t.applies(design_recipe(SPLITS), kinds.vector)]
        self.assertGreater(much, little)
        self.assertEqual(much, 2 + len(applicable))  # the baseline, and the textbook of vectors

    def test_images_get_what_images_can_have(self):
        design = requests.prepare(IMAGES, requests.Request(minutes=0.1)).design
        labels = {arm.label for arm in design.arms}
        self.assertIn(techniques.shift_rotate.label, labels)
        self.assertIn(techniques.convolution.label, labels)
        self.assertNotIn(techniques.noise.label, labels)
        self.assertEqual(design.arms[-1].techniques, baselines.TEXTBOOK_IMAGES)
        self.assertNotIn(baselines.GRADIENTS_LABEL, labels)

    def test_further_textbooks_where_minutes_or_techniques_say_so(self):
        books = baselines.textbooks(kinds.image)
        self.assertLen(books, 3)
        design = requests.prepare(IMAGES, requests.Request(minutes=5000.0)).design
        self.assertEqual(
            [arm.techniques for arm in design.arms[-3:]], [tuple(book.techniques) for book in books]
        )
        named = (techniques.patch_whitening, techniques.cosine, techniques.adamw)
        design = requests.prepare(IMAGES, requests.Request(minutes=0.1, techniques=named)).design
        self.assertEqual(
            [(arm.label, arm.techniques) for arm in design.arms[-2:]],
            [
                (baselines.TEXTBOOK_LABEL, (techniques.adamw, techniques.cosine)),
                (
                    baselines.WHITENING_LABEL,
                    (techniques.patch_whitening, techniques.adamw, techniques.cosine),
                ),
            ],
        )

    def test_a_technique_is_compared_once(self):
        design = prepare(techniques=[techniques.l2, techniques.dropout, techniques.l2]).design
        self.assertEqual(
            [arm.label for arm in design.arms], ['tuned baseline (SGD)', 'L2 penalty', 'dropout']
        )

    def test_the_textbook_is_of_what_is_compared(self):
        def textbook(**changes):
            chosen = [techniques.dropout, techniques.l2, techniques.cosine]
            arm = prepare(techniques=chosen, **changes).design.arms[-1]
            return arm.techniques if arm.label == baselines.TEXTBOOK_LABEL else None

        self.assertEqual(textbook(), (techniques.cosine, techniques.dropout))
        self.assertIsNone(textbook(textbook=[techniques.l2]))  # a row of its own already
        self.assertIsNone(textbook(textbook=()))

    def test_techniques_of_your_own(self):
        rings = augmented(scaled, ring=spaces.Range(0.1, 1.0, 'log'))
        design = prepare(techniques=[rings, techniques.dropout]).design
        baseline, first, second = design.arms
        self.assertEqual(first.recipe.augment, (scaled,))
        self.assertEqual(set(first.space), {'learning_rate', 'ring'})
        self.assertEqual((baseline.recipe.augment, second.recipe.augment), ((), ()))

    def test_a_baseline_of_your_own(self):
        given = Baseline(problems.recipe(batch_size=4), {'learning_rate': 0.3}, 'mine')
        design = prepare(baseline=given).design
        self.assertEqual(design.baseline, given)
        self.assertEqual((design.arms[0].label, design.arms[0].recipe), ('mine', given.recipe))
        self.assertEqual(design.arms[0].space, {'learning_rate': 0.3})
        self.assertEqual(set(design.arms[1].space), {'learning_rate', 'l2'})

    def test_a_model_of_your_own_has_the_techniques_that_apply_to_any(self):
        linear = baselines.baseline(models.MLP(3, widths=()), kinds.vector)
        labels = {arm.label for arm in prepare(baseline=linear, techniques=None).design.arms}
        self.assertNotIn('twice as wide', labels)
        self.assertNotIn('dropout', labels)  # there is no hidden unit to drop
        self.assertContainsSubset({'L2 penalty', 'AdamW'}, labels)

    def test_sizes_and_seeds_reach_the_plan(self):
        made = prepare(train_size=30, validation=0.3, seed=7, trials=3, labelled_sets=4)
        protocol, places = made.design.plan.protocol, made.design.places
        self.assertEqual((protocol.train_size, protocol.validation, protocol.trials), (30, 0.3, 3))
        self.assertLen(places.measured, 4)
        for place in places.measured:
            self.assertLen(made.design.sets[place].labelled, 30)
        self.assertEqual(made.seed, 7)
        first, other = made.design.sets[0], prepare(train_size=30, seed=8).design.sets[0]
        self.assertNotEqual(sorted(first.labelled), sorted(other.labelled))

    def test_the_same_request_is_the_same_study(self):
        first, second = (prepare(train_size=30, techniques=None).design for _ in range(2))
        self.assertEqual(first._replace(sets=None), second._replace(sets=None))
        for one, other in zip(first.sets, second.sets, strict=True):
            np.testing.assert_array_equal(one.labelled, other.labelled)
            self.assertEqual(one.seed, other.seed)

    def test_what_will_run_in_words(self):
        made = prepare(train_size=30, techniques=[techniques.l2, techniques.dropout])
        plan, text = made.design.plan, requests.describe(made)
        for words in (
            f'3 arms, each tuned anew on each of {plan.level.sets} labelled sets of 30',
            f'{plan.protocol.trials} settings × {plan.protocol.folds} fold',
            f'{plan.nets:,} nets',
            f'{plan.programs} program',
            'GiB',
            f'differences of about {plan.detectable:.1f} points and more can be found',
        ):
            self.assertIn(words, text)
        self.assertTrue(plan.cut)
        for cut in plan.cut:
            self.assertIn(cut, text)
        self.assertIn('name fewer techniques or give more minutes', requests.describe(few_tests()))

    def test_one_of_a_thing_is_in_the_singular(self):
        one = prepare(few_tests().splits, train_size=30, minutes=None, trials=1, labelled_sets=3)
        plan = one.design.plan
        protocol = plan.protocol._replace(folds=1)
        made = one._replace(design=one.design._replace(plan=plan._replace(protocol=protocol, programs=1)))
        text = requests.describe(made)
        for words in ('1 setting × 1 fold, ', ' 1 program; ', ': 1 comparison needs more than 3 labelled'):
            self.assertIn(words, text)
        self.assertNotRegex(text, r'\b1 (settings|folds|programs|comparisons)|fewer techniques|budget')


class CrossFittedTest(chex.TestCase):
    @parameterized.parameters(
        (4, {}, 'class c has 4 examples, fewer than the 5 folds of cross-fitting: '),
        (
            6,
            {},
            'class c has 4 labelled examples outside of an outer fold, fewer than the 5 folds of validati',
        ),
        (24, {'labelled_sets': 7}, 'labelled_sets=7 is no multiple of 5'),
    )
    def test_what_cannot_be_cut_is_refused(self, count, changes, message):
        rows = np.concatenate([np.flatnonzero(tiny.POOL.y < 2), np.flatnonzero(tiny.POOL.y == 2)[:count]])
        pool = tiny.POOL._replace(x=tiny.POOL.x[rows], y=tiny.POOL.y[rows])
        data = tiny.CROSSED._replace(train=pool, test=splits_lib.Holdout(pool.x, pool.y))
        with self.assertRaises(ValueError) as caught:
            prepare(data, **changes)
        self.assertStartsWith(str(caught.exception), message)

    def test_groups_are_counted_in_place_of_examples(self):
        groups = np.where(tiny.POOL.y == 2, 100 + np.cumsum(tiny.POOL.y == 2) % 3, np.arange(72)).astype(
            np.int32
        )
        pool = tiny.POOL._replace(groups=groups)
        data = tiny.CROSSED._replace(train=pool, test=splits_lib.Holdout(pool.x, pool.y, groups))
        with self.assertRaisesRegex(ValueError, 'class c has 3 groups, fewer than the 5 folds of cross-fitt'):
            prepare(data)


def few_tests():
    few = splits_lib.Holdout(TEST.x[:9], TEST.y[:9])
    return prepare(SPLITS._replace(test=few), train_size=30, techniques=None)


def design_recipe(splits):
    return baselines.baseline(baselines.mlp(len(splits.train.classes)), splits.train.kind).recipe
