"""Kinds: statistics against hand values, what stands for an example in a report."""

import numpy as np
from absl.testing import absltest, parameterized

from overfit.data import kinds


class MeasureTest(parameterized.TestCase):
    def test_images_by_hand(self):
        x = np.zeros((2, 3, 3, 2), np.uint8)
        x[..., 1] = 4
        x[0, 1, 1] = (18, 22)
        measured = kinds.image.measure(x)
        np.testing.assert_allclose(measured.mean, [1, 5])
        np.testing.assert_allclose(measured.scale, [17**0.5] * 2, rtol=1e-6)
        np.testing.assert_array_equal(measured.border, [0, 4])
        self.assertEqual({a.dtype for a in measured}, {np.dtype(np.float32)})

    def test_columns_by_hand(self):
        measured = kinds.vector.measure(np.array([[1.0, 7.0], [3.0, 7.0]], np.float32))
        np.testing.assert_array_equal(measured.mean, [2, 7])
        np.testing.assert_array_equal(measured.scale, [1, 1])
        ready = kinds.vector.features(np.array([[5.0, 8.0]]), measured)
        self.assertEqual((ready.tolist(), ready.dtype), ([[3.0, 1.0]], np.float32))

    def test_features_are_rows(self):
        x = np.random.default_rng(0).integers(0, 256, (4, 3, 2, 3)).astype(np.uint8)
        rows = kinds.image.features(x, kinds.image.measure(x))
        self.assertEqual(rows.shape, (4, 18))
        np.testing.assert_allclose(rows.reshape(-1, 3).mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(np.square(rows).mean(), 1, rtol=1e-5)

    def test_shown(self):
        self.assertEqual(kinds.vector.show(np.array([1.0, 0.25])), kinds.Shown(text='1, 0.25'))
        self.assertEndsWith(kinds.vector.show(np.arange(9.0)).text, '7, …')
        picture = np.zeros((2, 2, 1))
        self.assertIs(kinds.image.show(picture).pixels, picture)

    def test_known_by_their_names(self):
        self.assertEqual({name: kind.name for name, kind in kinds.KINDS.items()}, {k: k for k in kinds.KINDS})
        self.assertEqual(kinds.Kind('sound'), kinds.Kind('sound'))
        self.assertNotEqual(kinds.image, kinds.vector)


if __name__ == '__main__':
    absltest.main()
