"""The course: each net trained once on the folds of its own labelled set, alone as in company."""

from unittest import mock

import chex
import jax
import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import course as course_lib
from overfit.study import labelled_sets
from overfit.study.course import Run
from overfit.train.engine import population
from tests.study import tiny

HYPER = base.Hyper.of(learning_rate=0.1, steps=40.0)
RUNS = [Run(tiny.RECIPE, HYPER, place, net) for place in range(3) for net in range(2)]
GROUPS = np.arange(72, dtype=np.int32) // 3  # a triple has an example of each class


def members(course, runs):
    """What a course would train."""
    seen = []

    def watched(members, *arguments, **options):
        seen.extend(members)
        return [population.Trained(None, None, None, 0.0, 0.0, 0, 0, False, None) for _ in members]

    with mock.patch.object(population, 'train', watched):
        course.train(runs)
    return seen


def close(one, other):
    """That two nets are the same but for the order of sums."""
    np.testing.assert_allclose(one.curve, other.curve, atol=1e-5)
    chex.assert_trees_all_close(one.variables, other.variables, atol=1e-5)
    assert (one.steps, one.best_step, one.diverged) == (other.steps, other.best_step, other.diverged)


class RefusalTest(chex.TestCase):
    def test_a_test_set(self):
        for wrong, name in ((tiny.SPLITS.test, 'Holdout'), (tiny.SPLITS, 'Splits')):
            with self.assertRaisesRegex(TypeError, f'never a test set; got {name}'):
                course_lib.Course(wrong, tiny.SETS, tiny.PROTOCOL, tiny.TEST.x)

    def test_labels_of_the_test_set_are_nowhere_in_it(self):
        held = vars(tiny.course()).values()
        self.assertTrue(any(one is tiny.TEST.x for one in held))
        for one in held:
            self.assertNotIsInstance(one, splits.Holdout | splits.Splits)


class FoldsTest(chex.TestCase):
    def test_they_part_the_labelled_set(self):
        found = members(tiny.course(), [Run(tiny.RECIPE, HYPER, 1, net) for net in range(5)])
        whole = set(tiny.SETS[1].labelled.tolist())
        for one in found:
            self.assertEqual({*one.train, *one.validation}, whole)
            self.assertLen({*one.train} & {*one.validation}, 0)
            np.testing.assert_array_equal(np.bincount(tiny.POOL.y[one.validation]), [2, 2, 2])
        self.assertEqual({n for one in found for n in one.validation}, whole)

    def test_every_set_has_its_own_and_every_arm_the_same(self):
        def drawn(recipe, hyper, **changes):
            found = members(tiny.course(), [Run(recipe, hyper, place, 1, **changes) for place in range(3)])
            return [(one.seed, *sorted(one.validation.tolist())) for one in found]

        first = drawn(tiny.RECIPE, HYPER)
        self.assertLen(set(first), 3)
        self.assertLen({one[0] for one in first}, 3)
        wider = tiny.RECIPE._replace(model=tiny.RECIPE.model.clone(widths=(16,)))
        self.assertEqual(drawn(wider, HYPER.with_numbers(l2=0.01), restore_best=False), first)
        # The same examples for all, but drawn upon anew.
        again = [tiny.SETS[0], tiny.SETS[0].again(0), tiny.SETS[0].again(1)]
        found = members(tiny.course(again), [Run(tiny.RECIPE, HYPER, place, 0) for place in range(3)])
        self.assertLen({one.seed for one in found}, 3)
        self.assertLen({frozenset(one.validation.tolist()) for one in found}, 3)

    def test_after_the_last_fold_they_begin_again_with_other_seeds(self):
        first, sixth = members(tiny.course(), [Run(tiny.RECIPE, HYPER, 0, net) for net in (0, 5)])
        np.testing.assert_array_equal(first.validation, sixth.validation)
        self.assertNotEqual(first.seed, sixth.seed)

    def test_a_refit_has_every_label(self):
        [one] = members(tiny.course(), [Run(tiny.RECIPE, HYPER, 2, 1, stop_at=25.0)])
        self.assertEqual(sorted(one.train), sorted(tiny.SETS[2].labelled))
        self.assertEmpty(one.validation)
        self.assertEqual(one.limit, 25)

    def test_groups_are_whole(self):
        data = tiny.SPLITS._replace(train=tiny.POOL._replace(groups=GROUPS))
        everything = labelled_sets.draw(data, None, 3, seed=5)
        runs = [Run(tiny.RECIPE, HYPER, place, net) for place in range(3) for net in range(5)]
        for one in members(tiny.course(everything, data), runs):
            self.assertEqual(set(GROUPS[one.train]) & set(GROUPS[one.validation]), set())
            self.assertLen({*one.train, *one.validation}, 72)

    def test_numbers_that_are_expected_are_there(self):
        course = tiny.course()
        course.expect([tiny.ARMS[0], tiny.ARMS[1]], also=['dropout'])
        wider = tiny.RECIPE._replace(model=tiny.RECIPE.model.clone(widths=(16,)))
        one, other = members(course, [Run(tiny.RECIPE, HYPER, 0, 0), Run(wider, HYPER, 0, 0)])
        self.assertEqual(one.hyper.numbers(), HYPER.numbers() | {'l2': 0.0, 'dropout': 0.0})
        self.assertEqual(other.hyper, HYPER)


class TrainTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.course = tiny.course()
        cls.nets = cls.course.nets(RUNS)
        cls.course.predict(RUNS)

    def test_alone_as_in_company(self):
        for number in (0, 3):
            run = RUNS[number]
            alone = tiny.course([tiny.SETS[run.place]])
            [net] = alone.nets([run._replace(place=0)])
            close(net, self.nets[number])
            alone.predict([run._replace(place=0)])
            np.testing.assert_allclose(
                alone.probabilities([run._replace(place=0)])[0],
                self.course.probabilities([run])[0],
                atol=1e-3,  # of numbers of 16 bits
            )

    def test_they_are_the_members_of_another_layout(self):
        found = tiny.train(members(tiny.course(), RUNS[:2]))
        for one, other in zip(found, self.nets[:2], strict=True):
            close(one, other)

    def test_each_is_trained_once(self):
        with mock.patch.object(population, 'train') as train:
            self.course.train(RUNS)
            self.course.train([*RUNS, RUNS[0]])
            self.course.predict(RUNS)
        train.assert_not_called()
        self.assertEqual(self.course.results(RUNS), self.nets)
        self.assertLen(members(tiny.course(), [RUNS[0], RUNS[0]]), 1)

    def test_predictions_are_those_of_the_nets(self):
        for place in range(3):
            of_place = [number for number, run in enumerate(RUNS) if run.place == place]
            found = self.course.probabilities([RUNS[number] for number in of_place])
            self.assertEqual((found.shape, found.dtype), ((2, 80, 3), np.float16))
            for one, number in zip(found, of_place, strict=True):
                np.testing.assert_allclose(one, tiny.by_hand(self.nets[number], tiny.TEST.x), atol=1e-3)

    def test_only_what_tests_a_set_is_predicted(self):
        sets = labelled_sets.draw(tiny.CROSSED, None, 5, seed=5)
        sets += (labelled_sets.whole(tiny.CROSSED, None, seed=5),)
        course = tiny.course(sets, tiny.CROSSED)
        runs = [Run(tiny.RECIPE, HYPER, place, 0) for place in (2, 5)]
        [net, _] = course.nets(runs)
        course.predict(runs)
        expected = tiny.by_hand(net, tiny.POOL.x[sets[2].tested])
        np.testing.assert_allclose(course.probabilities(runs[:1])[0], expected, atol=1e-3)
        with self.assertRaises(KeyError):
            course.probabilities(runs[1:])

    def test_what_is_forgotten_is_trained_again_bit_for_bit(self):
        course = tiny.course()
        before = course.nets(RUNS)
        course.predict(RUNS[:1])
        predicted = course.probabilities(RUNS[:1])
        course.forget(RUNS[1:4])
        self.assertIsNone(course.results(RUNS)[1].variables)
        np.testing.assert_array_equal(course.results(RUNS)[1].curve, before[1].curve)
        self.assertTrue(course.knows(RUNS[1]))
        after = course.nets(RUNS)
        for one, other in zip(before, after, strict=True):
            chex.assert_trees_all_equal(one.variables, other.variables)
            np.testing.assert_array_equal(one.curve, other.curve)
        self.assertIs(after[0], before[0])
        course.forget(RUNS)
        np.testing.assert_array_equal(course.probabilities(RUNS[:1]), predicted)

    def test_more_predictions_than_are_made_at_a_time(self):
        course = tiny.course()
        many = [Run(tiny.RECIPE, HYPER._replace(steps=10.0), 0, net) for net in range(70)]
        course.predict(many)
        np.testing.assert_array_equal(course.probabilities(many)[-1], course.probabilities(many[-1:])[0])
        self.assertEqual(len({one.tobytes() for one in course.probabilities(many)}), 70)
        self.assertEqual(jax.tree.leaves(course.results(many)[0].variables)[0].dtype, np.float32)
