"""Initialisations and activations across depth, on tiny settings."""

from unittest import mock

from absl.testing import absltest

from experiments import activations, initialization
from overfit.study import techniques
from tests.experiments import questions

SETTINGS = (*questions.TINY, '--labelled_sets=3')


class DepthTest(absltest.TestCase):
    def test_initialisations(self):
        self.assertLen(initialization.compared(), 6)
        some = [techniques.uniform_fan_in, techniques.normal]
        with (
            mock.patch.object(initialization, 'DEPTHS', (1, 3)),
            mock.patch.object(initialization, 'compared', return_value=some),
        ):
            found = questions.ask('initialization', *SETTINGS)
        self.assertEqual(found.code, 0, found.complained)
        one, three = found.record['depths']
        self.assertEqual((one['depth'], three['depth']), (1, 3))
        self.assertLen(three['rows'], 2)
        before = three['layers']['normal initialisation, s.d. 0.01']['before']['variance']
        self.assertLen(before, 4)
        # Too small to begin with: the signal fades.
        self.assertLess(before[2], 0.05 * before[0])
        self.assertGreater(three['layers']['He initialisation']['before']['variance'][2], 20 * before[2])
        self.assertIn('trainable', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')

    def test_activations(self):
        self.assertLen(activations.compared(), 5)
        some = [techniques.sigmoid, techniques.leaky_relu]
        with (
            mock.patch.object(activations, 'DEPTHS', (2,)),
            mock.patch.object(activations, 'compared', return_value=some),
        ):
            found = questions.ask('activations', *SETTINGS)
        self.assertEqual(found.code, 0, found.complained)
        [two] = found.record['depths']
        layers = two['layers']
        self.assertCountEqual(layers, ['ReLU', *(row['label'] for row in two['rows'])])
        relu = layers['ReLU']['before']['flat'][:2]
        for share in relu:  # about half of the ReLUs are off
            self.assertBetween(share, 0.3, 0.7)
        self.assertLess(layers['leaky ReLU instead of ReLU']['before']['dead'][0], 1)
        self.assertIn('inside the net of 2 hidden layers', found.told)
        self.assertIn(found.record['findings'][0]['verdict'], ('yes', 'no', 'undecided'))


if __name__ == '__main__':
    absltest.main()
