"""What cells that are no numbers look like."""

from absl.testing import absltest, parameterized

from overfit.data.read import wording


class CauseTest(parameterized.TestCase):
    @parameterized.parameters(
        ('2020-01-31', '31.1.20', 'dates or times'),
        ('2020/1/31 12:00', '2020-01-31T12:00:00Z', 'dates or times'),
        ('12:30', '1:05:07.5 pm', 'dates or times'),
        ('3 March 2020', 'Mar 3, 2020', 'dates or times'),
        ('0,33', '-1,5', 'numbers with decimal commas'),
        ('1,250', '1,5', 'numbers with decimal commas'),
        ('1,250', '1,250,000', 'numbers with commas between thousands'),
        ('1,250', '2,500', 'numbers with commas between thousands or before decimals'),
        ('1.250,5', '12.250,55', 'numbers with points between thousands'),
    )
    def test_recognises(self, one, other, looks):
        for words in ([one, other], [other, one], [one, other, '-'], [one] * 3 + [other]):
            self.assertEqual(wording.cause(words)[0], looks)

    @parameterized.parameters(
        'red', 'A-12-3', '1,2,3', '10 kg', '12:30 at noon', 'may be 3', '3,', '192.168.0.1'
    )
    def test_leaves_others(self, word):
        self.assertIsNone(wording.cause([word]))

    def test_says_what_to_write(self):
        for word, advice in (
            ('0,33', 'write 0.33,'),
            ('1,250.5', 'write 1250.5'),
            ('1.250,5', 'write 1250.5'),
        ):
            self.assertIn(advice, wording.cause([word])[1])


if __name__ == '__main__':
    absltest.main()
