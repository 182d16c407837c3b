"""Two resolutions concatenated, and the controls, on tiny settings."""

from unittest import mock

import numpy as np
from absl.testing import absltest

from experiments import concat
from tests.experiments import questions


class ConcatTest(absltest.TestCase):
    def test_table_json_and_picture(self):
        with mock.patch.object(concat, 'RATES', (1.0,)):
            found = questions.ask('concat', *questions.TINY)
        self.assertEqual(found.code, 0, found.complained)
        rows = {row['label']: row for row in found.record['rows']}
        wanted = [concat.FULL, concat.HALF, concat.JOINT, concat.TWICE, concat.LARGER]
        self.assertEqual(list(rows), [*wanted, concat.AVERAGE, concat.FROZEN, concat.TUNED])
        for row in rows.values():  # all of them learn: chance is 90
            self.assertBetween(row['error']['mean'], 1, 60)
        self.assertNotEqual(rows[concat.FROZEN]['error'], rows[concat.TUNED]['error'])
        self.assertLen(found.record['findings'], 6)
        self.assertIn(concat.TUNED, found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')

    def test_a_difference_is_of_the_same_labelled_sets(self):
        one = np.array([[0, 1, np.nan, 1.0], [0, 0, 1.0, np.nan]])
        found = concat.minus(one, np.zeros((2, 4)))
        self.assertAlmostEqual(found.mean, 50)
        self.assertEqual(found.n, 2)


if __name__ == '__main__':
    absltest.main()
