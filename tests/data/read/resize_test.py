"""Sizes of images: against loops over pixels, hand values and Pillow."""

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from overfit.data.read import resize


class ShrinkTest(parameterized.TestCase):
    @parameterized.parameters((64, 64), (96, 64), (40, 50), (33, 7), (200, 1))
    def test_is_the_mean_of_the_covered_area(self, height, width):
        x = np.random.default_rng(0).random((2, height, width, 2)).astype(np.float32)
        small = resize.shrink(x, longest=32)
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
        small = resize.shrink(x, longest=32)
        self.assertEqual(small.dtype, np.uint8)
        self.assertEqual((small[0, 0, 0, 0], small[0].sum()), (3, 3))
        self.assertTrue((small[299] == 255).all())

    def test_small_images_stay(self):
        x = np.random.default_rng(0).integers(0, 256, (2, 32, 20, 3)).astype(np.uint8)
        self.assertIs(resize.shrink(x, longest=32), x)


class FitTest(parameterized.TestCase):
    @parameterized.parameters((5, 7), (1, 3), (8, 8))
    def test_enlarges_as_pillow_does(self, height, width):
        image = np.random.default_rng(0).random((height, width)).astype(np.float32)
        large = resize.resample(image[None, ..., None], 3 * height, 2 * width)[0, ..., 0]
        expected = Image.fromarray(image).resize((2 * width, 3 * height), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(large, np.asarray(expected), atol=1e-5)

    def test_one_axis_may_shrink_while_the_other_grows(self):
        image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
        np.testing.assert_allclose(
            resize.resample(image, 2, 4)[0, ..., 0], image[0, ..., 0].reshape(2, 2, 4).mean(1)
        )

    @parameterized.parameters(((96, 64), (32, 21)), ((90, 40), (32, 14)), ((2000, 4), (32, 1)))
    def test_same_proportions_are_filled_by_the_picture_alone(self, before, after):
        image = np.random.default_rng(0).integers(0, 256, (*before, 3)).astype(np.uint8)
        fitted = resize.fit(image, *after)
        np.testing.assert_array_equal(fitted, resize.shrink(image[None], longest=32)[0])

    def test_fills_with_the_colour_of_the_border(self):
        image = np.full((10, 40, 3), (200, 30, 90), np.uint8)
        image[2:8, 5:35] = 0
        fitted = resize.fit(image, 20, 20)
        self.assertEqual(fitted[:7].reshape(-1, 3).tolist(), [[200, 30, 90]] * 140)
        self.assertEqual(fitted[13:].reshape(-1, 3).tolist(), [[200, 30, 90]] * 140)
        np.testing.assert_array_equal(fitted[8:11, 3:17], 0)
        # nothing is cut away: 180 pixels of the 400 were black, each is a quarter now
        self.assertAlmostEqual((200 - fitted[..., 0].astype(float)).sum() / 200, 45)

    def test_small_images_grow(self):
        fitted = resize.fit(np.full((3, 6, 1), 9, np.uint8), 12, 12)
        np.testing.assert_array_equal(fitted, 9)


if __name__ == '__main__':
    absltest.main()
