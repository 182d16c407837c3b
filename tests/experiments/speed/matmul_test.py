"""The fastest matrix product."""

import contextlib
from unittest import mock

from absl.testing import absltest

from experiments.speed import matmul, processes


class Fake:
    """A process in which a product is faster every time, PyTorch's the most."""

    open = 0

    def __init__(self):
        Fake.open += 1
        self._calls = 0

    def call(self, library, gpu):
        self._calls += 1
        return 10.0 * self._calls + (library is matmul.torch_gflops) + 100 * gpu

    def close(self):
        Fake.open -= 1


class PeakTest(absltest.TestCase):
    def test_the_faster_library_anew_whenever_called(self):
        with mock.patch.object(processes, 'Process', Fake):
            with contextlib.closing(matmul.Peak(gpu=True, torch=True)) as peak:
                self.assertEqual(Fake.open, 2)
                self.assertEqual([peak(), peak()], [111, 121])
            self.assertEqual((peak.history, Fake.open), ([111, 121], 0))

    def test_measured(self):
        with contextlib.closing(matmul.Peak(gpu=False, torch=False)) as peak:
            self.assertBetween(peak(), 0.1, 1e6)


if __name__ == '__main__':
    absltest.main()
