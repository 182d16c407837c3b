"""What a saved model takes and refuses: images in other units, files, vectors of another world."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from overfit.data import kinds, load

BYTES = np.random.default_rng(0).integers(0, 256, (24, 6, 6)).astype(np.uint8)
BYTES[:, 0, :2] = 255, 0
Y = np.arange(24) % 2


def _reading(x, **options):
    data = load.from_arrays(x, Y, **options)
    return json.loads(json.dumps(data.train.reading)), data.train.x.shape[1:]


class ImagesTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ('as_trained', BYTES),
        ('channel', BYTES[..., None]),
        ('whole', BYTES.astype(int)),
        ('floats', BYTES.astype(float)),
        ('big_endian', BYTES.astype('>f4')),
        ('resized_floats', BYTES * 0.99),
        ('one_dark', BYTES[:1] // 16),
        ('one_very_dark', np.ones((1, 6, 6), np.uint8)),
        ('dark_batch', BYTES // 32),
        ('black', np.zeros((20, 6, 6))),
        ('black_bytes', np.zeros((20, 6, 6), np.uint8)),
        ('white', np.full((20, 6, 6), 255.0)),
        ('none', BYTES[:0]),
        ('list', BYTES[:2].tolist()),
    )
    def test_takes(self, given):
        x = kinds.image.accept(given, *_reading(BYTES))
        np.testing.assert_allclose(x, np.reshape(given, (-1, 6, 6, 1)), rtol=1e-6)

    @parameterized.named_parameters(
        ('unit', BYTES / 255, 'float64 from 0 to 1, .* on uint8 from 0 to 255: multiply them by 255'),
        ('one_in_unit', BYTES[:1] / 255, 'multiply them by 255'),
        ('centred', BYTES / 127.5 - 1, 'float64 from -1 to 1, .*127.5'),
        ('sixteenths', BYTES // 16 * 1.0, 'float64 from 0 to 15'),
        ('deep', BYTES.astype(np.uint16) * 257, 'uint16 from 0 to 65535, .*: divide them by 257'),
        ('negative', BYTES.astype(int) - 128, 'int64 from -128 to 127'),
        ('bools', BYTES > 127, 'bool from 0 to 1'),
        ('nan', np.full((2, 6, 6), np.nan), 'NaN or infinite'),
        ('overflow', np.full((2, 6, 6), 1e300), 'NaN or infinite'),
        ('size', BYTES[:, :5], r'shape \[N, 6, 6, 1\]; got uint8 of shape \[24, 5, 6\]\.'),
        ('size_of_floats', BYTES[:, :5] * 1.0, r'got float64 of shape \[24, 5, 6\]\.'),
        ('size_of_whole', BYTES[:, :5].astype(int), r'got int64 of shape \[24, 5, 6\]\.'),
        ('one', BYTES[0, ..., None], r'got uint8 of shape \[6, 6, 1\]; for one example give x\[None\]'),
        ('one_grey', BYTES[0], r'got uint8 of shape \[6, 6\]; for one example give x\[None\]'),
        ('flat', BYTES.reshape(24, 36), r'got uint8 of shape \[24, 36\]\.$'),
        ('colour', np.repeat(BYTES[..., None], 3, -1), r'got uint8 of shape \[24, 6, 6, 3\]'),
        ('objects', [object()], 'takes numbers'),
        ('ragged', [[1], [1, 2]], 'takes numbers'),
        ('no_file', 'nowhere.png', 'no file or folder nowhere.png'),
    )
    def test_refuses(self, given, pattern):
        with self.assertRaisesRegex(ValueError, pattern):
            kinds.image.accept(given, *_reading(BYTES))

    @parameterized.named_parameters(
        ('bytes', BYTES, 'uint8 from 0 to 255, .* on float32 from 0 to 1: divide them by 255'),
        ('centred', BYTES / 127.5 - 1, 'float64 from -1 to 1'),
        ('twice_divided', BYTES / 255**2, 'float64 from 0 to 0.0039.*: multiply them by 255'),
        ('dark', BYTES / 255 * 0.02, 'from 0 to 0.02, .*: give values from 0 to 1'),
        ('file', 'a.png', 'whose unit no file has'),
    )
    def test_refuses_for_a_model_of_unit_floats(self, given, pattern):
        with self.assertRaisesRegex(ValueError, pattern):
            kinds.image.accept(given if isinstance(given, np.ndarray) else [Image.new('L', (6, 6))],
                               *_reading(BYTES / 255))  # fmt: skip

    @parameterized.parameters(1.0, 0.2, 1.3, 0.0)
    def test_takes_for_a_model_of_unit_floats(self, factor):
        x = kinds.image.accept(BYTES / 255 * factor, *_reading(BYTES / 255))
        np.testing.assert_allclose(x[..., 0], BYTES / 255 * factor, atol=1e-6)

    def test_a_few_dark_images_may_be_dark(self):
        self.assertEqual(kinds.image.accept(BYTES[:7] / 255**2, *_reading(BYTES / 255)).shape, (7, 6, 6, 1))

    def test_dark_images_where_some_of_training_were_black(self):
        x = BYTES / 255
        x[:12] = 0  # so that some are in the training part
        given = kinds.image.accept(BYTES / 255**2, *_reading(x))
        np.testing.assert_allclose(given[..., 0], BYTES / 255**2, rtol=1e-6)

    @parameterized.parameters([[]], [()], [iter(())])
    def test_refuses_nothing(self, given):
        for kind, x in ((kinds.image, BYTES), (kinds.vector, BYTES[:, 0] / 1)):
            with self.assertRaisesRegex(ValueError, '^there is nothing to predict: .*[^.]+[.]$'):
                kind.accept(given, *_reading(x))

    def test_a_list_of_sizes(self):
        twice = np.repeat(np.repeat(BYTES[1], 2, 0), 2, 1)
        model = _reading(BYTES)
        both = kinds.image.accept([BYTES[0], twice, BYTES[2][..., None]], *model)
        np.testing.assert_array_equal(both[..., 0], BYTES[:3])
        with self.assertRaisesRegex(
            ValueError, r'^image 1 of the list has shape \[5, 6\]: .* \[6, 6, 1\]\.$'
        ):
            kinds.image.accept([BYTES[0], BYTES[1, :5]], *model)
        with self.assertRaisesRegex(ValueError, 'multiply them by 255'):
            kinds.image.accept([BYTES[0] / 255, twice / 255], *model)

    def test_larger_ones_are_reduced_as_in_training(self):
        large = np.random.default_rng(1).integers(0, 256, (24, 80, 60)).astype(np.uint8)
        data = load.from_arrays(large, Y, image_size=40)
        given = kinds.image.accept(large.astype(float), data.train.reading, (40, 30, 1))
        self.assertEqual(given.dtype, np.uint8)
        known = {x.tobytes() for x in (*data.train.x, *data.test.x)}
        self.assertEqual({x.tobytes() for x in given}, known)

    def test_an_old_reading_knows_no_range(self):
        self.assertEqual(kinds.image.accept(BYTES / 255, {}, (6, 6, 1)).shape, (24, 6, 6, 1))


class FilesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), 'shots')
        self.paths = []
        rng = np.random.default_rng(0)
        for i in range(20):
            side = 30 + 3 * (i % 4)
            path = (
                self.root
                / ('cat', 'dog')[i % 2]
                / ('sub' * (i % 3))
                / f'{i:02}.{("png", "webp", "pgm")[i % 3]}'
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (side, 40, 3)).astype(np.uint8)
            Image.fromarray(pixels[..., 0] if i % 3 == 2 else pixels).save(path, lossless=True)
            self.paths.append(path)
        self.data = load.load(str(self.root))
        self.known = {x.tobytes() for x in (*self.data.train.x, *self.data.test.x)}

    def accept(self, given):
        reading = json.loads(json.dumps(self.data.train.reading))
        return kinds.image.accept(given, reading, self.data.train.x.shape[1:])

    def test_a_model_reads_the_folder_it_was_trained_on(self):
        (self.root / 'cat' / 'notes.txt').touch()
        whole = self.accept(self.root)
        self.assertEqual({x.tobytes() for x in whole}, self.known)
        for x, path in zip(whole, sorted(self.paths), strict=True):
            one = self.accept(str(path))
            self.assertEqual(one.shape[0], 1)
            np.testing.assert_array_equal(one[0], x)
            with Image.open(path) as image:
                np.testing.assert_array_equal(self.accept(image)[0], x)

    def test_lists(self):
        mixed = self.accept([str(self.paths[3]), Image.open(self.paths[5]), self.paths[1]])
        np.testing.assert_array_equal(mixed, np.concatenate([self.accept(self.paths[i]) for i in (3, 5, 1)]))
        np.testing.assert_array_equal(self.accept(np.array([str(p) for p in self.paths[:2]])),
                                      self.accept(self.paths[:2]))  # fmt: skip

    def test_arrays_of_other_sizes_are_fitted_where_the_set_was(self):
        with Image.open(self.paths[0]) as image:
            pixels = np.asarray(image)
        np.testing.assert_array_equal(self.accept(pixels[None]), self.accept(self.paths[0]))

    def test_one_array_needs_its_axis(self):
        with Image.open(self.paths[0]) as image:
            pixels = np.asarray(image)
        with self.assertRaisesRegex(ValueError, r'\[N, H, W, 3\]; .*; for one example give x\[None\]\.$'):
            self.accept(pixels)
        self.assertEqual(self.accept(pixels[None]).shape[0], 1)
        grey = {**self.data.train.reading}, (*self.data.train.x.shape[1:3], 1)
        for one in (pixels[..., :1], pixels):  # neither 30 images of 40 x 1 nor of 40 x 3 pixels
            with self.assertRaisesRegex(ValueError, r'\[N, H, W, 1\]; got uint8 of shape \[30, 40, .\]'):
                kinds.image.accept(one, *grey)

    def test_a_list_of_arrays_is_the_list_of_their_files(self):
        colour = [path for i, path in enumerate(self.paths) if i % 3 != 2][:4]
        arrays = []
        for path in colour:
            with Image.open(path) as image:
                arrays.append(np.asarray(image))
        self.assertGreater(len({x.shape for x in arrays}), 1)
        np.testing.assert_array_equal(self.accept(arrays), self.accept(colour))
        with self.assertRaisesRegex(ValueError, 'image 1 of the list .*: give images of any size with 3'):
            self.accept([arrays[0], arrays[1][..., 0]])

    def test_iterators_of_paths(self):
        paths = list(self.root.glob('cat/**/*.png'))
        self.assertNotEmpty(paths)
        wanted = self.accept(paths)
        np.testing.assert_array_equal(self.accept(self.root.glob('cat/**/*.png')), wanted)
        np.testing.assert_array_equal(self.accept(np.array(paths, object)), wanted)

    def test_sixteen_bits_and_colours_are_brought_to_the_sets(self):
        grey = np.random.default_rng(0).integers(0, 256, (33, 40)).astype(np.uint8)
        plain = self.accept(Image.fromarray(grey))
        deep = self.accept(Image.fromarray(grey.astype(np.uint16) * 257))
        np.testing.assert_array_equal(plain, deep)
        np.testing.assert_array_equal(plain[..., 0], plain[..., 2])
        model = _reading(BYTES)
        colour = np.repeat(BYTES[0][..., None], 3, -1)
        np.testing.assert_array_equal(
            kinds.image.accept(Image.fromarray(colour), *model)[0, ..., 0], BYTES[0]
        )

    def test_refuses(self):
        (self.root / 'cat' / 'notes.txt').write_text('text')
        (self.root / 'none').mkdir()
        for given, pattern in (
            (self.root / 'cat' / 'notes.txt', 'notes.txt cannot be read as an image'),
            (self.root / 'none', 'none holds no image'),
            ([self.paths[0], 'nowhere'], 'no file or folder nowhere'),
            (Image.new('F', (9, 9)), 'image 0 has 32-bit values'),
        ):
            with self.assertRaisesRegex(ValueError, pattern):
                self.accept(given)


class VectorsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.x = np.random.default_rng(0).normal(size=(24, 3)) * (1, 100, 0)
        self.model = _reading(self.x)

    @parameterized.parameters(1, -5, 100)
    def test_takes_other_values(self, factor):
        x = kinds.vector.accept(factor * self.x, *self.model)
        self.assertEqual(x.dtype, np.float32)
        np.testing.assert_allclose(x, factor * self.x, rtol=1e-6)

    def test_takes_one_outlier_and_a_constant_that_changes(self):
        self.x[0, 0], self.x[:, 2] = 1e9, 1
        self.assertEqual(kinds.vector.accept(self.x.tolist(), *self.model).shape, (24, 3))

    @parameterized.named_parameters(
        ('far', lambda x: x * (1, 0, 1) + (0, 1e9, 0), 'column 1 holds 1e[+]09 to 1e[+]09, but'),
        ('nan', lambda x: x * np.nan, 'NaN'),
        ('overflow', lambda x: x + 1e300, 'NaN or infinite'),
        ('shape', lambda x: x[:, :2], r'shape \[N, 3\]; got float64 of shape \[24, 2\]'),
        ('path', lambda x: 'new.csv', 'was not made from a table, so it cannot read new.csv'),
        ('text', lambda x: x.astype(str), 'takes numbers of shape .*; got text'),
    )
    def test_refuses(self, change, pattern):
        with self.assertRaisesRegex(ValueError, pattern):
            kinds.vector.accept(change(self.x), *self.model)


class OtherKindsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.kind = kinds.Kind('tokens')
        x = np.random.default_rng(0).integers(0, 50, (24, 5)).astype(np.uint16)
        self.reading, self.shape = _reading(x, kind=self.kind)

    def test_takes_whole_numbers_in_the_dtype_of_training(self):
        x = self.kind.accept([[1, 2, 3, 4, 60_000]], self.reading, self.shape)
        self.assertEqual((x.dtype, x.tolist()), (np.uint16, [[1, 2, 3, 4, 60_000]]))

    @parameterized.parameters(
        ([[0.5] * 5], 'whole numbers from 0 to 65535; got float64'),
        ([[-1] * 5], 'whole numbers from 0 to 65535; got int64 from -1'),
        ([[1] * 4], r'shape \[N, 5\]'),
        ('new.csv', 'takes numbers'),
    )
    def test_refuses(self, given, pattern):
        with self.assertRaisesRegex(ValueError, pattern):
            self.kind.accept(given, self.reading, self.shape)


if __name__ == '__main__':
    absltest.main()
