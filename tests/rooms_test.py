"""The shape of the tree: who imports whom, what words decide, how long files are, what an import costs."""

import ast
import graphlib
import pathlib
import subprocess
import sys

import chex
from absl.testing import parameterized

from overfit.data import kinds
from overfit.study import techniques

ROOT = pathlib.Path(__file__).parents[1]
LONGEST = {'overfit': 300, 'experiments': 350, 'tests': 350}
# Files that may be longer, with the reason.
LONG = {
    'overfit/base.py': 'the types of all rooms, mostly their documentation',
    'overfit/train/engine/population.py': 'one loop with its types',
}
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
    'door': ('nn', 'objectives', 'data', 'train', 'study', 'report'),
}
# Of `train`, the engine knows what it compiles; and what predicts is compiled by it.
ENGINE_KNOWS = ('check', 'start', 'step', 'early_stopping', 'engine')
KNOWS_ENGINE = ('predict.py', 'engine')
# `hasattr` tells what a stranger's value is, for a refusal or a file; nothing that is trained hangs on it.
HASATTR = {
    'overfit/study/records.py': 'NumPy and JAX values become plain ones in a file',
    'overfit/train/slots.py': 'a refusal says what a value is',
    'overfit/train/start.py': 'a refusal of given weights that are no tree',
}
OPTIONAL = ('tensorflow', 'tensorflow_datasets', 'matplotlib', 'sklearn', 'orbax', 'PIL', 'pandas')


def files(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob('*.py'))]


def imported(path):
    """Dotted names that a file imports, at its top or inside a function."""
    return named_by(ast.parse(path.read_text()), path)


def named_by(tree, path):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f'{path}: relative import')
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


class RunTime(ast.NodeTransformer):
    """Drops what is there for type checkers alone."""

    def visit_If(self, node):
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test).split('.')[-1] == 'TYPE_CHECKING' else node


def import_graph(texts):
    """Which modules a module imports when it runs, at its top or inside a function.

    Args:
        texts: source, by dotted name.

    Returns:
        Sets of those among `texts`, by dotted name.
    """
    graph = {}
    for module, text in texts.items():
        graph[module] = set()
        for name in named_by(RunTime().visit(ast.parse(text)), module):
            while name and name not in texts:
                name = name.rpartition('.')[0]
            graph[module] |= {name} - {''}
    return graph


def circle(graph):
    """Modules that import one another, the first again as the last; empty if there are none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def deciding(tree):
    """Strings by which code decides: compared, matched, or looked up."""
    return {
        one.value
        for node in ast.walk(tree)
        for part in _decides(node)
        for one in ast.walk(part)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }


def _decides(node):
    """Parts of a node on whose strings something hangs."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        return [node.slice]
    if isinstance(node, ast.MatchValue):
        return [node.value]
    if isinstance(node, ast.Call) and getattr(node.func, 'attr', '') in (
        'get',
        'pop',
        'startswith',
        'endswith',
    ):
        return node.args
    return []


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

    def test_there_is_no_circle_of_imports(self):
        texts = {}
        for path in files('overfit', 'experiments'):
            parts = path.relative_to(ROOT).with_suffix('').parts
            texts['.'.join(parts).removesuffix('.__init__')] = path.read_text()
        graph = import_graph(texts)
        self.assertContainsSubset(
            {'overfit.data.accept', 'overfit.base'}, graph['overfit.data.kinds'], 'the walk sees imports'
        )
        self.assertEqual(circle(graph), [])

    @parameterized.named_parameters(
        ('top', 'from room import b', 'import room.a', True),
        ('function', 'def f():\n    from room.b import name', 'from room import a as other', True),
        ('itself', 'import room.a', '', True),
        ('one_way', 'from room import b', 'import numpy.a', False),
        ('for_types', 'from room import b', 'if typing.TYPE_CHECKING:\n    from room import a', False),
        (
            'not_for_types',
            'from room import b',
            'if TYPE_CHECKING:\n    x = 1\nelse:\n    import room.a',
            True,
        ),
    )
    def test_the_walk_sees_circles(self, a, b, expected):
        found = circle(import_graph({'room': '', 'room.a': a, 'room.b': b}))
        self.assertEqual(bool(found), expected, found)

    def test_base_and_keys_stand_alone(self):
        for name in ('base', 'keys'):
            own = [n for n in imported(ROOT / 'overfit' / f'{name}.py') if n.startswith('overfit')]
            self.assertEqual(own, [])

    def test_experiments_are_known_to_nobody_but_themselves(self):
        for path in files('experiments'):
            self.assertFalse([name for name in imported(path) if name.startswith('tests')], path)
        for path in files('tests'):
            if 'experiments' not in path.relative_to(ROOT).parts:
                self.assertFalse([n for n in imported(path) if n.split('.')[0] == 'experiments'], path)

    def test_the_engine_is_inside_train(self):
        seen = set()
        for path in files('overfit/train'):
            place = path.relative_to(ROOT / 'overfit' / 'train').parts[0]
            for name in imported(path):
                if not name.startswith('overfit.train.'):
                    continue
                part = name.split('.')[2]
                if place == 'engine':
                    self.assertIn(part, ENGINE_KNOWS, f'{path} imports {name}')
                if part == 'engine':
                    self.assertIn(place, KNOWS_ENGINE, f'{path} imports {name}')
                seen.add((place, part))
        self.assertContainsSubset({('engine', 'step'), ('predict.py', 'engine')}, seen)

    def test_files_are_short(self):
        lengths = {
            str(path.relative_to(ROOT)): path.read_text().count('\n')
            for path in files('overfit', 'experiments', 'tests')
        }
        longer = {name for name, n in lengths.items() if n > LONGEST[name.split('/')[0]]}
        self.assertEqual(longer, set(LONG))
        self.assertLess(max(lengths.values()), 400)

    def test_there_is_no_drawer_for_odds_and_ends(self):
        names = {path.name for path in files('overfit', 'experiments', 'tests')}
        self.assertEqual(names & {'utils.py', 'util.py', 'helpers.py', 'misc.py', 'common.py'}, set())

    def test_no_word_decides(self):
        """Words of the command line, groups of techniques, kinds and leaves decide nothing in these rooms."""
        words = {technique.group for technique in techniques.STANDARD} | {
            one.name for one in kinds.KINDS.values()
        }
        words |= {
            'kernel',
            'bias',
            'scale',
            'embedding',
            'mlp',
            'cnn',
            'ensemble',
            'refit',
            'shift',
            'center',
        }
        for path in files('overfit/study', 'overfit/train'):
            found = deciding(ast.parse(path.read_text())) & words
            # The file of a saved model has a key of that name.
            keys = {'nets'} if path.name == 'checkpoint.py' else set()
            self.assertEqual(found - keys, set(), path)

    def test_nothing_asks_what_a_value_has(self):
        found = set()
        for path in files('overfit/study', 'overfit/train'):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'hasattr':
                    found.add(str(path.relative_to(ROOT)))
        self.assertEqual(found, set(HASATTR))

    def test_kinds_of_data_are_named_where_they_are_made_and_read(self):
        names = set(kinds.KINDS)
        self.assertEqual(names, {'image', 'vector'})
        for path in files('overfit'):
            place = path.relative_to(ROOT / 'overfit')
            if place.parts[:2] == ('data', 'read') or str(place) == 'data/kinds.py':
                continue
            tree = ast.parse(path.read_text())
            strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
            self.assertEqual(strings & names, set(), path)

    def test_the_walk_sees_how_words_decide(self):
        for text in (
            "if kind == 'image': pass",
            "if 'image' in words: pass",
            "if kind in ('image', 'vector'): pass",
            "TABLE['image'](x)",
            "TABLE.get('image')",
            "match kind:\n    case 'image': pass",
            "found = kind.startswith('image')",
        ):
            self.assertIn('image', deciding(ast.parse(text)), text)
        self.assertEqual(deciding(ast.parse("Technique('image', group='optimizer')")), set())

    @parameterized.parameters(
        'import overfit',
        'import overfit.door',
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

    def test_importing_the_package_loads_nothing(self):
        statement = 'import sys\nbefore = set(sys.modules)\nimport overfit\nprint(*set(sys.modules) - before)'
        found = subprocess.run(
            [sys.executable, '-c', statement], cwd=ROOT, capture_output=True, text=True, check=True
        )
        loaded = set(found.stdout.split())
        self.assertIn('overfit', loaded)
        heavy = {name for name in loaded if name.split('.')[0] in ('jax', 'numpy', 'flax', 'optax', 'scipy')}
        self.assertEqual(heavy, set())
        self.assertEqual({name for name in loaded if name.startswith('overfit')}, {'overfit'})
