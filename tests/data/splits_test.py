"""Splits: proportion, nesting, disjointness by counting; a test set that keeps its labels."""

import chex
import numpy as np
from absl.testing import parameterized

from overfit.data import splits


def _labels(counts, *, seed=0):
    y = np.concatenate([np.full(count, label) for label, count in enumerate(counts)])
    return np.random.default_rng(seed).permutation(y)


COUNTS = (
    ('balanced', (30, 30, 30)),
    ('nearly', (99, 101, 98, 102, 101, 101, 101, 100, 97, 100)),
    ('imbalanced', (400, 30, 5, 1)),
    ('two', (2, 1)),
    ('many_rare', (500, *[1] * 20)),
)


class StratifiedOrderTest(parameterized.TestCase):
    @parameterized.named_parameters(*COUNTS)
    def test_every_prefix_is_in_proportion(self, counts):
        y = _labels(counts)
        order = splits.stratified_order(y, seed=3)
        self.assertCountEqual(order.tolist(), range(len(y)))
        seen = [0] * len(counts)
        for prefix, index in enumerate(order, 1):
            seen[y[index]] += 1
            if prefix < len(counts):
                continue
            for count, total in zip(seen, counts, strict=True):
                share = total / len(y)
                self.assertGreaterEqual(count, 1)
                self.assertLessEqual(abs(count - prefix * share), 1 + share * len(counts))

    @parameterized.parameters((30, 30, 30), (25, 25), (7, 7, 7, 7, 7))
    def test_equal_classes_stay_within_one(self, *counts):
        y = _labels(counts)
        order = splits.stratified_order(y, seed=1)
        for prefix in range(1, len(y) + 1):
            seen = [sum(y[i] == label for i in order[:prefix]) for label in range(len(counts))]
            self.assertLessEqual(max(seen) - min(seen), 1)

    def test_labels_need_not_be_consecutive(self):
        y = np.array([-7, 100, -7, 100, -7, 100])
        order = splits.stratified_order(y, seed=0)
        for start in (0, 2, 4):
            self.assertCountEqual(y[order[start : start + 2]].tolist(), [-7, 100])

    def test_same_seed_same_order_other_seed_other_order(self):
        y = _labels((50, 50))
        first = splits.stratified_order(y, seed=(5, 1))
        np.testing.assert_array_equal(first, splits.stratified_order(y, seed=(5, 1)))
        self.assertFalse(np.array_equal(first, splits.stratified_order(y, seed=(5, 2))))

    def test_each_example_is_equally_likely_to_come_early(self):
        y = _labels((20, 20))
        times = np.zeros(40)
        for seed in range(400):
            times[splits.stratified_order(y, seed=seed)[:10]] += 1
        # 400 draws of probability 1/4: mean 100, standard deviation 8.7
        self.assertLess(np.abs(times - 100).max(), 40)


class SubsetTest(parameterized.TestCase):
    def test_smaller_lies_inside_larger(self):
        y = _labels((99, 101, 98, 102))
        sets = [set(splits.subset(y, size, seed=7).tolist()) for size in (8, 50, 100, 200, 400)]
        self.assertEqual([len(s) for s in sets], [8, 50, 100, 200, 400])
        for smaller, larger in zip(sets, sets[1:], strict=False):
            self.assertTrue(smaller < larger)

    @parameterized.parameters(7, 401, 0, -1)
    def test_refuses_impossible_sizes(self, size):
        with self.assertRaisesRegex(ValueError, rf'train_size={size} .*give 8 .* to 400\.'):
            splits.subset(_labels((99, 101, 98, 102)), size, seed=0)


class HoldoutSplitTest(parameterized.TestCase):
    @parameterized.product(counts=[c for _, c in COUNTS[:3]], fraction=(0.1, 0.2, 0.3))
    def test_disjoint_complete_stratified(self, counts, fraction):
        y = _labels(counts)
        train, validation = splits.holdout_split(y, fraction, seed=2)
        self.assertCountEqual([*train.tolist(), *validation.tolist()], range(len(y)))
        self.assertLen(validation, round(fraction * len(y)))
        for label, count in enumerate(counts):
            held = sum(y[i] == label for i in validation)
            self.assertLess(held, count)
            self.assertLessEqual(abs(held - fraction * count), 1 + count / len(y) * len(counts))

    def test_deterministic(self):
        y = _labels((20, 20))
        first, again, other = (splits.holdout_split(y, 0.2, seed=seed)[1].tolist() for seed in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    @parameterized.parameters(0.0, 0.05, 0.31, 1.0, float('nan'))
    def test_refuses_fractions(self, fraction):
        with self.assertRaisesRegex(ValueError, 'validation=.* from 0.1 to 0.3'):
            splits.holdout_split(_labels((20, 20)), fraction, seed=0)

    def test_refuses_to_lose_a_class(self):
        with self.assertRaisesRegex(ValueError, 'validation=0.3 of 5 examples leaves 3.*4 classes'):
            splits.holdout_split(np.array([0, 0, 1, 2, 3]), 0.3, seed=0)


class FoldsTest(parameterized.TestCase):
    @parameterized.product(counts=((30, 30, 30), (41, 13, 5), (7, 8)), k=(2, 3, 5))
    def test_everything_validates_once_in_proportion(self, counts, k):
        y = _labels(counts)
        pairs = splits.folds(y, k, seed=4)
        self.assertLen(pairs, k)
        self.assertCountEqual([i for _, validation in pairs for i in validation.tolist()], range(len(y)))
        sizes = [len(validation) for _, validation in pairs]
        self.assertLessEqual(max(sizes) - min(sizes), 1)
        for train, validation in pairs:
            self.assertCountEqual([*train.tolist(), *validation.tolist()], range(len(y)))
            for label, count in enumerate(counts):
                self.assertIn(sum(y[i] == label for i in validation), (count // k, -(-count // k)))

    def test_deterministic(self):
        y = _labels((20, 20))
        first, again, other = (splits.folds(y, 2, seed=seed)[0][1].tolist() for seed in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_names_the_class_that_is_too_small(self):
        with self.assertRaisesRegex(ValueError, 'class 2 has 4 examples, fewer than the 5 folds'):
            splits.folds(_labels((41, 13, 4)), 5, seed=0)

    def test_refuses_one_fold(self):
        with self.assertRaisesRegex(ValueError, '1 folds'):
            splits.folds(_labels((5, 5)), 1, seed=0)


class HoldoutTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.holdout = splits.Holdout(np.zeros((4, 2, 2, 1), np.uint8), np.array([0, 1, 2, 1]))

    def test_says_which_are_wrong(self):
        self.assertLen(self.holdout, 4)
        self.assertEqual(self.holdout.wrong(np.array([0, 1, 1, 1])).tolist(), [False, False, True, False])
        members = np.array([[[0, 0, 0, 0]], [[0, 1, 2, 1]]])
        self.assertEqual(
            self.holdout.wrong(members).tolist(),
            [[[False, True, True, True]], [[False, False, False, False]]],
        )

    def test_labels_are_behind_reveal_alone(self):
        public = {name for name in dir(self.holdout) if not name.startswith('_')}
        self.assertEqual(public, {'x', 'groups', 'wrong', 'reveal'})
        self.assertEqual(self.holdout.reveal().tolist(), [0, 1, 2, 1])
        self.assertEqual(repr(self.holdout), 'Holdout(4 examples)')

    def test_is_frozen(self):
        with self.assertRaises(AttributeError):
            self.holdout.x = None
        with self.assertRaises(AttributeError):
            self.holdout._y = None
        with self.assertRaises(ValueError):
            self.holdout.reveal()[0] = 2

    def test_keeps_its_own_labels(self):
        y = np.array([0, 1])
        holdout = splits.Holdout(np.zeros((2, 3)), y)
        y[:] = 7
        self.assertEqual(holdout.reveal().tolist(), [0, 1])

    @parameterized.parameters(([0, 1, 2],), ([0.0, 1.0, 2.0, 1.0],))
    def test_refuses_what_are_not_predictions(self, predictions):
        with self.assertRaises(AssertionError):
            self.holdout.wrong(np.array(predictions))

    def test_lengths_must_agree(self):
        with self.assertRaises(AssertionError):
            splits.Holdout(np.zeros((3, 2)), np.array([0, 1]))


class ApiTest(chex.TestCase):
    def test_indices_of_a_subset_compose(self):
        y = _labels((60, 60))
        chosen = splits.subset(y, 40, seed=0)
        train, validation = splits.holdout_split(y[chosen], 0.25, seed=0)
        self.assertEqual(np.bincount(y[chosen[validation]]).tolist(), [5, 5])
        self.assertEmpty(set(chosen[train]) & set(chosen[validation]))
