"""Pictures of the report, decoded again."""

import base64
import io

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from overfit.report import pictures


class PngTest(parameterized.TestCase):
    @parameterized.parameters(((5, 7, 1), 'L'), ((5, 7, 3), 'RGB'), ((5, 7, 4), 'RGB'), ((5, 7, 2), 'L'))
    def test_png_of_bytes(self, shape, mode):
        pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
        image = Image.open(io.BytesIO(base64.b64decode(pictures.png(pixels).split(',')[1])))
        self.assertEqual(image.mode, mode)
        expected = pixels[..., :3] if mode == 'RGB' else pixels[..., 0]
        np.testing.assert_array_equal(np.asarray(image), expected)

    def test_png_of_floats_and_of_large_images(self):
        pixels = np.linspace(-1, 1, 256).reshape(16, 16, 1)
        image = Image.open(io.BytesIO(base64.b64decode(pictures.png(pixels).split(',')[1])))
        np.testing.assert_array_equal(np.asarray(image).ravel(), np.arange(256))
        image = Image.open(
            io.BytesIO(base64.b64decode(pictures.png(np.full((500, 300, 3), 7, np.uint8)).split(',')[1]))
        )
        self.assertLessEqual(max(image.size), 96)
        np.testing.assert_array_equal(np.asarray(image), 7)
        self.assertEqual(pictures.png(np.zeros((4, 4, 1))), pictures.png(np.zeros((4, 4, 1), np.uint8)))


if __name__ == '__main__':
    absltest.main()
