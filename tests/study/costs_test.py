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

    def test_a_second_gradient_counts(self):
        arm, baseline = arm_of((techniques.sam,), tiny.BASELINE), arm_of((), tiny.BASELINE)
        self.assertAlmostEqual(costs.relative(arm, baseline, 5, tiny.POOL), 2.0, delta=0.05)

    def test_the_products_of_an_optimizer_count(self):
        """Against counts by hand: five steps of Newton and Schulz a kernel, three passes a gradient."""
        arm, baseline = arm_of((techniques.muon,), tiny.BASELINE), arm_of((), tiny.BASELINE)
        shapes = [(4, 8), (8, 3)]  # of the blobs' perceptron
        gradient = sum(6 * arm.recipe.batch_size * m * n for m, n in shapes)
        products = sum(5 * (4 * min(s) ** 2 * max(s) + 2 * min(s) ** 3) for s in shapes)
        found = costs.relative(arm, baseline, 5, tiny.POOL)
        self.assertGreater(found, 1.1)
        self.assertAlmostEqual(found, 1 + products / gradient, delta=0.35 * products / gradient)

    def test_another_batch_with_as_many_epochs_costs_about_the_same(self):
        baseline = arm_of((), tiny.BASELINE)
        for technique in (techniques.batch_24, techniques.batch_64):
            found = costs.relative(arm_of((technique,), tiny.BASELINE), baseline, 5, tiny.POOL)
            factor = 32 / tiny.BASELINE.recipe.batch_size
            self.assertAlmostEqual(found, factor, delta=0.1 * factor)


class CombinationTest(parameterized.TestCase):
    def test_programs_of_the_tries_are_no_more_than_what_can_be_tried(self):
        def programs(tries, labelled_sets, *chosen):
            arms = [arm_of(one, tiny.BASELINE) for one in ((), *((technique,) for technique in chosen))]
            return costs.programs(tries, labelled_sets, arms)

        several = (techniques.l2, techniques.dropout, techniques.adamw, techniques.he, techniques.tanh)
        self.assertEqual(programs(1, 12, *several), 5)  # of five techniques
        self.assertEqual(programs(2, 4, *several), 2 * 2)  # four labelled sets ask for two at a time
        self.assertEqual(programs(3, 12, techniques.l2, techniques.refit, tiny.ENSEMBLE), 1)
        self.assertEqual(programs(3, 12, techniques.refit), 0)  # validation cannot judge it

    def test_an_elastic_field_takes_as_long_as_another_change(self):
        def seconds(*names):
            recipe = arm_of((techniques.shift,), tiny.BASELINE).recipe
            return costs.seconds_a_step(recipe, tiny.POOL, numbers=names)

        plain = costs.seconds_a_step(tiny.BASELINE.recipe, tiny.POOL)
        self.assertAlmostEqual(seconds('shift', 'elastic') - plain, 2 * (seconds('shift') - plain))
        self.assertGreater(seconds('shift'), plain)

    def test_running_statistics_take_time(self):
        def seconds(*chosen):
            arm = arm_of(chosen, tiny.BASELINE)
            return costs.seconds_a_step(arm.recipe, tiny.POOL, numbers=arm.space)

        self.assertGreater(seconds(techniques.batch_norm), seconds())
        self.assertEqual(seconds(techniques.l2), seconds())


if __name__ == '__main__':
    absltest.main()
