"""The notebooks: no outputs in git, a badge that opens them, and all of their code runs."""

import ast
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from absl.testing import absltest, parameterized

from tests import notebook_process

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / 'colab').glob('*.ipynb'))
# In place of the settings of each notebook, so that it runs in seconds.
SMALL = {
    'quickstart': {'MINUTES': 0.1, 'PICTURES': 100},
    'populations': {'RATES': 3, 'SEEDS': 4, 'STEPS': 40, 'FEW': 10, 'MOST': 4},
    'techniques': {'SEEDS': 2, 'STEPS': 20},
}
MOST_LINES = 25  # of the code of a technique's section
AT_ONCE = 6  # sections on techniques that one test runs
NAMED = [(path.stem, path) for path in NOTEBOOKS]


def sections(path):
    """Cells by the second-level heading that they stand under."""
    found = {}
    for cell in notebook_process.cells(path):
        if cell['section'] is not None:
            found.setdefault(cell['section'], []).append(cell)
    return found


def parts():
    """What runs in one process: a whole notebook, or some sections on techniques, which stand alone."""
    for name, path in NAMED:
        if name != 'techniques':
            yield name, path, ()
            continue
        headings = list(sections(path))
        for first in range(0, len(headings), AT_ONCE):
            yield f'{name}_{first // AT_ONCE}', path, headings[first : first + AT_ONCE]


class FormTest(parameterized.TestCase):
    def test_every_notebook_has_small_settings(self):
        self.assertEqual({path.stem for path in NOTEBOOKS}, set(SMALL))

    @parameterized.named_parameters(NAMED)
    def test_no_outputs_are_in_git(self, path):
        notebook = json.loads(path.read_text(encoding='utf-8'))
        self.assertEqual(notebook['nbformat'], 4)
        self.assertEqual(notebook['metadata']['kernelspec']['name'], 'python3')
        ids = [cell['id'] for cell in notebook['cells']]
        self.assertLen(set(ids), len(ids))
        for cell in notebook['cells']:
            self.assertEqual(set(cell['metadata']) - {'tags'}, set())
            if cell['cell_type'] == 'code':
                self.assertEqual((cell['outputs'], cell['execution_count']), ([], None))

    @parameterized.named_parameters(NAMED)
    def test_opens_from_its_badge_and_installs_first(self, path):
        cells = notebook_process.cells(path)
        code = [cell for cell in cells if cell['cell_type'] == 'code']
        badge = re.search(
            r'\]\(https://colab\.research\.google\.com/github/(\S+?/\S+?)/blob/main/(\S+?)\)',
            cells[0]['source'],
        )
        self.assertEqual(badge[2], f'colab/{path.name}')
        self.assertEqual(code[0]['tags'], {notebook_process.INSTALL})
        self.assertEqual(code[1]['tags'], {notebook_process.SETTINGS})
        self.assertFalse(any(cell['tags'] for cell in code[2:]))
        # It installs the repository that it is opened from.
        install = code[0]['source'].splitlines()[-1]
        self.assertEqual(install, f'%pip install -q git+https://github.com/{badge[1]}')
        for cell in code[1:]:  # the repository's other folders are not installed
            for node in ast.walk(ast.parse(cell['source'])):
                if isinstance(node, ast.ImportFrom):
                    self.assertNotIn(node.module.split('.')[0], ('experiments', 'tests'))

    def test_a_technique_has_words_few_lines_and_a_picture(self):
        found = sections(ROOT / 'colab' / 'techniques.ipynb')
        self.assertGreater(len(found), 10)
        for heading, (words, *code) in found.items():
            self.assertEqual([cell['cell_type'] for cell in code], ['code'], heading)
            self.assertBetween(len(re.findall(r'[.:?](?:\s|$)', words['source'])), 2, 8, heading)
            lines = [line for line in code[0]['source'].splitlines() if line.strip()]
            self.assertLessEqual(len(lines), MOST_LINES, heading)


class RunTest(parameterized.TestCase):
    @parameterized.named_parameters(parts())
    def test_runs(self, path, headings):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        environment = {name: value for name, value in os.environ.items() if name != 'DISPLAY'}
        environment |= {'PYTHONPATH': str(ROOT), 'MPLBACKEND': 'Agg', 'PYTHONWARNINGS': 'error'}
        program = ROOT / 'tests' / 'notebook_process.py'
        done = subprocess.run(
            [sys.executable, str(program), str(path), json.dumps(SMALL[path.stem]), *headings],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-4000:])
        told = json.loads(done.stdout.splitlines()[-1])
        asked = [
            cell['source']
            for cell in notebook_process.cells(path)
            if cell['cell_type'] == 'code' and cell['section'] in (None, *(headings or sections(path)))
        ]
        self.assertEqual([one['source'] for one in told], asked[1:])  # all but the install cell
        for one in told:
            self.assertEqual(one['pictures'] > 0, 'plt.show()' in one['source'], one['source'])
        if path.stem == 'quickstart':  # the report itself stands in the notebook
            self.assertGreater(max(one['shown'] for one in told), 10_000)
        if headings:
            drawn = {one['source'] for one in told if one['pictures']}
            self.assertEqual(drawn, {sections(path)[heading][-1]['source'] for heading in headings})


if __name__ == '__main__':
    absltest.main()
