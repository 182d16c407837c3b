"""Labelled sets: stratified, nested, never tested on their own examples, and folds that no seed moves."""

import collections
from unittest import mock

import chex
import numpy as np
from absl.testing import parameterized

from overfit.data import splits as splits_lib
from overfit.study import labelled_sets
from tests.study import tiny

SPLITS, CROSSED = tiny.SPLITS, tiny.CROSSED
Y = tiny.POOL.y
# Six groups of four examples a class, in no order.
GROUPS = np.random.default_rng(1).permutation(np.tile(np.arange(6), 4))
GROUPS = (np.repeat(GROUPS, 3) + 6 * Y).astype(np.int32)
GROUPED = CROSSED._replace(
    train=tiny.POOL._replace(groups=GROUPS), test=splits_lib.Holdout(tiny.POOL.x, Y, GROUPS)
)


def sides(sets):
    return [(frozenset(one.labelled.tolist()), frozenset(one.tested.tolist())) for one in sets]


class ApartTest(chex.TestCase):
    """With a test set of its own."""

    def test_they_are_stratified_fresh_and_tested_on_everything(self):
        sets = labelled_sets.draw(SPLITS, 30, 4, seed=5)
        for one in sets:
            self.assertLen(set(one.labelled.tolist()), 30)
            np.testing.assert_array_equal(np.bincount(Y[one.labelled]), [10, 10, 10])
            np.testing.assert_array_equal(one.tested, np.arange(80))
        self.assertLen(set(sides(sets)), 4)
        self.assertLen({one.seed for one in sets}, 4)

    def test_more_sets_begin_with_the_same(self):
        few, many, other = (labelled_sets.draw(SPLITS, 30, n, seed=s) for n, s in ((3, 5), (6, 5), (3, 6)))
        for one, same in zip(few, many, strict=False):
            np.testing.assert_array_equal(one.labelled, same.labelled)
            self.assertEqual(one.seed, same.seed)
        self.assertNoCommonElements(sides(few), sides(other))
        self.assertNoCommonElements({one.seed for one in few}, {one.seed for one in other})

    @parameterized.parameters(None, 72)
    def test_all_examples_are_the_same_set_drawn_upon_anew(self, size):
        sets = labelled_sets.draw(SPLITS, size, 3, seed=5)
        for one in sets:
            self.assertEqual(sorted(one.labelled.tolist()), list(range(72)))
        self.assertLen({one.seed for one in sets}, 3)

    def test_a_size_that_is_not_there(self):
        for data, size in ((SPLITS, 73), (SPLITS, 5), (CROSSED, 60)):
            with self.assertRaisesRegex(ValueError, f'train_size={size} does not fit'):
                labelled_sets.draw(data, size, 5, seed=0)


class CrossFittedTest(chex.TestCase):
    @parameterized.parameters((CROSSED, 5), (CROSSED, 15), (GROUPED, 10))
    def test_none_is_tested_on_its_own_and_every_example_as_often(self, data, count):
        sets = labelled_sets.draw(data, None, count, seed=5)
        tested = collections.Counter()
        for labelled, apart in sides(sets):
            self.assertEqual(labelled & apart, set())
            self.assertEqual(labelled | apart, set(range(72)))
            tested.update(apart)
        self.assertEqual(set(tested.values()), {count // 5})
        self.assertLen(set(sides(sets)), count)
        self.assertLen({one.seed for one in sets}, count)

    def test_groups_are_whole(self):
        for labelled, apart in sides(labelled_sets.draw(GROUPED, None, 10, seed=5)):
            self.assertEqual(set(GROUPS[list(labelled)]) & set(GROUPS[list(apart)]), set())
            self.assertLen(set(Y[list(labelled)]), 3)

    def test_another_seed_moves_no_example_between_the_sides(self):
        for data in (CROSSED, GROUPED):
            first, second = (labelled_sets.draw(data, None, 10, seed=seed) for seed in (0, 1))
            self.assertEqual(sides(first), sides(second))
            self.assertNoCommonElements({one.seed for one in first}, {one.seed for one in second})
        other = labelled_sets.draw(CROSSED._replace(split_seed=8), None, 10, seed=0)
        self.assertNotEqual(sides(labelled_sets.draw(CROSSED, None, 10, seed=0)), sides(other))

    def test_fewer_are_a_stratified_part_of_what_the_fold_leaves(self):
        whole, part = (labelled_sets.draw(CROSSED, size, 5, seed=5) for size in (None, 30))
        for (all_of_it, apart), (some, same) in zip(sides(whole), sides(part), strict=True):
            self.assertEqual(apart, same)
            self.assertLess(some, all_of_it)
            np.testing.assert_array_equal(np.bincount(Y[list(some)]), [10, 10, 10])


class ResizedTest(chex.TestCase):
    def test_the_smaller_lies_inside_the_larger(self):
        for one in labelled_sets.draw(SPLITS, 30, 3, seed=5):
            small, same, large = (labelled_sets.resized(one, SPLITS, size, 30) for size in (12, 30, 60))
            self.assertLess(set(small.labelled), set(one.labelled))
            self.assertEqual(set(same.labelled), set(one.labelled))
            self.assertLess(set(one.labelled), set(large.labelled))
            for other, count in ((small, 4), (large, 20)):
                np.testing.assert_array_equal(np.bincount(Y[other.labelled]), [count] * 3)
                self.assertEqual(other.seed, one.seed)
                np.testing.assert_array_equal(other.tested, one.tested)

    def test_cross_fitted_they_lie_in_what_the_fold_leaves(self):
        sets = labelled_sets.draw(CROSSED, None, 5, seed=5)
        usual = labelled_sets.usual_size(sets)
        self.assertBetween(usual, 57, 58)
        for one in sets:
            small, large = (labelled_sets.resized(one, CROSSED, size, usual) for size in (24, 70))
            self.assertLess(set(small.labelled), set(one.labelled))
            self.assertAlmostEqual(len(set(small.labelled)), 24, delta=1)
            self.assertEqual(set(large.labelled), set(one.labelled))

    def test_a_set_never_holds_what_tests_it(self):
        """One patient has more than half of the examples: the sets that test him are small."""
        groups = np.maximum(0, 9 - np.arange(len(Y)) // 3).astype(np.int32)
        data = CROSSED._replace(
            train=tiny.POOL._replace(groups=groups), test=splits_lib.Holdout(tiny.POOL.x, Y, groups)
        )
        measured = labelled_sets.draw(data, None, 10, seed=1)
        usual = labelled_sets.usual_size(measured)
        self.assertLess(min(len(one.labelled) for one in measured), usual / 2)
        sets, places = labelled_sets.lay_out(data, None, 10, 2, [usual // 4, usual // 2], folds=2, seed=1)
        self.assertNotEmpty(places.sizes)
        for one in sets:
            self.assertEmpty(set(groups[one.labelled]) & set(groups[one.tested]))

    def test_the_whole_has_nothing_to_test_it(self):
        everything = labelled_sets.whole(CROSSED, None, seed=5)
        self.assertEqual(sorted(everything.labelled), list(range(72)))
        self.assertEmpty(everything.tested)
        part = labelled_sets.whole(CROSSED, 30, seed=5)
        np.testing.assert_array_equal(np.bincount(Y[part.labelled]), [10, 10, 10])


class InnerFoldsTest(chex.TestCase):
    def test_as_many_as_class_and_groups_allow(self):
        rows = np.arange(72)
        for pool, wanted, expected in (
            (tiny.POOL, 5, 5),
            (tiny.POOL, 30, 24),
            (GROUPED.train, 5, 5),
            (GROUPED.train, 9, 6),
        ):
            found = labelled_sets.inner_folds(pool, rows, wanted, seed=0)
            self.assertLen(found, expected)
            self.assertEqual(sorted(np.concatenate([held for _, held in found])), list(rows))

    def test_groups_of_unequal_size_stay_whole_and_leave_every_class_to_train_on(self):
        """Class 0 lies in two patients alone, one of them large."""
        y = np.repeat([0, 1, 2], 4).astype(np.int32)
        groups = np.array([0, 0, 0, 1, 0, 1, 2, 3, 0, 0, 1, 1], np.int32)
        pool = tiny.POOL._replace(x=tiny.POOL.x[:12], y=y, groups=groups)
        for seed in range(20):
            for train, held in labelled_sets.inner_folds(pool, np.arange(12), 5, seed=seed):
                self.assertEmpty(set(groups[train]) & set(groups[held]))
                self.assertLen(set(y[train]), 3)

    def test_fewer_than_asked_where_so_many_leave_a_class_out(self):
        tried = []

        def folds(y, k, **options):
            tried.append(k)
            if k > 2:
                raise ValueError('too uneven')
            return [(np.arange(2), np.arange(2, 4))]

        with mock.patch.object(splits_lib, 'folds', folds):
            self.assertLen(labelled_sets.inner_folds(GROUPED.train, np.arange(72), 4, seed=0), 1)
        self.assertEqual(tried, [4, 3, 2])


class LayOutTest(parameterized.TestCase):
    @parameterized.parameters((SPLITS, 30, 3, 0), (CROSSED, None, 5, 1))
    def test_everything_has_its_place(self, data, size, count, apart):
        sets, places = labelled_sets.lay_out(data, size, count, 2, (12, 24), folds=2, seed=5)
        wanted = labelled_sets.draw(data, size, count, seed=5)
        self.assertEqual(sides(sets[place] for place in places.measured), sides(wanted))
        self.assertEqual(places.tuned, tuple(range(count + apart)))
        final = sets[places.final]
        if apart:
            self.assertEqual(sorted(final.labelled), list(range(72)))
            self.assertEmpty(final.tested)
        else:
            self.assertEqual(places.final, 0)
        parts = [places.tuned, *places.controls, *places.sizes.values()]
        self.assertEqual([place for part in parts for place in part], list(range(len(sets))))
        for again in places.controls:
            self.assertEqual(sides(sets[place] for place in again), sides(wanted))
        drawn = [sets[place].seed for part in (places.tuned, *places.controls) for place in part]
        self.assertLen(set(drawn), len(drawn))
        self.assertEqual(list(places.sizes), [12, 24])
        for other, at in places.sizes.items():
            self.assertEqual({len(sets[place].labelled) for place in at}, {other})

    def test_sizes_at_which_a_class_is_too_small_are_left_out(self):
        rows = np.concatenate([np.flatnonzero(Y < 2), np.flatnonzero(Y == 2)[:8]])
        data = SPLITS._replace(train=tiny.POOL._replace(x=tiny.POOL.x[rows], y=Y[rows]))
        for folds, expected in ((2, [28, 42]), (5, [42]), (7, [])):
            _, places = labelled_sets.lay_out(data, None, 3, 1, (7, 28, 42), folds=folds, seed=5)
            self.assertEqual(list(places.sizes), expected, folds)
            self.assertEqual(sum(len(at) for at in places.sizes.values()), 3 * len(expected))


class MostFoldsTest(chex.TestCase):
    def test_examples_or_groups_of_the_rarest_class(self):
        self.assertEqual(labelled_sets.most_folds(tiny.POOL, np.arange(71)), 23)
        pool = tiny.POOL._replace(groups=GROUPS)
        self.assertEqual(labelled_sets.most_folds(pool, np.arange(72)), 6)
        some = np.flatnonzero((Y > 0) | (GROUPS < 2))
        self.assertEqual(labelled_sets.most_folds(pool, some), 2)
