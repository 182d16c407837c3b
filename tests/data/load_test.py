"""`load` and `describe` on small files of every kind: what is read, noted and refused."""

import hashlib
import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from overfit.data import kinds, load


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


class NpzTest(FolderCase):
    def test_given_test_set(self):
        x, x_test = _images(12, 5, 6), _images(4, 5, 6, seed=1)
        data = load.load(self.npz(x_train=x, y_train=_y(12, 3), x_test=x_test, y_test=_y(4)))
        np.testing.assert_array_equal(data.train.x, x.reshape(12, 5, 6, 1))
        np.testing.assert_array_equal(data.test.x[..., 0], x_test)
        self.assertEqual((data.train.x.dtype, data.train.y.dtype), (np.uint8, np.int32))
        self.assertEqual(data.test.reveal().tolist(), [0, 1, 0, 1])
        self.assertEqual((data.name, data.how), ('own', 'x_test and y_test of the file'))
        self.assertEqual(data.notes, ('no test example of 1 of the 3 classes, among them 2',))

    def test_labels_stay_what_they_were(self):
        x = np.random.default_rng(0).normal(size=(30, 2))
        numbers, names = _y(30) + 3, (_y(30) + 3).astype(str)
        for y, wanted in ((numbers, 'int'), (numbers / 1, 'int'), (names, 'str'), (numbers > 3, 'bool')):
            self.assertEqual(load.load(self.npz(x=x, y=y)).train.label_type, wanted)

    def test_held_out_stratified_by_the_data(self):
        x = np.arange(60, dtype=np.float64).reshape(30, 2)
        data = load.load(self.npz(x=x, y=_y(30, 3)), test='holdout')
        self.assertEqual(
            (data.test_mode, data.how), ('holdout', 'held out 30 %, stratified, chosen by a hash of the data')
        )
        self.assertEqual(np.bincount(data.test.reveal()).tolist(), [3, 3, 3])
        both = np.concatenate([data.train.x, data.test.x])
        np.testing.assert_array_equal(both[np.argsort(both[:, 0])], x)
        labels = np.concatenate([data.train.y, data.test.reveal()])
        np.testing.assert_array_equal(labels, (both[:, 0] / 2) % 3)
        self.assertEqual((data.train.kind, data.train.x.dtype), (kinds.vector, np.float32))
        again = load.load(self.npz(x=x.astype(np.float32), y=_y(30, 3) + 7), test='holdout')
        self.assertEqual(data.sha256, again.sha256)
        held = {data.test.x[:, 0].tobytes()}
        for change in range(5):
            x[0, 0] = change + 0.5
            held.add(load.load(self.npz(x=x, y=_y(30, 3)), test='holdout').test.x[:, 0].tobytes())
        self.assertGreater(len(held), 3)  # other data, other split

    def test_hash_is_of_the_four_arrays(self):
        x = np.ones((4, 2), np.float32)
        data = load.load(self.npz(x_train=x, y_train=_y(4), x_test=2 * x, y_test=_y(4)))
        expected = hashlib.sha256()
        for array, header in ((x, '<f4 (4, 2)'), (_y(4), ''), (2 * x, '<f4 (4, 2)'), (_y(4), '')):
            array = array if header else array.astype(np.int32)
            expected.update((header or '<i4 (4,)').encode() + array.tobytes())
        self.assertEqual(data.sha256, expected.hexdigest())

    @parameterized.named_parameters(
        ('gaps', np.array([40, -7, 40, -7, 3, 3] * 2), ('-7', '3', '40'), [2, 0, 2, 0, 1, 1]),
        (
            'whole_floats',
            np.array([1.0, 2.0, 1.0, 2.0, 10.0, 10.0] * 2),
            ('1', '2', '10'),
            [0, 1, 0, 1, 2, 2],
        ),
        (
            'names',
            np.array(['ox', 'cow', 'ox', 'cow', 'ape', 'ape'] * 2),
            ('ape', 'cow', 'ox'),
            [2, 1, 2, 1, 0, 0],
        ),
        ('bytes', np.array(['é'.encode(), b'a', b'a', 'é'.encode()] * 3), ('a', 'é'), [1, 0, 0, 1, 1, 0]),
        (
            'booleans',
            np.array([True, False, True, False, True, False] * 2),
            ('False', 'True'),
            [1, 0, 1, 0, 1, 0],
        ),
        ('column', _y(12)[:, None], ('0', '1'), [0, 1, 0, 1, 0, 1]),
    )
    def test_labels(self, y, classes, start):
        x = np.arange(12.0)[:, None]
        data = load.load(self.npz(x_train=x, y_train=y, x_test=x + 50, y_test=y))
        self.assertEqual(data.train.classes, classes)
        self.assertEqual(data.train.y[:6].tolist(), start)
        self.assertEqual(data.test.reveal()[:6].tolist(), start)

    def test_label_names_the_array(self):
        path = self.npz(x=_images(12, 4, 4), y=_y(12), colour=_y(12, 3))
        data = load.load(path, label='colour')
        self.assertLen(data.train.classes, 3)
        self.assertIn('arrays not used: y', data.notes)

    @parameterized.parameters(
        (np.int64, 255, np.uint8),
        (np.int64, 256, np.float32),
        (np.float64, 1, np.float32),
        (bool, 1, np.float32),
    )
    def test_dtype_of_images(self, dtype, top, expected):
        x = np.zeros((12, 4, 4, 3), dtype)
        x[3, 1, 1, 1] = top
        data = load.load(self.npz(x_train=x, y_train=_y(12), x_test=x, y_test=_y(12)))
        self.assertEqual(data.train.x.dtype, expected)
        self.assertEqual(data.train.x[3, 1, 1, 1], top)

    def test_large_images_are_reduced_and_noted(self):
        data = load.load(self.npz(x=_images(12, 96, 64, 3), y=_y(12)))
        self.assertEqual(data.train.x.shape[1:], (32, 21, 3))
        self.assertIn(
            'images reduced from 64×96 to 21×32 pixels by area averaging (the size for 12 images in the '
            'standard budget; image_size=64 shows more)',
            data.notes,
        )

    @parameterized.parameters((48, None, (48, 32, 3)), (128, None, (96, 64, 3)), (None, 30, (96, 64, 3)))
    def test_image_size(self, image_size, minutes, shape):
        x = _images(12, 96, 64, 3)
        data = load.load(self.npz(x=x, y=_y(12)), image_size=image_size, minutes=minutes)
        self.assertEqual(data.train.x.shape[1:], shape)
        if shape == (48, 32, 3):
            blocks = {np.rint(i.reshape(48, 2, 32, 2, 3).mean((1, 3))).astype(np.uint8).tobytes() for i in x}
            self.assertEqual({i.tobytes() for i in (*data.train.x, *data.test.x)}, blocks)

    def test_refuses_image_size(self):
        path = self.npz(x=_images(12, 9, 9), y=_y(12))
        self.refuses('image_size=200 is out of range: give 8 to 128', path, image_size=200)
        self.refuses('image_size=7 is out', path, image_size=7)
        self.refuses('image_size=9 is for images', self.npz(x=np.ones((12, 2)), y=_y(12)), image_size=9)

    def test_reading_of_images_and_vectors(self):
        x = _images(12, 4, 4)
        x[0], x[1], x[2] = 7, 250, 3
        given = {'x_train': x, 'y_train': _y(12), 'x_test': x, 'y_test': _y(12)}
        reading = load.load(self.npz(**given)).train.reading
        self.assertEqual(
            json.loads(json.dumps(reading)),
            {'sizes': 1, 'depth': 8, 'dtype': 'uint8'}
            | {'least': float(x.min()), 'greatest': float(x.max()), 'darkest': 3.0},
        )
        x = np.arange(24.0).reshape(12, 2)
        given |= {'x_train': x, 'x_test': x + 100}
        reading = load.load(self.npz(**given)).train.reading
        self.assertEqual(reading, {'dtype': 'float32', 'least': [0.0, 1.0], 'greatest': [22.0, 23.0]})

    def test_times_in_seconds_keep_their_differences(self):
        rows = np.random.default_rng(0).permutation(40)
        x = np.stack([1.7e9 + 20 * (rows % 2) + rows, rows / 7], 1)
        data = load.load(self.npz(x=x, y=rows % 2), test='holdout')
        kept = np.concatenate([data.train.x, data.test.x])
        rows_kept = np.rint(kept[:, 1] * 7)
        moved = kept[:, 0] - 20 * (rows_kept % 2) - rows_kept
        np.testing.assert_array_equal(moved, moved[0])
        self.assertLess(np.abs(kept).max(), 100)
        np.testing.assert_array_equal(np.sort(kept[:, 1]), np.sort(x[:, 1]).astype(np.float32))
        again = kinds.vector.accept(x, json.loads(json.dumps(data.train.reading)), (2,))
        self.assertEqual({row.tobytes() for row in again}, {row.tobytes() for row in kept})
        self.assertIn(
            'a constant was subtracted from 1 column that float32 could hardly tell apart', data.notes
        )

    def test_notes_imbalance_and_duplicates(self):
        x, x_test = _images(20, 4, 4), _images(10, 4, 4, seed=1)
        x_test[[2, 5]] = x[[3, 3]]
        y = np.array([0] * 16 + [1] * 4)
        data = load.load(self.npz(x_train=x, y_train=y, x_test=x_test, y_test=_y(10)))
        self.assertEqual(
            data.notes,
            (
                'imbalanced: 16 training examples of class 0, 4 of class 1',
                '2 of the 10 test examples are exact copies of training examples: remove them',
            ),
        )

    @parameterized.named_parameters(
        (
            'no_labels',
            {'x': np.ones((4, 2)), 'labels': _y(4)},
            'no labels.*array y.*label=.*holds labels, x',
        ),
        ('no_inputs', {'images': np.ones((4, 2)), 'y': _y(4)}, 'no inputs.*holds images, y'),
        (
            'half_a_test',
            {'x_train': np.ones((4, 2)), 'y_train': _y(4), 'x_test': np.ones((4, 2))},
            'x_test alone',
        ),
        ('lengths', {'x': np.ones((4, 2)), 'y': _y(5)}, r'x has shape \(4, 2\) and y has shape \(5,\)'),
        (
            'real_labels',
            {'x': np.ones((4, 2)), 'y': np.array([0, 1, 0.5, 1])},
            'holds 0.5, but labels are whole',
        ),
        (
            'nan_labels',
            {'x': np.ones((4, 2)), 'y': np.array([0, 1, np.nan, 1])},
            'holds nan, but labels are whole',
        ),
        ('one_hot', {'x': np.ones((4, 2)), 'y': np.eye(4)}, r'shape \(4, 4\), but labels are one a row'),
        (
            'dates',
            {'x': np.ones((4, 2)), 'y': np.zeros(4, 'M8[D]')},
            'dtype datetime64.*whole numbers or names',
        ),
        ('not_utf8', {'x': np.ones((4, 2)), 'y': np.array([b'\xff', b'a'] * 2)}, 'not UTF-8'),
        ('one_class', {'x': np.ones((4, 2)), 'y': np.full(4, 7)}, 'only one class, 7:'),
        (
            'one_example',
            {'x': np.ones((9, 2)), 'y': np.array([0] * 4 + [1] * 4 + [2])},
            'class 2 has 1 example, too few',
        ),
        ('nan', {'x': np.array([[0, 1], [np.nan, 0]]), 'y': _y(2)}, 'x holds NaN or infinity.*example 1'),
        ('too_large', {'x': np.full((4, 2), 1e300), 'y': _y(4)}, 'x holds NaN or infinity'),
        (
            'objects',
            {'x': np.array([[1], [1, 2]], dtype=object), 'y': _y(2)},
            'array x cannot be read.*Python obj',
        ),
        ('text', {'x': np.array(['good', 'bad']), 'y': _y(2)}, 'text, which is not supported yet'),
        ('complex', {'x': np.ones((4, 2), complex), 'y': _y(4)}, 'dtype complex128'),
        ('flat', {'x': np.ones(4), 'y': _y(4)}, r'shape \(4,\), but inputs are vectors'),
        ('empty', {'x': np.ones((0, 3)), 'y': _y(0)}, 'no examples'),
        ('channels_first', {'x': np.ones((4, 3, 8, 8)), 'y': _y(4)}, 'looks like channels first'),
    )
    def test_refuses(self, arrays, pattern):
        self.refuses(pattern, self.npz(**arrays))

    @parameterized.named_parameters(
        ('unseen', np.ones((4, 2)), np.array([0, 1, 5, 1]), 'the class 5, which no training example has'),
        (
            'names',
            np.ones((4, 2)),
            np.array(['0', '1', '0', '1']),
            'whole numbers for both, or names for both',
        ),
        ('booleans', np.ones((4, 2)), _y(4) > 0, 'or booleans'),
        ('shape', np.ones((4, 3)), _y(4), r'float64 \[4, 2\] and x_test is float64 \[4, 3\]'),
        ('dtype', np.ones((4, 2), np.uint8), _y(4), 'same dtype'),
        ('empty', np.ones((0, 2)), _y(0), 'empty test set'),
    )
    def test_refuses_a_test_set(self, x_test, y_test, pattern):
        self.refuses(pattern, self.npz(x_train=np.ones((4, 2)), y_train=_y(4), x_test=x_test, y_test=y_test))

    def test_refuses_other_files(self):
        for name, content in (('a.npz', b'no zip at all'), ('b.npz', b'PK\x03\x04 cut off'), ('c.npz', b'')):
            (self.folder / name).write_bytes(content)
            self.refuses(r'is not an \.npz file', str(self.folder / name))
        (self.folder / 'a.mat').touch()
        self.refuses(r'is a \.mat file: give an \.npz', str(self.folder / 'a.mat'))
        self.refuses('no such file or folder', str(self.folder / 'missing.npz'))
        self.refuses('no such file or folder', str(self.folder / 'missing'))


class DescribeTest(FolderCase):
    def test_says_what_was_understood(self):
        x = _images(20, 4, 5)
        x[10:12] = x[0:2]
        data = load.load(self.npz(x_train=x[:10], y_train=_y(10), x_test=x[10:], y_test=_y(10)))
        text = load.describe(data)
        for part in (
            'own · images of 5×4×1 uint8 · 2 classes',
            'labelled 10 · test 10 (x_test and y_test of the file)',
            '0: 5 + 5, 1: 5 + 5',
            'balance: 5 to 5',
            'copies of labelled examples in the test set: 2 exact, 0 near-duplicates',
            'note: 2 of the 10 test examples are exact copies',
        ):
            self.assertIn(part, text)

    def test_cross_fitted_with_groups(self):
        x = _images(30, 4, 4)
        x[20] = x[3]
        path = self.npz(x=x, y=_y(30), who=np.arange(30) // 4)
        text = load.describe(load.load(path, group='who'))
        for part in (
            '30 images, cross-fitted: every example is tested by nets that',
            'groups: 8, of 2 to 4 images',
            'classes: 0: 15, 1: 15',
            'copies among the images in different groups: 2 exact, 0 near-duplicates',
            'note: 2 of the 30 examples are exact copies of others in another group: remove them, or give',
        ):
            self.assertIn(part, text)
        self.assertNotIn('test 30', text)

    def test_does_not_list_a_hundred_classes(self):
        data = load.load(self.npz(x=np.arange(400.0)[:, None], y=_y(400, 100)))
        self.assertIn('and 80 more', load.describe(data))

    def test_calls_examples_what_their_kind_does(self):
        kind = kinds.Kind('sound', noun='sounds')
        data = load.from_arrays(np.ones((20, 3, 2)), _y(20), kind=kind)
        self.assertIn('data · sounds of 3×2 float64 · 2 classes', load.describe(data))


if __name__ == '__main__':
    absltest.main()
