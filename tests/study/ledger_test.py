"""Rows of the ledger from mistakes made up by hand, and recipes in words."""

import functools

import chex
import flax.linen as nn
import numpy as np
from absl.testing import absltest

from overfit import base
from overfit.nn import activations, models
from overfit.study import ledger, simultaneous, stats, tables
from overfit.study.baselines import LABELS

RNG = np.random.default_rng(0)


def table(error, sets=6, examples=90):
    return (RNG.random((sets, examples)) < error).astype(np.float32)


CURVE = {size: table(error) for size, error in ((20, 0.4), (40, 0.3), (80, 0.2))}
BASELINE = CURVE[40]
BETTER = BASELINE * (np.arange(90) % 3 > 0)  # a third of the mistakes is mended
TABLES = tables.Tables(
    arms={'plain': BASELINE, 'better': BETTER, 'same': BASELINE, 'worse': table(0.6)},
    controls={'again': table(0.3)},
    sizes={20: CURVE[20], 80: CURVE[80]},
    fewer={'better': {20: BETTER}},
    squeezed=table(0.05),
    references={'SVM': np.pad(table(0.2, 4), ((0, 2), (0, 0)), constant_values=np.nan)},
    train_size=40,
    columns=None,
)


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


class FiguresTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.found = ledger.figures(TABLES)

    def test_errors_and_differences_are_those_of_the_tables(self):
        means = [100 * one.mean() for one in TABLES.arms.values()]
        np.testing.assert_allclose([error.mean for error in self.found.errors], means, rtol=1e-5)
        wanted = [mean - means[0] for mean in means[1:]]
        np.testing.assert_allclose([one.mean for one in self.found.differences], wanted, atol=1e-4)
        self.assertAlmostEqual(self.found.margin, means[0] / 10, places=4)

    def test_arms_and_controls_are_one_family(self):
        family = np.stack([*list(TABLES.arms.values())[1:], *TABLES.controls.values()])
        alike = [label not in LABELS for label in TABLES.arms][1:] + [False] * len(TABLES.controls)
        wanted = simultaneous.compare(family, BASELINE, alike=alike)
        found = [*self.found.differences, *(difference for _, difference in self.found.controls)]
        self.assertEqual(found, wanted)
        self.assertEqual(self.found.squeezed[1], stats.difference(TABLES.squeezed, BASELINE))

    def test_a_reference_is_compared_on_the_sets_that_it_has(self):
        [(error, against)] = self.found.references.values()
        own = TABLES.references['SVM'][:4]
        self.assertEqual(error, stats.interval(own))
        self.assertEqual(against, stats.difference(TABLES.squeezed[:4], own))

    def test_the_best_is_near_itself_and_the_worst_is_not(self):
        better, same, worse = self.found.near_best
        self.assertEqual((better, worse), (True, False))

    def test_what_equals_the_baseline_is_worth_anything(self):
        worth = self.found.worths[1]
        self.assertAlmostEqual(worth.factor, 1, places=4)
        self.assertEqual((worth.low, worth.high), (1 / worth.largest, worth.largest))

    def test_labels_that_are_enough_are_told_of_what_was_measured_with_fewer(self):
        better, same, worse = self.found.worths
        self.assertBetween(better.enough, 20, 40)
        self.assertEqual((same.enough, worse.enough), (None, None))

    def test_a_curve_of_one_point_tells_no_worth(self):
        found = ledger.figures(TABLES._replace(sizes={}, fewer={}))
        self.assertEqual(found.worths[0][:3], (None, None, None))
        self.assertEqual(found.differences, self.found.differences)

    def test_what_is_not_measured_yet(self):
        found = ledger.figures(TABLES._replace(squeezed=None, references={}, controls={}))
        self.assertIsNone(found.squeezed)
        self.assertEqual((found.controls, found.references), ((), {}))
        alone = ledger.figures(TABLES._replace(arms={'plain': BASELINE}, controls={}, fewer={}))
        self.assertEqual((alone.differences, alone.near_best, alone.detectable), ((), (), None))


class GroupsTest(absltest.TestCase):
    """Eight photographs of a patient that are all alike tell no more than one of them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        rng = np.random.default_rng(7)

        def patients(error, sets=5):
            """Of 40 patients some are always wrong, and a tenth is told by luck."""
            wrong = np.tile(rng.random(40) < error, (sets, 1))
            return np.where(rng.random((sets, 40)) < 0.1, rng.random((sets, 40)) < error, wrong).astype(float)

        whole = patients(0.3)
        reference = np.pad(patients(0.2, 4), ((0, 1), (0, 0)), constant_values=np.nan)
        cls.once = tables.Tables(
            arms={'plain': whole, 'a': patients(0.2), 'b': patients(0.3), 'c': patients(0.45)},
            controls={'again': patients(0.3)},
            sizes={20: np.maximum(whole, patients(0.2)), 80: whole * patients(0.6)},
            fewer={},
            squeezed=patients(0.15),
            references={'SVM': reference},
            train_size=40,
            columns=None,
        )
        cls.order = rng.permutation(320)
        cls.alone = ledger.figures(cls.once)
        cls.grouped = ledger.figures(cls.photographs(columns=np.repeat(np.arange(40), 8)[cls.order]))
        cls.naive = ledger.figures(cls.photographs(columns=None))

    @classmethod
    def photographs(cls, columns):
        """The tables with eight photographs a patient, in any order."""

        def seen(table):
            return np.repeat(table, 8, 1)[:, cls.order]

        every = {
            field: {name: seen(table) for name, table in getattr(cls.once, field).items()}
            for field in ('arms', 'controls', 'sizes', 'references')
        }
        return cls.once._replace(squeezed=seen(cls.once.squeezed), columns=columns, **every)

    def test_every_figure_is_that_of_the_patients(self):
        for name in self.alone._fields:
            with self.subTest(name):
                chex.assert_trees_all_close(getattr(self.grouped, name), getattr(self.alone, name), rtol=1e-6)

    def test_no_figure_is_that_of_as_many_patients_as_photographs(self):
        """What makes the test above one that can fail."""

        def uncertain(found):
            worths = [*found.worths, found.squeezed[2]]
            return {
                'errors': [one.high - one.low for one in found.errors],
                'differences': [one.high - one.low for one in found.differences],
                'controls': [one.high - one.low for one in found.controls[0]],
                'sizes': [one.high - one.low for one in found.sizes.values()],
                'squeezed': [one.high - one.low for one in found.squeezed[:2]],
                'references': [one.high - one.low for one in found.references['SVM']],
                'worths': [np.log(one.high / one.low) for one in worths],
                'detectable': [found.detectable],
            }

        naive = uncertain(self.naive)
        for name, widths in uncertain(self.grouped).items():
            for width, other in zip(widths, naive[name], strict=True):
                self.assertGreater(width, 1.2 * other, name)
        self.assertNotEqual(self.naive.near_best, self.grouped.near_best)


class RowsTest(absltest.TestCase):
    def test_a_row_says_what_is_known(self):
        facts = ledger.Facts('an arm', 'MLP', {'learning_rate': 0.25}, 4, 1200, 1, 3, 2.0)
        error = stats.interval(BETTER)
        plain = ledger.plain(facts, error)
        self.assertEqual((plain.technique, plain.recipe, plain.hyper), facts[:3])
        self.assertEqual((plain.trials, plain.member_steps, plain.test_error), (4, 1200, error))
        self.assertEqual((plain.diverged, plain.diverged_in_search, plain.cost), (1, 3, 2.0))
        self.assertEqual((plain.difference, plain.labels_worth, plain.verdict), (None, None, None))
        difference = stats.difference(BETTER, BASELINE)
        row = ledger.row(facts, error, difference, 1.0, near_best=True)
        self.assertEqual((row.difference, row.near_best), (difference, True))
        self.assertEqual(row.verdict, stats.verdict(difference, 1.0))


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
