"""Procedures: which nets they hand over, what those predict, and that none is trained twice."""

import chex
import numpy as np

from overfit.study import labelled_sets, procedures, search
from overfit.study.arms import arm_of
from overfit.study.course import Run
from overfit.train.engine import population
from tests.study import tiny

PLAIN, _, _, ENSEMBLE, REFIT = tiny.ARMS
BOTH = arm_of((tiny.ENSEMBLE, *REFIT.techniques), tiny.BASELINE)


class ProceduresTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.course, cls.steps = tiny.course(), []
        arms = (PLAIN, ENSEMBLE, REFIT)
        cls.tuned = search.search(cls.course, arms, range(3))
        cls.tuned.append([one._replace(arm=BOTH) for one in cls.tuned[2]])
        cls.course.progress = lambda *amounts: cls.steps.append(amounts)
        flat = [one for of_arm in cls.tuned for one in of_arm]
        cls.found = procedures.outcomes(cls.course, flat)
        cls.course.progress = None
        cls.found = [cls.found[begin : begin + 3] for begin in range(0, 12, 3)]

    def test_a_plain_arm_hands_over_the_nets_of_its_folds(self):
        for one in self.tuned[0]:
            self.assertEqual(procedures.models_of(one, self.course), [[run] for run in one.runs])

    def test_an_average_begins_with_the_nets_of_the_folds(self):
        for one, plain in zip(self.tuned[1], self.tuned[0], strict=True):
            [nets] = procedures.models_of(one, self.course)
            self.assertEqual(nets[:3], list(plain.runs))
            self.assertEqual([run.net for run in nets], [0, 1, 2, 3, 4])
            self.assertLen({run._replace(net=0) for run in nets}, 1)

    def test_a_refit_takes_every_label_for_the_chosen_time(self):
        """Four fifths of the examples took `refit_step` steps: all of them take a quarter more."""
        for number, one in enumerate(self.tuned[2]):
            models = procedures.models_of(one, self.course)
            self.assertLen(models, 3)
            for net, [run] in enumerate(models):
                self.assertEqual((run.net, run.place), (net, number))
                self.assertAlmostEqual(run.stop_at, 1.25 * one.refit_step)
                self.assertAlmostEqual(run.hyper.steps, 50)
                self.assertEqual(run.hyper.with_numbers(steps=40.0), one.hyper)
            [together] = procedures.models_of(self.tuned[3][number], self.course)
            self.assertEqual(together[:3], [run for [run] in models])
            self.assertLen(together, 5)

    def test_a_refit_is_longer_as_it_has_more_examples_than_a_fold(self):
        """Of `validation=0.3` the folds are thirds: 30 examples are half as many again as 20."""
        course = tiny.course(protocol=tiny.PROTOCOL._replace(validation=0.3))
        [[run], *_] = procedures.models_of(self.tuned[2][0], course)
        self.assertAlmostEqual(run.stop_at, 1.5 * self.tuned[2][0].refit_step)

    def test_classes_and_probabilities_are_those_of_the_nets(self):
        for of_arm, tuned in zip(self.found, self.tuned, strict=True):
            for outcome, one in zip(of_arm, tuned, strict=True):
                models = [
                    np.mean(
                        [tiny.by_hand(net, tiny.TEST.x).astype(np.float16) for net in self.course.nets(runs)],
                        axis=0,
                        dtype=np.float64,
                    )
                    for runs in procedures.models_of(one, self.course)
                ]
                self.assertEqual(outcome.tuned, one)
                self.assertEqual(outcome.classes.dtype, np.int16)
                sure = np.diff(np.sort(models, -1)[..., -2:])[..., 0] > 3e-3
                self.assertGreater(sure.mean(), 0.95)
                np.testing.assert_array_equal(outcome.classes[sure], np.argmax(models, -1)[sure])
                np.testing.assert_allclose(outcome.probabilities, np.mean(models, 0), atol=2e-3)

    def test_what_is_known_is_not_trained_again(self):
        plain, ensemble, refit, both = self.found
        self.assertEqual({one.member_steps for one in plain}, {0})
        self.assertEqual({one.member_steps for one in ensemble}, {2 * 40})  # nets 3 and 4
        for one, other in zip(refit, both, strict=True):
            ends = 10 * int(np.ceil(one.tuned.refit_step * 1.25 / 10))  # rounded up to an evaluation
            self.assertEqual((one.member_steps, other.member_steps), (3 * ends, 5 * ends))
        steps, nets, seconds = np.sum(self.steps, axis=0)
        self.assertGreater(seconds, 0)
        self.assertEqual(nets, 3 * (2 + 5))
        self.assertEqual(steps, sum(one.member_steps for one in (*ensemble, *both)))

    def test_curves_are_those_of_all_nets_that_predict(self):
        plain, ensemble, refit, _ = (of_arm[0] for of_arm in self.found)
        for one in (*plain.curves, *ensemble.curves):
            np.testing.assert_array_equal(one[:, population.STEP], [10, 20, 30, 40])
        self.assertEqual([len(one.curves) for one in (plain, ensemble, refit)], [3, 5, 3])
        np.testing.assert_array_equal(ensemble.curves[:3], plain.curves)
        self.assertTrue(np.isnan(refit.curves[0][:, population.ERROR]).all())

    def test_weights_of_the_search_stay_dropped_and_new_ones_are_dropped_too(self):
        course = tiny.course(tiny.SETS[:1])
        [[tuned]] = search.search(course, [REFIT], [0])
        procedures.outcomes(course, [tuned])
        runs = [*tuned.runs, *[run for [run] in procedures.models_of(tuned, course)]]
        self.assertEqual({net.variables for net in course.results(runs)}, {None})

    def test_where_nothing_tests_it_there_is_no_prediction(self):
        course = tiny.course((labelled_sets.whole(tiny.CROSSED, None, seed=5),), tiny.CROSSED)
        [[tuned]] = search.search(course, [PLAIN], [0])
        [outcome] = procedures.outcomes(course, [tuned])
        self.assertEqual((outcome.classes.shape, outcome.probabilities.shape), ((3, 0), (0, 3)))
        self.assertLen(outcome.curves, 3)

    def test_nets_that_diverged_are_counted(self):
        run = Run(tiny.RECIPE, self.tuned[0][0].hyper._replace(learning_rate=np.inf), 0, 0)
        wild = self.tuned[0][0]._replace(runs=(run, self.tuned[0][0].runs[0]))
        [outcome] = procedures.outcomes(self.course, [wild])
        self.assertEqual(outcome.diverged, 1)
        self.assertTrue(np.isfinite(outcome.classes).all())
