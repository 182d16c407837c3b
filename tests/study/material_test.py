"""Confusions and mistakes, counted by hand."""

import numpy as np
from absl.testing import absltest

from overfit.data import kinds, splits
from overfit.study import material


class MaterialTest(absltest.TestCase):
    def test_confusion_against_a_loop(self):
        rng = np.random.default_rng(0)
        y, probabilities = rng.integers(0, 4, 50), rng.random((50, 5))  # nothing is of the last class
        expected = np.zeros((5, 5), int)
        for truth, row in zip(y, probabilities, strict=True):
            expected[truth, list(row).index(max(row))] += 1
        np.testing.assert_array_equal(material.confusion(y, probabilities), expected)

    def test_mistakes(self):
        holdout = splits.Holdout(np.arange(8.0).reshape(4, 2), np.array([0, 0, 1, 1]))
        probabilities = np.array([[0.3, 0.7], [0.6, 0.4], [0.9, 0.1], [0.8, 0.2]])
        found = material.mistakes(holdout, probabilities, kinds.show_numbers)
        self.assertEqual(
            found,
            [
                material.Mistake(1, 0, 0.9, 2, None, '4, 5'),
                material.Mistake(1, 0, 0.8, 3, None, '6, 7'),
                material.Mistake(0, 1, 0.7, 0, None, '0, 1'),
            ],
        )
        self.assertEqual(material.mistakes(holdout, probabilities, kinds.show_numbers, most=1), found[:1])

    def test_pictures(self):
        x = np.random.default_rng(1).integers(0, 256, (3, 5, 4, 1)).astype(np.uint8)
        holdout = splits.Holdout(x, np.array([0, 1, 0]))
        (found,) = material.mistakes(holdout, np.array([[0.9, 0.1]] * 3), kinds.show_image)
        np.testing.assert_array_equal(found.pixels, x[1])
        self.assertEqual((found.index, found.text), (1, ''))


if __name__ == '__main__':
    absltest.main()
