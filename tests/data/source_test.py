"""How what was read becomes splits: ways to test, and groups, of files written here."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from overfit.data import load


class FolderCase(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def npz(self, **arrays):
        np.savez(self.folder / 'own.npz', **arrays)
        return str(self.folder / 'own.npz')

    def refuses(self, pattern, *args, **options):
        with self.assertRaisesRegex(ValueError, pattern) as caught:
            load.load(*args, **options)
        sentence = str(caught.exception)
        self.assertRegex(sentence, r'[.?]$')
        self.assertNotRegex(sentence, r'\n|[.?] [A-Z]')


def _images(n, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.uint8)


def _y(n, classes=2):
    return np.arange(n) % classes


class ModesTest(FolderCase):
    def test_the_split_is_the_same_whatever_the_size_of_images(self):
        x = _images(30, 40, 40)
        path = self.npz(x=x, y=_y(30))
        small, large = (load.load(path, test='holdout', image_size=size) for size in (8, 40))
        self.assertEqual(small.split_seed, large.split_seed)
        self.assertNotEqual(small.sha256, large.sha256)
        for mine, its in zip(large.test.x, small.test.x, strict=True):
            np.testing.assert_array_equal(np.rint(mine.reshape(8, 5, 8, 5).mean((1, 3))), its[..., 0])

    def test_cross_fitted_where_there_is_no_test_set(self):
        x = np.random.default_rng(0).normal(size=(30, 2))
        path = self.npz(x=x, y=_y(30, 3))
        data, named = load.load(path), load.load(path, test='cross-fitted')
        self.assertEqual(
            (data.test_mode, data.how),
            ('cross-fitted', 'cross-fitted: every example is tested by nets that were not trained on it'),
        )
        self.assertEqual(data.sha256, named.sha256)
        for given in (data.train.x, data.test.x):
            np.testing.assert_array_equal(given, x.astype(np.float32))
        for given in (data.train.y, data.test.reveal()):
            self.assertEqual(given.tolist(), _y(30, 3).tolist())
        pairs = data.outer_folds(5, 2)
        self.assertLen(pairs, 10)
        self.assertCountEqual([i for _, tested in pairs[:5] for i in tested], range(30))

    def test_modes_that_do_not_fit(self):
        x = np.random.default_rng(0).normal(size=(30, 2))
        own = self.npz(x=x, y=_y(30))
        self.refuses('test=given needs a test set, but .* has none', own, test='given')
        self.refuses('test=fitted is no way to test: give holdout or cross-fitted', own, test='fitted')
        both = self.npz(x_train=x, y_train=_y(30), x_test=x, y_test=_y(30))
        with self.assertRaisesRegex(
            ValueError, 'a tuple .* or a test set as the arguments x_test and y_test.$'
        ):
            load.from_arrays(x, _y(30), test=(x, _y(30)))
        for test in ('holdout', 'cross-fitted'):
            self.refuses(f'test={test} is for data without .* has one .x_test and y_test', both, test=test)
        self.assertEqual(load.load(both, test='given').test_mode, 'given')


class GroupsTest(FolderCase):
    def test_of_the_file(self):
        x = np.random.default_rng(0).normal(size=(40, 2))
        who = np.array([f'patient {i // 4}' for i in range(40)])
        data = load.load(self.npz(x=x, y=_y(40), who=who, age=_y(40)), group='who')
        self.assertEqual(data.train.groups.tolist(), [i // 4 for i in range(40)])
        self.assertEqual(data.test.groups.tolist(), data.train.groups.tolist())
        self.assertEqual(data.notes, ('arrays not used: age',))
        plain = load.load(self.npz(x=x, y=_y(40)))
        self.assertIsNone(plain.train.groups)
        self.assertNotEqual(plain.sha256, data.sha256)
        for train, tested in data.outer_folds(5, 2):
            self.assertEmpty(set(train // 4) & set(tested // 4))

    def test_held_out_whole(self):
        x = np.arange(40.0)[:, None]
        data = load.load(self.npz(x=x, y=_y(40), who=np.arange(40) // 4), group='who', test='holdout')
        self.assertEqual(data.how, 'held out 30 %, stratified, groups whole, chosen by a hash of the data')
        self.assertLen(data.test, 12)
        self.assertEmpty(set(data.train.x[:, 0] // 4) & set(data.test.x[:, 0] // 4))
        np.testing.assert_array_equal(data.train.groups, data.train.x[:, 0] // 4)
        np.testing.assert_array_equal(data.test.groups, data.test.x[:, 0] // 4)

    def test_on_both_sides_of_a_test_set_that_came_along(self):
        x, x_test = np.random.default_rng(0).normal(size=(2, 12, 2))
        who = np.arange(12) // 2
        given = {'x_train': x, 'y_train': _y(12), 'x_test': x_test, 'y_test': _y(12)}
        data = load.load(self.npz(**given, who_train=who, who_test=who + 4), group='who')
        self.assertEqual(data.test.groups.tolist(), (who + 4).tolist())
        self.assertIn(
            '2 groups with 4 of the 12 test examples are in the training set too: remove them from one side',
            data.notes,
        )
        self.assertIn('groups (labelled + test): 6 + 6, of 2 to 2 examples', load.describe(data))
        data = load.load(self.npz(**given, who=who), group='who')
        self.assertIsNone(data.test.groups)
        self.assertIn('the test examples have no groups: each counts as one of its own', data.notes)

    @parameterized.named_parameters(
        ('absent', {}, 'no array who or who_train for group=who: it holds x, y'),
        ('length', {'who': np.arange(5)}, r'who for group=who has shape \(5,\), but .* each of 12 inputs'),
        ('real', {'who': np.arange(12) / 2}, 'who for group=who holds 0.5: give whole numbers or names'),
        (
            'few',
            {'who': _y(12)},
            'class 0 has 1 group, too few to train, validate and test on: add groups to it and to 1 other '
            'class until each has 7.$',
        ),
    )
    def test_refuses(self, arrays, pattern):
        x = np.random.default_rng(0).normal(size=(12, 2))
        self.refuses(pattern, self.npz(x=x, y=_y(12), **arrays), group='who')

    def test_are_not_in_digits(self):
        self.refuses('group=who is for data that tell', 'digits', group='who')

    def test_each_its_own(self):
        x = np.random.default_rng(0).normal(size=(12, 2))
        data = load.load(self.npz(x=x, y=_y(12), who=np.arange(12)), group='who')
        self.assertIn('every example has a group of its own, as without groups', data.notes)


if __name__ == '__main__':
    absltest.main()
