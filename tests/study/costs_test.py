"""What training a model costs, as a multiple of the baseline's: against counts by hand."""

from absl.testing import absltest, parameterized

from overfit.study import costs, techniques
from overfit.study.arms import arm_of
from tests.study import tiny


class RelativeTest(parameterized.TestCase):
    @parameterized.parameters(
        ((techniques.l2,), 5, 1.0),
        ((techniques.refit,), 5, 1.25),  # of five fifths one more than of four
        ((techniques.refit,), 3, 1.5),
        ((techniques.longer, techniques.refit), 4, 2 * 4 / 3),
        ((techniques.ensemble(7), techniques.refit), 3, 10.5),
    )
    def test_nets_and_steps(self, chosen, folds, expected):
        arm, baseline = arm_of(chosen, tiny.BASELINE), arm_of((), tiny.BASELINE)
        self.assertAlmostEqual(costs.relative(arm, baseline, folds, tiny.POOL), expected)


if __name__ == '__main__':
    absltest.main()
