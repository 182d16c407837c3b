"""Rows of what members and early stopping cost."""

from unittest import mock

from absl.testing import absltest

from experiments.speed import processes, scaling


class RowsTest(absltest.TestCase):
    def test_stopping(self):
        seconds = {'all_run': [8.0, 9.0, 7.0], 'compact': [5.0, 9.0, 0.0], 'not_compact': [8.0, 9.0, 0.0]}
        rows = scaling.rows_of_seconds(seconds)
        self.assertEqual([row['saved_share'] for row in rows], [None, 1.0, 0.0])
        self.assertEqual(rows[0]['seconds'], {'min': 7.0, 'median': 8.0, 'max': 9.0})
        self.assertEqual(rows[1]['stopped_share'], 0.375)

    def test_by_members(self):
        measure = mock.Mock(side_effect=lambda name, columns, **_: [{'column': [*columns]}])
        with mock.patch.object(processes, 'measure_in_turns', measure):
            rows = scaling.rows_by_members(repeats=1, gpu=False, tell=print, sizes=(1, 16), steps=7)
        self.assertEqual(rows, [{'column': ['1'], 'steps': 7}, {'column': ['16'], 'steps': 7}])


if __name__ == '__main__':
    absltest.main()
