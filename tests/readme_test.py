"""What the README says is true: its commands, its table, its code."""

import contextlib
import io
import pathlib
import re
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest

import overfit
from overfit import door
from overfit.report import wording
from overfit.study import results
from tests import problems

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')


class ReadmeTest(absltest.TestCase):
    def test_the_table_is_the_one_of_the_committed_run(self):
        parts = re.findall(r'<!-- table: (\S+) -->\n```\n(.*?)```\n<!-- end -->', README, re.DOTALL)
        self.assertNotEmpty(parts)
        for path, shown in parts:
            self.assertEqual(shown.strip(), wording.table(results.read(ROOT / path)).strip())

    def test_ci_runs_exactly_the_test_command(self):
        command = re.search(r'^## Tests\n\n```\n(.*?)\n```', README, re.DOTALL | re.MULTILINE)[1]
        self.assertEqual((ROOT / '.ci' / 'run').read_text(encoding='utf-8').splitlines()[-1], command)

    def code(self):
        return re.findall(r'```python\n(.*?)```', README, re.DOTALL)

    def test_the_step_runs(self):
        images = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1)).astype(np.uint8)
        names = {'x': images, 'y': np.arange(64, dtype=np.int32) % 10}
        exec(self.code()[3], names)
        self.assertEqual(int(names['state'].step), 1)
        self.assertTrue(np.isfinite(names['metrics'].loss))

    def test_the_studies_run(self):
        """As they stand, but for less effort."""
        little = {'minutes': 0.1, 'trials': 1, 'labelled_sets': 5}
        examples = problems.blobs(60)
        chosen = [overfit.techniques.dropout]

        def squeeze(x, y, *, techniques=chosen, **options):
            return door.squeeze(x, y, **options | little, techniques=techniques)

        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(contextlib.chdir(folder))
        self.enterContext(contextlib.redirect_stdout(io.StringIO()))
        with mock.patch.object(overfit, 'squeeze', squeeze, create=True):
            names = {'x': examples.x, 'y': examples.y, 'more': examples.x}
            exec(self.code()[1], names)
            self.assertEqual(len(list(pathlib.Path('runs/mine').iterdir())), 5)
            exec(self.code()[2], names)
        self.assertEqual([row.technique for row in names['result'].arms], ['jitter', 'dropout'])


if __name__ == '__main__':
    absltest.main()
