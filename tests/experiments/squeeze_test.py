"""The command: what it plans, what an early end leaves, and runs from data to a model."""

import ast
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
from absl import flags
from absl.testing import parameterized

import overfit
from experiments import shared_flags, squeeze
from overfit.report import page
from overfit.study import decide, tables, techniques
from overfit.study import results as results_lib
from overfit.study import squeeze as study_lib
from overfit.study.results import Best
from tests.experiments import binary
from tests.report import made_up

ORDER = ('results.json', 'best', 'tables.npz', 'oof.csv', 'report.html')  # in which files are written
BEST = Best(None, 2.5, members=3, wrong=20, low=1.6, high=3.8, train=200)


class Model:
    """Stands for a model that can be saved."""

    def save(self, path, about):
        path.mkdir()


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


class WordsTest(parameterized.TestCase):
    def test_there_is_a_word_for_every_technique(self):
        self.assertCountEqual(squeeze.words().values(), techniques.ALL)
        self.assertEqual(techniques.ALL[: len(techniques.STANDARD)], techniques.STANDARD)

    def test_words_are_the_names_of_the_values(self):
        for word, technique in squeeze.words().items():
            if word == 'ensemble':
                self.assertEqual(technique, techniques.ensemble(5))
            else:
                self.assertEqual(technique, getattr(techniques, word))

    @parameterized.parameters(
        ('train_size=5 does not fit this data', '--train_size=5 does not fit this data'),
        (
            'give validation=0.3 (3 folds), or use a larger train_size',
            'give --validation=0.3 (3 folds), or use a larger --train_size',
        ),
        ('data=a.txt is a .txt file', '--data=a.txt is a .txt file'),
        (
            'say which column with label=column; it has label',
            'say which column with --label=column; it has label',
        ),
        ('image_size=200 is out of range', '--image_size=200 is out of range'),
        (
            '(the size for 90 images; image_size=64 shows more)',
            '(the size for 90 images; --image_size=64 shows more)',
        ),
        (
            'techniques= is empty; leave it out of techniques',
            '--techniques= is empty; leave it out of techniques',
        ),
        ('model=cnn needs images: use model=mlp', '--model=cnn needs images: use --model=mlp'),
        ('trials=0 tries nothing', '--trials=0 tries nothing'),
        ('labelled_sets=7 is no multiple of 5', '--labelled_sets=7 is no multiple of 5'),
        ('group=folder for x/, leave test out', '--group=folder for x/, leave test out'),
        ('test=given needs a test set', '--test=given needs a test set'),
        ('minutes=0 leaves no time', '--budget_minutes=0 leaves no time'),
        ('--train_size=5 stays', '--train_size=5 stays'),
        ('data=my_data=x.csv and train_size.npz.label=', '--data=my_data=x.csv and --train_size.npz.label='),
    )
    def test_arguments_become_flags(self, message, wanted):
        self.assertEqual(shared_flags.as_flags(message), wanted)

    def test_every_argument_that_the_library_names_is_translated(self):
        """Names before `=` in the errors of what the binary calls, found in their source."""
        named = set()
        files = [
            *(binary.ROOT / 'overfit' / 'data').rglob('*.py'),
            binary.ROOT / 'overfit' / 'study' / 'requests.py',
        ]
        for path in files:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Raise):
                    named |= {
                        name
                        for text in ast.walk(node)
                        if isinstance(text, ast.Constant) and isinstance(text.value, str)
                        for name in re.findall(r'(?<!\w)([a-z_]+)=', text.value)
                    }
        self.assertContainsSubset(
            {'train_size', 'data', 'label', 'image_size', 'validation', 'group', 'test', 'labelled_sets'},
            named,
        )
        code = {'x', 'y', 'dtype'}  # of calls of NumPy that a message shows
        code |= {'batch_size'}  # of a sampler, which no flag chooses
        code |= {'repeats'}  # of `outer_folds`, which no request brings below 1
        self.assertEqual(named - set(shared_flags.FLAGS_OF) - code, set())
        for flag in shared_flags.FLAGS_OF.values():
            self.assertIn(flag, flags.FLAGS)


class SqueezeTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        binary.write(cls.folder)
        cls.enterClassContext(contextlib.chdir(cls.folder))

    def test_a_dry_run_plans_and_writes_nothing(self):
        before = sorted(self.folder.rglob('*'))
        code, told, complained = binary.run(
            '--data=good.npz', '--dry_run', '--labelled_sets=4', '--trials=3', *binary.QUICK
        )
        self.assertEqual((code, complained), (0, ''))
        for pattern in (
            'examples of 4 float32 · 3 classes',
            'ape: 30',
            r'3 arms, each tuned anew on each of 4 labelled sets of 90: 3 settings × \d+ folds?, \d+ steps',
            r'\d+ nets, .* \d+ programs?; about [\d.]+ min and [\d.]+ GiB',
            r'differences of about [\d.]+ points and more can be found',
        ):
            self.assertRegex(told, pattern)
        self.assertEqual(sorted(self.folder.rglob('*')), before)

    @parameterized.named_parameters(
        ('cross-fitted', (), ('90 examples, cross-fitted', 'each of 5 labelled sets of 72')),
        ('which is the default', ('--test=cross-fitted',), ('90 examples, cross-fitted',)),
        ('twice', ('--labelled_sets=10',), ('each of 10 labelled sets of 72',)),
        (
            'held out',
            ('--test=holdout', '--labelled_sets=3'),
            ('labelled 63 · test 27', '3 labelled sets of 63'),
        ),
        ('groups', ('--group=patient',), ('groups: 20, of 3 to 6 examples', 'each of 5 labelled sets of')),
        (
            'groups held out',
            ('--group=patient', '--test=holdout'),
            ('held out 30 %, stratified, groups whole', r'groups: 20, of 3 to 6|groups \(.*\): \d+ \+ \d+'),
        ),
    )
    def test_a_dry_run_without_a_test_set(self, flags, patterns):
        code, told, complained = binary.run('--data=alone.npz', '--dry_run', *flags, *binary.QUICK)
        self.assertEqual((code, complained), (0, ''))
        for pattern in patterns:
            self.assertRegex(told, pattern)

    def test_an_interrupt_is_told_and_leaves_what_was_measured(self):
        """During the references: the arms, the squeezed row and the model's error are in the file."""
        partial = made_up.results()._replace(references=None, best=BEST)

        def measured_and_interrupted(study, progress, *, about, keep):
            keep(made_up.partial())
            keep(partial)
            raise KeyboardInterrupt

        with mock.patch.object(study_lib, 'run', measured_and_interrupted):
            code, _, told = binary.run('--data=good.npz', '--workdir=stopped', *binary.QUICK)
        self.assertEqual(code, 130)
        kept = pathlib.Path('stopped') / 'partial.json'
        self.assertEqual(
            told.splitlines()[-1], f'squeeze: interrupted; the arms measured so far are in {kept}'
        )
        self.assertEqual([path.name for path in kept.parent.iterdir()], ['partial.json'])
        found = results_lib.read(kept)
        self.assertEqual(results_lib.as_json(found), results_lib.as_json(partial))
        self.assertEqual((found.best.wrong, found.references), (20, None))

    def test_an_interrupt_while_techniques_are_combined(self):
        """A study that runs: what the file holds is what is printed of it, and nothing comes after it."""
        workdir = pathlib.Path('combining')
        with mock.patch.object(decide, 'combine', side_effect=KeyboardInterrupt):
            code, out, told = binary.run(
                '--data=good.npz', f'--workdir={workdir}', '--trials=2', '--labelled_sets=3', *binary.QUICK
            )
        self.assertEqual(code, 130)
        self.assertEndsWith(told, f'the arms measured so far are in {workdir / "partial.json"}\n')
        self.assertEqual([path.name for path in workdir.iterdir()], ['partial.json'])
        found = results_lib.read(workdir / 'partial.json')
        self.assertEqual([row.technique for row in found.arms], ['dropout', 'L2 penalty'])
        self.assertEqual((found.labelled_sets, found.test_mode, found.data.train), (3, 'given', 90))
        self.assertEqual((found.squeezed, found.best, found.references), (None, None, None))
        self.assertIn('validation error', out + told)

    def test_an_interrupt_before_anything_is_measured(self):
        with mock.patch.object(study_lib, 'run', side_effect=KeyboardInterrupt):
            code, _, told = binary.run('--data=good.npz', '--workdir=soon', *binary.QUICK)
        self.assertEqual(code, 130)
        self.assertIn('squeeze: interrupted; nothing was measured yet', told)
        self.assertEqual(list(pathlib.Path('soon').iterdir()), [])

    def test_what_fails_late_costs_no_table(self):
        results, y = made_up.results()._replace(best=BEST), np.arange(3)
        study = mock.Mock(
            **{
                'design.plan.seconds': {'tuning': 1.0},
                'design.plan.compiling': {},
                'splits.test.reveal.return_value': y,
                'splits.train.classes': ('a', 'b', 'c'),
            }
        )
        table = np.zeros((3, 3), np.float32)
        measured = tables.Tables({'baseline': table}, {}, {}, {}, table, {}, 30, None)
        for number, (target, name) in enumerate(
            ((page, 'write_json'), (Model, 'save'), (tables, 'write'), (page, 'write_html'))
        ):
            workdir, told = pathlib.Path(f'late{number}'), io.StringIO()
            workdir.mkdir()
            found = study_lib.Found(results, made_up.material(), Model(), measured, {'baseline': np.eye(3)})
            with (
                mock.patch.object(study_lib, 'run', return_value=found),
                mock.patch.object(target, name, side_effect=OSError('the disk is full')),
                contextlib.redirect_stdout(told),
                self.assertRaisesRegex(OSError, 'the disk is full'),
            ):
                squeeze.run(study, workdir, workdir / 'partial.json')
            for row in results.arms:
                self.assertIn(row.technique[:16], told.getvalue())
            self.assertIn('best model: best', told.getvalue())
            written = {path.name for path in workdir.iterdir()}
            self.assertEqual(written, set(ORDER[: (0, 1, 2, 4)[number]]))


class ProcessTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        binary.write(self.folder)

    def squeeze(self, *flags):
        return subprocess.run(
            [sys.executable, '-m', 'experiments.squeeze', *flags],
            cwd=self.folder,
            env=os.environ | {'PYTHONPATH': str(binary.ROOT)},
            capture_output=True,
            text=True,
        )

    def test_wrong_input(self):
        found = self.squeeze('--data=nan.npz')
        self.assertEqual((found.returncode, found.stdout), (1, ''))
        self.assertRegex(found.stderr, r'^squeeze: nan\.npz: x holds NaN .*\n$')

    def test_from_data_to_a_model(self):
        found = self.squeeze(
            '--data=good.npz', '--trials=2', '--labelled_sets=3', '--train_size=60', *binary.QUICK
        )
        self.assertEqual(found.returncode, 0, found.stderr)
        (workdir,) = (self.folder / 'runs').iterdir()
        self.assertRegex(workdir.name, r'^good-\d{4}-\d\d-\d\d')
        self.assertEqual({path.name for path in workdir.iterdir()}, set(ORDER))
        results = json.loads((workdir / 'results.json').read_text())
        self.assertStartsWith(results['command'], 'python -m experiments.squeeze --data=good.npz --trials=2')
        self.assertEqual(results['data']['train'], 60)
        self.assertEqual([arm['technique'] for arm in results['arms']], ['dropout', 'L2 penalty'])
        for shown in ('tuned baseline', '+ dropout', '+ L2 penalty', 'squeezed', 'references', 'verdict'):
            self.assertIn(shown, found.stdout)
        for phase in ('tuning', 'checking', 'combining', 'left'):
            self.assertIn(phase, found.stderr)
        self.assertNotIn('Traceback', found.stderr)
        with np.load(self.folder / 'good.npz') as data:
            wrong = overfit.load(workdir / 'best').predict(data['x_test']) != data['y_test']
        self.assertEqual(results['best']['test_error'], float(f'{100 * wrong.mean():.6g}'))
        used = re.search(r"overfit\.load\('(.+)'\)", found.stdout)
        self.assertTrue((self.folder / used.group(1)).is_dir())

    def test_patients_without_a_test_set(self):
        found = self.squeeze(
            '--data=alone.npz',
            '--group=patient',
            '--trials=2',
            '--techniques=dropout',
            '--budget_minutes=0.1',
        )
        self.assertEqual(found.returncode, 0, found.stderr)
        (workdir,) = (self.folder / 'runs').iterdir()
        results = results_lib.read(workdir / 'results.json')
        self.assertEqual(
            (results.test_mode, results.labelled_sets, results.data.test), ('cross-fitted', 5, 90)
        )
        self.assertEqual((results.best.train, results.best.wrong), (90, None))
        measured = tables.read(workdir / 'tables.npz')
        self.assertLen(set(measured.columns.tolist()), 20)
        # A patient is tested as a whole, on one labelled set.
        tested = np.isfinite(measured.baseline)
        for patient in set(measured.columns.tolist()):
            self.assertLen(set(map(tuple, tested[:, measured.columns == patient].T.tolist())), 1)
        np.testing.assert_array_equal(tested.sum(0), 1)
        self.assertLen((workdir / 'oof.csv').read_text().splitlines(), 1 + 3 * 90)
        with np.load(self.folder / 'alone.npz') as data:
            wrong = overfit.load(workdir / 'best').predict(data['x']) != data['y']
        self.assertLess(wrong.mean(), 0.4)
