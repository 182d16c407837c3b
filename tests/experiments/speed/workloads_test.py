"""What the speed benchmark trains: sizes and data."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from experiments.speed import workloads
from overfit.nn import models
from overfit.objectives import penalties
from overfit.train import start
from overfit.train.engine import layout


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
        example = layout.example_of(workload.recipe, workload.examples)
        params = start.shapes_of(workload.recipe.model, example)[1]['params']
        marks = jax.tree.leaves(penalties.kernels(params))
        kernels = [leaf.shape for leaf, mark in zip(jax.tree.leaves(params), marks, strict=True) if mark]
        self.assertCountEqual([layer.kernel for layer in workload.layers], kernels)

    def test_channels_by_the_size_of_the_images(self):
        self.assertEqual(workloads.channels_of(models.CNN(3), (28, 28, 1)), (16, 32, 64))
        listed = workloads.layers(models.CNN(3, widths=(5,)), (28, 28, 1), 2)
        self.assertEqual([layer.convolves for layer in listed], [True] * 3 + [False] * 2)
        self.assertEqual(listed[3].inputs, (2, 3 * 3 * 64))

    def test_members_on_a_gpu(self):
        members = [(name, workloads.make(name, True).members) for name in workloads.MAKERS]
        self.assertEqual(members, [('W1', 4096), ('W2', 32), ('W3', 256), ('W3-5x5', 8), ('W4', 4)])

    def test_enlarged(self):
        x = np.zeros((2, 8, 8, 1), np.uint8)
        x[1] = 200
        large = workloads.enlarged(x, 28)
        self.assertEqual((large.shape, large.dtype), ((2, 28, 28, 1), np.uint8))
        self.assertEqual((large[0].max(), large[1].min()), (0, 200))


if __name__ == '__main__':
    absltest.main()
