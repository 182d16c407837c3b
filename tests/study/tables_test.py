"""Tables on disk: read back they give every figure of the ledger; probabilities as any tool reads them."""

import csv
import pathlib
import tempfile

import chex
import numpy as np

from overfit.study import ledger, tables
from tests.study import tiny

RNG = np.random.default_rng(0)


def table(sets=4, examples=12):
    return RNG.random((sets, examples)).astype(np.float32)


def holed():
    found = table()
    found[1:, :6] = found[0, 6:] = np.nan
    return found


WHOLE = tables.Tables(
    arms={'tuned baseline': table(), 'l=1 / "a", b': holed(), **{f'arm {n}': table() for n in range(11)}},
    controls={'tuned baseline, tuned again (1)': table()},
    sizes={100: table(), 25: table()},
    fewer={'arm 1': {25: table(), 50: table()}, 'l=1 / "a", b': {50: holed()}},
    squeezed=table(),
    references={'RBF SVM': table()},
    train_size=50,
    columns=np.repeat(np.arange(4), 3),
)
LEAST = tables.Tables({'the baseline': table()}, {}, {}, {}, None, {}, 50, None)


class FileTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / 'tables.npz'

    def again(self, given):
        tables.write(given, self.path)
        return tables.read(self.path)

    def test_what_is_written_is_read(self):
        for given in (WHOLE, LEAST):
            found = self.again(given)
            self.assertEqual(list(found.arms), list(given.arms))
            chex.assert_trees_all_equal(found, given)
            for field in ('controls', 'sizes', 'fewer', 'references'):
                self.assertEqual(list(getattr(found, field)), list(getattr(given, field)), field)
            self.assertEqual(found.baseline.dtype, np.float32)
        self.assertEqual({type(size) for size in self.again(WHOLE).fewer['arm 1']}, {int})

    def test_a_study_read_back_gives_the_ledger_again(self):
        for ran in (tiny.ran(), tiny.crossed()):
            found = ledger.figures(self.again(ran.found.tables))
            results = ran.found.results
            self.assertEqual(found.errors, tuple(r.test_error for r in (results.baseline, *results.arms)))
            self.assertEqual(found.differences, tuple(row.difference for row in results.arms))
            self.assertEqual(found.worths, tuple(row.labels_worth for row in results.arms))
            self.assertEqual(found.near_best, tuple(row.near_best for row in results.arms))
            controls = tuple((row.test_error, row.difference) for row in results.controls)
            self.assertEqual(found.controls, controls)
            self.assertEqual(found.sizes, {point.size: point.test_error for point in results.size_curve})
            squeezed = results.squeezed
            self.assertEqual(
                found.squeezed, (squeezed.test_error, squeezed.difference, squeezed.labels_worth)
            )
            self.assertEqual((found.margin, found.detectable), (results.margin, results.detectable))
            references = {one.name: (one.test_error, one.difference) for one in results.references}
            self.assertEqual(found.references, references)

    def test_another_file_is_refused(self):
        np.savez(self.path, x=np.zeros(3))
        with self.assertRaisesRegex(ValueError, 'holds no tables of a study: give the tables.npz'):
            tables.read(self.path)

    def test_names_say_where_an_array_belongs(self):
        """Whoever has NumPy alone finds the baseline, and the arm of a label."""
        tables.write(tiny.ran().found.tables, self.path)
        with np.load(self.path) as held:
            labels = dict(entry.split('=', 1) for entry in held['labels'].tolist())
            self.assertEqual(labels['arms/0'], 'tuned baseline')
            difference = 100 * (held['arms/1'] - held['arms/0']).mean()
        row = tiny.ran().found.results.arms[0]
        self.assertEqual(labels['arms/1'], row.technique)
        self.assertAlmostEqual(difference, row.difference.mean, places=4)


class ProbabilitiesTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / 'oof.csv'

    def rows(self, *arguments):
        tables.write_probabilities(*arguments, self.path)
        with open(self.path, newline='', encoding='utf-8') as file:
            return list(csv.DictReader(file))

    def test_the_error_can_be_made_of_them(self):
        found = tiny.crossed().found
        rows = self.rows(found.probabilities, tiny.POOL.y, tiny.POOL.classes)
        labels = ['tuned baseline', 'dropout', 'SGD with momentum', 'squeezed']
        self.assertEqual(list(found.probabilities), labels)
        self.assertLen(rows, 4 * 72)
        for label in labels:
            of_arm = [row for row in rows if row['arm'] == label]
            self.assertEqual([int(row['example']) for row in of_arm], list(range(72)))
            wrong = unsure = 0
            for row in of_arm:
                said = {name: float(row[f'probability of {name}']) for name in tiny.POOL.classes}
                self.assertAlmostEqual(sum(said.values()), 1, places=2)
                first, second, _ = sorted(said.values(), reverse=True)
                wrong += max(said, key=said.get) != row['truth']
                unsure += first - second < 2e-3
            expected = (found.probabilities[label].argmax(1) != tiny.POOL.y).sum()
            self.assertLessEqual(abs(wrong - expected), unsure)
            self.assertLessEqual(unsure, 3)
            np.testing.assert_array_equal(
                [row['truth'] for row in of_arm], np.array(tiny.POOL.classes)[tiny.POOL.y]
            )

    def test_they_tell_what_the_table_of_one_net_a_set_tells(self):
        """An average of nets is one model a set: where every example is tested once, both have one error."""
        found = tiny.crossed().found
        outcomes = tiny.crossed().combined.outcomes
        self.assertEqual({len(one.classes) for one in outcomes}, {2})
        table = found.tables.squeezed
        said = found.probabilities['squeezed'].argmax(1) != tiny.POOL.y
        agree = np.nanmax(table, 0) == np.nanmin(table, 0)
        certain = np.isin(np.nanmean(table, 0), (0, 1)) & agree  # both nets say the same
        self.assertGreater(certain.mean(), 0.6)
        np.testing.assert_array_equal(said[certain], np.nanmean(table, 0)[certain] == 1)

    def test_names_of_all_sorts(self):
        classes = ('a, b', 'c "d"\ne', 'ü\ud800')
        rows = self.rows({'x,y': np.full((2, 3), [0.123456, 0.5, 0.376544])}, np.array([2, 1]), classes)
        self.assertEqual([row['truth'] for row in rows], ['ü\\ud800', 'c "d"\ne'])
        self.assertEqual(rows[0]['arm'], 'x,y')
        self.assertEqual(rows[0]['probability of a, b'], '0.1235')
