"""Rows of what members and early stopping cost."""

from unittest import mock

from absl.testing import absltest

from experiments.speed import processes, scaling


class RowsTest(absltest.TestCase):
    def test_stopping(self):
        taken = {'all_run': [8.0, 9.0, 7.0], 'compact': [5.0, 9.0, 0.0], 'not_compact': [8.0, 9.0, 0.0]}
        rows = scaling.stopping_rows(taken)
        self.assertEqual([row['saved_share'] for row in rows], [None, 1.0, 0.0])
        self.assertEqual(rows[0]['seconds'], {'min': 7.0, 'median': 8.0, 'max': 9.0})
        self.assertEqual(rows[1]['stopped_share'], 0.375)

    def test_by_members(self):
        rows_of = mock.Mock(side_effect=lambda name, made, **_: [{'column': [*made]}])
        with mock.patch.object(processes, 'measure', rows_of):
            rows = scaling.by_members(repeats=1, gpu=False, said=print, sizes=(1, 16), steps=7)
        self.assertEqual(rows, [{'column': ['1'], 'steps': 7}, {'column': ['16'], 'steps': 7}])


if __name__ == '__main__':
    absltest.main()
