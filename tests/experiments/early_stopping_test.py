"""Early stopping on tiny settings: all rows, the criteria, and twins that are the same net."""

from absl.testing import absltest

from tests.experiments import questions


class EarlyStoppingTest(absltest.TestCase):
    def test_fractions_and_criteria(self):
        found = questions.ask('early_stopping', *questions.TINY, '--train_size=100', '--stopping_epochs=40')
        self.assertEqual(found.code, 0, found.complained)
        labels = [row['label'] for row in found.record['fractions']]
        self.assertEqual(
            labels,
            [
                '20 % held out, best checkpoint',
                '10 % held out, best checkpoint',
                '33 % held out, best checkpoint',
                '20 % held out, last weights',
                'all labels, steps chosen by 5 folds',
                'all labels, steps chosen by 10 folds',
                'all labels, steps chosen by 3 folds',
                'all labels, all steps',
            ],
        )
        self.assertEqual(list(found.record['replays']), ['batches of 32', 'whole batches'])
        for how, replay in found.record['replays'].items():
            with self.subTest(how):
                criteria = {one['name']: one for one in replay['criteria']}
                self.assertLen(criteria, 15)
                self.assertEqual(criteria['never']['stopped'], 0)
                times = [one['time']['mean'] for one in replay['criteria']]
                self.assertAlmostEqual(times[0], 1)
                self.assertEqual(max(times), criteria['never']['time']['mean'])
                for one in criteria.values():
                    self.assertBetween(one['error']['mean'], 1, 90)
                # Twins evaluated on other examples have learnt the same.
                self.assertLess(replay['twins_apart'], 0.02)
        self.assertEqual([one['band'] for one in found.record['findings'][:4]], 2 * [[1, 8], [2, 6]])
        self.assertIn('UP 8', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')


if __name__ == '__main__':
    absltest.main()
