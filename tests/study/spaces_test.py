"""Search spaces: ends, scales, and how evenly trials lie in them."""

import chex
import numpy as np

from overfit import base
from overfit.study import spaces

SPACE = {
    'learning_rate': spaces.Range(1e-3, 1.0, 'log'),
    'dropout': spaces.Range(0.1, 0.6, 'linear'),
    'momentum': 0.9,
    'l2': spaces.Range(1e-5, 1e-1, 'log'),
}


class SpacesTest(chex.TestCase):
    def test_ends_and_middle_of_a_range(self):
        log, linear = SPACE['learning_rate'], SPACE['dropout']
        np.testing.assert_allclose(log.at(np.array([0, 1 / 3, 2 / 3, 1])), [1e-3, 1e-2, 1e-1, 1.0])
        np.testing.assert_allclose(linear.at(np.array([0, 0.5, 1])), [0.1, 0.35, 0.6])

    def test_every_number_of_the_package_has_a_range_that_can_be_searched(self):
        ranges = spaces.default(*base.NAMES)
        self.assertEqual(list(spaces.RANGES), list(base.NAMES))
        for field, found in ranges.items():
            self.assertLess(found.low, found.high, field)
            self.assertIn(found.scale, ('log', 'linear'), field)
            self.assertTrue(found.scale == 'linear' or found.low > 0, field)

    def test_ranges_lie_in_what_the_numbers_mean(self):
        below_one = (
            'momentum',
            'dropout',
            'input_dropout',
            'label_smoothing',
            'center_rate',
            'warmup',
            'step_decay',
            'flip',
        )
        for field in below_one:
            found = spaces.RANGES[field]
            self.assertBetween(found.low, 0, 1, field)
            self.assertLess(found.high, 1, field)
        self.assertLessEqual(spaces.RANGES['cosine'].high, 1)
        negative = {field for field, found in spaces.RANGES.items() if found.low < 0}
        self.assertEqual(negative, {'init_log2_scale'})

    def test_trials_lie_evenly_in_their_ranges(self):
        drawn = spaces.trials(SPACE, 64, seed=3)
        self.assertLen(drawn, 64)
        for values in drawn:
            self.assertEqual(set(values), set(SPACE))
            self.assertEqual(values['momentum'], 0.9)
        for field, one in SPACE.items():
            if field == 'momentum':
                continue
            values = np.array([v[field] for v in drawn])
            if one.scale == 'log':
                fraction = np.log(values / one.low) / np.log(one.high / one.low)
            else:
                fraction = (values - one.low) / (one.high - one.low)
            counts, _ = np.histogram(fraction, 8, (0, 1))
            self.assertEqual(counts.sum(), 64, field)
            self.assertBetween(counts.min(), 4, 8, field)  # 64 independent draws would leave 2 or fewer
            self.assertLessEqual(counts.max(), 12, field)

    def test_the_seed_decides_and_fewer_trials_are_the_first_of_more(self):
        drawn = spaces.trials(SPACE, 6, seed=1)
        self.assertEqual(spaces.trials(SPACE, 6, seed=1), drawn)
        self.assertEqual(spaces.trials(SPACE, 3, seed=1), drawn[:3])
        self.assertNotEqual(spaces.trials(SPACE, 6, seed=2), drawn)
        self.assertEqual(spaces.trials(SPACE, 0, seed=1), [])

    def test_spaces_that_begin_alike_try_the_same_values(self):
        short = spaces.trials({'learning_rate': SPACE['learning_rate']}, 5, seed=4)
        long = spaces.trials(SPACE, 5, seed=4)
        self.assertEqual([v['learning_rate'] for v in short], [v['learning_rate'] for v in long])

    def test_nothing_to_search(self):
        self.assertEqual(spaces.trials({'cosine': 1}, 2, seed=0), [{'cosine': 1.0}] * 2)
