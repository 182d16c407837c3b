"""What is saved is what is loaded, in a process that knows nothing else."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import chex
import jax
import numpy as np
from absl.testing import parameterized

import overfit
from overfit import base, keys
from overfit.data import kinds, load
from overfit.nn import activations, concat, describe, first, models
from overfit.train import checkpoint, predict
from tests import problems

VECTORS, IMAGES = problems.blobs(20), problems.pictures(12)
MODELS = {
    'logistic regression': models.MLP(3, widths=()),
    'relu': models.MLP(3, widths=(5, 4)),
    'tanh': models.MLP(3, widths=(6,), activation=activations.tanh, batch_norm=True),
    'maxout': models.MLP(3, widths=(4,), activation=activations.maxout(3)),
    'sigmoid': models.CNN(3, channels=(2,), kernel=5, widths=(4,), activation=activations.sigmoid),
    'cnn': models.CNN(3, channels=(3, 2), widths=(), activation=activations.maxout(2), batch_norm=True),
    'cnn of its own size': models.CNN(3, widths=(4,)),
    'leaky relu': models.MLP(3, widths=(5,), activation=activations.leaky_relu),
    'gelu': models.CNN(3, channels=(2,), widths=(4,), activation=activations.gelu),
    'oriented gradients': models.MLP(3, widths=(4,), first=first.gradients),
    'harmonic filters': models.CNN(3, channels=(2,), widths=(4,), first=first.harmonic),
    'whitened patches': models.CNN(3, channels=(2,), widths=(4,), first=first.whitening),
    'towers': concat.Concat(
        3,
        (
            models.CNN(3, channels=(2,), widths=(4,), batch_norm=True),
            models.CNN(3, channels=(2,), widths=(4,), first=first.half),
        ),
    ),
}
ANEW = """
import pathlib, sys
import numpy as np
from overfit.train import checkpoint
for folder in map(pathlib.Path, sys.argv[1:]):
    model, x = checkpoint.load(folder), np.load(folder / 'x.npy')
    np.savez(folder / 'anew.npz', p=model.predict_proba(x), y=model.predict(x))
"""


def nets(model, examples, count=1):
    """Nets with every weight and running statistic random."""
    shapes = jax.eval_shape(lambda: model.init(keys.key(0), np.float32(examples.x[:1]), train=False))
    inputs, made = examples.kind.measure(examples.x), []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        variables = {
            part: jax.tree.map(
                lambda leaf, rng=rng, low=low: rng.uniform(low, 1.0, leaf.shape).astype('f'),
                shapes[part],
            )
            for part, low in (('params', -1.0), ('batch_stats', 0.1), ('fixed', -1.0))
            if part in shapes
        }
        made.append(predict.Net(variables, (), inputs))
    return made


def examples_for(model):
    dense = isinstance(model, models.MLP) and model.first is None
    return VECTORS if dense else IMAGES


def predictor(model, examples, count=1):
    recipe = problems.recipe(model=model)
    return checkpoint.Predictor.of(recipe, nets(model, examples, count), examples)


class CheckpointTest(chex.TestCase):
    def folder(self, name='best'):
        return pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / name

    def test_a_new_process_predicts_the_same_bit_for_bit(self):
        folders, wanted = [], []
        for name, count in (('maxout', 3), ('cnn', 1)):
            model = MODELS[name]
            examples, path = examples_for(model), self.folder(name)
            made = predictor(model, examples, count)
            made.save(path)
            np.save(path / 'x.npy', examples.x)
            wanted.append(np.exp(predict.predict(made.recipe, made.nets, examples.x)).mean(0))
            folders.append(path)
        root = str(pathlib.Path(overfit.__file__).parents[1])
        subprocess.run(
            [sys.executable, '-c', ANEW, *map(str, folders)],
            env=os.environ | {'PYTHONPATH': root},  # on one device, where here are two
            check=True,
        )
        for path, p, labels in zip(folders, wanted, ('abc', '012'), strict=True):
            anew = np.load(path / 'anew.npz')
            np.testing.assert_array_equal(anew['p'], p)
            np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)
            self.assertGreater(p.std(axis=0).max(), 0.02)
            self.assertEqual([str(y) for y in anew['y']], [labels[n] for n in p.argmax(-1)])

    @parameterized.named_parameters(*MODELS.items())
    def test_every_field_of_a_model_comes_back(self, model):
        examples, path = examples_for(model), self.folder()
        made = predictor(model, examples, 2)
        made.save(path)
        loaded = checkpoint.load(path)
        for field in dataclasses.fields(model):
            if field.name not in ('parent', 'name'):
                back = getattr(loaded.recipe.model, field.name)
                self.assertEqual(back, getattr(model, field.name), field.name)
        for old, new in zip(made.nets, loaded.nets, strict=True):
            chex.assert_trees_all_equal(new.variables, old.variables)
            chex.assert_trees_all_equal(new.inputs, old.inputs)
        self.assertEqual((loaded.classes, loaded.kind), (examples.classes, examples.kind))
        self.assertEqual((loaded.shape, loaded.dtype), (examples.x.shape[1:], examples.x.dtype.name))
        self.assertEqual(repr(loaded), repr(made))

    def test_every_known_activation_has_its_name(self):
        known = {v.name: v for v in vars(activations).values() if isinstance(v, base.Activation)}
        self.assertEqual(describe.ACTIVATIONS, known)

    def test_labels_are_what_they_were(self):
        for names, label_type, wanted in (
            (('0', '1', '10'), 'int', [0, 1, 10]),
            (('-1', '2', '7'), 'int', [-1, 2, 7]),
            (('1', '2', '7'), 'str', ['1', '2', '7']),
            (('1', '2', 'cat'), 'str', ['1', '2', 'cat']),
            (('False', 'True'), 'bool', [False, True]),
            (('False', 'True'), 'str', ['False', 'True']),
        ):
            made = checkpoint.Predictor(None, [], names, kinds.vector, (4,), label_type=label_type)
            self.assertEqual(made.labels.tolist(), wanted)

    @parameterized.parameters('b', 'i', 'U')
    def test_a_loaded_model_gives_the_labels_of_training(self, kind):
        y = {'b': np.arange(60) % 2 == 1, 'i': np.arange(60) % 2 + 7, 'U': np.array(['no', 'yes'] * 30)}[kind]
        x = np.random.default_rng(0).normal(size=(60, 3))
        path, data = self.folder(), load.from_arrays(x, y)
        predictor(models.MLP(2, widths=()), data.train).save(path)
        loaded = checkpoint.load(path)
        found = loaded.predict(x)
        self.assertEqual(found.dtype.kind, kind)
        self.assertEqual(set(found.tolist()), set(y.tolist()))
        np.testing.assert_array_equal(found, np.unique(y)[loaded.predict_proba(x).argmax(-1)])

    def test_a_later_save_replaces_an_earlier_one(self):
        path = self.folder()
        predictor(MODELS['cnn'], IMAGES, 3).save(path)
        second = predictor(MODELS['tanh'], VECTORS, 1)
        second.save(str(path), {'recipe': 'a'})
        loaded = checkpoint.load(str(path))
        found = loaded.recipe.model, len(loaded.nets), loaded.kind
        self.assertEqual(found, (MODELS['tanh'], 1, kinds.vector))
        chex.assert_trees_all_equal(loaded.nets[0].variables, second.nets[0].variables)
        self.assertEqual(json.loads((path / 'config.json').read_text())['about'], {'recipe': 'a'})

    def test_inputs_as_people_have_them(self):
        loaded = predictor(MODELS['sigmoid'], IMAGES)._replace(classes=('a', 'b', 'c'))
        wanted = loaded.predict_proba(IMAGES.x)
        np.testing.assert_array_equal(loaded.predict_proba(IMAGES.x[..., 0]), wanted)
        np.testing.assert_array_equal(loaded.predict_proba(IMAGES.x.astype(float)), wanted)
        np.testing.assert_array_equal(loaded.predict_proba(IMAGES.x.tolist()), wanted)
        self.assertEqual(
            loaded.predict(IMAGES.x[:5]).tolist(), [('a', 'b', 'c')[n] for n in wanted[:5].argmax(-1)]
        )

    def test_a_model_of_a_table_reads_another(self):
        rows = [
            {
                'a': f'{i / 4}'.replace('.', ','),
                'colour': ('red', 'dark; blue', '')[i % 3],
                'b': '' if i % 4 else f'{i * i % 7}',
                'kind': 'xyz'[i % 3],
            }
            for i in range(60)
        ]

        def written(name, names, rows):
            path = self.folder(name)
            lines = [';'.join(names)] + [';'.join(f'"{row[n]}"' for n in names) for row in rows]
            path.write_text('\n'.join(lines), 'utf-8')
            return path

        data = load.load(str(written('own.csv', ['a', 'colour', 'b', 'kind'], rows)), label='kind')
        held = [rows[int(4 * x[0])] for x in data.test.x]
        path, model = self.folder(), models.MLP(3, widths=(5,))
        predictor(model, data.train).save(path)
        loaded = checkpoint.load(path)
        self.assertEqual(loaded.reading, json.loads(json.dumps(dict(data.train.reading))))
        wanted = loaded.predict_proba(data.test.x)
        self.assertGreater(wanted.std(axis=0).max(), 0.02)
        bare = written('bare.csv', ['b', 'a', 'colour'], held)
        more = written('more.csv', ['kind', 'colour', 'note', 'b', 'a'], [r | {'note': '?'} for r in held])
        np.testing.assert_array_equal(loaded.predict_proba(str(bare)), wanted)
        np.testing.assert_array_equal(loaded.predict_proba(more), wanted)
        self.assertEqual(loaded.predict(bare).tolist(), [('x', 'y', 'z')[n] for n in wanted.argmax(-1)])
        with self.assertRaisesRegex(ValueError, 'less.csv has no column "a", "colour"'):
            loaded.predict(written('less.csv', ['b', 'kind'], held))

    @parameterized.named_parameters(
        (
            'other images',
            'image',
            np.zeros((2, 5, 6, 1)),
            r'shape \[N, 6, 6, 1\]; got float\d+ of shape \[2, 5, 6, 1\]',
        ),
        ('one image', 'image', np.zeros((6, 6)), r'shape \[N, 6, 6, 1\]; got float64 of shape \[6, 6\]'),
        ('other features', 'vector', np.zeros((2, 3)), r'shape \[N, 4\]; got float64 of shape \[2, 3\]'),
        ('one vector', 'vector', np.zeros(4), r'shape \[N, 4\]; got float64 of shape \[4\]'),
        ('a number', 'vector', 1.0, r'shape \[N, 4\]; got float64 of shape \[\]'),
        ('a path', 'vector', 'new.csv', r'not made from a table, so it cannot read new.csv: .*\[N, 4\]'),
        ('text', 'vector', np.array([['a'] * 4]), r'takes numbers of shape \[N, 4\]; got text'),
        ('nan', 'vector', np.float32([[0, 1, np.nan, 2]]), 'NaN or infinite values: remove or replace'),
        ('infinity', 'vector', np.float32([[0, 1, -np.inf, 2]]), 'NaN or infinite values: remove or replace'),
    )
    def test_wrong_inputs(self, kind, x, message):
        model, examples = (MODELS['cnn'], IMAGES) if kind == 'image' else (MODELS['relu'], VECTORS)
        loaded = predictor(model, examples)
        with self.assertRaisesRegex(ValueError, message):
            loaded.predict(x)

    def test_a_path_without_a_model(self):
        with self.assertRaisesRegex(ValueError, 'holds no saved model: pass the folder "best"'):
            checkpoint.load(self.folder().parent)
        with self.assertRaisesRegex(ValueError, 'no_such_folder holds no saved model'):
            checkpoint.load('no_such_folder')
