"""What a step takes its time for: shapes and arithmetic."""

from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from experiments import parts, workloads
from overfit import base
from overfit.nn import initializers, models
from overfit.objectives import losses
from overfit.train import optimizers, step


def _workload(model):
    x, y = np.zeros((16, 8, 8, 1), np.uint8), (np.arange(16) % 3).astype(np.int32)
    x[y > 0, 2:4] = 200
    examples = base.Examples(x, y, ('a', 'b', 'c'), 'image')
    recipe = base.Recipe(model, losses.softmax, optimizers.sgd, initializers.he, batch_size=8)
    hyper = base.Hyper(learning_rate=0.1, momentum=0.9, max_norm=1.0)
    return workloads.Workload('tiny', recipe, hyper, examples, x, y, 2, 10)


class PartsTest(parameterized.TestCase):
    @parameterized.parameters('W1', 'W3', 'W4')
    def test_layers(self, name):
        workload = workloads.make(name)
        found = parts.layers(workload)
        kernels = step.kernels_of(workload.recipe.model, workload.examples.x.shape[1:])[1]
        self.assertCountEqual([shapes[1] for shapes in found], [kernel.shape for kernel in kernels])
        products = [np.prod(kernel) * np.prod(outputs[:-1]) for _, kernel, outputs in found]
        self.assertEqual(2 * (3 * sum(products) - products[0]), workload.flops_per_step)

    @parameterized.parameters(models.MLP(3, widths=(5,)), models.CNN(3, channels=(4, 6), widths=(5,)))
    def test_a_tiny_net(self, model):
        workload = _workload(model)
        with mock.patch.object(parts, 'STEPS', 20):
            for make in (parts.step_alone, parts.products, parts.update):
                take = make(workload, 2)
                self.assertGreater(take(), take() / 1e6)  # it runs twice, and takes time

    def test_rows(self):
        rounds = {'step': [4.0, 5.0, 2.0], 'products': [2.0, 2.0, 2.0], 'update': [1.0, 1.0, 1.0]}
        step_row, products, update = parts.rows_of('W9', int(8e9), rounds | {'peak': [4.0, 4.0, 8.0]})
        self.assertEqual((step_row['workload'], step_row['column']), ('parts of W9', 'step'))
        self.assertEqual(step_row['milliseconds'], {'min': 2000.0, 'median': 4000.0, 'max': 5000.0})
        self.assertEqual([row['step_share'] for row in (step_row, products, update)], [1, 0.5, 0.25])
        self.assertEqual([row['peak_share'] for row in (step_row, products, update)], [0.5, 1.0, None])


if __name__ == '__main__':
    absltest.main()
