"""Measuring: pairs, nests, and errors counted again by hand."""

import chex
import jax
import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import measure, search
from overfit.study.protocol import seed_of
from tests import problems
from tests.study import tiny

TEST = problems.blobs(50, spread=1.0, seed=8)
HOLDOUT = splits.Holdout(TEST.x, TEST.y)
SIZES = (12, 30, 60)


def tuned(arm, **numbers):
    hyper = base.Hyper.of(**{'learning_rate': 0.1, 'steps': 40.0} | numbers)
    return search.Tuned(arm, hyper, (0.1,), 0.1, 20, 3, 100, 0)


PLAIN, L2, DROPOUT, ENSEMBLE, REFIT = (
    tuned(arm, **numbers)
    for arm, numbers in zip(tiny.ARMS, ({}, {'l2': 0.01}, {'dropout': 0.3}, {}, {}), strict=True)
)


class ReplicateTest(chex.TestCase):
    def test_subsets_are_nested_stratified_and_fresh(self):
        seen = set()
        for number in range(4):
            small, middle, large = (
                measure.replicate(tiny.POOL, size, tiny.PROTOCOL, number) for size in SIZES
            )
            self.assertLess(set(small.labelled), set(middle.labelled))
            self.assertLess(set(middle.labelled), set(large.labelled))
            self.assertEqual({small.seed, middle.seed}, {large.seed})
            for drawn, size in zip((small, middle, large), SIZES, strict=True):
                self.assertLen(set(drawn.labelled.tolist()), size)
                np.testing.assert_array_equal(np.bincount(tiny.POOL.y[drawn.labelled]), [size // 3] * 3)
            seen |= {small.seed, tuple(middle.labelled)}
        self.assertLen(seen, 8)
        searched = {seed_of(tiny.PROTOCOL.seed, 'search', n) for n in range(100)}
        self.assertEqual(seen & searched, set())

    def test_another_study_draws_others(self):
        other = tiny.PROTOCOL._replace(seed=6)
        first, second = (measure.replicate(tiny.POOL, 30, p, 0) for p in (tiny.PROTOCOL, other))
        self.assertNotEqual(set(first.labelled), set(second.labelled))
        self.assertNotEqual(first.seed, second.seed)


class MembersTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.drawn = measure.replicate(tiny.POOL, 30, tiny.PROTOCOL, 2)

    def members(self, one):
        return measure.members_of(one, self.drawn, tiny.POOL.y, tiny.PROTOCOL)

    def test_arms_are_paired(self):
        plain, l2, dropout, ensemble = (self.members(one)[0] for one in (PLAIN, L2, DROPOUT, ENSEMBLE))
        for other in (l2, dropout, ensemble):
            self.assertEqual(other.seed, plain.seed)
            np.testing.assert_array_equal(other.train, plain.train)
            np.testing.assert_array_equal(other.validation, plain.validation)
        self.assertEqual((l2.hyper.l2, dropout.hyper.dropout, plain.hyper.l2), (0.01, 0.3, None))

    def test_labels_are_split_and_none_is_lost(self):
        (plain,) = self.members(PLAIN)
        self.assertLen(plain.train, 24)
        self.assertLen(plain.validation, 6)
        self.assertEqual({*plain.train, *plain.validation}, set(self.drawn.labelled))

    def test_refit_takes_every_label_for_the_chosen_time(self):
        (refit,) = self.members(REFIT)
        self.assertEqual(set(refit.train), set(self.drawn.labelled))
        self.assertEqual((len(refit.train), len(refit.validation)), (30, 0))
        self.assertAlmostEqual(refit.stop_at, 30 / 24 * 20)
        self.assertAlmostEqual(refit.hyper.steps, 30 / 24 * 40)
        self.assertEqual(refit.seed, self.members(PLAIN)[0].seed)

    def test_nets_of_an_ensemble_differ(self):
        nets = self.members(ENSEMBLE)
        self.assertLen({net.seed for net in nets}, 5)
        self.assertLen({tuple(sorted(net.validation)) for net in nets}, 5)
        for net in nets:
            self.assertEqual({*net.train, *net.validation}, set(self.drawn.labelled))


class MeasureTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        arms = [PLAIN, ENSEMBLE, REFIT]
        cls.told = []
        cls.found = measure.measure(
            arms, tiny.POOL, HOLDOUT, tiny.PROTOCOL, progress=lambda *amounts: cls.told.append(amounts)
        )

    def test_mistakes_are_those_of_the_members(self):
        for one, found in zip((PLAIN, ENSEMBLE, REFIT), self.found, strict=True):
            self.assertEqual(found.wrong.shape, (4, 50))
            for number in range(4):
                drawn = measure.replicate(tiny.POOL, 30, tiny.PROTOCOL, number)
                total = 0
                for net in tiny.train(measure.members_of(one, drawn, tiny.POOL.y, tiny.PROTOCOL)):
                    x = (TEST.x - net.inputs.mean) / net.inputs.scale
                    logits = tiny.RECIPE.model.apply(net.variables, x, train=False).logits
                    total += jax.nn.softmax(logits) / one.arm.nets
                np.testing.assert_array_equal(found.wrong[number], np.argmax(total, -1) != TEST.y)
        self.assertLess(self.found[0].wrong.mean(), 0.5)
        self.assertTrue((self.found[0].wrong != self.found[1].wrong).any())

    def test_what_it_took(self):
        plain, ensemble, refit = self.found
        self.assertEqual(plain.member_steps, 4 * 40)
        self.assertEqual(ensemble.member_steps, 5 * 4 * 40)
        self.assertEqual(refit.member_steps, 4 * 30)  # 25 rounded up to an evaluation
        self.assertEqual([plain.diverged, ensemble.diverged], [0, 0])
        amounts, members = np.sum(self.told, axis=0)
        self.assertEqual(amounts, sum(found.member_steps for found in self.found))
        self.assertEqual(members, 4 + 20 + 4)

    def test_curves_begin_together(self):
        plain, _, refit = self.found
        self.assertEqual(plain.curve.shape, (4, 4, 5))
        np.testing.assert_array_equal(plain.curve[:, :, 0], [[10, 20, 30, 40]] * 4)
        self.assertEqual(refit.curve.shape[:2], (4, 3))

    def test_sizes_of_its_own_for_every_arm(self):
        found = measure.measure([PLAIN] * 2, tiny.POOL, HOLDOUT, tiny.PROTOCOL, sizes=[30, 12])
        np.testing.assert_array_equal(found[0].wrong, self.found[0].wrong)
        self.assertTrue((found[1].wrong != found[0].wrong).any())
