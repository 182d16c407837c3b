"""`overfit.squeeze` given a path: the data are read as the command reads them, and so does the model."""

import contextlib
import pathlib
import tempfile

import chex
import numpy as np
from absl.testing import parameterized

import overfit
from tests import problems

TRAIN = problems.blobs(72, spread=1.0)
NAMES = np.array(['ape', 'bee', 'cat'])[TRAIN.y]
QUICK = {'techniques': [overfit.techniques.l2], 'minutes': 0.1, 'trials': 1}


class PathTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.enterContext(contextlib.chdir(self.enterContext(tempfile.TemporaryDirectory())))

    def test_a_table_with_a_column_of_words(self):
        rows = [
            f'{x[0]},{x[1]},{"wet" if x[0] > 0 else "dry"},{n},{name}'
            for n, (x, name) in enumerate(zip(TRAIN.x, NAMES, strict=True))
        ]
        pathlib.Path('bees.csv').write_text('\n'.join(['length,width,weather,hive,kind', *rows]) + '\n')
        found = overfit.squeeze('bees.csv', label='kind', group='hive', labelled_sets=5, **QUICK)
        self.assertEqual(found.results.data.name, 'bees')
        self.assertGreater((found.model.predict('bees.csv') == NAMES).mean(), 0.5)

    @parameterized.named_parameters(
        ('a label of arrays', {'label': 'class'}, 'label is of a path, and x is none'),
        ('a path and labels', {'x': 'table.csv'}, 'y is given beside the path table.csv'),
        ('no such path', {'x': 'table.csv', 'y': None}, 'table.csv'),
        ('no labels', {'y': None}, 'y is missing: give a label for each example'),
    )
    def test_what_cannot_serve(self, changes, words):
        with self.assertRaisesRegex(ValueError, words):
            overfit.squeeze(**{'x': TRAIN.x, 'y': NAMES} | QUICK | changes)
