"""Units: which of those that a saved model is given cannot be that of the training data."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from overfit.data import kinds, load, units

BYTES = np.random.default_rng(0).integers(0, 256, (24, 6, 6)).astype(np.uint8)
BYTES[:, 0, :2] = 255, 0
Y = np.arange(24) % 2


def _reading(x):
    data = load.from_arrays(x, Y)
    return json.loads(json.dumps(data.train.reading)), data.train.x.shape[1:]


class ImagesTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ('bytes', BYTES // 4 * 3, False),
        ('one_of_bytes', BYTES[:1] // 4 * 3, False),
        ('standardised', (BYTES - 128.0) / 70, False),
        ('sixteen_bits', (BYTES * 8.9 + 795) * 16, False),
        ('a_little_darker', BYTES[:1] / 255 * 100 + 650, True),
        ('a_little_brighter', BYTES / 255 * 100 + 3100, True),
        ('darker', BYTES * 4.0 + 795, True),
    )
    def test_a_model_of_twelve_bits(self, given, taken):
        model = _reading(BYTES * 8.9 + 795)
        if taken:
            np.testing.assert_allclose(kinds.image.accept(given, *model)[..., 0], given, rtol=1e-6)
        else:
            with self.assertRaisesRegex(ValueError, 'trained on float32 from 795 to 3064.5: give values'):
                kinds.image.accept(given, *model)

    def test_standardised_values_have_no_unit_of_their_own(self):
        model = _reading((BYTES - 128.0) / 70)
        for given in (BYTES / 255, np.full((20, 6, 6), -1.5)):
            np.testing.assert_allclose(kinds.image.accept(given, *model)[..., 0], given, rtol=1e-6)
        with self.assertRaisesRegex(ValueError, 'from 0 to 255, .* on float32 from -1.8'):
            kinds.image.accept(BYTES, *model)

    @parameterized.parameters(
        ([0, 3], np.uint8, True, False), ([0, 256], np.int64, False, False), ([-1, 3], int, False, False),
        ([0.0, 3.0], float, True, False), ([0.5, 3.0], float, False, True),
    )  # fmt: skip
    def test_whole_and_real(self, values, dtype, fits, real):
        x = np.array(values, dtype)
        self.assertEqual((units.fits(x, np.uint8), units.real(x)), (fits, real))


class OffsetsTest(parameterized.TestCase):
    """Columns from which a constant is subtracted: times in milliseconds, of a week."""

    TIMES = 1_698_300_000_000 + 86_400_000 // 4 * np.arange(24)

    def setUp(self):
        super().setUp()
        path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.table, self.new = path / 'own.csv', path / 'new.csv'
        self.write(self.table, self.TIMES)
        self.examples = load.load(str(self.table)).train
        self.model = json.loads(json.dumps(dict(self.examples.reading))), (4,)
        self.arrays = _reading(np.stack([np.arange(24) ** 2, self.TIMES], 1).astype(float))
        self.assertGreater(self.model[0]['columns'][1]['offset'], 1e12)

    def write(self, path, times):
        rows = [f'{"uv"[i // 2 % 2]},{time},{i * i},{i % 2}' for i, time in enumerate(times)]
        path.write_text('\n'.join(['c,start,a,y', *rows]))

    def test_ten_years_later(self):
        later = self.TIMES + 10 * 365 * 86_400_000
        self.write(self.new, later)
        offset = self.model[0]['columns'][1]['offset']
        found = kinds.vector.accept(self.new, *self.model)[:, 2]
        np.testing.assert_allclose(found, later - offset, rtol=1e-6)
        x = kinds.vector.accept(np.stack([np.arange(24), later], 1), *self.arrays)
        np.testing.assert_allclose(x[:, 1], later - self.arrays[0]['offsets'][0][1], rtol=1e-6)

    @parameterized.parameters((1000, '1.698e[+]15 to'), (1e-3, '1.698e[+]09 to'))
    def test_refuses_another_unit_in_raw_numbers(self, factor, given):
        times = self.TIMES * factor
        self.write(self.new, times)
        wanted = f'holds {given} .*, but 1.698e[+]12 to 1.69[89]e[+]12 in training: give it in the same unit'
        with self.assertRaisesRegex(ValueError, f'^column start {wanted}'):
            kinds.vector.accept(self.new, *self.model)
        with self.assertRaisesRegex(ValueError, f'^column 1 {wanted}'):
            kinds.vector.accept(np.stack([np.arange(24), times], 1), *self.arrays)

    def test_arrays_for_a_model_of_a_table(self):
        x = self.examples.x
        np.testing.assert_array_equal(kinds.vector.accept(x, *self.model), x)
        raw = x + np.array([0, 0, self.model[0]['columns'][1]['offset'], 0])
        np.testing.assert_array_equal(kinds.vector.accept(raw, *self.model), x)
        with self.assertRaisesRegex(ValueError, '^column start holds 1.698e[+]15'):
            kinds.vector.accept(raw * (1, 1, 1000, 1), *self.model)
        with self.assertRaisesRegex(
            ValueError, r'^column c \(u\) holds 5000 to 5000, but 0 to 1 in training'
        ):
            kinds.vector.accept(x * 0 + 5000, *self.model)


if __name__ == '__main__':
    absltest.main()
