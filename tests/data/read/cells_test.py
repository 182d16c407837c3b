"""Cells of a table as inputs of a model that was trained on another one."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from overfit.data.read import cells

LEARNED = (
    cells.Column('a', None, 7.0),
    cells.Column('c', ('blue', 'missing', 'red')),
    cells.Column('b', None, 2.5, True),
)


class CellsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), 'own.csv')

    def inputs(self, text):
        self.path.write_text(text, 'utf-8')
        return cells.read_inputs(self.path, LEARNED).tolist()

    @parameterized.named_parameters(
        ('other_order', 'c;more;b;a;y\nred;?;1,5;2;0\nnew;;NA;-1,25;1\n;x;3;;\n'),
        ('order', 'a\tb\tc\n2\t1.5\tred\n-1.25\t\tnew\nnull\t3\t\n'),
    )
    def test_inputs_of_another_table(self, text):
        expected = [[2, 0, 0, 1, 1.5, 0], [-1.25, 0, 0, 0, 2.5, 1], [7, 0, 1, 0, 3, 0]]
        self.assertEqual(self.inputs(text), expected)

    @parameterized.named_parameters(
        ('absent', 'c,y\nred,1\n', 'own.csv has no column "a", "b": give it the columns'),
        ('text', 'a,b,c\n1,2,red\n3,four,red\n', 'own.csv: column b holds "four" in row 2: give finite'),
        ('infinite', 'a,b,c\n1e39,2,red\n', 'column a holds "1e39" in row 1: give finite numbers'),
        ('no_rows', 'a,b,c\n', 'no rows'),
    )
    def test_refuses_inputs(self, text, pattern):
        with self.assertRaisesRegex(ValueError, pattern):
            self.inputs(text)

    def test_empty_rows_are_rows(self):
        filled = [7, 0, 1, 0, 2.5, 1]
        self.assertEqual(self.inputs('a,b,c\n2,1,red\n,,\n\n3,1,blue\n')[1], filled)
        self.assertLen(self.inputs('a,b,c\n2,1,red\n,,\n3,1,blue\n,,\n'), 4)
        self.path.write_text('a\n2\n\n\n3\n', 'utf-8')
        self.assertEqual(cells.read_inputs(self.path, LEARNED[:1]).tolist(), [[2], [7], [7], [3]])

    def test_warns_of_a_column_of_unknown_values(self):
        with self.assertWarnsRegex(UserWarning, 'no value of column c is one that the model knows'):
            self.inputs('a,b,c\n2,1,Red\n3,1,Blue\n')

    def test_refuses_a_missing_file(self):
        with self.assertRaisesRegex(ValueError, r'own.csv cannot be read \(No such file or directory\)'):
            cells.read_inputs(self.path, LEARNED)

    def test_columns_survive_a_file(self):
        reading = cells.reading_of(LEARNED)
        self.assertEqual(cells.columns_of(json.loads(json.dumps(reading))), LEARNED)

    def test_learns_from_the_rows_of_the_pool_alone(self):
        values = ['1', '', '5', '1000', '']
        column, _ = cells.learn('a', values, np.array([0, 2]), self.path)
        self.assertEqual(column, cells.Column('a', None, 3.0, False))
        column, _ = cells.learn('a', values, np.array([0, 1, 3]), self.path)
        self.assertEqual(column, cells.Column('a', None, 500.5, True))
        column, notes = cells.learn('a', values, np.array([1, 4]), self.path)
        self.assertEqual((column, notes), (None, ['column a was left out: it has no values']))
        column, _ = cells.learn('c', ['red', 'blue', '', 'red'], np.array([0, 2, 3]), self.path)
        self.assertEqual(column, cells.Column('c', ('missing', 'red')))

    @parameterized.parameters(
        ('1.5', 1.5), ('-2e3', -2000.0), ('inf', np.inf), ('1_000', None), ('red', None), ('', None)
    )
    def test_number(self, text, expected):
        self.assertEqual(cells.number(text), expected)


if __name__ == '__main__':
    absltest.main()
