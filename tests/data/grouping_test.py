"""Groups: never on both sides, classes as even as they allow, and what is impossible is said."""

import itertools

import chex
import numpy as np
from absl.testing import parameterized

from overfit.data import grouping, splits


def _patients(sizes, *, classes=2, seed=0):
    """Labels and groups: patient i has `sizes[i]` examples, all of class `i % classes`; shuffled."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    order = np.random.default_rng(seed).permutation(len(groups))
    return (groups % classes)[order], groups[order]


def _speakers(number, each, classes, seed=0):
    """Every speaker has `each` examples of every class."""
    groups = np.repeat(np.arange(number), each * classes)
    y = np.tile(np.repeat(np.arange(classes), each), number)
    order = np.random.default_rng(seed).permutation(len(y))
    return y[order], groups[order]


CASES = (
    ('patients', _patients([3, 8, 5, 1, 9, 2, 4, 4, 6, 7, 1, 12, 3, 3])),
    ('speakers', _speakers(7, 3, 4)),
    ('singles', _patients([1] * 60, classes=3)),
    ('one_large', _patients([40, 40, *[2] * 20])),
)


class FoldsTest(parameterized.TestCase):
    @parameterized.product(case=[case for _, case in CASES], k=(2, 3, 5), seed=(0, 1))
    def test_groups_stay_whole_and_everything_validates_once(self, case, k, seed):
        y, groups = case
        pairs = splits.folds(y, k, seed=seed, groups=groups)
        self.assertLen(pairs, k)
        self.assertCountEqual([i for _, held in pairs for i in held.tolist()], range(len(y)))
        for train, held in pairs:
            self.assertCountEqual([*train.tolist(), *held.tolist()], range(len(y)))
            self.assertEmpty(set(groups[train].tolist()) & set(groups[held].tolist()))
            self.assertEqual(set(y[train].tolist()), set(y.tolist()))

    def test_as_even_as_without_groups_where_groups_allow(self):
        y, groups = _speakers(10, 3, 4)
        for _, held in splits.folds(y, 5, seed=3, groups=groups):
            self.assertEqual(np.bincount(y[held]).tolist(), [6] * 4)
        y, groups = _patients([1] * 60, classes=3)
        for _, held in splits.folds(y, 5, seed=3, groups=groups):
            self.assertEqual(np.bincount(y[held]).tolist(), [4] * 3)

    def test_nearly_the_best_of_all_assignments(self):
        sizes = [5, 3, 8, 2, 1, 6, 4, 7]
        y, groups = _patients(sizes)

        def spread(parts):
            held = [[sum(sizes[i] for i in range(8) if parts[i] == p and i % 2 == c) for c in (0, 1)]
                    for p in (0, 1)]  # fmt: skip
            return sum(abs(held[0][c] - held[1][c]) for c in (0, 1))

        best = min(spread(parts) for parts in itertools.product((0, 1), repeat=8))
        for seed in range(5):
            held = splits.folds(y, 2, seed=seed, groups=groups)[0][1]
            mine = [int(i in set(groups[held].tolist())) for i in range(8)]
            self.assertLessEqual(spread(mine), best + 2)

    def test_a_rare_class_of_few_groups_is_in_every_part(self):
        y, groups = _speakers(30, 2, 2)
        rare = np.repeat(np.arange(30, 33), 1)  # three lone examples of class 2
        y, groups = np.concatenate([y, [2] * 3]), np.concatenate([groups, rare])
        for seed in range(10):
            for _, held in splits.folds(y, 3, seed=seed, groups=groups):
                self.assertEqual((y[held] == 2).sum(), 1)

    def test_deterministic_and_other_with_another_seed(self):
        y, groups = _patients([2] * 20)
        first, again, other = (
            splits.folds(y, 4, seed=seed, groups=groups)[0][1].tolist() for seed in (1, 1, 2)
        )
        self.assertEqual(first, again)
        self.assertNotEqual(set(first), set(other))

    def test_codes_need_not_be_consecutive(self):
        y, groups = _patients([2] * 20)
        pairs = splits.folds(y, 4, seed=1, groups=groups)
        for (_, a), (_, b) in zip(pairs, splits.folds(y, 4, seed=1, groups=groups * 7 - 50), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_says_which_class_has_too_few_groups(self):
        y, groups = _patients([5, 5, 5, 5, 5, 5, 5])
        with self.assertRaisesRegex(ValueError, 'class 1 has 3 groups, fewer than the 5 .* at most 3 folds'):
            splits.folds(y, 5, seed=0, groups=groups)
        with self.assertRaisesRegex(ValueError, 'class 0 has 1 group, fewer than the 2 folds: add groups of'):
            splits.folds(np.array([0, 0, 1, 1]), 2, seed=0, groups=np.array([0, 0, 1, 2]))


class OuterFoldsTest(parameterized.TestCase):
    @parameterized.parameters(True, False)
    def test_every_repeat_tests_everything_once(self, grouped):
        y, groups = _patients([2] * 30)
        pairs = splits.outer_folds(y, 5, 3, seed=11, groups=groups if grouped else None)
        self.assertLen(pairs, 15)
        shuffles = set()
        for repeat in range(3):
            held = [part.tolist() for _, part in pairs[5 * repeat : 5 * repeat + 5]]
            self.assertCountEqual(sum(held, []), range(60))
            shuffles.add(tuple(sorted(held[0])))
        self.assertLen(shuffles, 3)
        if grouped:
            for train, part in pairs:
                self.assertEmpty(set(groups[train].tolist()) & set(groups[part].tolist()))

    def test_fewer_repeats_are_the_first_of_more(self):
        y = np.arange(40) % 2
        few, more = (splits.outer_folds(y, 4, repeats, seed=5) for repeats in (1, 3))
        for (_, a), (_, b) in zip(few, more, strict=False):
            np.testing.assert_array_equal(a, b)

    def test_says_what_would_work(self):
        with self.assertRaisesRegex(ValueError, 'class 1 has 4 examples, .* use at most 4 folds'):
            splits.outer_folds(np.array([0] * 9 + [1] * 4), 5, 2, seed=0)
        with self.assertRaisesRegex(ValueError, 'repeats=0 tests nothing: give 1 or more'):
            splits.outer_folds(np.arange(9) % 2, 2, 0, seed=0)


class HoldoutSplitTest(parameterized.TestCase):
    @parameterized.product(case=[case for _, case in CASES[:3]], seed=(0, 1, 2))
    def test_groups_stay_whole(self, case, seed):
        y, groups = case
        train, held = splits.holdout_split(y, 0.3, seed=seed, groups=groups)
        self.assertCountEqual([*train.tolist(), *held.tolist()], range(len(y)))
        self.assertEmpty(set(groups[train].tolist()) & set(groups[held].tolist()))
        self.assertEqual(set(y[train].tolist()), set(y.tolist()))
        largest = np.bincount(groups).max()
        for label in np.unique(y):
            self.assertLessEqual(abs((y[held] == label).sum() - 0.3 * (y == label).sum()), largest)

    def test_the_only_group_of_a_class_is_never_held_out(self):
        y, groups = _speakers(8, 3, 2)
        y, groups = np.concatenate([y, [2] * 3]), np.concatenate([groups, [0] * 3])
        for seed in range(10):
            train, held = splits.holdout_split(y, 0.3, seed=seed, groups=groups)
            self.assertEqual((y[train] == 2).sum(), 3)
            self.assertNotEmpty(held)

    def test_refuses_what_no_group_can_be_spared_from(self):
        y, groups = np.array([0, 0, 0, 1, 1, 1] * 2), np.array([0, 0, 0, 1, 1, 1] * 2)
        with self.assertRaisesRegex(ValueError, 'no group can be held out, .*class 0 has 1'):
            splits.holdout_split(y, 0.3, seed=0, groups=groups)


class HoldoutTest(parameterized.TestCase):
    def test_groups_are_public_and_its_own(self):
        groups = np.array([3, 3, 4])
        holdout = splits.Holdout(np.zeros((3, 2)), np.zeros(3, int), groups)
        groups[:] = 0
        self.assertEqual((holdout.groups.tolist(), holdout.groups.dtype), ([3, 3, 4], np.int32))
        with self.assertRaises(ValueError):
            holdout.groups[0] = 1
        self.assertIsNone(splits.Holdout(np.zeros((3, 2)), np.zeros(3, int)).groups)
        with self.assertRaises(AssertionError):
            splits.Holdout(np.zeros((3, 2)), np.zeros(3, int), np.zeros(2, int))


class CleanTest(chex.TestCase):
    def test_numbers_and_names(self):
        self.assertEqual(grouping.clean(np.array([[1.0], [2.0]]), 'groups', 2).tolist(), [1, 2])
        self.assertEqual(grouping.clean(np.array([b'\xc3\xa9', b'a']), 'groups', 2).tolist(), ['é', 'a'])
        for groups, pattern in (
            (np.array([1, 2, 3]), r'groups has shape \(3,\), but .* each of 2 inputs'),
            (np.array([0.5, 1]), 'groups holds 0.5: give whole numbers or names'),
            (np.array([np.nan, 1]), 'groups holds nan'),
            (np.array([b'\xff', b'a']), 'groups holds bytes that are not UTF-8'),
            (np.zeros(2, 'M8[D]'), 'groups has dtype datetime64'),
        ):
            with self.assertRaisesRegex(ValueError, pattern):
                grouping.clean(groups, 'groups', 2)
