"""How far runs agree, against naive loops; and two tiny runs."""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from absl.testing import absltest

from experiments import replication
from tests.report import made_up

ROOT = pathlib.Path(__file__).parents[2]
ARMS = ['--techniques=l2,refit', '--trials=1', '--labelled_sets=3', '--train_size=60', '--budget_minutes=0.1']


def _runs():
    """Three runs of which only the first arm, the first control and the baseline differ."""
    plain = made_up.results()
    runs = []
    for shift, verdict in ((0.0, 'helps'), (2.0, 'undecided'), (-0.1, 'hurts')):
        arm, *arms = plain.arms
        control, *controls = plain.controls
        error = plain.baseline.test_error
        runs.append(
            plain._replace(
                baseline=plain.baseline._replace(test_error=error._replace(mean=error.mean + shift)),
                arms=(_moved(arm, shift, verdict), *arms),
                controls=(_moved(control, 0.0, verdict), *controls),
            )
        )
    return runs


def _moved(row, by, verdict):
    d = row.difference
    moved = {name: getattr(d, name) + by for name in ('mean', 'low', 'high', 'low_single', 'high_single')}
    return row._replace(difference=d._replace(**moved), verdict=verdict)


class SummaryTest(absltest.TestCase):
    def test_against_loops(self):
        runs = _runs()
        found = replication.summary(runs)
        held = []
        for run in runs:
            others = [one for one in runs if one is not run]
            for n, row in enumerate((*run.arms, *run.controls)):
                truth = np.mean([(*o.arms, *o.controls)[n].difference.mean for o in others])
                held.append(row.difference.low_single <= truth <= row.difference.high_single)
        self.assertBetween(np.mean(held), 0.5, 0.999)
        self.assertAlmostEqual(found['coverage'], np.mean(held), places=4)
        first, control = runs[0].arms[0].technique, runs[0].controls[0].technique
        self.assertEqual(found['helps_in_one_and_hurts_in_another'], [first, control])
        count = len(runs[0].arms)
        # In each of three pairs of runs one arm's verdict is another.
        self.assertAlmostEqual(found['agreement_of_verdicts'], (count - 1) / count, places=4)
        self.assertEqual(found['decided_in_one_of_two_runs'], {'mean': 0.67, 'most': 1})
        verdicts = [row.verdict in ('helps', 'hurts') for run in runs for row in run.controls]
        self.assertAlmostEqual(found['controls_with_a_verdict'], np.mean(verdicts), places=4)
        self.assertAlmostEqual(found['runs_with_a_verdict_on_a_control'], 2 / 3, places=4)
        levels = [run.baseline.test_error.mean for run in runs]
        self.assertAlmostEqual(found['baseline_error']['sd'], np.std(levels, ddof=1), places=3)
        self.assertEqual(found['rows'][first]['verdicts']['hurts'], 1)
        self.assertIn(f'helps in one and hurts in another: {[first, control]}', replication.table(found))

    def test_apart(self):
        runs = _runs()
        far = [
            run._replace(arms=(_moved(run.arms[0], by, 'helps'), *run.arms[1:]))
            for run, by in zip(runs, (-50, 0, 50), strict=True)
        ]
        self.assertEqual(replication.summary(far)['apart_in_two_runs'], {'mean': 1.0, 'most': 1})
        self.assertEqual(replication.summary(runs[:1] * 2)['apart_in_two_runs']['most'], 0)


class BinaryTest(absltest.TestCase):
    def run_it(self, *arguments):
        command = [sys.executable, '-m', 'experiments.replication', *ARMS, *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    def test_two_runs(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'result.json'
            ran = self.run_it('--runs=2', '--seed=4', f'--json={path}')
            self.assertEqual(ran.returncode, 0, ran.stderr)
            result = json.loads(path.read_text())
        self.assertEqual((result['runs'], result['first_seed'], len(result['seconds'])), (2, 4, 2))
        self.assertLen(result['rows'], 3)
        self.assertContainsSubset({'command', 'versions', 'git', 'machine', 'data'}, set(result))
        self.assertNotIn(folder, result['command'])
        values = [row['difference'] for row in result['rows'].values()]
        self.assertTrue(any(a != b for a, b in values))  # another seed is another study

    def test_one_sentence(self):
        for argument, sentence in (
            ('--workdir=x', '--workdir is of experiments.squeeze'),
            ('--json=nowhere/x.json', 'there is no such folder'),
            ('--train_size=3', '--train_size=3 does not fit'),
        ):
            ran = self.run_it(argument)
            self.assertEqual(ran.returncode, 1)
            self.assertIn(sentence, ran.stderr.strip().splitlines()[-1])
            self.assertNotIn('Traceback', ran.stderr)


if __name__ == '__main__':
    absltest.main()
