"""The whole study on blobs: what it finds, that it finds it again, and that its plan says what it trains."""

import collections
import json
from unittest import mock

import chex
import numpy as np

from overfit import base
from overfit.data import splits as splits_lib
from overfit.study import measure, plan, results, search, spaces, squeeze, techniques
from overfit.study.arms import arm_of
from overfit.study.progress import Progress
from overfit.study.requests import Design, Study
from overfit.train.engine import population
from tests import problems
from tests.study import tiny

TEST = problems.blobs(80, spread=1.0, seed=8)
SPLITS = splits_lib.Splits(
    tiny.POOL, splits_lib.Holdout(TEST.x, TEST.y), 'blobs <b>', 'made up', ('a note',), 'ab' * 32
)
ABOUT = {'command': 'python -m experiments.squeeze', 'versions': {'jax': '1'}, 'git': None}
CHOSEN = (techniques.dropout, techniques.l2, techniques.momentum)
INTERVAL = {'mean': float, 'low': float, 'high': float, 'n': int}
ARM = {
    'technique': str,
    'recipe': str,
    'hyper': dict,
    'trials': int,
    'member_steps': int,
    'test_error': INTERVAL,
    'diverged': int,
    'diverged_in_search': int,
}
COMPARED = ARM | {
    'difference': INTERVAL | {'p': float, 'p_adjusted': float},
    'labels_worth': {
        'factor': float,
        'low': float,
        'high': float,
        'extrapolated': bool,
        'largest': float,
    },
    'verdict': str,
}
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
    'squeezed': COMPARED,
    'best': {'path': type(None), 'test_error': float, 'members': int, 'wrong': int},
    'references': [{'name': str, 'test_error': INTERVAL}],
    'size_curve': [{'size': int, 'test_error': INTERVAL}],
    'search_optimism': INTERVAL,
}


def study(*chosen):
    chosen = chosen or CHOSEN
    arms = tuple(arm_of(one, tiny.BASELINE) for one in [(), *((technique,) for technique in chosen)])
    textbook = tuple(technique for technique in chosen if technique.judged_by_validation)[:2]
    made = plan.make(
        tiny.POOL,
        arms,
        arm_of(textbook, tiny.BASELINE),
        train_size=30,
        validation=0.2,
        minutes=0.1,
        seed=3,
        trials=2,
        replicates=3,
    )
    shorter = {phase: steps * 60 // made.protocol.steps for phase, steps in made.member_steps.items()}
    made = made._replace(protocol=made.protocol._replace(steps=60, eval_every=20), member_steps=shorter)
    labelled = splits_lib.subset(tiny.POOL.y, 30, seed=3)
    return Study(SPLITS, Design(tiny.BASELINE, arms, textbook, labelled, made))


def run(started=None, keep=lambda partial: None):
    started = started or study()
    progress = Progress(started.design.plan.seconds, quiet=True)
    try:
        return squeeze.run(started, progress, about=ABOUT, keep=keep)
    finally:
        progress.close()


class RunTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kept = []
        cls.outcome = run(keep=cls.kept.append)
        cls.results = cls.outcome.results

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
        self.check(written, SCHEMA)
        read = results.as_json(results.from_json(written))
        self.assertEqual(json.loads(json.dumps(read)), written)

    def test_the_rows_are_those_asked_for(self):
        found = self.results
        self.assertEqual([arm.technique for arm in found.arms], [t.label for t in CHOSEN])
        self.assertEqual(
            found.data, results.DataInfo('blobs <b>', 'vector', 30, 80, 3, 'ab' * 32, noun='examples')
        )
        self.assertEqual((found.seed, found.command), (3, ABOUT['command']))
        rows = [found.baseline, *found.arms]
        self.assertEqual({arm.trials for arm in rows}, {2})
        self.assertLen({arm.member_steps for arm in rows}, 1)
        self.assertEqual(found.baseline.test_error.n, 3)
        self.assertEqual([point.size for point in found.size_curve], list(study().design.plan.sizes))
        for arm in [*found.arms, found.squeezed]:
            difference = arm.difference
            exact = arm.test_error.mean - found.baseline.test_error.mean
            self.assertAlmostEqual(difference.mean, exact, places=3)
            self.assertBetween(difference.mean, difference.low, difference.high)
            self.assertLessEqual(difference.p, difference.p_adjusted + 1e-12)
            sure = difference.p_adjusted < 0.05
            verdict = ('helps' if difference.mean < 0 else 'hurts') if sure else 'no evidence'
            self.assertEqual(arm.verdict, verdict)
        (here,) = [point for point in found.size_curve if point.size == 30]
        self.assertEqual(here.test_error, found.baseline.test_error)

    def test_the_optimism_of_the_search_has_an_interval(self):
        optimism = self.results.search_optimism
        self.assertEqual(optimism.n, 4)
        self.assertLess(optimism.low, optimism.mean)
        self.assertLess(optimism.mean, optimism.high)

    def test_seconds_add_up(self):
        seconds = self.results.seconds
        self.assertGreater(seconds.train, 0)
        self.assertGreater(seconds.compile, 0)
        self.assertLess(seconds.train + seconds.compile, seconds.total)

    def test_the_best_model_has_the_error_that_is_told(self):
        model, told = self.outcome.model, self.results.best
        wrong = model.predict(TEST.x) != np.array(tiny.POOL.classes)[TEST.y]
        self.assertAlmostEqual(told.test_error, 100 * wrong.mean())
        self.assertEqual(told.wrong, wrong.sum())
        self.assertEqual(told.members, len(model.nets))
        self.assertIsNone(told.path)  # nothing is saved yet
        self.assertLess(wrong.mean(), 0.5)

    def test_material_tells_of_the_same_model(self):
        material, best = self.outcome.material, self.results.best
        self.assertEqual(material.classes, tiny.POOL.classes)
        self.assertEqual(material.confusion.sum(), 80)
        self.assertEqual(80 - np.trace(material.confusion), best.wrong)
        self.assertLen(material.mistakes, min(24, best.wrong))
        self.assertEqual(set(material.curves), {'baseline', 'squeezed'})
        np.testing.assert_array_equal(material.curves['baseline'].steps, [20, 40, 60])
        self.assertIn('a note', material.notes)

    def test_what_is_kept_on_the_way(self):
        measured, finished = self.kept
        self.assertEqual(measured.arms, self.results.arms)
        self.assertEqual(measured.size_curve, self.results.size_curve)
        self.assertEqual((measured.squeezed, measured.best, measured.references), (None, None, None))
        self.assertEqual((finished.squeezed, finished.best), (self.results.squeezed, self.results.best))
        self.assertIsNone(finished.references)
        for one in self.kept:
            json.dumps(results.as_json(one))

    def test_an_interrupt_during_the_references_costs_no_row(self):
        kept = []
        with mock.patch.object(squeeze.references, 'measure', side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                run(keep=kept.append)
        self.assertEqual(kept[-1]._replace(seconds=None), self.kept[-1]._replace(seconds=None))
        self.assertIsNotNone(kept[-1].best)

    def test_again_it_finds_the_same(self):
        again = run()
        self.assertEqual(again.results._replace(seconds=None), self.results._replace(seconds=None))
        np.testing.assert_array_equal(
            again.model.predict_proba(TEST.x), self.outcome.model.predict_proba(TEST.x)
        )

    def test_an_arm_whose_every_setting_diverges_does_not_end_the_study(self):
        started = study()
        baseline, dropout, l2, momentum = started.design.arms
        l2 = l2._replace(space=l2.space | {'learning_rate': spaces.Range(1e38, 3e38, 'log')})
        arms = (baseline, dropout, l2, momentum)
        found = run(started._replace(design=started.design._replace(arms=arms))).results
        self.check(json.loads(json.dumps(results.as_json(found))), SCHEMA)
        dropout, l2, momentum = found.arms
        self.assertGreater(l2.diverged, 0)
        self.assertGreater(l2.diverged_in_search, 0)
        self.assertEqual([dropout.diverged, momentum.diverged], [0, 0])
        self.assertEqual(dropout.test_error, self.results.arms[0].test_error)
        self.assertNotIn('L2', found.squeezed.technique)


class PlannedTest(chex.TestCase):
    """A study trains what its plan says."""

    CHOSEN = (techniques.dropout, techniques.longer, techniques.refit, techniques.ensemble(3))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.steps, cls.nets, phases = collections.Counter(), collections.Counter(), []
        started = study(*cls.CHOSEN)
        cls.plan = started.design.plan
        train = population.train

        def counted(members, *arguments, progress=None, **options):
            def told(steps, finished):
                cls.steps[phases[-1]] += steps
                cls.nets[phases[-1]] += finished

            return train(members, *arguments, progress=told, **options)

        class Watched(Progress):
            def phase(self, name, *arguments, **options):
                phases.append(name)
                return super().phase(name, *arguments, **options)

        progress = Watched(started.design.plan.seconds, quiet=True)
        try:
            with mock.patch.object(population, 'train', counted):
                cls.outcome = squeeze.run(started, progress)
        finally:
            progress.close()
        cls.phases = phases

    def test_phases_run_in_the_order_of_the_plan(self):
        self.assertEqual(self.phases, list(self.plan.seconds))

    def test_nets_are_those_of_the_plan_but_for_what_combining_may_skip(self):
        trained = sum(self.nets.values())
        self.assertGreater(self.nets['combining'], 0)
        protocol, level = self.plan.protocol, self.plan.level
        # One search for the baseline, refit and ensemble; one more for each other arm.
        self.assertEqual(self.nets['tuning'], 3 * 2 * protocol.folds)
        others = len([size for size in self.plan.sizes if size != 30])
        self.assertEqual(self.nets['measuring'], 3 * (1 + 1 + 1 + 1 + 3 + others))
        self.assertEqual(self.nets['final'], 4 * level.nets)
        certain = trained - self.nets['combining']
        combining = self.plan.nets - certain
        self.assertEqual(combining, (level.tries + 2) * level.try_trials * protocol.folds)
        self.assertBetween(self.nets['combining'], 1, combining)

    def test_steps_are_those_of_the_plan_but_for_refits_and_combining(self):
        self.assertEqual(self.steps['tuning'], self.plan.member_steps['tuning'])
        refitted = 3 * self.plan.protocol.steps  # planned for the refit's nets, which stop earlier or later
        self.assertBetween(
            self.steps['measuring'],
            self.plan.member_steps['measuring'] - refitted,
            self.plan.member_steps['measuring'] + refitted,
        )
        self.assertLessEqual(self.steps['combining'], self.plan.member_steps['combining'])
        every = self.plan.protocol.eval_every * self.nets['final']  # steps are rounded up to an evaluation
        self.assertLessEqual(self.steps['final'], self.plan.member_steps['final'] + every)

    def test_the_last_techniques_are_put_on_the_combination(self):
        label = self.outcome.results.squeezed.technique
        self.assertIn(techniques.refit.label, label)
        self.assertEqual(f'average of {self.plan.level.nets} nets' in label, self.plan.level.nets > 1)


class AtSizeTest(chex.TestCase):
    def test_more_labels_take_as_many_epochs_and_fewer_as_many_steps(self):
        tuned = search.Tuned(tiny.ARMS[0], base.Hyper.of(steps=40.0), (0.1,), 0.1, 20, 3, 1, 0)
        self.assertEqual(squeeze.at_size(tuned, 2.5).hyper.steps, 100.0)
        self.assertEqual(squeeze.at_size(tuned, 0.5).hyper.steps, 40.0)
        self.assertEqual(squeeze.at_size(tuned, 2.5).arm, tuned.arm)

    def test_without_an_arm_measured_as_it_was_searched_there_is_no_optimism(self):
        refit = search.Tuned(tiny.ARMS[-1], base.Hyper(), (0.1,), 0.1, 20, 3, 1, 0)
        measured = measure.Measured(np.zeros((3, 5), bool), np.zeros((3, 1, 5)), 1, 0)
        self.assertIsNone(squeeze.optimism((refit,), [measured], 30))
