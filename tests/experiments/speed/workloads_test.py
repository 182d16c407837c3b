"""What the speed benchmark trains: sizes and data."""

import numpy as np
from absl.testing import absltest, parameterized

from experiments.speed import workloads
from overfit.train import step


class WorkloadsTest(parameterized.TestCase):
    @parameterized.parameters(
        ('W1', 64 * 2 * (3 * (64 * 64 + 64 * 10) + 2 * 64 * 64)),
        ('W3', 64 * 2 * (2 * 225_792 + 3 * (3_612_672 + 401_408 + 1_280))),
        ('W4', 100 * 2 * (2 * 784 * 1024 + 3 * (1024 * 1024 + 1024 * 2048 + 20_480))),
    )
    def test_flops(self, name, expected):
        self.assertEqual(workloads.make(name).flops_per_step, expected)

    @parameterized.parameters('W1', 'W3', 'W4')
    def test_layers(self, name):
        workload = workloads.make(name)
        kernels = step.kernels_of(workload.recipe.model, workload.examples.x.shape[1:])[1]
        self.assertCountEqual([shapes[1] for shapes in workload.layers], [kernel.shape for kernel in kernels])

    def test_members_on_a_gpu(self):
        made = [(name, workloads.make(name, True).members) for name in workloads.MADE]
        self.assertEqual(made, [('W1', 4096), ('W2', 32), ('W3', 256), ('W3-5x5', 8), ('W4', 4)])

    def test_enlarged(self):
        x = np.zeros((2, 8, 8, 1), np.uint8)
        x[1] = 200
        large = workloads.enlarged(x, 28)
        self.assertEqual((large.shape, large.dtype), ((2, 28, 28, 1), np.uint8))
        self.assertEqual((large[0].max(), large[1].min()), (0, 200))


if __name__ == '__main__':
    absltest.main()
