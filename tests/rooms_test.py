"""The shape of the tree: who imports whom, how long files are, and what an import costs."""

import ast
import pathlib
import subprocess
import sys

import chex
from absl.testing import parameterized

ROOT = pathlib.Path(__file__).parents[1]
LONGEST = 350
# A room may know itself, these (rooms, or single modules of a room), and `base` and `keys`.
KNOWS = {
    'base': (),
    'keys': (),
    'nn': (),
    'objectives': (),
    'data': (),
    'train': ('nn', 'objectives', 'data'),
    'transfer': ('nn', 'objectives', 'data', 'train'),
    'study': ('nn', 'objectives', 'data', 'train'),
    'report': ('study.results', 'study.material'),
}
OPTIONAL = ('tensorflow', 'tensorflow_datasets', 'matplotlib', 'sklearn', 'orbax', 'PIL', 'pandas')


def files(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob('*.py'))]


def imported(path):
    """Dotted names that a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f'{path}: relative import')
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


class RoomsTest(chex.TestCase):
    def test_imports_go_to_the_left(self):
        for path in files('overfit'):
            room = path.relative_to(ROOT / 'overfit').parts[0].removesuffix('.py')
            if room == '__init__':
                continue
            self.assertIn(room, KNOWS, f'{path}: a room without rules')
            for name in imported(path):
                top, *rest = name.split('.')
                self.assertNotIn(top, ('experiments', 'tests'), path)
                if top == 'overfit':
                    place = '.'.join(rest) + '.'
                    known = tuple(f'{one}.' for one in ('base', 'keys', room, *KNOWS[room]))
                    self.assertStartsWith(place, known, f'{path} imports {name}')

    def test_base_and_keys_stand_alone(self):
        for name in ('base', 'keys'):
            own = [n for n in imported(ROOT / 'overfit' / f'{name}.py') if n.startswith('overfit')]
            self.assertEqual(own, [])

    def test_experiments_are_known_to_nobody_but_themselves(self):
        for path in files('experiments'):
            self.assertFalse([name for name in imported(path) if name.startswith('tests')], path)

    def test_files_are_short(self):
        lengths = {
            str(path.relative_to(ROOT)): path.read_text().count('\n')
            for path in files('overfit', 'experiments', 'tests')
        }
        self.assertEqual({name: n for name, n in lengths.items() if n > LONGEST}, {})

    def test_there_is_no_drawer_for_odds_and_ends(self):
        names = {path.name for path in files('overfit', 'experiments', 'tests')}
        self.assertEqual(names & {'utils.py', 'util.py', 'helpers.py', 'misc.py', 'common.py'}, set())

    @parameterized.parameters(
        'import overfit',
        'import overfit.data.load, overfit.train.engine.population, overfit.train.checkpoint, '
        'overfit.study.squeeze',
    )
    def test_importing_loads_no_optional_library(self, statement):
        found = subprocess.run(
            [sys.executable, '-c', f'{statement}\nimport sys\nprint(*sys.modules)'],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = {name.split('.')[0] for name in found.stdout.split()}
        self.assertIn('overfit', loaded)
        self.assertEqual(loaded & set(OPTIONAL), set())
