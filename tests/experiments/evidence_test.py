"""The README's evidence is that of the committed results."""

import pathlib
import re

from absl.testing import absltest

from experiments import evidence

README = (pathlib.Path(__file__).parents[2] / 'README.md').read_text(encoding='utf-8')


class EvidenceTest(absltest.TestCase):
    def test_tables_are_made_of_the_results(self):
        parts = re.findall(r'<!-- evidence: (\w+) -->\n(.*?)\n<!-- end -->', README, re.DOTALL)
        made = {'replication': evidence.replication(), 'own_data': evidence.own_data()}
        self.assertEqual(dict(parts), made)


if __name__ == '__main__':
    absltest.main()
