"""The examples in docstrings run and give what they say."""

import doctest
import importlib
import inspect
import io
import pathlib

import chex
from absl.testing import parameterized

ROOT = pathlib.Path(__file__).parents[1]
# In these, every public function shows an example.
SHOWN = (
    'nn.activations',
    'nn.convolution',
    'nn.dropout',
    'nn.initializers',
    'objectives.losses',
    'objectives.penalties',
    'data.augment.boxes',
    'data.augment.corruption',
    'data.augment.elastic',
    'data.augment.geometry',
    'data.augment.light',
    'data.augment.mixing',
    'data.augment.policy',
    'data.sampling',
    'data.views',
    'train.early_stopping',
    'train.optimizers',
    'train.schedules',
)


def modules():
    """Dotted names of the package's modules, found without importing any."""
    for path in sorted((ROOT / 'overfit').rglob('*.py')):
        parts = path.relative_to(ROOT).with_suffix('').parts
        yield '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def examples_of(module):
    finder = doctest.DocTestFinder(exclude_empty=False)
    return {test.name.removeprefix(f'{module.__name__}.'): test for test in finder.find(module)}


class DoctestTest(chex.TestCase):
    @parameterized.named_parameters((name, name) for name in modules())
    def test_examples_of_(self, name):
        runner, report = doctest.DocTestRunner(verbose=False), io.StringIO()
        for test in examples_of(importlib.import_module(name)).values():
            runner.run(test, out=report.write)
        self.assertEqual(runner.summarize(verbose=False).failed, 0, report.getvalue())

    @parameterized.named_parameters((name, name) for name in SHOWN)
    def test_every_public_function_shows_an_example_in_(self, name):
        module = importlib.import_module(f'overfit.{name}')
        found = examples_of(module)
        public = {
            attribute
            for attribute, value in vars(module).items()
            if not attribute.startswith('_')
            and inspect.isfunction(inspect.unwrap(value))
            and value.__module__ == module.__name__
        }
        without = {attribute for attribute in public if not found[attribute].examples}
        # The module's own example stands for values such as activations.
        self.assertEqual(without, set())
        self.assertTrue(any(test.examples for test in found.values()))
