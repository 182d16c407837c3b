"""Measuring: mistakes counted again example by example."""

import types

import chex
import numpy as np

from overfit.data import splits
from overfit.study import measure
from overfit.study.labelled_sets import LabelledSet

Y = np.array([0, 1, 2, 0, 1, 2, 0])
HOLDOUT = splits.Holdout(np.zeros((7, 1)), Y)
SETS = [LabelledSet(np.arange(0), np.array(tested), 0) for tested in ([4, 0, 6], [1, 2, 3], [0, 5])]
RNG = np.random.default_rng(0)
# Two models of the first labelled set, one of the second and three of the third.
OUTCOMES = [
    types.SimpleNamespace(
        classes=RNG.integers(0, 3, (models, len(one.tested))).astype(np.int16),
        probabilities=RNG.dirichlet([1, 1, 1], len(one.tested)).astype(np.float16),
    )
    for models, one in zip((2, 1, 3), SETS, strict=True)
]


class MeasureTest(chex.TestCase):
    def test_mistakes_are_shares_of_models_and_nothing_elsewhere(self):
        found = measure.mistakes(OUTCOMES, SETS, HOLDOUT)
        self.assertEqual((found.shape, found.dtype), ((3, 7), np.float32))
        for row in range(3):
            tested = SETS[row].tested.tolist()
            for example in range(7):
                if example not in tested:
                    self.assertTrue(np.isnan(found[row, example]))
                    continue
                said = OUTCOMES[row].classes[:, tested.index(example)]
                share = sum(one != Y[example] for one in said) / len(said)
                self.assertAlmostEqual(found[row, example], share, places=6)
        self.assertLen(set(found[~np.isnan(found)].tolist()), 4)

    def test_probabilities_are_averaged_over_the_sets_that_test_an_example(self):
        found = measure.probabilities(OUTCOMES, SETS, 8)
        self.assertEqual((found.shape, found.dtype), ((8, 3), np.float32))
        for example in range(8):
            said = [
                outcome.probabilities[position]
                for outcome, one in zip(OUTCOMES, SETS, strict=True)
                for position in np.flatnonzero(one.tested == example)
            ]
            expected = np.mean(said, axis=0, dtype=np.float64) if said else np.zeros(3)
            np.testing.assert_allclose(found[example], expected, atol=1e-6)
        self.assertEqual(found[7].sum(), 0)
