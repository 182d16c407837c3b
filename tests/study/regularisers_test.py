"""Techniques that keep weights small or units noisy: what they change, and where they apply."""

import numpy as np
from absl.testing import absltest, parameterized

from overfit import base
from overfit.data import kinds
from overfit.nn import dropout, models
from overfit.objectives import penalties
from overfit.study import baselines, techniques
from overfit.study.arms import arm_of
from overfit.train import check
from overfit.train.engine import population
from tests import problems

MLP = baselines.baseline(models.MLP(3, widths=(8,)), kinds.image)
CNN = baselines.baseline(models.CNN(3, channels=(4,), widths=(8,)), kinds.image)


class DroppingTest(parameterized.TestCase):
    @parameterized.parameters(
        (techniques.gaussian_dropout, 'dropping', dropout.gaussian, True),
        (techniques.drop_connect, 'dropping', dropout.connections, True),
        (techniques.spatial_dropout, 'block_dropping', dropout.channels, False),
    )
    def test_each_is_a_field_of_the_net_and_excludes_the_others(self, technique, field, kind, for_mlp):
        self.assertTrue(technique.applies(CNN.recipe, kinds.image))
        self.assertEqual(technique.applies(MLP.recipe, kinds.image), for_mlp)
        for baseline in (CNN, MLP)[: 1 + for_mlp]:
            arm = arm_of([technique], baseline)
            self.assertEqual(getattr(arm.recipe.model, field), kind)
            self.assertIn('dropout', arm.space)
            check.recipes([(arm.recipe, arm.space)], problems.IMAGES)
            self.assertTrue(arm.excludes(techniques.dropout))
        self.assertIn(technique, techniques.ALL)

    def test_logistic_regression_has_no_hidden_units(self):
        plain = baselines.baseline(models.MLP(3, widths=()), kinds.image)
        for technique in (techniques.gaussian_dropout, techniques.drop_connect):
            self.assertFalse(technique.applies(plain.recipe, kinds.image))


class ProximalTest(absltest.TestCase):
    def test_a_trained_net_has_exact_zeros_and_still_learns(self):
        arm = arm_of([techniques.l1_proximal], MLP)
        rows = np.arange(48)

        def net(**numbers):
            hyper = base.Hyper.of(learning_rate=0.1, steps=200.0, **numbers)
            member = population.Member(arm.recipe, hyper, 0, rows[:36], rows[36:], restore_best=False)
            [found] = population.train([member], problems.IMAGES, eval_every=50, layout=problems.FOUR)
            return found

        shares = [
            float(penalties.sparsity(net(**{name: 0.02}).variables['params']))
            for name in ('l1', 'l1_proximal')
        ]
        self.assertEqual(shares[0], 0)
        self.assertGreater(shares[1], 0.2)
        self.assertLess(net(l1_proximal=0.02).error, 0.1)


if __name__ == '__main__':
    absltest.main()
