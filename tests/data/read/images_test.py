"""Images of any format, depth and size in one array: against files written by Pillow."""

import io
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from overfit.data.read import images, pillow


class DefaultSizeTest(parameterized.TestCase):
    def test_grows_with_the_minutes_and_never_beyond_the_images(self):
        self.assertEqual(images.default_size(500, 300, None), 32)
        self.assertEqual(images.default_size(20, 300, None), 20)
        self.assertEqual(images.default_size(500, 10**6, 0.1), 32)
        sizes = [images.default_size(500, 300, minutes) for minutes in (1, 20, 30, 60, 10_000)]
        self.assertEqual(sizes, sorted(sizes))
        self.assertEqual((sizes[0], sizes[-1]), (32, 128))
        self.assertLen(set(sizes), 5)
        self.assertEqual(images.default_size(50, 300, 10_000), 50)
        self.assertLessEqual(images.default_size(500, 3000, 20), images.default_size(500, 300, 20))


class StackTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)

    def found(self, name, pixels, **options):
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(self.root / name, **options)
        return pillow.look(self.root / name, name)

    def stack(self, *found, **options):
        return images.stack(found, **options)

    @parameterized.parameters('a.webp', 'a.ppm', 'a.tiff', 'a.png', 'a', 'a.jpgg')
    def test_formats_by_content(self, name):
        form = {'webp': 'WebP', 'ppm': 'PPM', 'tiff': 'TIFF'}.get(name[2:], 'PNG')
        options = {'lossless': True} if form == 'WebP' else {}
        x, reading, notes, _ = self.stack(self.found(name, self.pixels, format=form, **options))
        np.testing.assert_array_equal(x[0], self.pixels)
        self.assertEqual((reading, notes), ({'sizes': 1, 'depth': 8}, ()))

    def test_what_is_no_image(self):
        (self.root / 'notes').write_text('no image')
        self.assertIsNone(pillow.look(self.root / 'notes', 'notes'))
        (self.root / 'data.h5').write_bytes(b'\x89HDF\r\n\x1a\n' + bytes(100))
        self.assertIsNone(pillow.look(self.root / 'data.h5', 'data.h5'))
        (self.root / 'a.webp').write_text('no image')
        with self.assertRaisesRegex(ValueError, 'a.webp cannot be read as an image'):
            pillow.look(self.root / 'a.webp', 'a.webp')
        with self.assertRaisesRegex(ValueError, 'bytes cannot be read as an image'):
            pillow.look(b'none', 'bytes')

    @parameterized.parameters('png', 'pgm', 'tif')
    def test_sixteen_bits_stay(self, suffix):
        deep = (self.pixels[..., 0].astype(np.uint16) + 1) * 200
        x, reading, notes, _ = self.stack(
            self.found(f'a.{suffix}', deep), self.found('b.png', self.pixels[..., 1])
        )
        self.assertEqual((x.dtype, reading['depth']), (np.float32, 16))
        np.testing.assert_array_equal(x[0, ..., 0], deep)
        np.testing.assert_array_equal(x[1, ..., 0], self.pixels[..., 1] * 257.0)
        self.assertEqual(
            notes,
            ('1 image with 16 bits a channel: read as floats, values as they are; '
             'multiplied by 257: 1 of 8 bits',),
        )  # fmt: skip

    @parameterized.parameters(np.float32, np.int32)
    def test_values_of_32_bits_stay(self, dtype):
        values = (self.pixels[..., 0] * np.float32(-1000)).astype(dtype)
        x, reading, *_ = self.stack(self.found('a.tif', values))
        self.assertEqual((x.dtype, reading['depth']), (np.float32, 32))
        np.testing.assert_array_equal(x[0, ..., 0], values)
        with self.assertRaisesRegex(
            ValueError, 'a.tif has 32-bit values, b.png has 8 bits a channel: save all'
        ):
            self.stack(self.found('a.tif', values), self.found('b.png', self.pixels))
        with self.assertRaisesRegex(ValueError, 'a.tif holds NaN'):
            self.stack(self.found('a.tif', np.full((3, 3), np.nan, np.float32)))

    @parameterized.parameters('black', 'white')
    def test_a_shape_in_the_transparency_alone_is_seen(self, colour):
        alpha = np.zeros((6, 6), np.uint8)
        alpha[2:4, 1:5] = 255
        image = Image.new('RGBA', (6, 6), colour)
        image.putalpha(Image.fromarray(alpha))
        x, _, notes, _ = self.stack(self.found('a.png', image))
        value = {'black': 0, 'white': 255}[colour]
        np.testing.assert_array_equal(x[0] == value, np.repeat(alpha[..., None] > 0, 3, -1))
        self.assertIn('1 image with transparency: laid over mid-grey where it varies', notes)

    def test_sizes_become_one(self):
        wide = np.zeros((40, 80, 3), np.uint8)
        wide[:, :40], wide[:, 40:] = (255, 0, 0), (0, 0, 255)
        tall, small = np.full((100, 50, 3), 77, np.uint8), np.full((8, 16), 5, np.uint8)
        found = [self.found(n, p) for n, p in (('a.png', wide), ('b.png', tall), ('c.png', small))]
        x, reading, notes, _ = self.stack(*found)
        self.assertEqual((x.shape, reading['sizes']), ((3, 16, 32, 3), 3))
        np.testing.assert_array_equal(x[0, :, :16], np.broadcast_to([255, 0, 0], (16, 16, 3)))
        np.testing.assert_array_equal(x[0, :, 16:], np.broadcast_to([0, 0, 255], (16, 16, 3)))
        np.testing.assert_array_equal(x[1], 77)
        np.testing.assert_array_equal(x[2], 5)
        self.assertRegex(
            notes[0], '^images of 3 sizes, 16×8 to 50×100, were brought to 32×16 pixels: .*border'
        )
        self.assertEqual(self.stack(*found, image_size=96).x.shape, (3, 48, 96, 3))
        self.assertEqual(self.stack(*found, image_size=128).x.shape, (3, 50, 100, 3))
        self.assertEqual(self.stack(*found, minutes=1e6).x.shape, (3, 40, 80, 3))

    def test_a_photograph_counts_upright(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        one = self.found('a.jpg', np.zeros((6, 5, 3), np.uint8), exif=exif)
        self.assertEqual((one.height, one.width), (5, 6))
        self.assertEqual(pillow.decode(self.root / 'a.jpg', 'a.jpg').shape, (5, 6, 3))

    def test_bytes_and_opened_images(self):
        file = io.BytesIO()
        Image.fromarray(self.pixels).save(file, 'PNG')
        found = [pillow.look(file.getvalue(), 'a'), pillow.look(Image.fromarray(self.pixels), 'b')]
        np.testing.assert_array_equal(images.stack(found).x, [self.pixels] * 2)


if __name__ == '__main__':
    absltest.main()
