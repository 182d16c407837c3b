"""The README's evidence is that of the committed results."""

import pathlib
import re

from absl.testing import absltest

from experiments import evidence
from experiments.question import intervals
from overfit.study.stats import Interval

README = (pathlib.Path(__file__).parents[2] / 'README.md').read_text(encoding='utf-8')


class EvidenceTest(absltest.TestCase):
    def test_tables_are_made_of_the_results(self):
        parts = re.findall(r'<!-- evidence: (\w+) -->\n(.*?)\n<!-- end -->', README, re.DOTALL)
        tables = {
            'replication': evidence.replication,
            'own_data': evidence.own_data,
            'findings': evidence.findings,
            'advice': evidence.advice,
        }
        self.assertCountEqual([name for name, _ in parts], tables)
        for name, shown in parts:
            self.assertEqual(shown, tables[name](), name)

    def test_how_advice_is_judged(self):
        for mean, expected, wanted in (
            (-2.0, 'below', 'yes'),
            (2.0, 'below', 'no'),
            (-0.5, 'below', 'undecided'),
            (2.0, 'above', 'yes'),
            (-2.0, 'above', 'no'),
            (0.0, 'equal', 'yes'),
            (2.0, 'equal', 'no'),
            (0.9, 'equal', 'undecided'),
        ):
            found = Interval(mean, mean - 1, mean + 1, 5)
            one = intervals.finding(
                'a', 'b', found, source='c', published='d', advice='e', expected=expected, margin=1.0
            )
            self.assertEqual(one['verdict'], wanted, (mean, expected))
        # All of it within what does not matter: it does not help.
        found = intervals.finding(
            'a', 'b', Interval(-0.1, -0.5, 0.3, 5), source='c', published='d', advice='e',
            expected='below', margin=1.0,
        )  # fmt: skip
        self.assertEqual(found['verdict'], 'no')
        with self.assertRaisesRegex(ValueError, 'expected=None'):
            intervals.finding('a', 'b', Interval(0, 0, 0, 5), source='c', published='d', advice='e')


if __name__ == '__main__':
    absltest.main()
