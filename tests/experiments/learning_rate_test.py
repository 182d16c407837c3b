"""Learning rates compared on tiny settings; range tests beside tuned rates."""

import numpy as np
from absl.testing import absltest

from experiments.question import range_band
from tests.experiments import questions


class LearningRateTest(absltest.TestCase):
    def test_table_json_and_picture(self):
        found = questions.ask('learning_rate', *questions.TINY)
        self.assertEqual(found.code, 0, found.complained)
        rows = {row['label']: row for row in found.record['rows']}
        self.assertEqual(rows['learning rate 0.01']['numbers']['learning_rate'], 0.01)
        self.assertEqual(rows['learning rate 0.1']['numbers']['learning_rate'], 0.1)
        for label in ('cosine decay', 'YellowFin: momentum and rate by themselves', 'schedule-free SGD'):
            self.assertIn(label, rows)
        tests = found.record['range_test']
        self.assertLen(tests['tuned'], 3)
        for low, steepest, high in zip(tests['low'], tests['steepest'], tests['high'], strict=True):
            self.assertTrue(1e-5 < low <= steepest <= high < 10, (low, steepest, high))
        self.assertIn('range test, 8 seeds on each of 3 labelled sets', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')


class InsideTest(absltest.TestCase):
    def test_counts_by_hand(self):
        ends = np.array([0.1, 0.1, 0.1, 0.1])
        tests = range_band.Tests(np.ones(2), np.ones((4, 1, 2)), ends, ends, 10 * ends)
        found = range_band.inside(tests, [0.05, 0.2, 0.9, 1.0])
        self.assertEqual((found.mean, found.n), (75.0, 4))
        self.assertTrue(0 < found.low < 75 < found.high < 100)


if __name__ == '__main__':
    absltest.main()
