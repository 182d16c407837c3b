"""Arrays of a person's own, from Python: what is taken as it is, made plain and refused."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from overfit.data import kinds, load


def _images(n, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.uint8)


def _y(n, classes=2):
    return np.arange(n) % classes


class FromArraysTest(parameterized.TestCase):
    def refuses(self, pattern, *args, **options):
        with self.assertRaisesRegex(ValueError, pattern):
            load.from_arrays(*args, **options)

    def test_is_the_file_without_a_file(self):
        x, x_test = _images(12, 40, 40), _images(6, 40, 40, seed=1)
        data = load.from_arrays(x, _y(12), x_test, _y(6), name='mine', image_size=20)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'mine.npz')
            np.savez(path, x=x, y=_y(12), x_test=x_test, y_test=_y(6))
            loaded = load.load(str(path), image_size=20)
        self.assertEqual((data.sha256, data.name), (loaded.sha256, 'mine'))
        self.assertEqual(data.how, 'x_test and y_test as given')

    def test_lists_and_names(self):
        y = np.array(['ox', 'cow'] * 10, object)
        data = load.from_arrays([[i, 2 * i] for i in range(20)], y.tolist(), test='holdout')
        self.assertEqual((data.train.classes, data.train.kind), (('cow', 'ox'), kinds.vector))
        self.assertEqual(data.how, 'held out 30 %, stratified, chosen by a hash of the data')
        np.testing.assert_array_equal(data.train.x[:, 0] % 2, data.train.y == 0)
        self.assertEqual(data.sha256, load.from_arrays(np.c_[:20, :40:2], y, test='holdout').sha256)

    def test_groups(self):
        x = np.random.default_rng(0).normal(size=(20, 2))
        who = ['ann', 'bob', 'cid', 'dan', 'eve'] * 4
        data = load.from_arrays(x, np.repeat([0, 1], 10), groups=who)
        self.assertEqual(data.train.groups.tolist(), [0, 1, 2, 3, 4] * 4)
        given = load.from_arrays(x, _y(20), x[:2] + 9, [0, 1], groups=who, groups_test=['zoe', 'bob'])
        self.assertEqual(given.test.groups.tolist(), [5, 1])
        self.assertIn('1 group with 1 of the 2 test examples are in the training set too', given.notes[-1])

    def test_refuses_groups(self):
        x = np.random.default_rng(0).normal(size=(20, 2))
        for options, pattern in (
            ({'groups': [1, 2]}, r'groups has shape \(2,\), but .* each of 20 inputs\.'),
            ({'groups_test': [1]}, 'groups_test is given without x_test: give both'),
            ({'groups_test': [1], 'x_test': x, 'y_test': _y(20)}, 'groups_test is given without groups'),
            (
                {'x_test': x, 'y_test': _y(20), 'groups': _y(20), 'groups_test': ['a'] * 20},
                'groups of training and test examples are numbers and names',
            ),
            ({'test': 'cv'}, 'test=cv is no way to test'),
        ):
            with self.assertRaisesRegex(ValueError, pattern):
                load.from_arrays(x, _y(20), **options)

    def test_a_kind_of_your_own_is_taken_as_it_is(self):
        tokens = np.random.default_rng(0).integers(0, 30_000, (20, 9)).astype(np.int16)
        kind = kinds.Kind('tokens', remember=lambda x, reading: {'largest': int(x.max())})
        data = load.from_arrays(tokens, _y(20), kind=kind, test='holdout')
        self.assertEqual((data.train.x.dtype, data.train.kind), (np.int16, kind))
        self.assertEqual(data.train.reading, {'largest': data.train.x.max()})
        both = {row.tobytes() for row in (*data.train.x, *data.test.x)}
        self.assertEqual(both, {row.tobytes() for row in tokens})
        names = load.from_arrays(np.ones((20, 2, 3, 4, 5)), _y(20), kind=kind._replace(remember=dict_of))
        self.assertEqual(names.test.x.shape, (20, 2, 3, 4, 5))

    @parameterized.parameters(
        ('float64', 'float32', 'float32'),
        ('>f4', 'float16', 'float32'),
        ('uint8', 'int64', 'uint8'),
        ('int16', 'uint16', 'uint8'),
    )
    def test_test_inputs_of_another_width_are_cast(self, dtype, test_dtype, expected):
        x, x_test = _images(12, 9, 9), _images(6, 9, 9, seed=1) % 128
        data = load.from_arrays(x.astype(dtype), _y(12), x_test.astype(test_dtype), _y(6))
        self.assertEqual((data.train.x.dtype, data.test.x.dtype), (expected, expected))
        np.testing.assert_array_equal(data.train.x[..., 0], x)
        np.testing.assert_array_equal(data.test.x[..., 0], x_test)

    def test_test_inputs_of_a_kind_of_your_own_are_cast_alike(self):
        tokens = np.random.default_rng(0).integers(0, 90, (20, 9))
        data = load.from_arrays(
            tokens.astype(np.int16), _y(20), tokens[:4].astype(np.int64), _y(4), kind=kinds.Kind('tokens')
        )
        self.assertEqual((data.train.x.dtype, data.test.x.dtype), (np.int64, np.int64))

    @parameterized.named_parameters(
        ('booleans', [True, False], 'bool', ('False', 'True'), None),
        ('objects', np.array([True, False], object), 'bool', ('False', 'True'), None),
        ('numbers', [3, 1], 'int', ('1', '3'), None),
        ('text_too', ['a', 1], 'str', ('1', 'a'), 'y mixes numbers and text: all of them were read as text'),
        ('boolean_too', [True, 2], 'int', ('1', '2'), 'y mixes booleans and numbers: .* as numbers'),
    )
    def test_labels(self, pair, label_type, classes, note):
        y = np.tile(pair, 10) if isinstance(pair, np.ndarray) else 10 * pair
        data = load.from_arrays(np.random.default_rng(0).normal(size=(20, 3)), y)
        self.assertEqual((data.train.label_type, data.train.classes), (label_type, classes))
        self.assertRegex(';'.join(data.notes), note or '^$')

    def test_a_name_is_text(self):
        data = load.from_arrays(np.random.default_rng(0).normal(size=(20, 3)), _y(20), name=3)
        self.assertEqual(data.name, '3')

    @parameterized.named_parameters(
        ('kind', (np.ones((4, 3)), [0, 1] * 2), {'kind': 'image'}, '^kind is a str: give .*kinds.image, '),
        ('real_and_whole', (np.ones((4, 3)), [0, 1] * 2, np.ones((2, 3), int), [0, 1]), {}, 'same dtype'),
        ('lengths', ([[1.0]] * 4, [0, 1, 0]), {}, r'x has shape \(4, 1\) and y has shape \(3,\)'),
        ('ragged', ([[1.0], [1.0, 2.0]], [0, 1]), {}, 'x is no array of numbers or names'),
        ('half', ([[1.0]] * 4, [0, 1] * 2, [[1.0]]), {}, 'x_test is given without y_test'),
        ('labels', ([[1.0]] * 4, [0.5, 1] * 2), {}, 'y holds 0.5, but labels are whole numbers'),
        ('huge', ([[1.0]] * 4, [1e20, 2e20] * 2), {}, 'y holds 2e[+]20, which real numbers cannot'),
        ('nan', ([[np.nan]] * 4, [0, 1] * 2), {}, r'^x holds NaN or infinity \(first in example 0\)'),
        ('rank', (np.ones((4, 3)), [0, 1] * 2), {'kind': kinds.image}, r'inputs are images \[N, H, W\]'),
        ('flat', (np.ones((4, 3, 3)), [0, 1] * 2), {'kind': kinds.vector}, r'are vectors \[N, F\]\.'),
        ('text', (['a', 'b'], [0, 1]), {}, 'x holds text'),
        ('test', (np.ones((4, 3)), [0, 1] * 2, np.ones((2, 4)), [0, 1]), {}, 'x is .* and x_test is'),
    )
    def test_refuses(self, args, options, pattern):
        self.refuses(pattern, *args, **options)


def dict_of(x, reading):
    return {**reading, 'axes': x.ndim}


if __name__ == '__main__':
    absltest.main()
