"""The hand-written comparison: on the subsets that a study trains on, and what it writes."""

import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
from absl import flags
from absl.testing import absltest, flagsaver, parameterized
from scipy import ndimage

from experiments import benchmark, provenance, shared_flags
from experiments.speed import against, handwritten
from overfit import base
from overfit.data import kinds, splits
from overfit.report import page
from overfit.study import references, requests, results, search, tables
from overfit.study.course import Course
from overfit.train.engine import population
from tests.report import made_up

ROOT = pathlib.Path(__file__).parents[2]
TORCH = importlib.util.find_spec('torch')
SKIP = 'PyTorch is not installed: pip install -e ".[bench]"'

WITHOUT_TORCH = """
import runpy, sys
class Hide:
    def find_spec(name, path=None, target=None):
        if name == 'torch':
            raise ImportError(name)
sys.meta_path.insert(0, Hide)
sys.argv = ['benchmark', '--workload=by_hand', '--train_size=100']
runpy.run_module('experiments.benchmark', run_name='__main__')
"""


class Stop(Exception):
    pass


def _images(n, seed):
    """Three classes: a bright bar on the left, in the middle or on the right of 8×9 grey pixels."""
    rng = np.random.default_rng(seed)
    y = (np.arange(n) % 3).astype(np.int32)
    x = rng.integers(0, 40, (n, 8, 9, 1))
    for label in range(3):
        x[y == label, 1:7, 3 * label : 3 * label + 2] += 200
    return x.astype(np.uint8), y


def _study(seed=3, cross_fitted=False):
    x, y = _images(90, 0)
    train = base.Examples(x, y, ('left', 'middle', 'right'), kinds.image)
    data = splits.Splits(train, splits.Holdout(*_images(30, 1)), 'bars', 'given', (), 'abc')
    if cross_fitted:
        data = data._replace(test=splits.Holdout(x, y), test_mode='cross-fitted')
    request = requests.Request(train_size=24, labelled_sets=5 if cross_fitted else 3, seed=seed)
    return requests.prepare(data, request)


def _as_set(examples):
    return sorted(x.tobytes() + bytes([y]) for x, y in zip(examples.x, examples.y, strict=True))


class Recorder:
    """A contestant that remembers what it was shown and always says class 0."""

    def __init__(self):
        self.shown, self.seeds = [], []

    def __call__(self, labelled, x_test, seed):
        self.shown.append(labelled)
        self.seeds.append(seed)
        return np.zeros(len(x_test), np.int64)


class MeasureTest(parameterized.TestCase):
    @parameterized.parameters(False, True)
    def test_same_labelled_sets_as_the_study(self, cross_fitted):
        study, recorder, members = _study(cross_fitted=cross_fitted), Recorder(), []
        handwritten.measure(study, {'recorder': recorder})

        def record(given, *_, **__):
            members.extend(given)
            raise Stop

        design, pool = study.design, study.splits.train
        course = Course(pool, design.sets, design.plan.protocol, study.splits.test.x)
        with mock.patch.object(population, 'train', record), self.assertRaises(Stop):
            search.search(course, design.arms[:1], design.places.measured)
        used = [np.concatenate([m.train, m.validation]) for m in members]
        trained = [_as_set(pool._replace(x=pool.x[rows], y=pool.y[rows])) for rows in used]
        shown = [_as_set(labelled) for labelled in recorder.shown]
        self.assertEqual([len(one) for one in shown], [24] * len(design.places.measured))
        self.assertCountEqual(set(map(tuple, shown)), set(map(tuple, trained)))
        self.assertLen(set(recorder.seeds), len(design.places.measured))

    def test_rows(self):
        rows = handwritten.measure(_study(), {'zero': Recorder(), 'SVM': handwritten.svm})
        self.assertEqual(
            [(r.workload, r.column, r.wrong.shape) for r in rows],
            [('bars at 24', 'zero', (3, 30)), ('bars at 24', 'SVM', (3, 30))],
        )
        np.testing.assert_allclose(rows[0].test_error, [100 * 20 / 30] * 3)
        np.testing.assert_allclose(rows[1].test_error, 0)
        written = json.loads(json.dumps(rows[0].as_json()))
        self.assertEqual(set(written), {'workload', 'column', 'test_error', 'seconds'})
        self.assertEqual(written['test_error'], [66.6667] * 3)
        lines = handwritten.table(rows).splitlines()
        self.assertRegex(lines[1], r'^bars at 24 +zero +66\.7 ± 0\.0 +3 +0\.0$')

    def test_each_is_tested_once_where_cross_fitted(self):
        study, recorder = _study(cross_fitted=True), Recorder()
        [row] = handwritten.measure(study, {'zero': recorder})
        y = study.splits.test.reveal()
        np.testing.assert_array_equal(np.isnan(row.wrong).sum(0), 4)
        np.testing.assert_array_equal(np.nansum(row.wrong, 0), y != 0)
        for wrong, labelled in zip(row.wrong, recorder.shown, strict=True):
            own = {one.tobytes() for one in study.splits.test.x[~np.isnan(wrong)]}
            self.assertEmpty(own & {one.tobytes() for one in labelled.x})

    def test_svm_is_the_reference(self):
        study = _study()
        x, y = _images(90, 2)
        noisy = splits.Holdout(x, np.random.default_rng(0).permutation(y))  # chance: any other SVM would show
        study = study._replace(splits=study.splits._replace(test=noisy))
        [row] = handwritten.measure(study, {'SVM': handwritten.svm})
        sets = [study.design.sets[place] for place in study.design.places.measured]
        found = references.measure(study.splits.train, noisy, sets, folds=5, names=[references.SVM])
        np.testing.assert_array_equal(row.wrong, found[references.SVM])


class AgainstSqueezedTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.study = _study()
        self.rows = handwritten.measure(self.study, {handwritten.BY_HAND: Recorder()})

    def write(self, **changed):
        made = made_up.results()
        data = made.data._replace(sha256=changed.get('sha256', 'abc'), train=changed.get('train', 24))
        error = results.Interval(7.0, 6.0, 8.0, 20)
        squeezed = made.squeezed._replace(test_error=error) if changed.get('squeezed', True) else None
        sets = changed.get('labelled_sets', 3)
        made = made._replace(
            seed=changed.get('seed', 3), data=data, squeezed=squeezed, labelled_sets=sets, test_mode='given'
        )
        page.write_json(made, self.folder / 'results.json')
        if changed.get('tables', True):
            mistakes = np.zeros((3, 30), np.float32)
            mistakes[:, :3] = 0.5
            mistakes[0, 4:8] = 1.0
            arms = {'tuned baseline': mistakes}
            found = tables.Tables(arms, {}, {}, {}, mistakes, {}, train_size=24, columns=None)
            tables.write(found, self.folder / 'tables.npz')
        return self.folder / 'results.json'

    def test_only_one_wrong(self):
        # The holdout's classes repeat 0, 1, 2; by hand says 0. Best is right but for the first four.
        classes = np.arange(30) % 3
        classes[:4] = (classes[:4] + 1) % 3
        best = mock.Mock(predict_proba=lambda x: np.eye(3)[classes])
        squeezed = against.read_squeezed(self.write(), self.study)
        compared = against.against_squeezed(squeezed, best, self.study, self.rows)
        means = compared['labelled_sets']
        self.assertEqual(means['squeezed']['mean'], 7.0)
        self.assertAlmostEqual(means[handwritten.BY_HAND]['mean'], 200 / 3)
        # 4.5 and 4 mistakes of 90 in the tables, less 60.
        self.assertAlmostEqual(means['difference']['mean'], 100 * (8.5 - 60) / 90, places=5)
        self.assertAlmostEqual(compared['best']['squeezed'], 400 / 30)
        # Of the four, the first and the last are of class 0: by hand is right there.
        self.assertEqual(compared['best']['wrong_only_squeezed'], 2)
        self.assertEqual(compared['best']['wrong_only_by_hand'], 18)
        self.assertAlmostEqual(compared['best']['p'], 2 * (1 + 20 + 190) / 2**20)
        said = against.verdict(compared)
        self.assertIn('3 labelled sets: squeezed 7.00 % [6.00, 8.00], PyTorch by hand 66.67 %', said)
        self.assertIn('-57.22 points', said)

    def test_final_model_that_nothing_tests(self):
        study = _study(cross_fitted=True)
        rows = handwritten.measure(study, {handwritten.BY_HAND: Recorder()})
        squeezed = against.Squeezed(made_up.results(), rows[0].wrong)
        compared = against.against_squeezed(squeezed, None, study, rows)
        self.assertIsNone(compared['best'])
        self.assertEqual(compared['labelled_sets']['difference']['mean'], 0.0)
        self.assertNotIn('best/', against.verdict(compared))

    @parameterized.parameters(
        ({'seed': 4}, '--seed'),
        ({'sha256': 'b'}, '--data'),
        ({'train': 9}, '--train_size'),
        ({'labelled_sets': 4}, '--labelled_sets'),
    )
    def test_refuses_another_study(self, changed, flag):
        with self.assertRaisesRegex(ValueError, f'another {flag} '):
            against.read_squeezed(self.write(**changed), self.study)

    def test_refuses_a_run_that_ended_early(self):
        with self.assertRaisesRegex(ValueError, 'holds no squeezed model'):
            against.read_squeezed(self.write(squeezed=False), self.study)

    def test_refuses_a_run_without_tables(self):
        with self.assertRaisesRegex(ValueError, 'no tables.npz beside it'):
            against.read_squeezed(self.write(tables=False), self.study)

    def test_refuses_a_missing_file(self):
        with self.assertRaisesRegex(ValueError, 'no such file'):
            against.read_squeezed(self.folder / 'none.json', self.study)

    @parameterized.parameters((0, 0, 1.0), (1, 7, 2 * 9 / 256), (3, 3, 1.0))
    def test_mcnemar(self, one, other, p):
        self.assertAlmostEqual(against.mcnemar(one, other), p)


class BinaryTest(parameterized.TestCase):
    def test_without_torch(self):
        run = subprocess.run(
            [sys.executable, '-c', WITHOUT_TORCH],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(
            run.stderr.strip().splitlines()[-1],
            'benchmark: the hand-written net needs PyTorch: pip install -e ".[bench]"',
        )
        self.assertNotIn('Traceback', run.stderr)

    @parameterized.parameters(
        (['--workload=W1,W9'], 'these exist: W1, W2, W3, W3-5x5, W4, parts, W5, W6, W7, stopping, by_hand'),
        (['--workload='], '--workload is empty'),
        (['--workload=W1,by_hand'], 'leave out the others'),
        (['--workload=W1', '--train_size=100'], '--train_size is of --workload=by_hand'),
        (['--data=digits'], '--data is of --workload=by_hand'),
        (['--workload=by_hand', '--repeats=2'], '--repeats is of speed'),
        (['--json=nowhere/speed.json'], 'no such folder'),
    )
    def test_one_sentence(self, arguments, sentence):
        with flagsaver.flagsaver():
            flags.FLAGS(['benchmark', *arguments])
            with self.assertRaisesRegex(ValueError, sentence):
                benchmark.chosen_workloads()

    @parameterized.parameters(
        ('train_size=5 does not fit: give seed=1', '--train_size=5 does not fit: give --seed=1'),
        ('--data=x and pool.data=y; widths=3', '--data=x and pool.data=y; widths=3'),
    )
    def test_arguments_as_flags(self, message, spelled):
        self.assertEqual(shared_flags.as_flags(message), spelled)

    def test_machine(self):
        machine = provenance.machine()
        self.assertTrue(machine['cpu'])
        self.assertGreaterEqual(machine['cores'], 1)
        self.assertGreater(machine['memory_gib'], 0.1)

    def test_committed_results(self):
        for path in (ROOT / 'experiments' / 'results').glob('handwritten_*.json'):
            result = json.loads(path.read_text())
            self.assertContainsSubset(
                {'machine', 'versions', 'git', 'command', 'seed', 'rows'}, set(result), path.name
            )
            self.assertRegex(
                result['command'], r'^python -m experiments\.benchmark --workload=by_hand --data=[\w.]+ '
            )
            for row in result['rows']:
                self.assertEqual(set(row), {'workload', 'column', 'test_error', 'seconds'})


@absltest.skipUnless(TORCH, SKIP)
class ByHandTest(parameterized.TestCase):
    def test_learns_and_repeats(self):
        x, y = _images(24, 0)
        labelled = base.Examples(x, y, ('left', 'middle', 'right'), kinds.image)
        x_test, y_test = _images(60, 1)
        with mock.patch.object(handwritten, 'EPOCHS', 20):
            first, again = (handwritten.by_hand(labelled, x_test, 5) for _ in range(2))
        self.assertLess((first != y_test).mean(), 0.1)
        np.testing.assert_array_equal(first, again)

    @parameterized.parameters((0.2, 0.0, 0.0), (0.0, 0.12, -0.07), (-0.15, 0.05, 0.1))
    def test_moved_against_scipy(self, angle, right, down):
        import torch

        x = np.random.default_rng(0).normal(size=(1, 1, 6, 10)).astype(np.float32)
        moved = handwritten.moved(
            torch.tensor(x),
            torch.tensor([angle]),
            torch.tensor([[right, down]]),
            torch.full((1, 1, 1, 1), 0.7),
        )
        # SciPy samples at matrix @ (row, column) + offset, about the middle (2.5, 4.5).
        matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        middle = np.array([2.5, 4.5])
        offset = middle - matrix @ middle + [down * 6, right * 10]
        expected = (
            ndimage.affine_transform(x[0, 0] - 0.7, matrix, offset, order=1, mode='grid-constant') + 0.7
        )
        np.testing.assert_allclose(moved[0, 0].numpy(), expected, atol=1e-4)

    @parameterized.parameters((kinds.vector, (20,)), (kinds.image, (3, 8, 1)))
    def test_refuses_other_inputs(self, kind, shape):
        labelled = base.Examples(np.zeros((6, *shape), np.uint8), np.zeros(6, np.int32), ('a', 'b'), kind)
        with self.assertRaisesRegex(ValueError, f'at least 4×4 pixels; these are {kind.noun} of {shape[0]}'):
            handwritten.by_hand(labelled, labelled.x, 0)


if __name__ == '__main__':
    absltest.main()
