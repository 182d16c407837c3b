"""Rows of the ledger from mistakes made up by hand, and recipes in words."""

import functools
import types

import flax.linen as nn
import numpy as np
from absl.testing import absltest

from overfit import base
from overfit.nn import activations, models
from overfit.study import ledger, stats

RNG = np.random.default_rng(0)
CURVE = {size: RNG.random((6, 90)) < error for size, error in ((20, 0.4), (40, 0.3), (80, 0.2))}
LEDGER = ledger.Ledger(CURVE, 40, CURVE[40], (8, 8, 1))


def sgd(hyper, learning_rate):
    raise NotImplementedError  # only its name is asked for


def shift(key, batch, hyper, inputs, side=1):
    raise NotImplementedError


def per_class(key, step, labels, count, size, m=2):
    raise NotImplementedError


class Tower(nn.Module):
    width: int = 16


def recipe(**changes):
    loss = base.Loss(lambda classes, features: (), lambda *args: None, name='softmax')
    start = base.Start(lambda *args: {}, name='he')
    return base.Recipe(models.MLP(10), loss, sgd, start)._replace(**changes)


def tuned(label='an arm', **numbers):
    """What a search would have found."""
    arm = types.SimpleNamespace(label=label, recipe=recipe())
    hyper = base.Hyper.of(learning_rate=np.float32(0.25), **numbers)
    return types.SimpleNamespace(arm=arm, hyper=hyper, trials=4, member_steps=1000, diverged=3)


def measured(wrong):
    return types.SimpleNamespace(wrong=wrong, member_steps=200, diverged=1)


class RowsTest(absltest.TestCase):
    def test_plain(self):
        row = LEDGER.plain(tuned('tuned baseline', ring=2, dropout=0.0), measured(CURVE[40]))
        self.assertEqual(row.technique, 'tuned baseline')
        self.assertEqual(row.recipe, 'MLP 128-128 relu; softmax, sgd, he; batch 32')
        self.assertEqual(row.hyper, {'learning_rate': 0.25, 'dropout': 0.0, 'ring': 2.0})
        self.assertEqual({type(number) for number in row.hyper.values()}, {float})
        self.assertEqual((row.trials, row.member_steps), (4, 1200))
        self.assertEqual((row.diverged, row.diverged_in_search), (1, 3))
        self.assertAlmostEqual(row.test_error.mean, 100 * CURVE[40].mean())
        self.assertEqual((row.difference, row.labels_worth, row.verdict), (None, None, None))

    def test_p_values_are_corrected_over_the_rows(self):
        baseline = CURVE[40]
        never = np.zeros_like(baseline)
        weaker = baseline & (np.arange(90) % 9 > 0)  # a ninth of the mistakes is mended
        rows = LEDGER.rows([tuned()] * 3, [measured(w) for w in (never, weaker, baseline)])
        alone = [row.difference.p for row in rows]
        self.assertLess(alone[0], alone[1])
        self.assertLess(alone[1], alone[2])
        # Holm over three: the smallest counts threefold, the next twice, the largest once.
        expected = np.maximum.accumulate(np.minimum(np.multiply(alone, (3, 2, 1)), 1))
        np.testing.assert_allclose([row.difference.p_adjusted for row in rows], expected)
        self.assertEqual(rows[0].verdict, 'helps')
        self.assertAlmostEqual(rows[0].difference.mean, -100 * baseline.mean())
        self.assertEqual(rows[2].verdict, 'no evidence')
        single = LEDGER.row(tuned(), measured(weaker))
        self.assertEqual(single.difference.p_adjusted, single.difference.p)
        self.assertEqual(single.difference.p, alone[1])

    def test_a_correction_can_change_the_verdict(self):
        row = LEDGER.row(tuned(), measured(~CURVE[40]))
        self.assertEqual(ledger.judge(row, 0.049).verdict, 'hurts')
        self.assertEqual(ledger.judge(row, 0.051).verdict, 'no evidence')
        self.assertEqual(ledger.judge(row, 0.051).difference[:5], row.difference[:5])

    def test_the_baseline_against_itself_is_worth_anything(self):
        worth = LEDGER.row(tuned(), measured(CURVE[40])).labels_worth
        self.assertAlmostEqual(worth.factor, 1, places=4)
        self.assertEqual((worth.low, worth.high), (1 / worth.largest, worth.largest))

    def test_a_curve_of_one_point_tells_no_worth(self):
        row = LEDGER._replace(curve={40: CURVE[40]}).row(tuned(), measured(CURVE[80]))
        self.assertEqual(row.labels_worth[:3], (None, None, None))
        self.assertEqual(row.difference[:5], tuple(stats.paired_difference(CURVE[80], CURVE[40])))


class DescribeTest(absltest.TestCase):
    def test_slots_that_are_filled(self):
        average = base.Average(lambda p: p, lambda *args: None, lambda a, p: a, name='ema')
        described = ledger.describe(
            recipe(
                model=models.CNN(10, channels=(8,), widths=(16,), activation=activations.maxout(2)),
                augment=(shift, functools.partial(functools.partial(shift, side=2)), lambda *args: None),
                optimizer=functools.partial(sgd),
                sampler=functools.partial(per_class, m=4),
                average=average,
                trained=lambda path: 'head' in path,
                batch_size=16,
            ),
            (8, 8, 1),
        )
        self.assertEqual(
            described,
            'CNN conv 8-16 maxout 2; softmax, sgd, he, shift, shift, own augmentation, sampler per_class, '
            'average ema, trained own; batch 16',
        )

    def test_what_has_no_name_of_its_own(self):
        class Ring:
            def __call__(self, outputs, state):
                return outputs.logits

        unnamed = base.Loss(lambda classes, features: (), lambda *args: None)
        described = ledger.describe(
            recipe(
                model=Tower(), loss=unnamed, start=base.Start(lambda *args: {}), optimizer=lambda h, r: None,
                predict=Ring(),
            ),
            (5,),
        )  # fmt: skip
        self.assertEqual(
            described, 'Tower width 16; own loss, own optimizer, own start, predict Ring; batch 32'
        )


if __name__ == '__main__':
    absltest.main()
