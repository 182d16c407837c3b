"""The penalties compared on tiny settings, and what all binaries of questions have in common."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest
from scipy import stats

from experiments.question import intervals
from tests.experiments import questions


class PenaltiesTest(absltest.TestCase):
    def test_table_json_and_picture(self):
        found = questions.ask('penalties', *questions.TINY)
        self.assertEqual(found.code, 0, found.complained)
        rows = {row['label']: row for row in found.record['rows']}
        for label in ('L1 penalty', 'L1, exact zeros', 'L2 penalty', 'max-norm'):
            self.assertIn(label, rows)
            self.assertIn(label, found.told)
            low, mean, high = (rows[label]['difference'][name] for name in ('low', 'mean', 'high'))
            self.assertTrue(low <= mean <= high, rows[label])
        self.assertEqual(found.record['labelled_sets'], 3)
        weights = found.record['weights']
        self.assertEqual(set(weights), {'tuned baseline (SGD)', *rows})
        self.assertEqual(weights['L2 penalty']['exact zeros %']['mean'], 0)
        self.assertGreater(weights['L1, exact zeros']['exact zeros %']['mean'], 0)
        self.assertLen(found.record['adamw']['rows'], 2)
        self.assertIn('coupled: L2 in the loss', found.told)
        self.assertEqual(found.record['data']['train'], 60)
        self.assertStartsWith(found.record['command'], 'python -m experiments.penalties')
        self.assertStartsWith(found.picture, b'\x89PNG')


class WrongTest(absltest.TestCase):
    def test_a_flag_of_the_main_job(self):
        found = questions.ask('penalties', '--dry_run')
        self.assertEqual(found.code, 1)
        self.assertEqual(found.complained, 'penalties: --dry_run is of experiments.squeeze: leave it out\n')

    def test_a_picture_of_another_kind(self):
        found = questions.ask('penalties', '--picture=found.txt')
        self.assertIn('let it end in .png, .svg or .pdf', found.complained)

    def test_a_folder_that_is_not_there(self):
        with tempfile.TemporaryDirectory() as folder:
            missing = pathlib.Path(folder, 'none', 'found.png')
            found = questions.ask('penalties', f'--picture={missing}')
        self.assertIn('there is no such folder', found.complained)


class IntervalTest(absltest.TestCase):
    def test_against_scipy(self):
        values = np.random.default_rng(0).normal(3, 1, 12)
        found = intervals.over_sets(values)
        wanted = stats.t.interval(0.95, 11, values.mean(), stats.sem(values))
        np.testing.assert_allclose((found.low, found.high), wanted)
        self.assertEqual(found.n, 12)

    def test_one_value_shows_no_variance(self):
        with self.assertRaisesRegex(ValueError, 'show no variance'):
            intervals.over_sets([1.0])


if __name__ == '__main__':
    absltest.main()
