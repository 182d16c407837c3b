"""How well the best model of a cross-fitted study does: the luck of its one training counts."""

import functools

import numpy as np
from absl.testing import absltest, parameterized

from overfit import base
from overfit.study import decide, procedures, search, squeeze, techniques
from tests.report import made_up
from tests.study import tiny

EXAMPLES = 2000


@functools.cache
def study():
    """A cross-fitted study of two repeats of five folds, planned; nothing is trained."""
    chosen = (techniques.dropout, techniques.momentum)
    return tiny.prepare(tiny.CROSSED, tiny.LEVEL._replace(sets=10, controls=1), techniques=chosen)


def told(squeezed, columns=None):
    """The squeezed row's error, and the best model, of a study with this table of the squeezed model.

    The baseline errs on every fourth example, whoever tests it.
    """
    design = study().design
    hyper = base.Hyper.of(learning_rate=0.1)
    tuned = search.Tuned(design.arms[1], design.places.final, hyper, (), (0.3,), 0.3, 0, 2, 100, 0)
    outcome = procedures.Outcome(tuned, np.zeros((1, 0)), np.zeros((0, 3)), (), 0, 0)
    combined = decide.Combined((outcome,) * len(squeezed), tuned, (None,))
    baseline = np.where(np.isnan(squeezed), np.nan, (np.arange(squeezed.shape[1]) % 4 == 0).astype(float))
    tables = squeeze.Tables({'plain': baseline}, {}, {}, {}, squeezed, {}, 58, columns)
    found = squeeze.with_best(study(), combined, tables, None, made_up.cross_fitted())
    return found.squeezed.test_error, found.best


def crossed(wrong):
    """A table `[repeats * 5, N]`: in repeat r, example n is wrong where `wrong[r, n]` is 1.

    Neighbours are spread over the folds, over others in each repeat; so all folds are equally hard.
    """
    repeats, examples = wrong.shape
    place = np.arange(examples)
    fold = np.stack([place // 5**repeat % 5 for repeat in range(repeats)])
    return np.where(fold[:, None] == np.arange(5)[:, None], wrong[:, None], np.nan).reshape(-1, examples)


def disagreeing(share, examples=EXAMPLES):
    """Two repeats that get a quarter wrong, and of a further share one half each: `[2, N]`."""
    place = np.arange(examples) / examples
    middle, end = 0.25 + share / 2, 0.25 + share
    return np.stack([place < middle, (place < 0.25) | ((place >= middle) & (place < end))]).astype(float)


class BestTest(parameterized.TestCase):
    @parameterized.parameters(0.05, 0.2, 0.5)
    def test_of_one_training_the_luck_is_not_averaged_out(self, share):
        """Right once and wrong once has a variance of 1/2, so the luck of one training is `share / 2 / N`.

        Half a width is 1.96 standard deviations, where examples are many and no fold stands out.
        """
        expected, best = told(crossed(disagreeing(share)))
        self.assertEqual(best.test_error, expected.mean)
        squares = ((best.high - best.low) / 2) ** 2 - ((expected.high - expected.low) / 2) ** 2
        luck = 100**2 * share / 2 / EXAMPLES
        self.assertAlmostEqual(squares / (1.96**2 * luck), 1, delta=0.03)
        self.assertLess(best.low, expected.low)
        self.assertGreater(best.high, expected.high)

    def test_repeats_that_agree_show_no_luck(self):
        expected, best = told(crossed(disagreeing(0.0)))
        np.testing.assert_allclose((best.low, best.high), (expected.low, expected.high), rtol=1e-6)

    def test_tested_once_it_cannot_be_seen(self):
        expected, best = told(crossed(disagreeing(0.5)[:1]))
        self.assertEqual((best.low, best.high), (expected.low, expected.high))

    def test_four_like_photographs_of_a_patient_are_one(self):
        patients = crossed(disagreeing(0.3, 100))
        _, alone = told(patients)
        _, grouped = told(np.repeat(patients, 4, 1), np.repeat(np.arange(100), 4))
        _, naive = told(np.repeat(patients, 4, 1))
        np.testing.assert_allclose((grouped.low, grouped.high), (alone.low, alone.high), rtol=1e-6)
        self.assertGreater(grouped.high - grouped.low, 1.5 * (naive.high - naive.low))


if __name__ == '__main__':
    absltest.main()
