"""Ensembles on tiny settings, and the published protocol on a handful of made-up images."""

import numpy as np
from absl.testing import absltest

from experiments import ensembles
from experiments.question import deep_ensemble
from overfit.data import splits as splits_lib
from overfit.nn import models
from overfit.train.engine import layout
from tests import problems
from tests.experiments import questions


class EnsemblesTest(absltest.TestCase):
    def test_rows_and_findings(self):
        found = questions.ask('ensembles', *questions.TINY, '--ensemble_nets=2')
        self.assertEqual(found.code, 0, found.complained)
        labels = [row['label'] for row in found.record['rows']]
        self.assertEqual(
            labels,
            [
                'single nets',
                'average of the 2 fold nets',
                'one net of all labels',
                'average of 2 nets of all labels',
                'bagging: average of 2 nets',
                'one net of 2 times the weights',
                'average of 2 nets from one start',
                'uniform soup of 2 nets from one start',
                'greedy soup of 2 nets from one start',
                '2 snapshots in the steps of one net',
                '2 snapshots in the steps of 2 nets',
                'one net distilled from the average of 2',
            ],
        )
        for row in found.record['rows']:
            self.assertBetween(row['error']['mean'], 2, 70, row)
        # The average of probabilities is never less sure of the truth than its members are on average.
        self.assertLessEqual(found.record['cross_entropy_ratio']['mean'], 1)
        names = [one['technique'] for one in found.record['findings']]
        self.assertIn('greedy soup of 2 nets from one start', names)
        self.assertStartsWith(found.picture, b'\x89PNG')

    def test_a_bigger_net_has_so_many_weights(self):
        recipe = problems.recipe(widths=(20, 12))
        for net in (recipe.model, models.CNN(3, channels=(4,), widths=(8,))):
            with self.subTest(type(net).__name__):
                plain = recipe._replace(model=net)
                example = layout.example_of(plain, problems.IMAGES)
                before = layout.weights_of(net, example)
                after = layout.weights_of(ensembles.bigger(plain, problems.IMAGES, 5).model, example)
                self.assertBetween(after / before, 5, 6.5)


class PublishedTest(absltest.TestCase):
    def test_accuracies_of_one_to_all(self):
        pool, test = (problems.pictures(n, side=12, seed=seed) for n, seed in ((48, 0), (30, 1)))
        splits = splits_lib.Splits(pool, splits_lib.Holdout(test.x, test.y), 'made', 'up', (), 'ab' * 32)
        answer = deep_ensemble.ask(splits, np.arange(48), 2, 2, steps=20)
        singles, accuracy = answer.record['single']['accuracy'], answer.record['accuracy']
        self.assertLen(singles, 2)
        self.assertLen(accuracy, 2)
        self.assertGreater(accuracy[1]['mean'], 50)
        bands = [one['band'] for one in answer.record['findings']]
        self.assertEqual(bands, [[90.0, 91.5], [0.5, 2.2], [0.6, 0.9]])
        self.assertLessEqual(answer.record['findings'][2]['mean'], 1)


if __name__ == '__main__':
    absltest.main()
