"""A net grown and compared with a bigger one, on tiny settings."""

from absl.testing import absltest

from tests.experiments import questions


class CapacityTest(absltest.TestCase):
    def test_growing_and_comparing(self):
        tiny = ('--capacity_steps=40', '--capacity_units=4', '--capacity_times=2')
        found = questions.ask('capacity', *questions.TINY, *tiny)
        self.assertEqual(found.code, 0, found.complained)
        record = found.record
        widths = [tuple(one['widths']) for one in record['grown']]
        self.assertEqual(widths[:2], [(2,), (4,)])
        self.assertIn(tuple(record['chosen']), widths)
        self.assertEqual(record['bigger'], [2 * units for units in record['chosen']])
        self.assertLen(record['rows'], 7)
        self.assertLen(record['findings'], 4)
        self.assertIn('<- the smallest that is not worse', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')


if __name__ == '__main__':
    absltest.main()
