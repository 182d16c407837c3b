"""What a step takes its time for: shapes and arithmetic."""

import re
from unittest import mock

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from experiments.speed import parts
from overfit.nn import convolution, models
from tests.experiments.speed import tiny


def _multiplies(text, name):
    """Whether a computation of a compiled program, or one that it calls, holds a product."""
    body = re.search(rf'^%{re.escape(name)} .*?^}}', text, re.DOTALL | re.MULTILINE)[0]
    called = re.findall(r'(?:calls|body|to_apply)=%([\w.]+)', body)
    return bool(re.search(r' (?:dot|convolution)\(', body)) or any(_multiplies(text, c) for c in called)


class PartsTest(parameterized.TestCase):
    @parameterized.parameters(models.MLP(3, widths=(5,)), models.CNN(3, channels=(4, 6), widths=(5,)))
    def test_every_product_is_done(self, model):
        workload = tiny.workload(model, max_norm=1.0)
        programs = parts.product_programs(workload, 2, 7)
        self.assertLen(programs, 3 * len(workload.layers) - 1)
        for function, arguments in programs:
            text = function.lower(*arguments).compile().as_text()
            loop = re.findall(r'body=%([\w.]+)', text[text.index('ENTRY') :])
            self.assertLen(loop, 1)
            self.assertIn('"known_trip_count":{"n":"7"}', text)
            self.assertTrue(_multiplies(text, loop[0]), 'the product was taken out of the loop')

    @parameterized.parameters(models.MLP(3, widths=(5,)), models.CNN(3, channels=(4, 6), widths=(5,)))
    def test_products_are_those_of_a_step(self, model):
        rng, workload = np.random.default_rng(0), tiny.workload(model, max_norm=1.0)
        for inputs, kernel, outputs in workload.layers:
            x, w, slope = (rng.normal(size=shape).astype(np.float32) for shape in (inputs, kernel, outputs))
            product = convolution.convolve if len(kernel) == 4 else np.matmul
            total = float(np.sum(product(x, w) * slope))
            product = convolution.convolve if len(kernel) == 4 else jnp.matmul
            by_kernel = parts._gradient_by_kernel(product, kernel, x, slope)
            by_inputs = parts._gradient_by_inputs(product, inputs, w, slope)
            # What is linear in each argument is its gradient times the argument.
            self.assertAlmostEqual(float(np.sum(by_kernel * w)), total, delta=1e-4 * np.abs(slope).sum())
            self.assertAlmostEqual(float(np.sum(by_inputs * x)), total, delta=1e-4 * np.abs(slope).sum())

    def test_seconds_are_of_one_step_of_one_member(self):
        def seconds(function, *arguments):
            function(*arguments)
            return 60.0

        workload = tiny.workload(models.MLP(3, widths=(5,)))
        with mock.patch.object(parts, '_seconds', seconds):
            timers = (parts.step_timer, parts.products_timer, parts.update_timer)
            measured = [make(workload, 2, 20)() for make in timers]
        self.assertEqual(measured, [60 / 40] * 3)

    def test_in_turns(self):
        order, numbers = [], iter(range(100))
        timers = {name: lambda name=name: order.append(name) or next(numbers) for name in ('step', 'peak')}
        self.assertEqual(parts._in_turns(timers, 2), {'step': [2, 4], 'peak': [3, 5]})
        self.assertEqual(order, ['step', 'peak'] * 3)

    def test_rows(self):
        rounds = {'step': [4.0, 5.0, 2.0], 'products': [2.0, 2.0, 2.0], 'update': [1.0, 1.0, 1.0]}
        step_row, products, update = parts.rows_of_rounds('W9', int(8e9), rounds | {'peak': [4.0, 4.0, 8.0]})
        self.assertEqual((step_row['workload'], step_row['column']), ('parts of W9', 'step'))
        self.assertEqual(step_row['milliseconds'], {'min': 2000.0, 'median': 4000.0, 'max': 5000.0})
        self.assertEqual((products['rounds'], update['core_peaks']), ([2.0, 2.0, 2.0], [4.0, 4.0, 8.0]))
        self.assertEqual([row['peak_share'] for row in (step_row, products, update)], [0.5, 1.0, None])


if __name__ == '__main__':
    absltest.main()
