"""Test labels and what was measured with them: not passed to any function that decides, by their types."""

import ast
import inspect
import typing
from collections.abc import Callable

import chex

from overfit import base
from overfit.data import splits
from overfit.study import (
    arms,
    baselines,
    combine,
    costs,
    course,
    decide,
    labelled_sets,
    ledger,
    plan,
    procedures,
    protocol,
    race,
    requests,
    results,
    search,
    spaces,
    tables,
    techniques,
)
from overfit.train.engine import population, program

HIDDEN = (splits.Holdout, splits.Splits, tables.Tables, ledger.Figures, results.Results, results.Row)
# What sees all of the data, and why: a request is checked against the whole of it, and its study keeps it
# for measuring; labelled sets are drawn from it. What decides receives `study.design`, which is checked here.
SEES_ALL = {
    'requests': {'Study', 'prepare', 'describe'},
    'labelled_sets': {'draw', 'whole', 'resized', 'lay_out'},
}
MODULES = (
    arms,
    baselines,
    combine,
    costs,
    course,
    decide,
    labelled_sets,
    plan,
    population,
    procedures,
    program,
    protocol,
    race,
    requests,
    search,
    spaces,
    techniques,
)


def functions(value):
    """A function; or a class, and the functions in it."""
    if inspect.isfunction(value):
        return [value]
    if not isinstance(value, type):
        return []
    members = [getattr(one, 'fget', None) or getattr(one, '__func__', one) for one in vars(value).values()]
    return [value, *(one for one in members if inspect.isfunction(one) and one.__annotations__)]


def inside(types, seen=None):
    """All classes that types are made of, through containers, unions, functions and fields."""
    seen = set() if seen is None else seen
    for one in types:
        if isinstance(one, list):
            yield from inside(one, seen)
            continue
        if isinstance(one, type) and typing.get_origin(one) is None:
            if one in seen:
                continue
            seen.add(one)
            yield one
        yield from inside(typing.get_args(one), seen)
        if getattr(one, '__module__', '').startswith('overfit') and hasattr(one, '_fields'):
            yield from inside(typing.get_type_hints(one).values(), seen)


class OutOfReachTest(chex.TestCase):
    def test_nothing_that_decides_takes_one(self):
        for module in MODULES:
            excepted = SEES_ALL.get(module.__name__.rsplit('.', 1)[1], ())
            for name, value in vars(module).items():
                if getattr(value, '__module__', '') != module.__name__ or name in excepted:
                    continue
                types = [found for one in functions(value) for found in typing.get_type_hints(one).values()]
                self.assertEqual(set(inside(types)) & set(HIDDEN), set(), f'{module}.{name}')
                if inspect.isfunction(value) and 'pool' in inspect.signature(value).parameters:
                    if not name.startswith('_'):
                        self.assertIs(typing.get_type_hints(value)['pool'], base.Examples, name)

    def test_nothing_that_decides_names_one(self):
        for module in MODULES:
            nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
            names = {getattr(node, 'attr', None) or getattr(node, 'id', None) for node in nodes}
            imported = {
                alias.name for n in nodes for alias in getattr(n, 'names', ()) if hasattr(alias, 'asname')
            }
            self.assertEqual(names & {'reveal', 'wrong', 'Holdout', 'Tables'}, set(), module.__name__)
            measured = {'measure', 'tables', 'ledger', 'stats', 'simultaneous', 'results', 'squeeze'}
            self.assertEqual(imported & measured, set(), module.__name__)

    def test_of_a_test_set_the_labelled_sets_take_its_length(self):
        """They read the pool's labels to stratify; of the test set nothing but how many examples it has."""
        uses = [
            ast.unparse(node)
            for name in SEES_ALL['labelled_sets']
            for node in ast.walk(ast.parse(inspect.getsource(getattr(labelled_sets, name))))
            if isinstance(node, ast.Call) and 'data.test' in [ast.unparse(part) for part in node.args]
        ]
        text = inspect.getsource(labelled_sets)
        self.assertEqual(uses, ['len(data.test)'])
        self.assertEqual(text.count('.test)'), 1)
        self.assertNotIn('.test.', text)

    def test_what_sees_all_is_named_with_a_reason(self):
        self.assertContainsSubset(SEES_ALL['requests'], set(vars(requests)))
        self.assertContainsSubset(SEES_ALL['labelled_sets'], set(vars(labelled_sets)))
        seen = set(inside([requests.Study]))
        self.assertContainsSubset({splits.Holdout, splits.Splits}, seen)
        self.assertNotIn(tables.Tables, seen)

    def test_the_walk_finds_what_is_deep_inside(self):
        nested = [Callable[[tuple[tables.Tables, ...]], None]]
        self.assertIn(tables.Tables, set(inside(nested)))
        self.assertIn(splits.Holdout, set(inside([list[requests.Study]])))
        self.assertIn(base.Hyper, set(inside([decide.Combined | None])))
        self.assertIn(base.Hyper, set(inside([tuple[decide.Compared, ...]])))
