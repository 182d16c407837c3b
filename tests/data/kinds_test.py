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

    def test_channels_of_images_by_a_loop(self):
        x = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 2)).astype(np.uint8)
        x[..., 1] //= 3
        inputs = kinds.image.measure(x)
        total = edges = 0
        border = [[], []]
        for image in x.astype(float):
            for i in range(4):
                for j in range(6):
                    for c in range(2):
                        total += (image[i, j, c] - x[..., c].mean()) ** 2
                        times = (i in (0, 3)) + (j in (0, 5))
                        border[c] += [image[i, j, c]] * times
                        edges += times
        np.testing.assert_allclose(inputs.mean, [x[..., 0].mean(), x[..., 1].mean()], rtol=1e-6)
        np.testing.assert_allclose(inputs.scale, [np.sqrt(total / x.size)] * 2, rtol=1e-6)
        np.testing.assert_allclose(inputs.border, [np.median(b) for b in border])
        self.assertEqual(edges, 2 * 5 * 2 * (4 + 6))
        got = np.asarray(kinds.standardise(x, inputs))
        self.assertEqual(got.dtype, np.float32)
        np.testing.assert_allclose(
            got[2, 1, 3, 1], (x[2, 1, 3, 1] - inputs.mean[1]) / inputs.scale[1], rtol=1e-5
        )

    def test_columns_of_a_table(self):
        x = np.float32([[1, 5, -2e6], [2, 5, 0], [6, 5, 2e6]])
        mean, scale, border = kinds.vector.measure(x)
        np.testing.assert_allclose(mean, [3, 5, 0])
        np.testing.assert_allclose(scale, [np.sqrt(14 / 3), 1, 2e6 * np.sqrt(2 / 3)], rtol=1e-6)
        np.testing.assert_allclose(border, mean)
        got = np.asarray(kinds.standardise(x, kinds.Standard(mean, scale, border)))
        np.testing.assert_allclose(
            got, (x - [3, 5, 0]) / [np.sqrt(14 / 3), 1, 2e6 * np.sqrt(2 / 3)], atol=1e-6
        )

    def test_columns_of_sequences(self):
        """The last axis is the channel; all others count as examples."""
        x = np.random.default_rng(2).normal(3, 2, (4, 5, 3)).astype(np.float32)
        inputs, flat = kinds.vector.measure(x), kinds.vector.measure(x.reshape(20, 3))
        for a, b in zip(inputs, flat, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
        got = np.asarray(kinds.standardise(x, inputs))
        np.testing.assert_allclose(got.mean((0, 1)), 0, atol=1e-5)
        np.testing.assert_allclose(got.std((0, 1)), 1, rtol=1e-5)

    def test_tiny_units_count_and_rounding_does_not(self):
        noise = np.random.default_rng(1).normal(size=(50, 1))
        x = np.concatenate([1e-8 * noise, 1e9 + 0 * noise], axis=1).astype(np.float32)
        got = np.asarray(kinds.standardise(x, kinds.vector.measure(x)))
        self.assertAlmostEqual(float(got[:, 0].std()), 1.0, places=3)
        np.testing.assert_array_equal(got[:, 1], 0)

    def test_blank_images_are_not_divided_by_zero(self):
        inputs = kinds.image.measure(np.full((3, 4, 4, 1), 7, np.uint8))
        np.testing.assert_array_equal(inputs.scale, [1.0])

    def test_a_recipe_names_only_what_is_not_the_default(self):
        self.assertIsNone(kinds.prepare_slot(kinds.vector))
        self.assertIsNone(kinds.prepare_slot(kinds.image))
        tokens = kinds.Kind('tokens', prepare=lambda x, inputs: x)
        self.assertIs(kinds.prepare_slot(tokens), tokens.prepare)

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
