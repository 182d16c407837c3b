"""What the README says is true: its commands, its table, its code."""

import pathlib
import re

import numpy as np
from absl.testing import absltest

from overfit.report import wording
from overfit.study import results

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')


class ReadmeTest(absltest.TestCase):
    def test_the_table_is_the_one_of_the_committed_run(self):
        parts = re.findall(r'<!-- table: (\S+) -->\n```\n(.*?)```\n<!-- end -->', README, re.DOTALL)
        self.assertLen(parts, 1)
        path, shown = parts[0]
        self.assertEqual(shown.strip(), wording.table(results.read(ROOT / path)).strip())

    def test_ci_runs_exactly_the_test_command(self):
        command = re.search(r'^## Tests\n\n```\n(.*?)\n```', README, re.DOTALL | re.MULTILINE)[1]
        self.assertEqual((ROOT / '.ci' / 'run').read_text(encoding='utf-8').splitlines()[-1], command)

    def test_the_code_runs(self):
        code = re.findall(r'```python\n(.*?)```', README, re.DOTALL)[1]
        images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1)).astype(np.uint8)
        names = {'x': images, 'y': np.arange(64, dtype=np.int32) % 10}
        exec(code, names)
        self.assertEqual(int(names['state'].step), 1)
        self.assertTrue(np.isfinite(names['metrics'].loss))


if __name__ == '__main__':
    absltest.main()
