"""Tables of mistakes on disk: nothing is lost, and what is none is refused."""

import csv
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest

from overfit.study import ledger, tables

RNG = np.random.default_rng(0)


def table():
    found = RNG.random((5, 40)).astype(np.float32)
    found[1, :7] = np.nan
    return found


TABLES = tables.Tables(
    arms={'plain = 1': table(), 'a/b': table()},
    controls={'again': table()},
    sizes={20: table(), 80: table()},
    fewer={'a/b': {20: table(), 30: table()}},
    squeezed=table(),
    references={'SVM': table()},
    train_size=40,
    columns=np.arange(40) // 2,
)


class TablesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def check(self, found, wanted):
        if hasattr(wanted, 'items'):
            self.assertEqual(list(found), list(wanted))
            for key, value in wanted.items():
                self.check(found[key], value)
        else:
            np.testing.assert_array_equal(found, wanted)

    def test_what_was_written_is_read(self):
        for given in (TABLES, TABLES._replace(columns=None, squeezed=None, fewer={}, references={})):
            tables.write(given, self.folder / 'tables.npz')
            found = tables.read(self.folder / 'tables.npz')
            for field in tables.Tables._fields:
                wanted = getattr(given, field)
                if wanted is None:
                    self.assertIsNone(getattr(found, field))
                else:
                    self.check(getattr(found, field), wanted)

    def test_the_ledger_of_a_file_is_that_of_the_study(self):
        full = TABLES._replace(
            arms={label: np.nan_to_num(one) for label, one in TABLES.arms.items()},
            controls={}, sizes={}, fewer={}, squeezed=None, references={},
        )  # fmt: skip
        tables.write(full, self.folder / 'tables.npz')
        self.assertEqual(ledger.figures(tables.read(self.folder / 'tables.npz')), ledger.figures(full))

    def test_a_file_of_something_else(self):
        np.savez(self.folder / 'other.npz', x=np.zeros(3))
        with self.assertRaisesRegex(ValueError, 'other.npz holds no tables of a study: give the tables.npz'):
            tables.read(self.folder / 'other.npz')

    def test_probabilities_are_a_line_an_arm_and_example(self):
        given = {'plain': RNG.dirichlet(np.ones(3), 4), 'the, other': RNG.dirichlet(np.ones(3), 4)}
        y, path = np.array([0, 2, 1, 1]), self.folder / 'oof.csv'
        tables.write_probabilities(given, y, ('no', 'yes, maybe', 'it’s'), path)
        with open(path, newline='', encoding='utf-8') as file:
            header, *lines = csv.reader(file)
        self.assertEqual(header[:3], ['example', 'truth', 'arm'])
        self.assertLen(lines, 8)
        for label, wanted in given.items():
            rows = [line for line in lines if line[2] == label]
            self.assertEqual([row[1] for row in rows], ['no', 'it’s', 'yes, maybe', 'yes, maybe'])
            np.testing.assert_allclose([[float(v) for v in row[3:]] for row in rows], wanted, atol=1e-4)


if __name__ == '__main__':
    absltest.main()
