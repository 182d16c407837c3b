"""Criteria replayed on stored curves."""

import chex
import numpy as np

from overfit.train import replay
from tests.train.made_curves import curves


class ReplayTest(chex.TestCase):
    def test_the_fourteen_and_what_they_keep(self):
        validation, training = curves(7)
        found = replay.replay(validation, training)
        self.assertLen(found, 14)
        for name, one in found.items():
            with self.subTest(name):
                for run, (stop, best) in enumerate(zip(one.stop, one.kept, strict=True)):
                    seen = np.where(np.isfinite(validation[run]), validation[run], np.inf)[: stop + 1]
                    self.assertEqual(best, seen.argmin())
                np.testing.assert_array_equal(one.stopped, one.stop < 42)

    def test_a_laxer_threshold_never_stops_earlier(self):
        found = replay.replay(*curves(8))
        for family in ('GL', 'PQ', 'UP'):
            stops = [one.stop for name, one in found.items() if name.startswith(family)]
            for stricter, laxer in zip(stops, stops[1:], strict=False):
                self.assertTrue((stricter <= laxer).all())
                self.assertTrue((stricter < laxer).any())

    def test_nothing_finite_keeps_nothing(self):
        nothing = np.full((1, 6), np.nan, np.float32)
        self.assertEqual(replay.replay(nothing, nothing)['GL 1'].kept.tolist(), [-1])
