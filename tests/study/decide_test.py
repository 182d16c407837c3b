"""Deciding: anew on every labelled set, and whatever is measured cannot change it."""

import chex
import numpy as np
from absl.testing import parameterized

from overfit.data import splits
from overfit.study import combine, decide, measure, search, techniques
from overfit.study.arms import arm_of
from overfit.study.procedures import models_of
from tests.study import tiny

DROPOUT, L2 = techniques.dropout, techniques.l2


def arms(*chosen):
    return tuple(arm_of(one, tiny.BASELINE) for one in ((), *((technique,) for technique in chosen)))


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
        started = tiny.ran().compared.tuned[0][0]._replace(arm=arm_of((DROPOUT, L2), tiny.BASELINE))
        design = tiny.ran().study.design._replace(arms=arms(*compared))
        found = decide.finish(started, nets, design)
        self.assertEqual((found.arm.nets, found.arm.refit, found.arm.restore_best), (wanted, refit, True))
        self.assertEqual(found.arm.techniques[:2], (DROPOUT, L2))
        self.assertEqual(found.arm.recipe, started.arm.recipe)
        self.assertEqual(found._replace(arm=None), started._replace(arm=None))

    def test_a_refit_of_your_own_is_taken_once(self):
        own = techniques.refit._replace(label='all labels')
        found = decide.last_techniques(arms(own, techniques.refit), 1)
        self.assertEqual([technique.label for technique in found], ['all labels'])


class LikedTest(chex.TestCase):
    def test_the_three_that_validation_likes_best_on_all_sets_together(self):
        """Ensemble and refit cannot be judged; L2 is the best on the first set alone."""
        chosen = (
            techniques.momentum, L2, techniques.refit, DROPOUT, techniques.longer, tiny.ENSEMBLE,
            techniques.label_smoothing,
        )  # fmt: skip
        scores = {
            'tuned baseline': (0.1, 0.1),
            techniques.momentum.label: (0.9, 0.8),
            L2.label: (0.2, 1.4),
            techniques.refit.label: (0.0, 0.0),
            DROPOUT.label: (0.5, 0.5),
            techniques.longer.label: (0.3, 0.4),
            tiny.ENSEMBLE.label: (0.0, 0.0),
            techniques.label_smoothing.label: (0.6, 0.5),
        }
        tuned = [
            tuple(
                search.Tuned(arm, place, None, (), (score - 0.1, score + 0.1), 1 - score, 0, 2, 9, 0)
                for place, score in enumerate(scores[arm.label])
            )
            for arm in arms(*chosen)
        ]
        found = [arm.label for arm in decide._liked(tuned)]
        self.assertEqual(found, [techniques.longer.label, DROPOUT.label, techniques.label_smoothing.label])


class DecidedTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ran = tiny.ran()
        cls.design, cls.compared = cls.ran.study.design, cls.ran.compared
        cls.combined = cls.ran.combined

    def course(self):
        return tiny.course(self.design.sets, protocol=self.design.plan.protocol)

    def test_arms_are_those_of_the_search_on_every_labelled_set(self):
        wanted = search.search(self.course(), self.design.arms, range(3))
        self.assertEqual(list(zip(*wanted, strict=True)), list(self.compared.tuned))

    def test_every_arm_is_tuned_anew_on_every_labelled_set(self):
        for of_arm in zip(*self.compared.tuned, strict=True):
            self.assertLen({one.hyper.learning_rate for one in of_arm}, 3, of_arm[0].arm.label)
        for of_set in self.compared.tuned:
            self.assertLen({one.place for one in of_set}, 1)

    def test_the_nets_of_the_folds_are_those_that_predict(self):
        labels = [arm.label for arm in self.design.arms]
        for place in range(3):
            for label in ('tuned baseline', 'dropout'):
                outcome = self.compared.outcomes[labels.index(label)][place]
                self.assertEqual(outcome.tuned, self.compared.tuned[place][labels.index(label)])
                self.assertEqual(outcome.member_steps, 0)
                course = self.course()
                nets = course.nets(outcome.tuned.runs)
                for net, classes, run in zip(nets, outcome.classes, outcome.tuned.runs, strict=True):
                    self.assertIsNone(run.stop_at)
                    said = tiny.by_hand(net, tiny.TEST.x)
                    sure = np.diff(np.sort(said, -1)[:, -2:])[:, 0] > 3e-3
                    np.testing.assert_array_equal(classes[sure], said.argmax(-1)[sure])

    def test_controls_are_the_baseline_tuned_on_the_same_examples_with_all_else_drawn_anew(self):
        baseline = self.compared.outcomes[0]
        self.assertLen(self.compared.controls, 2)
        for control, places in zip(self.compared.controls, self.design.places.controls, strict=True):
            for one, other, place in zip(control, baseline, places, strict=True):
                self.assertEqual((one.tuned.arm, one.tuned.place), (self.design.arms[0], place))
                self.assertNotEqual(one.tuned.hyper, other.tuned.hyper)
                self.assertEqual(one.tuned.member_steps, other.tuned.member_steps)
                self.assertGreater((one.classes[0] != other.classes[0]).mean(), 0)

    def test_the_curve_is_tuned_anew_at_every_size(self):
        self.assertEqual(list(self.compared.sizes), [15, 60])
        for size, longer in ((15, 1), (60, 2)):
            for place, outcome in zip(self.design.places.sizes[size], self.compared.sizes[size], strict=True):
                self.assertEqual(outcome.tuned.place, place)
                self.assertAlmostEqual(outcome.tuned.hyper.steps, longer * self.design.plan.protocol.steps)
        self.assertEqual(self.compared.fewer, {})

    def test_the_combination_is_finished_on_every_set(self):
        course = self.course()
        tuned = list(zip(*search.search(course, self.design.arms, range(3)), strict=True))
        wanted = combine.combine(course, tuned, tiny.BASELINE, combine.Effort(1, 1))
        for one, outcome in zip(wanted, self.combined.outcomes, strict=True):
            found = outcome.tuned
            self.assertEqual(
                found.arm.techniques, (*one.arm.techniques, techniques.refit, techniques.ensemble(2))
            )
            self.assertEqual((found.hyper, found.fold_scores), (one.hyper, one.fold_scores))
            self.assertEqual((found.arm.nets, found.arm.refit), (2, True))
        self.assertEqual(self.combined.final, self.combined.outcomes[0].tuned)

    def test_the_combination_of_a_set_alone_is_the_same(self):
        course = self.course()
        course.expect(self.design.arms)
        [found] = combine.combine(course, self.compared.tuned[:1], tiny.BASELINE, combine.Effort(1, 1))
        self.assertEqual(decide.finish(found, 2, self.design).arm, self.combined.final.arm)
        self.assertEqual(found.hyper, self.combined.final.hyper)

    def test_the_nets_that_are_handed_over_are_those_of_the_final_set(self):
        course = self.course()
        [runs] = models_of(self.combined.final, course)
        for one, other in zip(course.nets(runs), self.combined.nets, strict=True):
            chex.assert_trees_all_close(one.variables, other.variables, atol=1e-5)

    def test_cross_fitted_the_final_model_is_trained_on_all(self):
        ran = tiny.crossed()
        final = ran.study.design.sets[ran.combined.final.place]
        self.assertEqual(sorted(final.labelled), list(range(72)))
        self.assertNotIn(ran.combined.final.place, ran.study.design.places.measured)
        self.assertLen(ran.compared.tuned, 6)
        self.assertEqual({len(of_arm) for of_arm in ran.compared.outcomes}, {5})
        self.assertLen(ran.combined.outcomes, 5)
        self.assertIsNotNone(ran.combined.nets[0].variables)


class BlindTest(chex.TestCase):
    """The same study with other test labels decides the same, to the bit."""

    def same(self, ran, other):
        self.assertEqual(other.compared.tuned, ran.compared.tuned)
        self.assertEqual(other.combined.final, ran.combined.final)
        for one, two in zip(
            (*ran.compared.outcomes, *ran.compared.controls, ran.combined.outcomes),
            (*other.compared.outcomes, *other.compared.controls, other.combined.outcomes),
            strict=True,
        ):
            for first, second in zip(one, two, strict=True):
                self.assertEqual(first.tuned, second.tuned)
                np.testing.assert_array_equal(first.classes, second.classes)
                np.testing.assert_array_equal(first.probabilities, second.probabilities)
        for first, second in zip(ran.combined.nets, other.combined.nets, strict=True):
            chex.assert_trees_all_equal(first.variables, second.variables)

    def test_permuted_test_labels_change_what_is_measured_and_nothing_else(self):
        ran = tiny.ran()
        permuted = splits.Holdout(tiny.TEST.x, np.random.default_rng(0).permutation(tiny.TEST.y))
        other = tiny.run(ran.study._replace(splits=tiny.SPLITS._replace(test=permuted)), False)
        self.same(ran, other)
        self.assertNotEqual(ran.found.results.baseline.test_error, other.found.results.baseline.test_error)
        self.assertGreater(other.found.results.baseline.test_error.mean, 50)

    def test_also_cross_fitted(self):
        """The labels of a set's own test examples reach it on no way; those of all others are its own."""
        ran = tiny.crossed()
        labels = np.random.default_rng(0).permutation(tiny.POOL.y)
        permuted = tiny.CROSSED._replace(test=splits.Holdout(tiny.POOL.x, labels))
        other = tiny.run(ran.study._replace(splits=permuted), False)
        self.same(ran, other)
        tables = [measure.mistakes(one.compared.outcomes[0], one.study.design.sets[:5], one.study.splits.test)
                  for one in (ran, other)]  # fmt: skip
        self.assertLess(np.nanmean(tables[0]), 0.45)
        self.assertGreater(np.nanmean(tables[1]), 0.5)

    def test_no_label_of_the_outer_fold_reaches_the_set_that_it_tests(self):
        """Cross-fitted, test labels lie in the pool: other ones there change nothing on that set."""
        one = tiny.crossed().study.design.sets[0]
        y = tiny.POOL.y.copy()
        y[one.tested] = (y[one.tested] + 1) % 3
        found = []
        for pool in (tiny.POOL, tiny.POOL._replace(y=y)):
            course = tiny.course([one], tiny.CROSSED._replace(train=pool))
            [[tuned]] = search.search(course, [arms(DROPOUT)[1]], [0])
            found.append((tuned, course.probabilities(tuned.runs)))
        self.assertEqual(found[0][0], found[1][0])
        np.testing.assert_array_equal(found[0][1], found[1][1])
