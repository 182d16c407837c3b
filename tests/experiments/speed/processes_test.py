"""Columns are measured in turns, each in a process of its own."""

import functools
import json
from unittest import mock

from absl.testing import absltest, parameterized

from experiments.speed import jax_columns, processes, workloads
from overfit.nn import models
from tests.experiments.speed import tiny

MLP = models.MLP(3, widths=(5,))
KEYS = {
    *('workload', 'column', 'members', 'threads', 'member_steps_per_s', 'rounds', 'compile_s'),
    *('peak_memory_mb', 'test_error', 'gflops', 'peak_share', 'matmul_peaks'),
}


class Here(processes.Session):
    """A worker in this process."""

    def close(self):
        pass


class Failing:
    def __init__(self):
        raise processes.Failed('RuntimeError: no compiler')


class MeasureTest(parameterized.TestCase):
    def test_rows(self):
        workload, messages, peaks = tiny.workload(MLP), [], iter([100.0, 50.0, 80.0])
        columns = {name: functools.partial(jax_columns.build, workload, name) for name in jax_columns.COLUMNS}
        rows = processes.measure_in_turns(
            'tiny',
            columns | {'compile': Failing},
            repeats=3,
            seconds=0,
            steps=20,
            flops_per_step=workload.flops_per_step,
            peak=lambda: next(peaks),
            optional=('compile',),
            tell=messages.append,
            worker=lambda build: Here(build),
        )
        self.assertEqual([row['column'] for row in rows], ['own_loop', 'own_scan', 'overfit'])
        self.assertEqual([row['members'] for row in rows], [1, 1, 2])
        self.assertIn('tiny: compile is left out: RuntimeError: no compiler', messages)
        for row in rows:
            self.assertEqual(set(json.loads(json.dumps(row))), KEYS)
            low, middle, high = (row['member_steps_per_s'][k] for k in ('min', 'median', 'max'))
            self.assertGreater(low, 0)
            self.assertEqual(sorted(row['rounds']), [low, middle, high])
            self.assertEqual(row['matmul_peaks'], [100, 50, 80])
            self.assertAlmostEqual(row['gflops'], middle * workload.flops_per_step / 1e9)
            shares = [
                rate * workload.flops_per_step / 1e9 / peak
                for rate, peak in zip(row['rounds'], row['matmul_peaks'], strict=True)
            ]
            self.assertAlmostEqual(row['peak_share'], sorted(shares)[1])
            self.assertLess(row['test_error'], 40)
            self.assertGreater(row['peak_memory_mb'], 10)

    @parameterized.parameters(1, 7)
    def test_steps_take_about_the_seconds_asked_for(self, multiple):
        clock = [0.0]

        def run(steps):
            clock[0] += 1e-3 * steps + (0.5 if clock[0] == 0 else 0.0)

        column = mock.Mock(members=3, compiles=True, threads=None, run=run)
        column.settle = lambda steps: multiple * max(1, round(steps / multiple))
        with mock.patch.object(processes.time, 'perf_counter', lambda: clock[0]):
            session = processes.Session(lambda: column)
            ready = session.prepare(0.1)
            self.assertEqual(ready.steps, multiple * round(100 / multiple))
            self.assertAlmostEqual(ready.compile_s, 0.5)
            self.assertAlmostEqual(session.measure(), 3000)

    @parameterized.parameters('measure', 'peak_memory_mb', 'test_error')
    def test_an_optional_column_may_fail_later(self, where):
        workload, messages = tiny.workload(MLP), []

        class Dying(Here):
            pass

        setattr(Dying, where, mock.Mock(side_effect=processes.Failed('its process died')))
        kinds = {'own_scan': Dying, 'overfit': Here}
        columns = {name: functools.partial(jax_columns.build, workload, name) for name in kinds}

        def measured(**options):
            worker = mock.Mock(side_effect=lambda build: kinds[build.args[1]](build))
            return processes.measure_in_turns(
                'tiny', columns, repeats=1, seconds=0, steps=20, worker=worker, **options
            )

        rows = measured(optional=('own_scan',), tell=messages.append)
        self.assertEqual([row['column'] for row in rows], ['overfit'])
        self.assertIn('tiny: own_scan is left out: its process died', messages)
        with self.assertRaisesRegex(processes.Failed, 'tiny: own_scan: its process died'):
            measured()

    def test_a_column_that_is_not_optional_fails_loudly(self):
        with self.assertRaisesRegex(processes.Failed, 'no compiler'):
            processes.measure_in_turns(
                'tiny', {'overfit': Failing}, repeats=1, seconds=0.1, worker=lambda b: Here(b)
            )

    def test_a_process_of_its_own(self):
        with self.assertRaisesRegex(processes.Failed, "KeyError: 'W9'"):
            processes.call_in_fresh_process(workloads.make, 'W9')


if __name__ == '__main__':
    absltest.main()
