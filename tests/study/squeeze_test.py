"""The whole study on blobs: what it writes, and that it writes it again."""

import json
import pathlib
import tempfile

import chex
import numpy as np

import overfit
from overfit.data import splits as splits_lib
from overfit.study import plan, search, spaces, squeeze
from overfit.study.progress import Progress
from tests import problems
from tests.study import tiny

TEST = problems.blobs(80, spread=1.0, seed=8)
SPLITS = splits_lib.Splits(
    tiny.POOL, splits_lib.Holdout(TEST.x, TEST.y), 'blobs <b>', 'made up', ('a note',), 'ab' * 32
)
ABOUT = {'command': 'python -m experiments.squeeze', 'versions': {'jax': '1'}, 'git': None}
KEYS = ('dropout', 'l2', 'momentum')
INTERVAL = {'mean': float, 'low': float, 'high': float, 'n': int}
ARM = {
    'technique': str,
    'recipe': str,
    'hyper': dict,
    'trials': int,
    'member_steps': int,
    'test_error': INTERVAL,
}
COMPARED = ARM | {
    'difference': INTERVAL | {'p': float, 'p_adjusted': float},
    'labels_worth': {'factor': float, 'low': float, 'high': float, 'extrapolated': bool},
    'verdict': str,
}
SCHEMA = {
    'command': str,
    'versions': dict,
    'git': type(None),
    'seed': int,
    'seconds': {'total': float, 'compile': float, 'train': float},
    'data': {'name': str, 'kind': str, 'train': int, 'test': int, 'classes': int, 'sha256': str},
    'baseline': ARM,
    'arms': [COMPARED],
    'squeezed': COMPARED,
    'references': [{'name': str, 'test_error': INTERVAL}],
    'size_curve': [{'size': int, 'test_error': INTERVAL}],
    'search_optimism': INTERVAL,
}
BESIDES = {'results': {'plan', 'best'}, 'arm': {'frozen', 'frozen_in_search'}}  # beyond the schema


def study():
    arms = tuple(search.arm_of(keys, tiny.RECIPE) for keys in [(), *((key,) for key in KEYS)])
    made = plan.make(
        tiny.POOL, arms, train_size=30, validation=0.2, budget_minutes=0.1, seed=3, trials=2, replicates=3
    )
    made = made._replace(protocol=made.protocol._replace(steps=60, eval_every=20))
    labelled = splits_lib.subset(tiny.POOL.y, 30, seed=3)
    return squeeze.Study(SPLITS, tiny.RECIPE, arms, labelled, made)


def run(folder, change=lambda started: started):
    path, started = pathlib.Path(folder), change(study())
    progress = Progress(started.plan.seconds, quiet=True)
    try:
        returned = squeeze.run(started, path, ABOUT, progress)
    finally:
        progress.close()
    return path, returned


class RunTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path, _ = run(cls.folder.name)
        cls.results = json.loads((cls.path / 'results.json').read_text())

    def check(self, value, wanted, where='results'):
        """That a value has the schema's keys and types, and nothing else."""
        if isinstance(wanted, dict):
            besides = BESIDES['arm'] if 'technique' in wanted else BESIDES.get(where, set())
            self.assertEqual(set(value) - besides, set(wanted), where)
            for key, inner in wanted.items():
                self.check(value[key], inner, f'{where}.{key}')
        elif isinstance(wanted, list):
            self.assertIsInstance(value, list, where)
            self.assertTrue(value, where)
            for item in value:
                self.check(item, wanted[0], f'{where}[]')
        elif wanted is float:
            self.assertIn(type(value), (int, float), where)
        else:
            self.assertIs(type(value), wanted, where)

    def test_the_schema(self):
        self.check(self.results, SCHEMA)

    def test_the_rows_are_those_asked_for(self):
        found = self.results
        labels = [search.arm_of((key,), tiny.RECIPE).label for key in KEYS]
        self.assertEqual([arm['technique'] for arm in found['arms']], labels)
        self.assertEqual(
            found['data'],
            {
                'name': 'blobs <b>',
                'kind': 'vector',
                'train': 30,
                'test': 80,
                'classes': 3,
                'sha256': 'ab' * 32,
            },
        )
        self.assertEqual({arm['trials'] for arm in [found['baseline'], *found['arms']]}, {2})
        steps = {arm['member_steps'] for arm in [found['baseline'], *found['arms']]}
        self.assertLen(steps, 1)
        self.assertEqual(found['baseline']['test_error']['n'], 3)
        self.assertEqual([point['size'] for point in found['size_curve']], list(study().plan.sizes))
        for arm in [*found['arms'], found['squeezed']]:
            difference = arm['difference']
            exact = arm['test_error']['mean'] - found['baseline']['test_error']['mean']
            self.assertAlmostEqual(difference['mean'], exact, places=3)
            self.assertBetween(difference['mean'], difference['low'], difference['high'])
            self.assertLessEqual(difference['p'], difference['p_adjusted'] + 1e-12)
            sure = difference['p_adjusted'] < 0.05
            verdict = ('helps' if difference['mean'] < 0 else 'hurts') if sure else 'no evidence'
            self.assertEqual(arm['verdict'], verdict)
        (here,) = [point for point in found['size_curve'] if point['size'] == 30]
        self.assertEqual(here['test_error'], found['baseline']['test_error'])

    def test_the_optimism_of_the_search_has_an_interval(self):
        optimism = self.results['search_optimism']
        self.assertEqual(optimism['n'], 4)
        self.assertLess(optimism['low'], optimism['mean'])
        self.assertLess(optimism['mean'], optimism['high'])

    def test_seconds_add_up(self):
        seconds = self.results['seconds']
        self.assertGreater(seconds['train'], 0)
        self.assertGreater(seconds['compile'], 0)
        self.assertLess(seconds['train'] + seconds['compile'], seconds['total'])

    def test_the_best_model_has_the_error_that_is_told(self):
        best = overfit.load(self.path / 'best')
        names = np.array(tiny.POOL.classes)
        wrong = best.predict(TEST.x) != names[TEST.y]
        told = self.results['best']
        self.assertEqual(told['test_error'], float(f'{100 * wrong.mean():.6g}'))
        self.assertEqual(told['members'], len(best.nets))
        self.assertLess(wrong.mean(), 0.5)

    def test_the_report_escapes_names(self):
        text = (self.path / 'report.html').read_text()
        self.assertIn('blobs &lt;b&gt;', text)
        self.assertNotIn('blobs <b>', text)
        for label in [arm['technique'] for arm in self.results['arms']]:
            self.assertIn(label, text)

    def test_again_it_writes_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            path, returned = run(folder)
            again = json.loads((path / 'results.json').read_text())
        self.assertEqual(again | {'seconds': None}, self.results | {'seconds': None})
        self.assertEqual(set(returned), set(again))

    def test_an_arm_whose_every_setting_is_lost_does_not_end_the_study(self):
        def explode(started):
            baseline, dropout, l2, momentum = started.arms
            l2 = l2._replace(space=l2.space | {'learning_rate': spaces.Range(1e38, 3e38, 'log')})
            return started._replace(arms=(baseline, dropout, l2, momentum))

        with tempfile.TemporaryDirectory() as folder:
            path, _ = run(folder, explode)
            found = json.loads((path / 'results.json').read_text())
        self.check(found, SCHEMA)
        dropout, l2, momentum = found['arms']
        self.assertGreater(l2['frozen'], 0)
        self.assertEqual([dropout['frozen'], momentum['frozen']], [0, 0])
        self.assertEqual(dropout['test_error'], self.results['arms'][0]['test_error'])
        self.assertNotIn('L2', found['squeezed']['technique'])


class PrepareTest(chex.TestCase):
    def test_what_cannot_be_served_names_its_flag(self):
        for changes, message in (
            ({'techniques': ['dropuot']}, '--techniques=dropuot'),
            ({'techniques': ['flip']}, '--techniques=flip does not apply here'),
            ({'train_size': 73}, '--train_size=73 does not fit this data'),
            ({'train_size': 5}, '--train_size=5 does not fit this data'),
        ):
            with self.assertRaisesRegex(ValueError, message):
                squeeze.prepare(SPLITS, squeeze.Request(**{'techniques': ['l2']} | changes))

    def test_a_request_without_wishes(self):
        made = squeeze.prepare(SPLITS, squeeze.Request(techniques=['l2', 'l2'], budget_minutes=0.1))
        self.assertEqual([arm.keys for arm in made.arms], [(), ('l2',)])
        self.assertLen(set(made.labelled.tolist()), 72)
        text = squeeze.describe_plan(made)
        for number in (
            f'{made.plan.members:,} nets',
            f'{made.plan.protocol.replicates} fresh replicates',
            'GiB',
        ):
            self.assertIn(number, text)
        for cut in made.plan.cut:
            self.assertIn(cut, text)

    def test_only_what_applies(self):
        everything = squeeze.prepare(SPLITS, squeeze.Request(budget_minutes=0.1))
        keys = {key for arm in everything.arms for key in arm.keys}
        self.assertNotIn('shift', keys)
        self.assertNotIn('convolution', keys)
        self.assertContainsSubset({'dropout', 'batch_norm', 'adamw', 'ensemble'}, keys)
