"""The command: what it says to wrong input, what it plans, and one run from data to a model."""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from unittest import mock

import chex
import jax
import numpy as np
from absl import app
from absl.testing import flagsaver, parameterized

import overfit
from experiments import squeeze
from tests import problems

ROOT = pathlib.Path(squeeze.__file__).parents[1]
QUICK = ('--techniques=dropout,l2', '--budget_minutes=0.1')
WRONG = {
    'an unknown name': (['--data=digtis'], ['--data=digtis', 'digits']),
    'a missing file': (['--data=lost.npz'], ['lost.npz', 'no such file']),
    'no labels': (['--data=unlabelled.npz'], ['unlabelled.npz', 'no labels']),
    'labels that are quantities': (
        ['--data=quantity.npz'],
        ['quantity.npz', '0.5', 'whole numbers or names'],
    ),
    'one class': (['--data=one_class.npz'], ['one_class.npz', 'only one class']),
    'nan': (['--data=nan.npz'], ['nan.npz', 'NaN', 'example 7']),
    'images of different sizes': (['--data=sizes'], ['one size', '5×5', '6×5', 'second.png']),
    'not data': (['--data=words.txt'], ['words.txt', '.npz']),
    'a class smaller than the folds': (
        ['--data=rare.npz', '--budget_minutes=60', '--techniques=l2'],
        ['2 examples, fewer than the 5 folds'],
    ),
    'more than there is': (['--data=good.npz', '--train_size=91'], ['--train_size=91', '90']),
    'less than two a class': (['--data=good.npz', '--train_size=5'], ['--train_size=5', '6']),
    'no examples': (['--data=good.npz', '--train_size=0'], ['--train_size=0']),
    'an unknown technique': (
        ['--data=good.npz', '--techniques=l2,dropuot'],
        ['--techniques=dropuot', 'dropout'],
    ),
    'a technique for images': (['--data=good.npz', '--techniques=flip'], ['--techniques=flip', 'dropout']),
    'validation of nearly all': (
        ['--data=good.npz', '--validation=0.9', *QUICK],
        ['--validation=0.9', '0.3'],
    ),
    'validation that is no number': (['--validation=much'], ['--validation=much']),
    'no trials': (['--trials=0'], ['--trials=0']),
    'two replicates': (['--seeds=2'], ['--seeds=2']),
    'no technique': (['--data=good.npz', '--techniques='], ['--techniques', 'dropout']),
    'no time': (['--budget_minutes=0'], ['--budget_minutes=0']),
    'an unknown model': (['--model=rnn'], ['--model=rnn', 'mlp', 'cnn']),
    'a model for images': (['--data=good.npz', '--model=cnn'], ['--model=cnn', 'image']),
    'a negative seed': (['--seed=-1'], ['--seed=-1']),
    'an unknown flag': (['--epochs=3'], ['epochs']),
    'a word without a flag': (['digits'], ["'digits'", '--data=digits']),
    'a label column that is not there': (
        ['--data=table.csv', '--label=species'],
        ['table.csv', 'species', 'kind'],
    ),
    'a folder that cannot be': (
        ['--data=good.npz', '--workdir=words.txt/runs', *QUICK],
        ['--workdir=words.txt/runs'],
    ),
}


def write(folder):
    """Data, good and bad, into a folder."""
    from PIL import Image

    train, test = problems.blobs(90, spread=1.0), problems.blobs(60, spread=1.0, seed=9)
    names = np.array(['ape', 'bee', 'cat'])
    arrays = {'x_train': train.x, 'y_train': names[train.y], 'x_test': test.x, 'y_test': names[test.y]}
    np.savez(folder / 'good.npz', **arrays)
    rows = np.flatnonzero(train.y < 2).tolist() + [2, 5]
    np.savez(folder / 'rare.npz', **arrays | {'x_train': train.x[rows], 'y_train': names[train.y][rows]})
    np.savez(folder / 'unlabelled.npz', x=train.x)
    np.savez(folder / 'quantity.npz', x=train.x, y=train.y + 0.5)
    np.savez(folder / 'one_class.npz', x=train.x, y=np.ones(90, int))
    hole = train.x.copy()
    hole[7, 2] = np.nan
    np.savez(folder / 'nan.npz', x=hole, y=train.y)
    (folder / 'words.txt').write_text('nothing\n')
    (folder / 'table.csv').write_text('length,width,kind\n1,2,a\n3,4,b\n')
    for name, width in (('first', 5), ('second', 6)):
        (folder / 'sizes' / name).mkdir(parents=True)
        Image.fromarray(np.zeros((5, width), np.uint8)).save(folder / 'sizes' / name / f'{name}.png')


def run(*flags):
    """Runs the binary in this process: (exit code, what it printed, what it complained)."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    # This process has its devices already, and keeps no programs.
    here = mock.patch.dict(os.environ, {'XLA_FLAGS': '--xla_force_host_platform_device_count=2'})
    alone = mock.patch.object(squeeze, 'keep_programs')
    with here, alone, flagsaver.flagsaver(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app.run(squeeze.main, argv=['squeeze', *flags])
        except SystemExit as end:
            code = end.code or 0
    return code, out.getvalue(), err.getvalue()


class KeepProgramsTest(chex.TestCase):
    def test_in_the_users_cache_folder_unless_told_otherwise(self):
        cases = (
            ({'XDG_CACHE_HOME': '/cache'}, None, '/cache/overfit'),
            ({'HOME': '/home/her'}, None, '/home/her/.cache/overfit'),
            ({'HOME': '/home/her'}, '/elsewhere', '/elsewhere'),
        )
        for environment, given, wanted in cases:
            before = jax.config.jax_compilation_cache_dir
            jax.config.update('jax_compilation_cache_dir', given)
            try:
                with mock.patch.dict(os.environ, environment, clear=True):
                    squeeze.keep_programs()
                self.assertEqual(jax.config.jax_compilation_cache_dir, wanted)
            finally:
                jax.config.update('jax_compilation_cache_dir', before)


class SqueezeTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        write(cls.folder)
        cls.enterClassContext(contextlib.chdir(cls.folder))

    @parameterized.named_parameters(*[(name, *case) for name, case in WRONG.items()])
    def test_wrong_input_is_answered_in_a_sentence(self, flags, words):
        before = sorted(self.folder.rglob('*'))
        code, _, said = run(*flags)
        self.assertIn(code, (1, 2))
        lines = [line for line in said.splitlines() if line.strip()]
        self.assertBetween(len(lines), 1, 2, said)
        self.assertNotIn('Traceback', said)
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(sorted(self.folder.rglob('*')), before)

    def test_a_dry_run_plans_and_writes_nothing(self):
        before = sorted(self.folder.rglob('*'))
        code, said, complained = run('--data=good.npz', '--dry_run', '--seeds=4', '--trials=3', *QUICK)
        self.assertEqual((code, complained), (0, ''))
        for pattern in (
            'vectors of 4 float32 · 3 classes',
            'ape: 30',
            r'3 arms × 3 trials × \d+ folds',
            '4 fresh replicates',
            r'\d+ nets, .* \d+ programs?; about [\d.]+ min and [\d.]+ GiB',
        ):
            self.assertRegex(said, pattern)
        self.assertEqual(sorted(self.folder.rglob('*')), before)

    def test_an_interrupt_is_told_and_leaves_what_was_measured(self):
        def measured_and_interrupted(study, workdir, about, progress):
            (workdir / 'partial.json').write_text('{}')
            raise KeyboardInterrupt

        from overfit.study import squeeze as study_lib

        with mock.patch.object(study_lib, 'run', measured_and_interrupted):
            code, _, said = run('--data=good.npz', '--workdir=stopped', *QUICK)
        self.assertEqual(code, 130)
        self.assertIn('interrupted', said)
        self.assertIn(str(pathlib.Path('stopped') / 'partial.json'), said)

    def test_a_class_is_called_by_its_name(self):
        _, _, said = run('--data=rare.npz', '--budget_minutes=60', '--techniques=l2')
        self.assertIn('class cat', said)


class ProcessTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        write(self.folder)

    def squeeze(self, *flags):
        return subprocess.run(
            [sys.executable, '-m', 'experiments.squeeze', *flags],
            cwd=self.folder,
            env=os.environ | {'PYTHONPATH': str(ROOT)},
            capture_output=True,
            text=True,
        )

    def test_wrong_input(self):
        found = self.squeeze('--data=nan.npz')
        self.assertEqual((found.returncode, found.stdout), (1, ''))
        self.assertRegex(found.stderr, r'^squeeze: nan\.npz: x holds NaN .*\n$')

    def test_from_data_to_a_model(self):
        found = self.squeeze('--data=good.npz', '--trials=2', '--seeds=3', '--train_size=60', *QUICK)
        self.assertEqual(found.returncode, 0, found.stderr)
        (workdir,) = (self.folder / 'runs').iterdir()
        self.assertRegex(workdir.name, r'^good-\d{4}-\d\d-\d\d')
        self.assertEqual({path.name for path in workdir.iterdir()}, {'results.json', 'report.html', 'best'})
        results = json.loads((workdir / 'results.json').read_text())
        self.assertStartsWith(results['command'], 'python -m experiments.squeeze --data=good.npz --trials=2')
        self.assertEqual(results['data']['train'], 60)
        self.assertEqual([arm['technique'] for arm in results['arms']], ['dropout', 'L2 penalty'])
        for shown in ('tuned baseline', '+ dropout', '+ L2 penalty', 'squeezed', 'for reference', 'verdict'):
            self.assertIn(shown, found.stdout)
        for phase in ('tuning', 'measuring', 'left'):
            self.assertIn(phase, found.stderr)
        self.assertNotIn('Traceback', found.stderr)
        with np.load(self.folder / 'good.npz') as data:
            wrong = overfit.load(workdir / 'best').predict(data['x_test']) != data['y_test']
        self.assertEqual(results['best']['test_error'], float(f'{100 * wrong.mean():.6g}'))
        used = re.search(r"overfit\.load\('(.+)'\)", found.stdout)
        self.assertTrue((self.folder / used.group(1)).is_dir())
