"""Racing: how many run, and in what order settings finish."""

import chex

from overfit.study import race


class RaceTest(chex.TestCase):
    def test_half_of_the_settings_go_on_after_two_fifths_of_the_folds(self):
        self.assertEqual(race.heat(8, 5), (2, 4))
        self.assertEqual(race.heat(16, 10), (4, 8))
        self.assertEqual(race.nets(8, 5), 8 * 2 + 4 * 3)

    def test_the_first_heat_has_a_fold_at_least(self):
        self.assertEqual(race.heat(4, 3), (1, 2))
        self.assertEqual(race.heat(4, 2), (1, 2))
        self.assertEqual(race.heat(3, 2), (1, 2))  # an odd setting goes on
        self.assertEqual(race.nets(4, 3), 4 + 2 * 2)

    def test_no_race_with_one_setting_or_one_fold(self):
        for trials, folds in ((1, 5), (1, 1), (8, 1)):
            self.assertEqual(race.heat(trials, folds), (folds, trials))
            self.assertEqual(race.nets(trials, folds), trials * folds)

    def test_the_best_score_first_where_nothing_diverged(self):
        self.assertEqual(race.ranking([3.0, 1.0, 2.0], [0.1, 0.2, 0.4], [False] * 3), [1, 2, 0])

    def test_rates_close_to_one_that_diverged_come_after_the_safe_ones(self):
        scores, rates = [3.0, 2.0, 1.0, 9.0], [0.05, 0.1, 0.3, 0.4]
        self.assertEqual(race.ranking(scores, rates, [False, False, False, True]), [1, 0, 2, 3])
        self.assertEqual(race.ranking(scores, [0.05, 0.1, 0.2, 0.4], [False] * 3 + [True]), [2, 1, 0, 3])

    def test_what_diverged_comes_last_whatever_its_score(self):
        self.assertEqual(race.ranking([5.0, 1.0, 7.0], [0.3, 0.3, 0.2], [False, True, False]), [0, 2, 1])
        self.assertEqual(race.ranking([2.0, 9.0], [0.3, 0.4], [False, True]), [0, 1])
        self.assertEqual(race.ranking([9.0, 8.0], [0.3, 0.4], [True, True]), [1, 0])
