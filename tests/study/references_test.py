"""Reference rows: on the given labelled sets only, without test labels, for every kind and size."""

import re
from typing import NamedTuple
from unittest import mock

import chex
import jax
import numpy as np
from absl.testing import parameterized

from overfit.data import kinds, splits
from overfit.study import classics, course, labelled_sets, references
from tests import problems
from tests.study import tiny

TEST = problems.blobs(60, spread=0.6, seed=8)
HOLDOUT = splits.Holdout(TEST.x, TEST.y)
POOL = problems.blobs(72, spread=0.6)
IMAGES = problems.pictures(72, side=12, channels=3)


class Set(NamedTuple):
    labelled: np.ndarray
    tested: np.ndarray
    seed: int


def sets(count, *, size=30, tested=60):
    """Labelled sets of a pool of 72, each tested on its own part of 60."""
    rng = np.random.default_rng(0)
    return [Set(rng.permutation(72)[:size], rng.permutation(60)[:tested], 2**40 + n) for n in range(count)]


class MeasureTest(chex.TestCase):
    def test_the_classics_beat_chance(self):
        told, all_rows = [], sets(3)
        found = references.measure(
            POOL, HOLDOUT, all_rows, folds=3, progress=lambda *amounts: told.append(amounts)
        )
        suitable = references.names(kinds.vector, (4,))
        self.assertEqual(told, [(len(suitable), 1)] * 3)
        self.assertEqual(tuple(found), suitable)
        for name, wrong in found.items():
            self.assertEqual((wrong.shape, wrong.dtype), ((3, 60), np.float32), name)
            self.assertContainsSubset(set(np.unique(wrong)), {0.0, 1.0})
            if name != references.MAJORITY:
                self.assertLess(wrong.mean(), 0.4, name)  # chance: 0.67
        again = references.measure(POOL, HOLDOUT, all_rows, folds=3)
        chex.assert_trees_all_equal(again, found)

    def test_what_a_set_does_not_test_is_nan_and_the_rest_is_what_it_predicts(self):
        partial = sets(2, tested=25)
        found = references.measure(POOL, HOLDOUT, partial, folds=3)
        for number, one in enumerate(partial):
            predicted = references.predict(POOL, TEST.x, one.labelled, one.tested, folds=3, seed=one.seed)
            for name, wrong in found.items():
                np.testing.assert_array_equal(
                    wrong[number, one.tested], predicted[name] != TEST.y[one.tested], name
                )
                self.assertEqual(np.isnan(wrong[number]).sum(), 35)

    def test_no_sets_no_rows(self):
        self.assertEqual(references.measure(POOL, HOLDOUT, [], folds=3), {})

    @parameterized.named_parameters(('vectors', POOL), ('images', IMAGES))
    def test_other_labels_than_those_of_the_set_do_not_matter(self, pool):
        """Neither the rest of the pool nor, when a set tests the pool itself, the tested rows' labels."""
        labelled, tested = np.split(np.random.default_rng(1).permutation(72), [30])
        changed = pool.y.copy()
        changed[tested] = (changed[tested] + 1) % 3
        found = [
            references.predict(one, pool.x, labelled, tested, folds=3, seed=1)
            for one in (pool, pool._replace(y=changed))
        ]
        chex.assert_trees_all_equal(*found)
        for name, classes in found[0].items():
            self.assertEqual((classes.shape, classes.dtype), ((42,), np.int32), name)

    def test_a_name_that_does_not_suit_is_refused(self):
        for pool, name in ((POOL, references.GRADIENTS), (IMAGES, references.BOOSTING), (POOL, 'oracle')):
            with self.assertRaisesRegex(
                ValueError, f'no reference {re.escape(repr(name))} for these .*RBF SVM'
            ):
                references.predict(pool, pool.x, np.arange(30), np.arange(3), folds=3, seed=1, names=[name])


class SmallTest(chex.TestCase):
    @parameterized.product(
        pool=[POOL, IMAGES],
        y=[(0, 0, 1, 1, 2, 2), (0, 1, 2), (1, 1), (2, 2, 0, 0, 0), (0, 1, 1, 1, 1, 1, 2, 2, 2)],
    )
    def test_tiny_sets_train(self, pool, y):
        """Two a class, one a class, one class alone, a class that is missing, a class that is rare."""
        rows = np.concatenate([np.flatnonzero(pool.y == label)[:5] for label in range(3)])
        left, labelled = {k: [r for r in rows if pool.y[r] == k] for k in range(3)}, []
        for label in y:
            labelled.append((left[label] or [None]).pop(0))
        found = references.predict(pool, pool.x, np.array(labelled), np.arange(40), folds=5, seed=1)
        for name, classes in found.items():
            chex.assert_shape(classes, (40,))
            self.assertContainsSubset(set(classes.tolist()), set(y), name)

    def test_columns_without_information(self):
        pool = POOL._replace(x=np.concatenate([POOL.x, np.full((72, 3), 5.0)], 1).astype(np.float32))
        found = references.predict(pool, pool.x, np.arange(30), np.arange(72), folds=3, seed=1)
        for name in set(found) - {references.MAJORITY}:
            self.assertLess((found[name] != pool.y).mean(), 0.4, name)
        for empty in (POOL._replace(x=np.zeros((72, 2), np.float32)), IMAGES._replace(x=0 * IMAGES.x)):
            found = references.predict(empty, empty.x, np.arange(30), np.arange(72), folds=3, seed=1)
            for name, classes in found.items():
                self.assertLen(set(classes.tolist()), 1, name)


class GroupsTest(chex.TestCase):
    """Twelve patients of four examples each, in no order, all four of one class."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        groups = np.random.default_rng(3).permutation(np.repeat(np.arange(12), 4)).astype(np.int32)
        cls.pool = POOL._replace(x=POOL.x[:48], y=groups % 2, classes=('a', 'b'), groups=groups)

    def folds(self, pool, labelled, folds):
        """The folds of a labelled set, as rows of the pool, that a reference is given."""
        seen = []

        def spy(task):
            seen.append(task.folds)
            return classics.majority(task)

        with mock.patch.dict(references.PREDICT, {references.MAJORITY: spy}):
            references.predict(
                pool, pool.x, labelled, np.arange(3), folds=folds, seed=1, names=[references.MAJORITY]
            )
        [found] = seen
        return [(labelled[train], labelled[validate]) for train, validate in found]

    def test_a_patient_is_in_one_fold_of_a_reference(self):
        pool = self.pool
        labelled = np.random.default_rng(0).permutation(48)[:36]
        found = self.folds(pool, labelled, 3)
        self.assertLen(found, 3)
        for train, validate in found:
            self.assertEqual(set(pool.groups[train]) & set(pool.groups[validate]), set())
            self.assertEqual(sorted([*train, *validate]), sorted(labelled))
        np.testing.assert_array_equal(np.sort(np.concatenate([one[1] for one in found])), np.sort(labelled))

    def test_nets_and_references_have_the_same_folds(self):
        labelled = np.random.default_rng(0).permutation(48)[:36]
        one = labelled_sets.LabelledSet(labelled, np.arange(3), 1)
        of_nets = course.Course(self.pool, [one], tiny.PROTOCOL, self.pool.x)._folds_of(0)
        for found, wanted in zip(self.folds(self.pool, labelled, 5), of_nets, strict=True):
            for side, of_net in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(side, labelled[of_net])

    def test_without_groups_the_folds_of_these_rows_share_patients(self):
        pool = self.pool
        for train, validate in self.folds(pool._replace(groups=None), np.arange(48), 3):
            self.assertNotEmpty(set(pool.groups[train]) & set(pool.groups[validate]))

    def test_as_many_folds_as_the_rarest_class_has_patients(self):
        pool = self.pool
        labelled = np.flatnonzero((pool.groups % 2 == 0) | (pool.groups < 4))  # two patients of the second
        self.assertLen(self.folds(pool, labelled, 5), 2)
        self.assertEmpty(self.folds(pool, np.flatnonzero(pool.groups < 2), 5))


class KindsTest(chex.TestCase):
    def test_names_hang_on_kind_and_size(self):
        plain = {references.MAJORITY, references.LOGISTIC, references.SVM, references.TREES}
        gradients = {references.GRADIENTS, references.COPIES}
        sound = kinds.Kind('sound')
        for kind, shape, expected in (
            (kinds.vector, (30,), plain | {references.BOOSTING}),
            (kinds.image, (8, 8, 1), plain),
            (kinds.image, (40, 11, 3), plain),
            (kinds.image, (12, 12, 3), plain | gradients),
            (sound, (8000,), plain),
            (sound, (16, 16, 1), plain),
        ):
            self.assertEqual(set(references.names(kind, shape)), expected, (kind.name, shape))

    def test_a_kind_of_ones_own_says_what_its_features_are(self):
        """Raw numbers tell nothing here, their absolute value everything."""
        x = np.random.default_rng(0).choice([-1.0, 1.0], (80, 1)).astype(np.float32)
        y = (np.arange(80) % 2).astype(np.int32)
        x *= 1 + y[:, None]
        kind = kinds.Kind('folded', featurise=lambda x, inputs: np.abs(x))
        pool = POOL._replace(x=x, y=y, classes=('0', '1'), kind=kind)
        found = references.predict(pool, x, np.arange(40), np.arange(80), folds=3, seed=1)
        for name in (references.LOGISTIC, references.SVM, references.TREES):
            np.testing.assert_array_equal(found[name], y, name)


class SecondsTest(chex.TestCase):
    @parameterized.parameters((kinds.vector, (30,)), (kinds.image, (28, 28, 1)))
    def test_grow_with_examples_and_their_size(self, kind, shape):
        small = references.seconds(kind, shape, 100)
        self.assertEqual(tuple(small), references.names(kind, shape))
        more = references.seconds(kind, shape, 1000)
        larger = references.seconds(kind, tuple(2 * side for side in shape), 100)
        for name in set(small) - {references.MAJORITY}:
            self.assertGreater(more[name], small[name], name)
            self.assertGreaterEqual(larger[name], small[name], name)
            self.assertBetween(small[name], 0, 5)

    def test_sets_share_the_cores_but_for_the_forests(self):
        estimates = {references.TREES: 1.0, references.SVM: 5.0, references.LOGISTIC: 2.0}
        cores = len(jax.local_devices())
        both = references.abreast(estimates, [references.SVM, references.LOGISTIC])
        self.assertAlmostEqual(both, references.HINDRANCE * 7.0 / cores)
        self.assertEqual(references.abreast(estimates, [references.TREES]), max(1.0, 1.3 / cores))
        self.assertEqual(references.abreast(estimates, []), 0.0)

    def test_boosting_grows_a_tree_for_each_class_and_round(self):
        def boosting(classes, folds):
            given = {'classes': classes, 'folds': folds}
            return references.seconds(kinds.vector, (30,), 100, **given)[references.BOOSTING]

        # 60 rounds of 2 classes, 40 of 10; two sizes on each of so many folds, and once more.
        self.assertAlmostEqual(boosting(10, 3) / boosting(2, 3), 400 / 120)
        self.assertAlmostEqual(boosting(2, 5) / boosting(2, 3), 11 / 7)
