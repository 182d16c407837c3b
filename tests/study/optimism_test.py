"""The optimism of the search from what was compared: its interval by hand."""

from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from overfit.study import decide, optimism, procedures, search, tables
from tests.study import tiny

L2, ENSEMBLE, REFIT = 1, 3, 4  # numbers of `tiny.ARMS`
WRONG = np.tile(np.arange(80) < 20, (3, 1)).astype(np.float32)  # on every labelled set the same quarter


def found(validated, errors, repeat=1, columns=None):
    """Of arms by number, with their validation error; averaged, refitted and diverged ones err on all."""
    outcomes, arms = [], {}
    for number, error in errors.items():
        arm = tiny.ARMS[number]
        tuned = search.Tuned(arm, 0, None, (), (error,), error, 0, 2, 9, 0)
        outcome = procedures.Outcome(tuned, np.zeros((1, 0)), np.zeros((0, 3)), (), 0, 0)
        outcomes.append((outcome,) * 3)
        unlike = number in (ENSEMBLE, REFIT) or not np.isfinite(error)
        table = np.ones_like(WRONG) if unlike else WRONG
        arms[arm.label] = np.repeat(table, repeat, 1)
    compared = decide.Compared((), tuple(outcomes), (), {}, {})
    measured = tables.Tables(arms, {}, {}, {}, None, {}, 30, columns)
    with mock.patch.object(optimism, 'validated', return_value=validated):
        return optimism.measure(tiny.prepare().design, compared, measured, 72)


class OptimismTest(parameterized.TestCase):
    @parameterized.parameters(6, 12, 30, 300)
    def test_the_interval_is_that_of_as_many_validation_examples_and_of_the_test_examples(self, validated):
        """Both are binomial here; of v examples 20 % err, with two hits and two misses more."""
        told = found(validated, {0: 0.15, L2: 0.25})
        share = (0.2 * validated + 2) / (validated + 4)
        tested, seen = 0.25 * 0.75 / 79, share * (1 - share) / validated
        freedom = 79 * ((tested + seen) / tested) ** 2
        half = 100 * special.stdtrit(freedom, 0.975) * np.sqrt(tested + seen)
        np.testing.assert_allclose(told[:3], (5, 5 - half, 5 + half), rtol=0.03)
        self.assertEqual(told.n, 2)

    def test_only_arms_whose_validated_nets_are_those_that_were_measured(self):
        told = found(30, {0: 0.15, L2: 0.25, ENSEMBLE: 0.5, REFIT: 0.5})
        self.assertEqual(told, found(30, {0: 0.15, L2: 0.25}))
        self.assertIsNone(found(30, {ENSEMBLE: 0.5, REFIT: 0.5}))
        self.assertEqual(found(30, {0: 0.15, L2: np.inf}), found(30, {0: 0.15}))

    def test_four_like_photographs_of_a_patient_are_one(self):
        errors = {0: 0.15, L2: 0.25}
        told = found(3000, errors, repeat=4, columns=np.repeat(np.arange(80), 4))
        np.testing.assert_allclose(told, found(3000, errors), rtol=1e-6)
        naive = found(3000, errors, repeat=4)
        self.assertGreater(told.high - told.low, 1.5 * (naive.high - naive.low))

    def test_examples_that_validate(self):
        """The labelled sets draw 30 of 72 each, and some of 5 folds validate: by simulation."""
        design = tiny.prepare().design
        held = 30 * design.plan.protocol.folds / 5
        rng, seen = np.random.default_rng(0), []
        for _ in range(500):
            drawn = [rng.choice(72, round(held), replace=False) for _ in design.places.measured]
            seen.append(len(np.unique(drawn)))
        self.assertAlmostEqual(optimism.validated(design, 72), np.mean(seen), delta=1)


if __name__ == '__main__':
    absltest.main()
