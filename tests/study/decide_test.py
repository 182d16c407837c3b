"""Deciding: what validation cannot judge is put on last, and test labels change nothing."""

import chex
import jax
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import splits as splits_lib
from overfit.study import combine, decide, search, techniques
from overfit.study.arms import arm_of
from overfit.study.course import Course, Run
from overfit.study.requests import Design
from tests.study import tiny

DROPOUT, L2 = techniques.dropout, techniques.l2


def design(*chosen):
    arms = tuple(arm_of(one, tiny.BASELINE) for one in ((), *((technique,) for technique in chosen)))
    made = tiny.ran().study.design
    return Design(tiny.BASELINE, arms, made.sets, made.places, made.plan)


def combined(*chosen):
    arm, hyper = arm_of(chosen, tiny.BASELINE), base.Hyper.of(learning_rate=0.1, steps=40.0)
    runs = tuple(Run(arm.recipe, hyper, 0, fold) for fold in range(2))
    return search.Tuned(arm, 0, hyper, runs, (0.1, 0.2), 0.15, 20, 4, 100, 0)


class FinishTest(chex.TestCase):
    @parameterized.parameters(
        ((DROPOUT,), 3, 1, False),
        ((DROPOUT, techniques.refit), 3, 1, True),
        ((tiny.ENSEMBLE,), 3, 3, False),
        ((tiny.ENSEMBLE, techniques.refit), 4, 4, True),
        ((tiny.ENSEMBLE, techniques.ensemble(8), techniques.refit), 2, 2, True),
        ((tiny.ENSEMBLE,), 1, 1, False),
        ((techniques.last_weights,), 3, 1, False),
    )
    def test_only_techniques_that_were_compared_are_put_on(self, compared, nets, wanted, refit):
        start = combined(DROPOUT, L2)
        found = decide.finish(start, nets, design(*compared))
        self.assertEqual((found.arm.nets, found.arm.refit, found.arm.restore_best), (wanted, refit, True))
        self.assertEqual(found.arm.techniques[:2], (DROPOUT, L2))
        self.assertEqual(found.arm.recipe, start.arm.recipe)
        self.assertEqual(found._replace(arm=None), start._replace(arm=None))

    def test_a_refit_of_your_own_is_taken_once(self):
        own = techniques.refit._replace(label='all labels')
        found = decide.last_techniques(design(own, techniques.refit).arms, 1)
        self.assertEqual([technique.label for technique in found], ['all labels'])


class DecidedTest(chex.TestCase):
    def test_test_labels_change_nothing_that_is_decided(self):
        ran = tiny.ran()
        y = np.random.default_rng(1).permutation(tiny.TEST.y)
        other = tiny.run(tiny.prepare(tiny.SPLITS._replace(test=splits_lib.Holdout(tiny.TEST.x, y))), False)
        self.assertNotEqual(other.found.results.baseline.test_error, ran.found.results.baseline.test_error)
        self.assertEqual(other.compared.tuned, ran.compared.tuned)
        self.assertEqual(other.combined.final, ran.combined.final)
        chex.assert_trees_all_equal(
            [net.variables for net in other.combined.nets], [net.variables for net in ran.combined.nets]
        )

    def test_all_arms_are_tuned_on_all_sets_with_a_model_for_the_end(self):
        for ran, sets in ((tiny.ran(), 3), (tiny.crossed(), 6)):
            arms = ran.study.design.arms
            self.assertLen(ran.compared.tuned, sets)
            for of_set in ran.compared.tuned:
                self.assertEqual([one.arm for one in of_set], list(arms))
            self.assertLen(ran.compared.outcomes, len(arms))
            self.assertEqual({len(of_arm) for of_arm in ran.compared.outcomes}, {sets - (sets == 6)})

    def test_controls_are_the_baseline_with_other_luck(self):
        ran = tiny.ran()
        plain = ran.compared.outcomes[0]
        self.assertLen(ran.compared.controls, 2)
        for control in ran.compared.controls:
            for one, again in zip(plain, control, strict=True):
                self.assertEqual(again.tuned.arm, one.tuned.arm)
                self.assertNotEqual(again.tuned.hyper, one.tuned.hyper)
                sets = ran.study.design.sets
                np.testing.assert_array_equal(
                    sets[again.tuned.place].labelled, sets[one.tuned.place].labelled
                )

    def test_the_combination_of_a_set_alone_is_the_same(self):
        ran = tiny.ran()
        design, pool = ran.study.design, ran.study.splits.train
        alone = Course(pool, design.sets, design.plan.protocol, ran.study.splits.test.x)
        alone.expect(design.arms)
        effort = combine.Effort(design.plan.level.tries, design.plan.level.try_trials)
        [found] = combine.combine(alone, ran.compared.tuned[:1], design.baseline, effort)
        self.assertEqual(
            decide.finish(found, design.plan.level.nets, design).arm.techniques,
            ran.combined.final.arm.techniques,
        )
        self.assertEqual(found.hyper, ran.combined.final.hyper)

    def test_the_model_of_the_end_is_trained_on_what_it_should_be(self):
        for ran, size in ((tiny.ran(), 30), (tiny.crossed(), 72)):
            design = ran.study.design
            self.assertLen(design.sets[design.places.final].labelled, size)
            self.assertEqual(ran.combined.final.place, design.places.final)
            for leaf in jax.tree.leaves([net.variables for net in ran.combined.nets]):
                self.assertTrue(np.isfinite(leaf).all())
