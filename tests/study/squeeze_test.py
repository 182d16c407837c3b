"""The whole study on blobs: what it finds, that it finds it again, and that its plan says what it trains."""

import json
from unittest import mock

import chex
import numpy as np

from overfit.study import (
    references,
    results,
    simultaneous,
    spaces,
    squeeze,
    stats,
    techniques,
)
from tests.study import tiny

INTERVAL = {'mean': float, 'low': float, 'high': float, 'n': int}
ALONE = INTERVAL | {'p': float, 'p_adjusted': float, 'low_single': float, 'high_single': float}
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
CONTROL = ARM | {'difference': ALONE, 'verdict': str}
WORTH = {'factor': float, 'low': float, 'high': float, 'extrapolated': bool, 'largest': float}
COMPARED = CONTROL | {'difference': ALONE | {'shrunk': float}, 'labels_worth': WORTH}
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
        'labelled': int,
        'noun': str,
    },
    'plan': list,
    'baseline': ARM,
    'arms': [COMPARED],
    'squeezed': COMPARED | {'difference': ALONE},
    'best': {
        'path': type(None),
        'test_error': float,
        'members': int,
        'wrong': int,
        'low': float,
        'high': float,
        'train': int,
    },
    'references': [{'name': str, 'test_error': INTERVAL, 'difference': ALONE}],
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
            self.assertTrue(value, where)
            for item in value:
                self.check(item, wanted[0], f'{where}[]')
        elif wanted is float:
            self.assertIn(type(value), (int, float), where)
        else:
            self.assertIs(type(value), wanted, where)

    def test_the_schema(self):
        written = json.loads(json.dumps(results.as_json(self.results)))
        self.assertNotIn('shrunk', written['arms'][-1]['difference'])  # the textbook's recipe
        self.check(written | {'arms': written['arms'][:-1]}, SCHEMA)
        read = results.as_json(results.from_json(written))
        self.assertEqual(json.loads(json.dumps(read)), written)

    def test_the_rows_are_those_asked_for(self):
        found, design = self.results, self.ran.study.design
        together = 'the textbook recipe'  # of dropout and twice the steps
        self.assertEqual([arm.technique for arm in found.arms], [*[t.label for t in tiny.CHOSEN], together])
        self.assertEqual(
            found.data, results.DataInfo('blobs <b>', 'vector', 30, 80, 3, 'ab' * 32, 72, noun='examples')
        )
        self.assertEqual((found.seed, found.command), (3, tiny.ABOUT['command']))
        self.assertEqual((found.labelled_sets, found.test_mode), (3, 'given'))
        self.assertEqual({row.trials for row in (found.baseline, *found.arms, *found.controls)}, {2})
        self.assertEqual(found.baseline.test_error.n, 3)
        self.assertEqual([point.size for point in found.size_curve], [15, 30, 60])
        self.assertEqual(
            [row.technique[-17:] for row in found.controls], [', tuned again (1)', ', tuned again (2)']
        )
        self.assertEqual(found.squeezed.technique, self.ran.combined.final.arm.label)
        self.assertLen(design.places.controls, 2)

    def test_numbers_are_those_of_the_tables(self):
        """Errors and differences again from mistakes that are counted from the classes."""
        found, compared = self.results, self.ran.compared

        def table(outcomes):
            return np.stack([(one.classes != tiny.TEST.y).mean(0) for one in outcomes])

        arms = [table(of_arm) for of_arm in compared.outcomes]
        rows = [found.baseline, *found.arms]
        for row, mistakes in zip(rows, arms, strict=True):
            self.assertAlmostEqual(row.test_error.mean, 100 * mistakes.mean(), places=4)
        for row, mistakes in zip(found.arms, arms[1:], strict=True):
            self.assertAlmostEqual(row.difference.mean, 100 * (mistakes - arms[0]).mean(), places=4)
        squeezed = table(self.ran.combined.outcomes)
        self.assertAlmostEqual(found.squeezed.test_error.mean, 100 * squeezed.mean(), places=4)
        family = [*arms[1:], *[table(of_control) for of_control in compared.controls]]
        wanted = simultaneous.compare(np.stack(family), arms[0])
        for row, one in zip((*found.arms, *found.controls), wanted, strict=True):
            np.testing.assert_allclose(row.difference[:8], one[:8], atol=1e-4)
        (larger,) = [point for point in found.size_curve if point.size == 60]
        self.assertAlmostEqual(larger.test_error.mean, 100 * table(compared.sizes[60]).mean(), places=4)
        self.assertAlmostEqual(found.margin, found.baseline.test_error.mean / 10)

    def test_verdicts_are_what_the_simultaneous_intervals_say(self):
        for row in (*self.results.arms, *self.results.controls, self.results.squeezed):
            low, high = row.difference.low, row.difference.high
            self.assertBetween(row.difference.mean, low, high)
            self.assertEqual(row.verdict == 'helps', high < 0)
            self.assertEqual(row.verdict == 'hurts', low > 0)
            self.assertEqual(
                row.verdict == 'no difference that matters',
                low <= 0 <= high and max(-low, high) <= self.results.margin,
            )

    def test_the_same_error_where_it_is_told_twice(self):
        (here,) = [point for point in self.results.size_curve if point.size == 30]
        self.assertEqual(here.test_error, self.results.baseline.test_error)

    def test_the_optimism_of_the_search_is_over_arms_measured_as_they_were_searched(self):
        optimism = self.results.search_optimism
        self.assertEqual(optimism.n, 5)  # the baseline, dropout, L2, twice the steps, the textbook
        self.assertLess(optimism.low, optimism.mean)
        self.assertLess(optimism.mean, optimism.high)
        gaps = []
        for row, of_arm in zip(
            (self.results.baseline, *self.results.arms), self.ran.compared.outcomes, strict=True
        ):
            arm = of_arm[0].tuned.arm
            if arm.nets == 1 and not arm.refit:
                validated = 100 * np.mean([one.tuned.error for one in of_arm])
                gaps.append(row.test_error.mean - validated)
        self.assertAlmostEqual(optimism.mean, np.mean(gaps), places=4)

    def test_the_cost_is_that_of_the_model_that_is_handed_over(self):
        costs = {row.technique: row.cost for row in self.results.arms}
        self.assertEqual(self.results.baseline.cost, 1)
        self.assertAlmostEqual(costs['dropout'], 1)
        self.assertAlmostEqual(costs['twice the steps'], 2)
        self.assertAlmostEqual(costs[tiny.LAST.label], 3)
        self.assertAlmostEqual(costs[techniques.refit.label], 1 / 0.8)

    def test_seconds_add_up(self):
        seconds = self.results.seconds
        self.assertGreater(seconds.train, 0)
        self.assertLess(seconds.train + seconds.compile, seconds.total)

    def test_the_best_model_has_the_error_that_is_told(self):
        model, told = self.found.model, self.results.best
        wrong = model.predict(tiny.TEST.x) != np.array(tiny.POOL.classes)[tiny.TEST.y]
        self.assertAlmostEqual(told.test_error, 100 * wrong.mean())
        self.assertEqual((told.wrong, told.train), (wrong.sum(), 30))
        self.assertEqual((told.low, told.high), stats.wilson(wrong))
        self.assertEqual(told.members, len(model.nets))
        self.assertIsNone(told.path)  # nothing is saved yet
        self.assertLess(wrong.mean(), 0.5)

    def test_material_tells_of_the_same_model(self):
        material, best = self.found.material, self.results.best
        self.assertEqual(material.classes, tiny.POOL.classes)
        self.assertEqual(material.confusion.sum(), 80)
        self.assertEqual(80 - np.trace(material.confusion), best.wrong)
        self.assertLen(material.mistakes, min(24, best.wrong))
        said = self.found.model.predict_proba(tiny.TEST.x)
        for one in material.mistakes:
            self.assertEqual((one.truth, one.prediction), (tiny.TEST.y[one.index], said[one.index].argmax()))
            self.assertAlmostEqual(one.confidence, said[one.index].max(), places=5)
        self.assertEqual(set(material.curves), {'tuned baseline', 'squeezed'})
        np.testing.assert_array_equal(material.curves['tuned baseline'].steps, [10, 20, 30, 40, 50, 60])
        self.assertEqual(material.curves['tuned baseline'].train_error.shape, (6, 6))  # 3 sets of 2 folds
        self.assertIn('a note', material.notes)

    def test_what_is_kept_on_the_way(self):
        tuned, measured, finished = self.ran.kept
        self.assertEqual([row.test_error for row in tuned.arms], [row.test_error for row in measured.arms])
        self.assertEqual((tuned.controls, len(tuned.size_curve)), ((), 1))
        self.assertEqual(measured.arms, self.results.arms)
        self.assertEqual(measured.size_curve, self.results.size_curve)
        self.assertEqual((measured.squeezed, measured.best, measured.references), (None, None, None))
        self.assertEqual((finished.squeezed, finished.best), (self.results.squeezed, self.results.best))
        self.assertIsNone(finished.references)
        for one in self.ran.kept:
            json.dumps(results.as_json(one))

    def test_an_interrupt_during_the_references_costs_no_row(self):
        kept = []
        progress = mock.MagicMock()
        progress.elapsed = progress.compile_seconds = progress.train_seconds = 1.0
        progress.phase.return_value.__enter__.return_value = lambda *amounts: None
        with mock.patch.object(references, 'measure', side_effect=KeyboardInterrupt):
            progress.phase.return_value.__exit__.return_value = False
            with self.assertRaises(KeyboardInterrupt):
                squeeze.run(self.ran.study, progress, about=tiny.ABOUT, keep=kept.append)
        self.assertEqual(kept[-1]._replace(seconds=None), self.ran.kept[-1]._replace(seconds=None))
        self.assertIsNotNone(kept[-1].best)

    def test_an_interrupt_while_combining_costs_no_row(self):
        kept, progress = [], squeeze.Progress(self.ran.study.design.plan.seconds, quiet=True)
        with mock.patch.object(squeeze.decide, 'combine', side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                try:
                    squeeze.run(self.ran.study, progress, about=tiny.ABOUT, keep=kept.append)
                finally:
                    progress.close()
        [_, one] = kept
        self.assertEqual(one._replace(seconds=None), self.ran.kept[1]._replace(seconds=None))

    def test_again_it_finds_the_same(self):
        again = tiny.run(tiny.prepare()).found
        self.assertEqual(again.results._replace(seconds=None), self.results._replace(seconds=None))
        np.testing.assert_array_equal(
            again.model.predict_proba(tiny.TEST.x), self.found.model.predict_proba(tiny.TEST.x)
        )
        self.assertEqual(again.probabilities.keys(), self.found.probabilities.keys())
        for label, table in again.probabilities.items():
            np.testing.assert_array_equal(table, self.found.probabilities[label])

    def test_references_on_fewer_sets_are_compared_on_these(self):
        plan = self.ran.study.design.plan._replace(reference_sets=2)
        study = self.ran.study._replace(design=self.ran.study.design._replace(plan=plan))
        found = tiny.run(study).found
        for row, whole in zip(found.results.references, self.results.references, strict=True):
            table = found.tables.references[row.name]
            self.assertTrue(np.isnan(table[2]).all())
            np.testing.assert_array_equal(table[:2], self.found.tables.references[row.name][:2])
            self.assertEqual((row.test_error.n, whole.test_error.n), (2, 3))
            squeezed = found.tables.squeezed[:2]
            self.assertAlmostEqual(row.difference.mean, 100 * (squeezed - table[:2]).mean(), places=4)


class CrossFittedTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ran = tiny.crossed()
        cls.found, cls.results = cls.ran.found, cls.ran.found.results

    def test_every_example_is_tested_once_by_nets_that_have_not_seen_it(self):
        for table in (*self.found.tables.arms.values(), self.found.tables.squeezed):
            self.assertEqual(table.shape, (5, 72))
            np.testing.assert_array_equal((~np.isnan(table)).sum(0), 1)
            for row, one in zip(table, self.ran.study.design.sets, strict=False):
                self.assertEqual(set(np.flatnonzero(~np.isnan(row))), set(one.tested))
        self.assertEqual((self.results.test_mode, self.results.labelled_sets), ('cross-fitted', 5))
        self.assertEqual((self.results.data.train, self.results.data.test), (58, 72))

    def test_the_model_has_all_examples_and_the_procedures_error(self):
        best, squeezed = self.results.best, self.results.squeezed
        self.assertEqual((best.train, best.wrong, best.members), (72, None, 1))
        self.assertEqual(best.test_error, squeezed.test_error.mean)
        # Every example is tested once here, so the luck of one training cannot be seen: see `best_test`.
        self.assertEqual((best.low, best.high), (squeezed.test_error.low, squeezed.test_error.high))
        written = json.loads(json.dumps(results.as_json(self.results)))
        self.assertIn('wrong', written['best'])
        self.assertIsNone(written['best']['wrong'])

    def test_fewer_labels_are_read_downwards(self):
        measured, train = self.found.tables.fewer, self.results.data.train
        self.assertEqual(set(measured), {row.technique for row in self.results.arms})  # three or fewer
        for row in self.results.arms:
            self.assertEqual(list(measured[row.technique]), list(self.ran.study.design.places.sizes))
            enough = row.labels_worth.enough
            if row.difference.mean <= 0:
                self.assertBetween(enough, 1, train, row.technique)

    def test_confusions_are_those_of_nets_that_have_not_seen_the_example(self):
        said = self.found.probabilities['squeezed']
        np.testing.assert_allclose(said.sum(1), 1, atol=2e-3)
        expected = np.zeros((3, 3), int)
        np.add.at(expected, (tiny.POOL.y, said.argmax(1)), 1)
        np.testing.assert_array_equal(self.found.material.confusion, expected)

    def test_a_model_without_an_average_tells_its_own_error(self):
        """With a test set, and neither refit nor average: one of the fold nets is the model."""
        chosen = (techniques.dropout, techniques.momentum)
        found = tiny.run(tiny.prepare(techniques=chosen), False).found
        wrong = found.model.predict(tiny.TEST.x) != np.array(tiny.POOL.classes)[tiny.TEST.y]
        self.assertEqual((found.results.best.wrong, found.results.best.members), (wrong.sum(), 1))
        self.assertEqual(80 - np.trace(found.material.confusion), wrong.sum())


class DivergedTest(chex.TestCase):
    def test_an_arm_whose_every_setting_diverges_does_not_end_the_study(self):
        chosen = (techniques.dropout, techniques.l2, techniques.momentum)
        started = tiny.prepare(techniques=chosen, textbook=())
        baseline, dropout, l2, momentum = started.design.arms
        l2 = l2._replace(space=l2.space | {'learning_rate': spaces.Range(1e38, 3e38, 'log')})
        arms = (baseline, dropout, l2, momentum)
        found = tiny.run(started._replace(design=started.design._replace(arms=arms)), False).found.results
        json.dumps(results.as_json(found))
        dropout, l2, momentum = found.arms
        self.assertGreater(l2.diverged, 0)
        self.assertGreater(l2.diverged_in_search, 0)
        self.assertEqual([dropout.diverged, momentum.diverged], [0, 0])
        self.assertEqual(dropout.test_error, tiny.ran().found.results.arms[0].test_error)
        self.assertNotIn('L2', found.squeezed.technique)
