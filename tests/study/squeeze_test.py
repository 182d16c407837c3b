"""The whole study on blobs: what it finds, that it finds it again, and that its plan says what it trains."""

import json
import pathlib
import tempfile
from unittest import mock

import chex
import numpy as np

from overfit.data import splits as splits_lib
from overfit.study import ledger, race, results, spaces, squeeze, stats, tables, techniques
from tests.study import tiny

INTERVAL = {'mean': float, 'low': float, 'high': float, 'n': int}
DIFFERENCE = INTERVAL | dict.fromkeys(('p', 'p_adjusted', 'low_single', 'high_single'), float)
ARM = {
    'technique': str,
    'recipe': str,
    'hyper': dict,
    'trials': int,
    'member_steps': int,
    'test_error': INTERVAL,
    'diverged': int,
    'diverged_in_search': int,
    'cost': float,
    'near_best': bool,
}
WORTH = {'factor': float, 'low': float, 'high': float, 'extrapolated': bool, 'largest': float}
COMPARED = ARM | {'difference': DIFFERENCE | {'shrunk': float}, 'labels_worth': WORTH, 'verdict': str}
CONTROL = {name: kind for name, kind in COMPARED.items() if name != 'labels_worth'}
BEST = {'test_error': float, 'members': int, 'wrong': int, 'low': float, 'high': float, 'train': int}
SCHEMA = {
    'command': str,
    'versions': dict,
    'git': type(None),
    'machine': type(None),
    'seed': int,
    'seconds': {'total': float, 'compile': float, 'train': float},
    'data': {
        'name': str,
        'kind': str,
        'train': int,
        'test': int,
        'classes': int,
        'sha256': str,
        'noun': str,
    },
    'plan': [str],
    'baseline': ARM,
    'arms': [COMPARED],
    'squeezed': COMPARED | {'difference': DIFFERENCE},
    'best': BEST | {'path': type(None)},
    'references': [{'name': str, 'test_error': INTERVAL, 'difference': DIFFERENCE}],
    'size_curve': [{'size': int, 'test_error': INTERVAL}],
    'search_optimism': INTERVAL,
    'labelled_sets': int,
    'test_mode': str,
    'margin': float,
    'detectable': float,
    'controls': [CONTROL],
}


class RunTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ran = tiny.ran()
        cls.found, cls.results = cls.ran.found, cls.ran.found.results

    def check(self, value, wanted, where='results'):
        """That a value has the schema's keys and types, and nothing else."""
        if isinstance(wanted, dict):
            self.assertEqual(set(value), set(wanted), where)
            for key, inner in wanted.items():
                self.check(value[key], inner, f'{where}.{key}')
        elif isinstance(wanted, list):
            self.assertIsInstance(value, list, where)
            for item in value:
                self.check(item, wanted[0], f'{where}[]')
        elif wanted is float:
            self.assertIn(type(value), (int, float), where)
        else:
            self.assertIs(type(value), wanted, where)

    def test_the_schema(self):
        written = json.loads(json.dumps(results.as_json(self.results)))
        self.check(written, SCHEMA)
        for name in ('arms', 'controls', 'references', 'size_curve'):
            self.assertTrue(written[name], name)
        read = results.as_json(results.from_json(written))
        self.assertEqual(json.loads(json.dumps(read)), written)

    def test_the_rows_are_those_asked_for(self):
        found = self.results
        labels = [arm.technique for arm in found.arms]
        self.assertEqual(labels[: len(tiny.CHOSEN)], [technique.label for technique in tiny.CHOSEN])
        self.assertEqual(
            found.data, results.DataInfo('blobs <b>', 'vector', 30, 80, 3, 'ab' * 32, noun='examples')
        )
        self.assertEqual((found.seed, found.command), (3, tiny.ABOUT['command']))
        self.assertEqual((found.labelled_sets, found.test_mode), (3, 'given'))
        self.assertEqual({arm.trials for arm in (found.baseline, *found.arms)}, {2})
        self.assertEqual(found.baseline.test_error.n, 3)
        self.assertEqual([p.size for p in found.size_curve], list(self.ran.study.design.plan.sizes))
        for arm in [*found.arms, *found.controls, found.squeezed]:
            difference = arm.difference
            exact = arm.test_error.mean - found.baseline.test_error.mean
            self.assertAlmostEqual(difference.mean, exact, places=3)
            self.assertBetween(difference.mean, difference.low, difference.high)
            self.assertLessEqual(difference.low, difference.low_single)
            self.assertGreaterEqual(difference.high, difference.high_single)
            self.assertEqual(arm.verdict in stats.DECIDED, not difference.low <= 0 <= difference.high)
        (here,) = [point for point in found.size_curve if point.size == 30]
        self.assertEqual(here.test_error, found.baseline.test_error)
        self.assertAlmostEqual(found.margin, found.baseline.test_error.mean / 10)

    def test_costs_are_those_of_training_the_model(self):
        costs = {arm.technique: arm.cost for arm in self.results.arms}
        self.assertEqual(self.results.baseline.cost, 1)
        self.assertAlmostEqual(costs[techniques.dropout.label], 1)
        self.assertAlmostEqual(costs[techniques.longer.label], 2)
        self.assertAlmostEqual(costs[techniques.refit.label], 1.25)
        self.assertAlmostEqual(costs[tiny.LAST.label], 3)

    def test_errors_are_those_of_the_nets_that_predict(self):
        """By another way: each labelled set's nets, their classes against the labels."""
        for row, outcomes in zip(
            (self.results.baseline, *self.results.arms), self.ran.compared.outcomes, strict=True
        ):
            wrong = [np.mean(outcome.classes != tiny.TEST.y) for outcome in outcomes]
            self.assertAlmostEqual(row.test_error.mean, 100 * np.mean(wrong), places=3)

    def test_seconds_add_up(self):
        seconds = self.results.seconds
        self.assertGreater(seconds.train, 0)
        self.assertGreater(seconds.compile, 0)
        self.assertLess(seconds.train + seconds.compile, seconds.total)

    def test_the_best_model_has_the_error_that_is_told(self):
        model, told = self.found.model, self.results.best
        wrong = model.predict(tiny.TEST.x) != np.array(tiny.POOL.classes)[tiny.TEST.y]
        self.assertAlmostEqual(told.test_error, 100 * wrong.mean())
        self.assertEqual(told.wrong, wrong.sum())
        self.assertEqual((told.members, told.train), (len(model.nets), 30))
        self.assertBetween(told.test_error, told.low, told.high)
        self.assertIsNone(told.path)  # nothing is saved yet
        self.assertLess(wrong.mean(), 0.5)

    def test_material_tells_of_the_same_model(self):
        material, best = self.found.material, self.results.best
        self.assertEqual(material.classes, tiny.POOL.classes)
        self.assertEqual(material.confusion.sum(), 80)
        self.assertEqual(80 - np.trace(material.confusion), best.wrong)
        self.assertLen(material.mistakes, min(24, best.wrong))
        self.assertEqual(set(material.curves), {tiny.BASELINE.label, 'squeezed'})
        self.assertIn('a note', material.notes)

    def test_what_is_kept_on_the_way(self):
        measured, finished = self.ran.kept
        self.assertEqual(measured.arms, self.results.arms)
        self.assertEqual(measured.size_curve, self.results.size_curve)
        self.assertEqual((measured.squeezed, measured.best, measured.references), (None, None, None))
        self.assertEqual((finished.squeezed, finished.best), (self.results.squeezed, self.results.best))
        self.assertIsNone(finished.references)
        for one in self.ran.kept:
            json.dumps(results.as_json(one))

    def test_an_interrupt_while_combining_costs_no_row(self):
        kept = []
        with mock.patch.object(squeeze.decide, 'combine', side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                progress = squeeze.Progress(self.ran.study.design.plan.seconds, quiet=True)
                try:
                    squeeze.run(self.ran.study, progress, about=tiny.ABOUT, keep=kept.append)
                finally:
                    progress.close()
        [one] = kept
        self.assertEqual(one._replace(seconds=None), self.ran.kept[0]._replace(seconds=None))

    def test_tables_give_the_ledger_again(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'tables.npz')
            tables.write(self.found.tables, path)
            again = ledger.figures(tables.read(path))
        self.assertEqual(
            again.errors, tuple(r.test_error for r in (self.results.baseline, *self.results.arms))
        )
        self.assertEqual(again.differences, tuple(row.difference for row in self.results.arms))
        self.assertEqual(again.worths, tuple(row.labels_worth for row in self.results.arms))
        self.assertEqual(
            again.squeezed[:2], (self.results.squeezed.test_error, self.results.squeezed.difference)
        )
        self.assertEqual(
            again.references, {one.name: (one.test_error, one.difference) for one in self.results.references}
        )

    def test_an_arm_whose_every_setting_diverges_does_not_end_the_study(self):
        wild = techniques.l2._replace(
            label='wild', space=techniques.l2.space | {'learning_rate': spaces.Range(1e38, 3e38, 'log')}
        )
        started = tiny.prepare(techniques=(techniques.dropout, wild), textbook=())
        found = tiny.run(started, False).found.results
        dropout, lost = found.arms
        self.assertGreater(lost.diverged, 0)
        self.assertGreater(lost.diverged_in_search, 0)
        self.assertEqual(dropout.diverged, 0)
        self.assertEqual(dropout.test_error, self.results.arms[0].test_error)
        self.assertNotIn('wild', found.squeezed.technique)


class PlannedTest(chex.TestCase):
    """A study trains what its plan says."""

    def test_nets_are_those_of_the_plan_but_for_what_combining_may_skip(self):
        ran = tiny.ran()
        plan, nets = ran.study.design.plan, ran.nets
        of_race = race.nets(2, 2) * 3
        # One search for the baseline, refit and ensemble; one for each other arm; the nets that these add.
        searched = len({(arm.recipe, tuple(arm.space.items()), arm.stretch) for arm in ran.study.design.arms})
        self.assertEqual(nets['tuning'], searched * of_race + 3 * 2 + 3 * (3 - 2))
        others = len([size for size in plan.sizes if size != 30])
        self.assertEqual(nets['checking'], (2 + others) * of_race)
        self.assertBetween(nets['combining'], 1, plan.level.tries * 2 * 3)
        self.assertLessEqual(sum(nets.values()), plan.nets)

    def test_steps_are_those_of_the_plan_but_for_refits_and_combining(self):
        ran = tiny.ran()
        planned, steps = ran.study.design.plan.member_steps, ran.steps
        self.assertEqual(steps['checking'], planned['checking'])
        self.assertBetween(steps['tuning'], 0.8 * planned['tuning'], planned['tuning'])
        self.assertLessEqual(steps['combining'], planned['combining'])
        self.assertLessEqual(steps['final'], planned['final'])


class CrossFittedTest(chex.TestCase):
    def test_no_example_tests_what_it_trained_and_all_are_tested(self):
        ran = tiny.crossed()
        design, times = ran.study.design, np.zeros(72, int)
        for place in design.places.measured:
            one = design.sets[place]
            self.assertEmpty(set(one.labelled) & set(one.tested))
            self.assertLen({*one.labelled, *one.tested}, 72)
            times[one.tested] += 1
        self.assertEqual(set(times), {1})
        for table in ran.found.tables.arms.values():
            np.testing.assert_array_equal((~np.isnan(table)).sum(0), times)

    def test_what_is_handed_over_is_trained_on_all_and_says_so(self):
        found = tiny.crossed().found.results
        self.assertEqual((found.test_mode, found.labelled_sets), ('cross-fitted', 5))
        self.assertEqual((found.best.train, found.best.wrong), (72, None))
        self.assertEqual(found.best.test_error, found.squeezed.test_error.mean)
        self.assertBetween(found.best.test_error, found.best.low, found.best.high)

    def test_fewer_labels_are_read_downwards(self):
        ran = tiny.crossed()
        self.assertTrue(ran.found.tables.fewer)
        train = ran.found.results.data.train
        for row in ran.found.results.arms:
            enough, measured = row.labels_worth.enough, row.technique in ran.found.tables.fewer
            if not measured:
                self.assertIsNone(enough, row.technique)
            elif row.difference.mean <= 0:
                self.assertBetween(enough, 1, train, row.technique)

    def test_another_seed_moves_no_example_to_another_fold(self):
        level = tiny.LEVEL._replace(sets=5)
        first, other = (tiny.prepare(tiny.CROSSED, level, seed=seed) for seed in (3, 4))
        for place in first.design.places.measured:
            one, two = first.design.sets[place], other.design.sets[place]
            np.testing.assert_array_equal(one.tested, two.tested)
            self.assertNotEqual(one.seed, two.seed)

    def test_random_labels_are_not_learned(self):
        """The canary: nothing leaks from the fold that tests."""
        y = np.random.default_rng(0).integers(0, 3, 72).astype(np.int32)
        pool = tiny.POOL._replace(y=y)
        data = tiny.CROSSED._replace(train=pool, test=splits_lib.Holdout(pool.x, y))
        level, chosen = tiny.LEVEL._replace(sets=5), (techniques.dropout, tiny.LAST)
        found = tiny.run(tiny.prepare(data, level, techniques=chosen), False).found.results
        rows = (found.baseline, *found.arms, found.squeezed)
        for row in rows:
            self.assertBetween(row.test_error.mean, 50, 84, row.technique)

    def test_copies_leak_unless_they_are_a_group(self):
        """Each of 36 patients has a random label and three almost equal examples."""
        rng = np.random.default_rng(0)
        centers, labels = rng.normal(size=(36, 60)), rng.permutation(np.repeat([0, 1, 2], 12))
        x = np.repeat(centers, 3, 0) + 0.01 * rng.normal(size=(108, 60))
        y, patients = np.repeat(labels, 3).astype(np.int32), np.repeat(np.arange(36), 3).astype(np.int32)
        errors = {}
        for groups in (None, patients):
            pool = tiny.POOL._replace(x=x.astype(np.float32), y=y, groups=groups)
            data = tiny.CROSSED._replace(train=pool, test=splits_lib.Holdout(pool.x, y, groups))
            started = tiny.prepare(data, tiny.LEVEL._replace(sets=5, epochs=60), techniques=(techniques.l2,))
            errors[groups is None] = tiny.run(started, False).found.results.baseline.test_error
        self.assertLess(errors[True].high, 50)
        self.assertBetween(100 * 2 / 3, errors[False].low, errors[False].high)


class OptimismTest(chex.TestCase):
    def test_without_an_arm_measured_as_it_was_searched_there_is_none(self):
        ran = tiny.ran()
        label = techniques.refit.label
        number = [arm.label for arm in ran.study.design.arms].index(label)
        alone = ran.compared._replace(outcomes=ran.compared.outcomes[number : number + 1])
        tested = ran.found.tables._replace(arms={label: ran.found.tables.arms[label]})
        self.assertIsNone(squeeze.optimism(alone, tested, 30))

    def test_it_is_test_minus_validation_error(self):
        ran = tiny.ran()
        optimism = ran.found.results.search_optimism
        plain = [o for o in ran.compared.outcomes if o[0].tuned.arm.nets == 1 and not o[0].tuned.arm.refit]
        seen = [np.mean([outcome.tuned.error for outcome in of_arm]) for of_arm in plain]
        tested = [np.mean([np.mean(o.classes != tiny.TEST.y) for o in of_arm]) for of_arm in plain]
        self.assertAlmostEqual(optimism.mean, 100 * np.mean(np.subtract(tested, seen)), places=3)
        self.assertEqual(optimism.n, len(plain))
