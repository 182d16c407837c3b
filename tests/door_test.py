"""The Python door: from arrays to a verdict and a model, without a word or a file that was not asked for."""

import contextlib
import csv
import html
import io
import json
import os
import pathlib
import re
import tempfile
from unittest import mock

import chex
import flax.linen as nn
import numpy as np
from absl.testing import parameterized

import overfit
from overfit import base, door
from overfit.data import kinds
from overfit.nn.dropout import dropout as drop
from overfit.study import baselines, results, spaces, stats
from overfit.study import tables as tables_lib
from overfit.train import optimizers, start
from tests import problems

TRAIN, TEST = problems.blobs(72, spread=1.0), problems.blobs(60, spread=1.0, seed=8)
NAMES = np.array(['ape', 'bee <b>', 'cat'])
PICTURES = problems.pictures(60)
QUICK = {'techniques': [overfit.techniques.dropout], 'minutes': 0.1, 'trials': 2}
GROUPS = np.char.add('patient ', (np.arange(72) // 3 % 20).astype(str))  # 20 of 3 or 6 examples


class Net(nn.Module):
    """A stranger's module."""

    classes: int = 3
    width: int = 8

    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        features = nn.relu(nn.Dense(self.width)(x.reshape(len(x), -1)))
        if train:
            features = drop(self.make_rng('dropout'), features, dropout)
        return base.Outputs(features, nn.Dense(self.classes)(features))


class Bare(nn.Module):
    """Returns logits alone."""

    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        return nn.Dense(3)(x)


class DoorTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(contextlib.chdir(self.folder))

    def squeeze(self, *arguments, **options):
        """`overfit.squeeze`; and what it printed."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            found = overfit.squeeze(*arguments, **QUICK | options)
        return found, told.getvalue()

    def study(self, *arguments, **options):
        """The study that a call would run."""
        with mock.patch.object(door.study_lib, 'run', side_effect=KeyboardInterrupt) as run:
            with self.assertRaises(KeyboardInterrupt):
                overfit.squeeze(*arguments, **QUICK | options)
        return run.call_args.args[0]


class ResultTest(DoorTest):
    def test_from_arrays_to_a_verdict_and_a_model(self):
        chosen = [overfit.techniques.dropout, overfit.techniques.refit]
        found, told = self.squeeze(
            TRAIN.x,
            NAMES[TRAIN.y],
            x_test=TEST.x,
            y_test=NAMES[TEST.y],
            techniques=chosen,
            train_size=30,
            labelled_sets=3,
            name='blobs <b>',
            seed=4,
        )
        self.assertEqual((told, list(self.folder.iterdir())), ('', []))
        self.assertEqual([row.technique for row in found.arms], [technique.label for technique in chosen])
        self.assertEqual(found.arms, found.results.arms)
        for row in found.arms:
            self.assertIn(row.verdict, stats.VERDICTS)
            self.assertIn(row.technique, found.table)
        self.assertEqual((found.results.data.train, found.results.data.test), (30, 60))
        self.assertEqual((found.results.data.name, found.results.seed), ('blobs <b>', 4))
        self.assertEqual((found.results.labelled_sets, found.results.test_mode), (3, 'given'))
        self.assertIsNone(found.results.command)
        self.assertGreater(len(found.headline), 40)
        self.assertEqual(repr(found), found.table)
        # The model is the one whose error is told, and answers in the labels given.
        wrong = found.model.predict(TEST.x) != NAMES[TEST.y]
        self.assertAlmostEqual(found.results.best.test_error, 100 * wrong.mean())
        self.assertLess(wrong.mean(), 0.5)
        self.assertIsNone(found.results.best.path)
        self.assertNotIn('best model: best', found.table)
        self.saved(found)

    def saved(self, found):
        found.report('page.html')
        self.assertEqual(os.listdir(), ['page.html'])
        page = pathlib.Path('page.html').read_text()
        frame = re.fullmatch(r'<iframe srcdoc="([^"<>]*)" style="[^"<>]*"></iframe>', found._repr_html_())
        self.assertEqual(html.unescape(frame[1]), page)  # a notebook shows the same page
        self.assertIn('blobs &lt;b&gt;', page)
        self.assertNotIn('blobs <b>', page)
        self.assertNotIn('bee <b>', page)
        for row in found.arms:
            self.assertIn(row.technique, page)
        found.save('out/deep')
        self.assertEqual({path.name for path in pathlib.Path('out/deep').iterdir()}, FILES)
        again = overfit.load('out/deep/best')
        np.testing.assert_array_equal(again.predict(TEST.x), found.model.predict(TEST.x))
        np.testing.assert_allclose(again.predict_proba(TEST.x), found.model.predict_proba(TEST.x), atol=1e-6)
        read = results.read('out/deep/results.json')
        self.assertEqual(read.best.path, 'best')
        written = json.loads(pathlib.Path('out/deep/results.json').read_text())
        self.assertEqual(written, results.as_json(read))
        self.assertEqual(read.arms[0].technique, found.arms[0].technique)
        self.assertEqual(set(os.listdir()), {'page.html', 'out'})
        self.numbers(found, pathlib.Path('out/deep'))

    def numbers(self, found, folder):
        """Tables and probabilities in a folder are those of the result, and its errors follow from them."""
        rows = [found.results.baseline, *found.arms]
        read = tables_lib.read(folder / 'tables.npz')
        self.assertEqual([*read.arms], [row.technique for row in rows])
        for row, table in zip(rows, read.arms.values(), strict=True):
            np.testing.assert_array_equal(table, found.tables.arms[row.technique])
            self.assertAlmostEqual(np.nanmean(table, dtype=np.float64) * 100, row.test_error.mean, places=3)
        np.testing.assert_array_equal(read.squeezed, found.tables.squeezed)
        np.testing.assert_equal(read.columns, found.tables.columns)
        with open(folder / 'oof.csv', newline='', encoding='utf-8') as file:
            head, *lines = csv.reader(file)
        names = [str(name) for name in found.material.classes]
        self.assertEqual(head, ['example', 'truth', 'arm', *[f'probability of {name}' for name in names]])
        self.assertEqual({line[2] for line in lines}, {*(row.technique for row in rows), 'squeezed'})
        for arm, wanted in found.probabilities.items():
            mine = [line for line in lines if line[2] == arm]
            self.assertEqual([int(line[0]) for line in mine], list(range(len(found.labels))))
            self.assertEqual([names.index(line[1]) for line in mine], found.labels.tolist())
            said = np.array([line[3:] for line in mine], float)
            np.testing.assert_allclose(said, wanted, atol=6e-5)
            np.testing.assert_allclose(said.sum(1), 1, atol=1e-3)

    def test_pictures_and_a_module_of_your_own_without_a_test_set(self):
        found, told = self.squeeze(PICTURES.x[..., 0].tolist(), PICTURES.y.tolist(), baseline=Net())
        self.assertEqual((told, list(self.folder.iterdir())), ('', []))
        self.assertEqual((found.results.data.kind, found.results.data.test), ('image', 60))
        self.assertEqual((found.results.data.train, found.results.test_mode), (48, 'cross-fitted'))
        # Every picture is tested on one of five labelled sets, the model is trained on all of them.
        self.assertEqual(found.results.labelled_sets, 5)
        np.testing.assert_array_equal(found.labels, PICTURES.y)
        for table in (*found.tables.arms.values(), found.tables.squeezed):
            np.testing.assert_array_equal(np.isfinite(table).sum(0), 1)
            np.testing.assert_array_equal(np.isfinite(table).sum(1), 12)
        best = found.results.best
        self.assertEqual((best.train, best.wrong), (60, None))
        self.assertBetween(best.test_error, best.low, best.high)
        # One net a labelled set: a mistake of the table is one of the probabilities.
        self.assertEqual(found.results.plan[0], 'folds a setting: 1 instead of 2')
        for row in (found.results.baseline, *found.arms):
            wrong = found.probabilities[row.technique].argmax(1) != PICTURES.y
            np.testing.assert_array_equal(np.nansum(found.tables.arms[row.technique], axis=0), wrong)
        self.assertStartsWith(found.results.baseline.recipe, 'Net')
        predicted = found.model.predict(PICTURES.x[:5, ..., 0])
        self.assertEqual((predicted.shape, predicted.dtype.kind), ((5,), 'i'))
        found.save('out')
        again = overfit.load('out/best', recipe=found.model.recipe)
        np.testing.assert_array_equal(again.predict(PICTURES.x), found.model.predict(PICTURES.x))
        self.numbers(found, pathlib.Path('out'))

    def test_groups_of_which_some_are_held_out(self):
        given = {'groups': GROUPS, 'test': 'holdout', 'labelled_sets': 3}
        splits = self.study(TRAIN.x, TRAIN.y, **given).splits
        found, _ = self.squeeze(TRAIN.x, TRAIN.y, **given)
        self.assertEqual(found.results.test_mode, 'holdout')
        data, columns = found.results.data, found.tables.columns
        self.assertEqual((data.train + data.test, data.test), (72, len(columns)))
        np.testing.assert_array_equal(columns, splits.test.groups)
        self.assertNoCommonElements(columns.tolist(), splits.train.groups.tolist())
        # Examples of a patient are all there: they come in threes.
        self.assertEqual(set(np.unique(columns, return_counts=True)[1]) - {3, 6}, set())
        self.assertFalse(np.isnan(found.tables.baseline).any())
        found.save('out')
        self.numbers(found, pathlib.Path('out'))

    def test_progress_is_shown_where_asked_for(self):
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            with mock.patch.object(door.study_lib, 'run') as run:
                run.side_effect = lambda study, shown: shown.say('a line') or mock.DEFAULT
                run.return_value = mock.Mock()
                for progress in (False, True):
                    overfit.squeeze(TRAIN.x, TRAIN.y, **QUICK, progress=progress)
        self.assertEqual(told.getvalue(), 'a line\n')


FILES = {'results.json', 'report.html', 'best', 'tables.npz', 'oof.csv'}


class ArgumentsTest(DoorTest):
    def test_what_is_given_reaches_the_study(self):
        study = self.study(
            TRAIN.x, TRAIN.y, train_size=30, validation=0.3, trials=4, labelled_sets=10, seed=9, name='mine'
        )
        plan, protocol = study.design.plan, study.design.plan.protocol
        self.assertEqual((protocol.train_size, protocol.validation, study.seed), (30, 0.3, 9))
        self.assertEqual((protocol.trials, plan.level.sets, len(study.design.places.measured)), (4, 10, 10))
        self.assertEqual(study.splits.name, 'mine')
        self.assertEqual((len(study.splits.train.y), len(study.splits.test)), (72, 72))
        self.assertEqual([arm.label for arm in study.design.arms], ['tuned baseline (SGD)', 'dropout'])

    def test_ways_to_test(self):
        for mode, train, test in (('cross-fitted', 72, 72), ('holdout', 50, 22)):
            splits = self.study(TRAIN.x, TRAIN.y, test=mode).splits
            self.assertEqual((splits.test_mode, len(splits.train.y), len(splits.test)), (mode, train, test))
        splits = self.study(TRAIN.x, TRAIN.y, x_test=TEST.x, y_test=TEST.y).splits
        self.assertEqual((splits.test_mode, len(splits.train.y), len(splits.test)), ('given', 72, 60))

    def test_groups_stay_together_in_cross_fitting(self):
        for study in (
            self.study(TRAIN.x, TRAIN.y, groups=GROUPS),
            self.study(TRAIN.x, TRAIN.y, groups=GROUPS, train_size=30),
        ):
            self.assertLen(set(study.splits.test.groups.tolist()), 20)
            for place in study.design.places.measured:
                one = study.design.sets[place]
                self.assertNoCommonElements(GROUPS[one.labelled].tolist(), GROUPS[one.tested].tolist())

    def test_groups_of_a_test_set(self):
        given = {'x_test': TEST.x, 'y_test': TEST.y, 'groups_test': np.arange(60) // 4}
        splits = self.study(TRAIN.x, TRAIN.y, groups=np.arange(72) // 4 + 100, **given).splits
        self.assertLen(set(splits.test.groups.tolist()), 15)
        self.assertNoCommonElements(splits.test.groups.tolist(), splits.train.groups.tolist())

    def test_without_a_baseline_it_is_the_plain_net(self):
        design = self.study(TRAIN.x, TRAIN.y).design
        self.assertEqual(design.baseline, baselines.baseline(baselines.mlp(3), kinds.vector))

    def test_a_baseline_is_a_module_a_recipe_or_a_baseline(self):
        module = self.study(TRAIN.x, TRAIN.y, baseline=Net()).design.baseline
        self.assertEqual(module.recipe.model, Net())
        self.assertIs(module.recipe.start, start.own)
        self.assertEqual(set(module.space), {'learning_rate'})
        recipe = problems.recipe(optimizer=optimizers.by_hyper(optimizers.adamw))
        given = self.study(TRAIN.x, TRAIN.y, baseline=recipe).design.baseline
        self.assertEqual(given.recipe, recipe)
        self.assertEqual(set(given.space), {'learning_rate'})
        mine = overfit.Baseline(recipe, {'learning_rate': overfit.Range(1e-3, 1e-2, 'log')}, 'mine')
        self.assertEqual(self.study(TRAIN.x, TRAIN.y, baseline=mine).design.baseline, mine)

    def test_a_kind_of_your_own_prepares_a_recipe_that_does_not_say_how(self):
        def halved(x, inputs):
            return x.astype('float32') / 2

        kind = kinds.Kind('halves', prepare=halved)
        for given in (problems.recipe(), Net(), None):
            study = self.study(TRAIN.x, TRAIN.y, kind=kind, baseline=given)
            self.assertIs(study.design.baseline.recipe.prepare, halved)
            self.assertEqual(study.splits.train.kind, kind)
        other = problems.recipe(prepare=kinds.standardise)
        with self.assertRaisesRegex(ValueError, 'prepares its inputs with standardise, but .* kind halves'):
            self.study(TRAIN.x, TRAIN.y, kind=kind, baseline=other)

    def test_image_size(self):
        x = np.random.default_rng(0).integers(0, 256, (60, 20, 16), dtype=np.uint8)
        study = self.study(x, np.arange(60) % 3, image_size=10)
        self.assertEqual(study.splits.train.x.shape[1:], (10, 8, 1))

    @parameterized.named_parameters(
        ('nan', {'x': np.full((72, 4), np.nan)}, 'x holds NaN'),
        ('lengths', {'y': TRAIN.y[:-1]}, 'one label for each input'),
        ('one class', {'y': np.zeros(72, int)}, 'class'),
        ('quantities', {'y': TRAIN.y + 0.5}, 'y'),
        ('axes', {'x': TRAIN.x[:, 0]}, 'x has shape (72,)'),
        ('ragged', {'x': [[1.0], [2.0, 3.0]]}, 'x is no array'),
        ('no y_test', {'x_test': TEST.x}, 'x_test is given without y_test'),
        ('no x_test', {'y_test': TEST.y}, 'y_test is given without x_test'),
        ('image size', {'image_size': 200}, 'image_size=200'),
        ('size of vectors', {'image_size': 20}, 'image_size=20 is for images'),
        ('validation', {'validation': 0.6}, 'validation=0.6'),
        ('train size', {'train_size': 5}, 'train_size=5'),
        ('minutes', {'minutes': 0}, 'minutes=0'),
        ('trials', {'trials': 0}, 'trials=0'),
        ('labelled sets', {'labelled_sets': 2}, 'labelled_sets=2 are too few'),
        ('half a labelled set', {'labelled_sets': 7.5}, 'labelled_sets=7.5 is no whole number'),
        ('no whole round', {'labelled_sets': 6}, 'labelled_sets=6 is no multiple of 5'),
        ('more than a fold leaves', {'train_size': 70}, 'train_size=70'),
        ('a way to test', {'test': 'once'}, 'test=once is no way to test'),
        ('nothing given', {'test': 'given'}, 'test=given needs a test set'),
        (
            'a test set to hold out',
            {'x_test': TEST.x, 'y_test': TEST.y, 'test': 'holdout'},
            'test=holdout is for data without a test set',
        ),
        ('groups', {'groups': GROUPS[1:]}, 'groups'),
        ('groups alone', {'groups_test': GROUPS}, 'groups_test is given without x_test'),
        ('a group a class', {'groups': TRAIN.y}, 'class 0 has 1 group'),
        ('words', {'techniques': ['dropout']}, 'techniques holds a str'),
        ('a taken label', {'techniques': [overfit.Technique('squeezed')]}, 'the label "squeezed" of another'),
        ('a word', {'techniques': 'dropout'}, 'techniques holds a str'),
        ('no technique', {'techniques': []}, 'techniques is empty'),
        ('images only', {'techniques': [overfit.techniques.flip]}, 'leave it out of techniques'),
        ('a word for a net', {'baseline': 'mlp'}, 'baseline is a str: give a linen module, an overfit.R'),
        ('a class', {'baseline': Net}, 'baseline is'),
        ('a bare module', {'baseline': Bare()}, 'model Bare returns'),
        ('classes', {'baseline': Net(classes=2)}, 'model Net gives 2 logits, but the examples have 3'),
    )
    def test_what_cannot_serve_is_refused_in_one_sentence(self, changes, words):
        arguments = {'x': TRAIN.x, 'y': TRAIN.y} | QUICK | changes
        with mock.patch.object(door.study_lib, 'run', side_effect=AssertionError('it runs')):
            with self.assertRaises(ValueError) as caught:
                overfit.squeeze(**arguments)
        text = str(caught.exception)
        self.assertIn(words, text)
        self.assertNotIn('--', text)
        self.assertNotIn('\n', text)
        self.assertEqual(list(self.folder.iterdir()), [])


class PackageTest(chex.TestCase):
    def test_names(self):
        self.assertEqual(sorted(dir(overfit)), sorted(overfit.__all__))
        for name in overfit.__all__:
            self.assertIsNotNone(getattr(overfit, name))
        self.assertIs(overfit.squeeze, door.squeeze)
        self.assertIs(overfit.Range, spaces.Range)
        self.assertEqual(overfit.techniques.__name__, 'overfit.study.techniques')
        self.assertEqual(overfit.Hyper.of(learning_rate=0.1).learning_rate, 0.1)

    def test_an_unknown_name(self):
        with self.assertRaisesRegex(
            AttributeError, "module overfit has no attribute 'squeze'; it has .*squeeze"
        ):
            overfit.squeze  # noqa: B018
        self.assertFalse(hasattr(overfit, 'np'))
