"""Constants subtracted from columns: which columns have one, and that their differences survive float32."""

import numpy as np
from absl.testing import absltest, parameterized

from overfit.data.read import offsets

SECONDS = 1_700_000_000


class OffsetsTest(parameterized.TestCase):
    @parameterized.parameters(np.int64, np.float64)
    def test_times_keep_their_differences(self, dtype):
        x = np.array([[SECONDS, 1], [SECONDS + 1, 5], [SECONDS + 20, 9]], dtype)
        moved = offsets.find(x)
        self.assertEqual(moved, {0: SECONDS + 1})
        small = offsets.subtract(x, list(moved.items())).astype(np.float32)
        self.assertEqual(small.tolist(), [[-1, 1], [0, 5], [19, 9]])
        self.assertEqual(np.unique(x[:, 0].astype(np.float32)).size, 1)

    @parameterized.named_parameters(
        ('constant', np.full((3, 1), float(SECONDS))),
        ('spread', np.array([[1.0], [SECONDS]])),
        ('infinite', np.array([[SECONDS], [np.inf]])),
        ('single_precision', np.array([[2.0**24], [2.0**24 + 2]], np.float32)),
        ('bytes', np.array([[254], [255]], np.uint8)),
        ('empty', np.zeros((0, 1))),
    )
    def test_others_stay(self, x):
        self.assertEqual(offsets.find(x), {})

    def test_a_column_holds_its_constant_or_not(self):
        values = np.array([SECONDS, SECONDS + 5.0, 0.0, 2.0 * SECONDS])
        self.assertTrue(offsets.holds(values, SECONDS))
        self.assertFalse(offsets.holds(values - SECONDS, SECONDS))
        self.assertTrue(offsets.holds(-values, -SECONDS))
        self.assertFalse(offsets.holds(values[:0], SECONDS))

    def test_the_given_array_stays_as_it_is(self):
        x = np.array([[SECONDS, 2.0]])
        self.assertEqual(offsets.subtract(x, [[0, SECONDS]]).tolist(), [[0, 2]])
        self.assertEqual(x.tolist(), [[SECONDS, 2]])


if __name__ == '__main__':
    absltest.main()
