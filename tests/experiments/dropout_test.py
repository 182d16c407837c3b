"""Every question about dropout on tiny settings."""

from absl.testing import absltest, parameterized

from tests.experiments import questions


class DropoutTest(parameterized.TestCase):
    def asked(self, *flags):
        found = questions.ask('dropout', *questions.TINY, *flags)
        self.assertEqual(found.code, 0, found.complained)
        self.assertStartsWith(found.picture, b'\x89PNG')
        self.assertNotEmpty(found.record['findings'])
        for one in found.record['findings']:
            self.assertTrue(one['low'] <= one['mean'] <= one['high'], one)
        return found

    def test_rate(self):
        found = self.asked('--dropout_rates=0.5')
        labels = [row['label'] for row in found.record['rows']]
        for label in ('rate 0.5', 'rate 0.5, wider', 'inputs 0.2', 'rate 0.5, inputs 0.2'):
            self.assertIn(label, labels)
            self.assertIn(label, found.told)
        rows = {row['label']: row for row in found.record['rows']}
        self.assertEqual(rows['rate 0.5']['numbers']['dropout'], 0.5)
        self.assertGreater(rows['rate 0.5, wider']['cost'], 2)

    def test_size(self):
        found = self.asked('--dropout_question=size', '--dropout_sizes=60')
        self.assertEqual([one['data']['train'] for one in found.record['sizes']], [60])
        self.assertLen(found.record['findings'], 2)

    def test_kind(self):
        found = self.asked('--dropout_question=kind')
        labels = [row['label'] for row in found.record['rows']]
        self.assertEqual(labels, ['dropout', 'dropout, inputs too', 'Gaussian dropout', 'DropConnect'])

    def test_growth(self):
        found = self.asked('--dropout_question=growth')
        labels = [row['label'] for row in found.record['with_dropout']]
        self.assertEqual(labels[0], 'rate 0.5')
        self.assertLen(labels, 4)
        self.assertIn('none, wider and longer', found.told)

    def test_uncertainty(self):
        found = self.asked('--dropout_question=uncertainty')
        scores = found.record['scores']
        self.assertEqual(list(scores), ['no dropout', 'dropout, all units', 'dropout, mean of passes'])
        self.assertNotEqual(scores['dropout, all units']['NLL'], scores['dropout, mean of passes']['NLL'])
        # The same nets as the study's own: their error is the baseline's.
        self.assertAlmostEqual(
            scores['dropout, all units']['error %']['mean'],
            found.record['baseline']['error']['mean'],
            delta=0.3,
        )

    @parameterized.parameters(
        (('--dropout_rates=0.5,2',), 'give numbers between 0 and 1'),
        (('--dropout_question=size', '--dropout_sizes=7'), 'give whole numbers from 20 to 1000'),
    )
    def test_wrong_flags(self, flags, message):
        found = questions.ask('dropout', *questions.TINY, *flags)
        self.assertEqual(found.code, 1)
        self.assertIn(message, found.complained)


if __name__ == '__main__':
    absltest.main()
