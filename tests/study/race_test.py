"""Racing: how many run, and in what order settings finish."""

import chex

from overfit.study import race


class RaceTest(chex.TestCase):
    def test_half_of_the_settings_go_on_after_two_fifths_of_the_folds(self):
        self.assertEqual(race.heat(8, 5), (2, 4))
        self.assertEqual(race.heat(16, 10), (4, 8))
        self.assertEqual(race.nets(8, 5), 8 * 2 + 4 * 3)

    def test_no_race_with_one_setting_or_two_folds(self):
        for trials, folds in ((1, 5), (8, 2), (8, 1)):
            self.assertEqual(race.heat(trials, folds), (folds, trials))
            self.assertEqual(race.nets(trials, folds), trials * folds)

    def test_the_best_score_first_where_nothing_diverged(self):
        self.assertEqual(race.ranking([3.0, 1.0, 2.0], [0.1, 0.2, 0.4], [False] * 3), [1, 2, 0])

    def test_rates_close_to_one_that_diverged_come_after_the_safe_ones(self):
        scores, rates = [3.0, 2.0, 1.0, 9.0], [0.05, 0.1, 0.3, 0.4]
        self.assertEqual(race.ranking(scores, rates, [False, False, False, True]), [1, 0, 2, 3])

    def test_what_is_left(self):
        self.assertEqual(race.ranking([2.0, 9.0], [0.3, 0.4], [False, True]), [0, 1])
        self.assertEqual(race.ranking([9.0, 8.0], [0.3, 0.4], [True, True]), [1, 0])
