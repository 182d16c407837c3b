"""The speed benchmark: rows, arithmetic, words; and that columns in PyTorch and JAX do the same step."""

import contextlib
import importlib.util
import io
import json
import pathlib
import re
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from experiments import benchmark
from experiments.speed import (
    jax_columns,
    matmul,
    parts,
    processes,
    scaling,
    tables,
    torch_process,
    workloads,
)
from overfit import base, keys
from overfit.nn import models
from overfit.train import step
from overfit.train.engine import population
from tests.experiments.speed import tiny

ROOT = pathlib.Path(__file__).parents[3]
TORCH = importlib.util.find_spec('torch')
SKIP = 'PyTorch is not installed: pip install -e ".[bench]"'
MLP = models.MLP(3, widths=(5,))
CNN = models.CNN(3, channels=(4, 6), widths=(5,))


def _rate_row(workload, column, median, **more):
    spread = {'min': median - 1, 'median': float(median), 'max': median + 1}
    row = {'workload': workload, 'column': column, 'members': 64, 'threads': None}
    row |= {
        'member_steps_per_s': spread,
        'rounds': list(spread.values()),
        'compile_s': 1.5,
        'peak_memory_mb': 400.0,
        'test_error': 5.0,
    }
    return row | {'gflops': 50.0, 'peak_share': 0.25} | more


def _study_row(column, seconds, **more):
    row = {'workload': 'W6', 'column': column, 'seconds': seconds, 'first_result_s': 20.0, 'compile_s': 50.0}
    return row | {'compile_share': 0.25, 'member_steps': 1000, 'member_steps_per_s': 5.0} | more


def _result():
    seconds = {'all_run': [4.0], 'compact': [2.5], 'not_compact': [3.7]}
    return {
        'machine': {'cpu': 'Abacus', 'cores': 2, 'memory_gib': 8.0},
        'versions': {'python': '3.11.0', 'jax': '0.10.0', 'torch': '2.8.0'},
        'git': None,
        'command': 'python -m experiments.benchmark',
        'matmul_peak_gflops': 200.0,
        'device': 'cpu',
        'rows': [
            _rate_row('W1', 'dataloader', 1000, compile_s=None),
            _rate_row('W1', 'vmap', 10_000, compile_s=None),
            _rate_row('W1', 'own_scan', 25_000),
            _rate_row('W1', 'overfit', 50_000),
            *parts.rows_of_rounds(
                'W4', 10**9, {'step': [0.02], 'products': [0.01], 'update': [0.004], 'peak': [150.0]}
            ),
            _rate_row('W5 on W1', 'softmax', 500),
            _rate_row('W5 on W1', 'center', 400),
            _study_row('cold', 200.0),
            _study_row('warm', 100.0),
            _study_row('plain_loop', 900.0, first_result_s=None, extrapolated_from=0.02),
            _rate_row('W7', '1', 1000, steps=50),
            _rate_row('W7', '4096', 60_000, steps=50),
            *scaling.rows_of_seconds(seconds),
        ],
    }


class BinaryTest(absltest.TestCase):
    def test_what_is_written_and_said(self):
        written, closed, peaks = [], [], iter([100.0, 300.0, 200.0])

        def measure(name, gpu, torch, peak):
            peak()
            return rows, ['table']

        class Peak:
            def __init__(self, gpu, torch):
                self.history = []

            def __call__(self):
                self.history.append(next(peaks))
                return self.history[-1]

            def close(self):
                closed.append(True)

        rows = [_rate_row('W1', 'overfit', 5)]
        with (
            mock.patch.object(
                benchmark.result_file, 'write', lambda result: written.append(json.dumps(result))
            ),
            mock.patch.object(benchmark, 'measure', measure),
            mock.patch.object(matmul, 'Peak', Peak),
            mock.patch.object(benchmark, 'about', lambda *_: {'git': None}),
            mock.patch.object(processes, 'call_in_fresh_process', lambda *_: (False, 'cpu')),
            mock.patch.object(importlib.util, 'find_spec', lambda name: None),
            contextlib.redirect_stderr(io.StringIO()) as stderr,
            contextlib.redirect_stdout(io.StringIO()) as stdout,
        ):
            benchmark.speed(['W1', 'W2'])
        self.assertEqual([len(json.loads(text)['rows']) for text in written], [0, 1, 2])
        self.assertEqual([json.loads(text)['matmul_peak_gflops'] for text in written], [100, 300, 250])
        self.assertEqual(closed, [True])
        self.assertIn('PyTorch is not installed', stderr.getvalue().splitlines()[0])
        self.assertEqual(stdout.getvalue(), 'table\n\ntable\n\n')


class ArithmeticTest(parameterized.TestCase):
    def test_half_of_the_members_stop_at_a_quarter(self):
        net = jax_columns.Population(tiny.workload(MLP)._replace(members=6), evaluations=20)
        with mock.patch.object(population, 'train', wraps=population.train) as train:
            for variant in scaling.VARIANTS.values():
                net.run_some_idle(net.settle(200), 0.5, **variant)
        self.assertEqual([call.kwargs['compact'] for call in train.call_args_list], [True, True, False])
        for call, ends in zip(train.call_args_list, ([200] * 6, *[[50] * 3 + [200] * 3] * 2), strict=True):
            steps = [trained.steps for trained in population.train(*call.args, **call.kwargs)]
            self.assertEqual(sorted(steps), ends)


class WordsTest(absltest.TestCase):
    def test_section(self):
        text = tables.readme_section(_result())
        self.assertIn(
            '64 members | 50,000 | 50 | 5 (`vmap`) | 2 (`own_scan`) | 25.0 % | 1.5 s | 400 MB |', text
        )
        self.assertIn('| W4 | 20 ms, 33 % of the peak | 10 ms, 67 % | 4 ms | 6 ms |', text)
        self.assertIn('that of the core, 150 GFLOP/s', text)
        self.assertIn('takes 1.25 × on W1 the time', text)
        self.assertIn('200 s (25 % of it compiling, the first result after 20 s); again 100 s', text)
        self.assertIn('would train for 900 s (extrapolated from 2 % of them)', text)
        self.assertIn('50 steps each: 1: 1,000 (400 MB); 4,096: 60,000 (400 MB).', text)
        self.assertIn('37.5 % of all: 100 % of that is saved as time (20 % if', text)
        self.assertIn('Abacus, 2 cores; Python 3.11.0, JAX 0.10.0, PyTorch 2.8.0', text)

    def test_section_of_little(self):
        result = _result()
        result['rows'] = [_rate_row('W1', 'overfit', 50)]
        result['versions'].pop('torch')
        text = tables.readme_section(result)
        self.assertIn('| 50 | – | – | – | 25.0 %', text)
        self.assertNotIn('* ', text)

    def test_table(self):
        rows = [row for row in _result()['rows'] if row['workload'] == 'W1']
        lines = tables.console_table(rows, 'W1: a net').splitlines()
        self.assertRegex(lines[2], r'^dataloader +64 +1,000 +999 to 1,001 +50 +50 +25.0 % +400 +5.0$')
        self.assertLen({len(line) for line in lines[1:]}, 1)

    def test_the_readme_shows_the_committed_result(self):
        readme = (ROOT / 'README.md').read_text(encoding='utf-8')
        parts = re.findall(r'<!-- speed: (\S+) -->\n(.*?)<!-- end -->', readme, re.DOTALL)
        if not parts:
            self.skipTest('the README has no <!-- speed: --> yet')
        for path, shown in parts:
            result = json.loads((ROOT / path).read_text(encoding='utf-8'))
            self.assertEqual(shown.strip(), tables.readme_section(result))


@absltest.skipUnless(TORCH, SKIP)
class TorchTest(parameterized.TestCase):
    @parameterized.product(model=(MLP, CNN), max_norm=(None, 0.8), column=('tensor', 'vmap'))
    def test_the_same_step(self, model, max_norm, column):
        import torch

        workload = tiny.workload(model, max_norm=None if model is CNN else max_norm)
        task = workloads.torch_task_of(workload)
        with mock.patch('experiments.speed.torch_columns.TRIAL', 0.0):
            theirs = torch_process.build(task, column)
        examples, hyper = workload.examples, workload.hyper._replace(steps=1.0)
        inputs = examples.kind.measure(examples.x)
        state = step.init_state(keys.key(1), examples.x, inputs, hyper, workload.recipe)
        after, metrics = step.train_step(
            state, base.Batch(examples.x[:8], examples.y[:8]), hyper, workload.recipe
        )
        before, expected = (_as_torch(s.params, torch) for s in (state, after))
        x, y = theirs.x[:8], theirs.y[:8]
        theirs.net.train()
        if column == 'vmap':
            for name, weight in theirs.weights.items():
                weight.copy_(before[int(name.split('.')[0])][name.split('.')[1]].expand_as(weight))
            theirs.step(theirs.optimizer(), x.expand(2, *x.shape), y.expand(2, -1))
            found = {name: weight[1] for name, weight in theirs.weights.items()}
        else:
            with torch.no_grad():
                for name, weight in theirs.net.named_parameters():
                    weight.copy_(before[int(name.split('.')[0])][name.split('.')[1]])
            loss = theirs.step(theirs.optimizer(), x, y)
            np.testing.assert_allclose(float(loss), float(metrics.loss), rtol=1e-5)
            found = {name: weight.detach() for name, weight in theirs.net.named_parameters()}
        for name, weight in found.items():
            layer, kind = name.split('.')
            np.testing.assert_allclose(weight, expected[int(layer)][kind], atol=2e-5, err_msg=name)

    @parameterized.parameters('dataloader', 'tensor', 'vmap')
    def test_learns(self, column):
        with mock.patch('experiments.speed.torch_columns.TRIAL', 0.0):
            net = torch_process.build(workloads.torch_task_of(tiny.workload(MLP)), column)
        self.assertLess(net.test_error(), 40)


def _as_torch(params, torch):
    """Weights of our net by the number of PyTorch's layer: `[out, in, ...]`."""
    convolutions = sorted(name for name in params if name.startswith('ConvBlock'))
    dense = [*sorted(name for name in params if name.startswith('Dense')), 'logits']
    numbers = [3 * n for n in range(len(convolutions))]
    begin = 3 * len(convolutions) + bool(convolutions)
    numbers += [begin + 2 * n for n in range(len(dense))]
    weights = {}
    for number, name in zip(numbers, [*convolutions, *dense], strict=True):
        kernel, bias = (np.asarray(params[name][k]) for k in ('kernel', 'bias'))
        if kernel.ndim == 4:
            kernel = kernel.transpose(3, 2, 0, 1)
        elif convolutions and name == dense[0]:
            depth = len(params[convolutions[-1]]['bias'])
            side = round((len(kernel) / depth) ** 0.5)
            # We flatten [H, W, C], PyTorch [C, H, W].
            kernel = kernel.reshape(side, side, depth, -1).transpose(2, 0, 1, 3).reshape(len(kernel), -1).T
        else:
            kernel = kernel.T
        weights[number] = {'weight': torch.tensor(kernel.copy()), 'bias': torch.tensor(bias)}
    return weights


if __name__ == '__main__':
    absltest.main()
