"""Image folders and area averaging: against loops over pixels and files written by Pillow."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from overfit.data import kinds, load
from overfit.data.read import images


class ShrinkTest(parameterized.TestCase):
    @parameterized.parameters((64, 64), (96, 64), (40, 50), (33, 7), (200, 1))
    def test_is_the_mean_of_the_covered_area(self, height, width):
        x = np.random.default_rng(0).random((2, height, width, 2)).astype(np.float32)
        small = images.shrink(x)
        self.assertEqual(max(small.shape[1:3]), 32)
        rows, columns = small.shape[1:3]
        # every pixel repeated `rows` by `columns` times, so that the areas become whole blocks
        for i, j in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns // 2)):
            vertical = [p // rows for p in range(i * height, (i + 1) * height)]
            horizontal = [p // columns for p in range(j * width, (j + 1) * width)]
            expected = x[:, vertical][:, :, horizontal].mean((1, 2), dtype=np.float64)
            np.testing.assert_allclose(small[:, i, j], expected, rtol=1e-5)
        np.testing.assert_allclose(small.mean((1, 2)), x.mean((1, 2)), rtol=1e-4)

    def test_bytes_are_rounded_and_constants_kept(self):
        x = np.zeros((300, 64, 64, 1), np.uint8)
        x[0, :2, :2, 0] = [[1, 2], [3, 5]]
        x[299] = 255
        small = images.shrink(x)
        self.assertEqual(small.dtype, np.uint8)
        self.assertEqual((small[0, 0, 0, 0], small[0].sum()), (3, 3))
        self.assertTrue((small[299] == 255).all())

    def test_small_images_stay(self):
        x = np.random.default_rng(0).integers(0, 256, (2, 32, 20, 3)).astype(np.uint8)
        self.assertIs(images.shrink(x), x)


class FolderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), 'pets')
        self.pixels = np.random.default_rng(0).integers(0, 256, (64, 6, 5, 3)).astype(np.uint8)

    def save(self, name, pixels, **options):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.ascontiguousarray(pixels))
        image.save(path, **options)

    def refuses(self, pattern, **options):
        with self.assertRaisesRegex(ValueError, pattern) as caught:
            load.load(str(self.root), **options)
        self.assertNotRegex(str(caught.exception), r'\n|[.?] [A-Z]')

    def test_a_folder_a_class(self):
        for i in range(20):
            self.save(f'{("cat", "dog")[i % 2]}/{i:02}.{("png", "BMP", "tif")[i % 3]}', self.pixels[i])
        (self.root / 'cat' / 'notes.txt').touch()
        (self.root / 'cat' / '.hidden.png').touch()
        (self.root / '.git').mkdir()
        (self.root / 'readme.md').touch()
        data = load.load(str(self.root))
        self.assertEqual((data.name, data.train.classes, data.train.kind), ('pets', ('cat', 'dog'), kinds.image))
        self.assertEqual((data.train.x.shape, data.test.x.shape), ((14, 6, 5, 3), (6, 6, 5, 3)))
        self.assertEqual(data.how, 'held out 30 % at random, stratified, seed 0')
        self.assertEqual(data.notes, ('1 files that are not images were skipped',))
        known = {self.pixels[i].tobytes(): i % 2 for i in range(20)}
        found = {x.tobytes(): y for x, y in zip(data.train.x, data.train.y, strict=True)}
        found |= {x.tobytes(): y for x, y in zip(data.test.x, data.test.reveal(), strict=True)}
        self.assertEqual(found, known)

    def test_train_and_test_folders(self):
        for i in range(12):
            self.save(f'{"test" if i < 4 else "train"}/{i % 2}/{i}.png', self.pixels[i, ..., 0])
        data = load.load(str(self.root))
        self.assertEqual((data.train.x.shape, data.test.x.shape), ((8, 6, 5, 1), (4, 6, 5, 1)))
        self.assertEqual((data.how, data.test.reveal().tolist()), ('the folder test/', [0, 0, 1, 1]))
        np.testing.assert_array_equal(data.test.x[..., 0], self.pixels[[0, 2, 1, 3], ..., 0])

    def test_modes(self):
        alpha = np.concatenate([self.pixels[0], np.full((6, 5, 1), 9, np.uint8)], axis=-1)
        grey = self.pixels[1, ..., 0]
        palette = Image.fromarray(grey // 128).convert('L').convert('P')
        self.save('a/1.png', alpha)
        self.save('a/2.png', grey)
        self.save('b/1.png', Image.fromarray(grey > 127))
        self.save('b/2.gif', palette)
        for i in range(3, 6):
            self.save(f'a/{i}.png', self.pixels[i])
            self.save(f'b/{i}.png', self.pixels[i + 9])
        data = load.load(str(self.root))
        self.assertIn('grey and coloured images were mixed: all read as colour', data.notes)
        found = {x.tobytes() for x in (*data.train.x, *data.test.x)}
        for expected in (
            self.pixels[0],
            *(np.repeat(g[..., None], 3, -1) for g in (grey, (grey > 127) * 255)),
        ):
            self.assertIn(expected.astype(np.uint8).tobytes(), found)

    def test_photographs_are_turned_upright(self):
        exif = Image.Exif()
        exif[0x0112] = 6  # the camera was turned a quarter
        self.save('a.jpg', np.zeros((6, 5, 3), np.uint8), exif=exif)
        self.assertEqual(images.decode(self.root / 'a.jpg', 'a.jpg').shape, (5, 6, 3))

    def test_large_images_are_reduced_and_noted(self):
        for i in range(8):
            self.save(f'{i % 2}/{i}.png', np.full((64, 128), i, np.uint8))
        data = load.load(str(self.root))
        self.assertEqual(data.train.x.shape[1:], (16, 32, 1))
        self.assertIn('images reduced from 128×64 to 32×16 pixels by area averaging', data.notes)

    def test_refuses_different_sizes(self):
        self.save('a/1.png', self.pixels[0])
        self.save('b/2.png', self.pixels[0, :4])
        self.refuses(r'a/1\.png has 5×6 pixels and .*b/2\.png has 5×4')

    def test_refuses_unreadable_files(self):
        self.save('a/1.png', self.pixels[0])
        (self.root / 'a' / '2.png').write_bytes((self.root / 'a' / '1.png').read_bytes()[:60])
        self.refuses(r'a/2\.png cannot be read as an image')
        (self.root / 'a' / '2.png').write_text('no image')
        self.refuses(r'a/2\.png cannot be read as an image')

    def test_refuses_deep_pixels(self):
        self.save('a/1.png', self.pixels[0, ..., 0].astype(np.uint16) * 200)
        self.refuses(r'a/1\.png has more than 8 bits a pixel')

    def test_refuses_folders_without_classes(self):
        self.root.mkdir()
        self.refuses('no class folders')
        self.save('1.png', self.pixels[0])
        self.refuses('no class folders')

    def test_refuses_a_label_and_a_single_image(self):
        self.save('a/1.png', self.pixels[0])
        self.refuses('label=a is for tables', label='a')
        for i in range(3):
            self.save(f'b/{i}.png', self.pixels[i])
        self.refuses('class a has 1 example, but 3 are needed')


if __name__ == '__main__':
    absltest.main()
