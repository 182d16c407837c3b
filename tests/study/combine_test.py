"""Combining: on validation alone, never worse than its parts, one technique of a kind."""

import chex

from overfit.study import combine, search, techniques
from tests.study import tiny

KEYS = ('dropout', 'input_dropout', 'l2', 'momentum', 'label_smoothing', 'refit', 'last_weights')
ARMS = tuple(search.arm_of(keys, tiny.RECIPE) for keys in [(), *((key,) for key in KEYS)])
PROTOCOL = tiny.PROTOCOL._replace(trials=2, folds=2)


class CombineTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tuned = search.search(ARMS, tiny.POOL, tiny.LABELLED, PROTOCOL)
        cls.said = []
        cls.found = cls.combine(combine.Effort(4, 2), cls.said)

    @classmethod
    def combine(cls, effort, said):
        baseline, *single = cls.tuned
        return combine.combine(
            single, baseline, tiny.RECIPE, tiny.POOL, tiny.LABELLED, PROTOCOL, effort, said=said.append
        )

    def test_it_is_never_worse_on_validation_than_its_parts(self):
        eligible = [t for t in self.tuned if t.arm.restore_best and not t.arm.refit]
        self.assertLessEqual(self.found.score, min(t.score for t in eligible))

    def test_one_technique_of_a_kind_and_none_that_validation_cannot_judge(self):
        groups = [techniques.TECHNIQUES[key].group for key in self.found.arm.keys]
        self.assertLen(set(groups), len(groups))
        self.assertEqual(set(self.found.arm.keys) - set(KEYS[:-2]), set())

    def test_it_is_what_its_keys_say(self):
        arm = search.arm_of(self.found.arm.keys, tiny.RECIPE)
        self.assertEqual(self.found.arm, arm)
        given = {f for f, v in self.found.hyper._asdict().items() if v}
        self.assertContainsSubset({'learning_rate', 'steps'}, given)
        self.assertContainsSubset(given - {'steps'}, set(arm.space))
        again = search.evaluate([arm], [[self.found.hyper]], tiny.POOL, tiny.LABELLED, PROTOCOL)[0]
        self.assertAlmostEqual(again.score, self.found.score, places=4)

    def test_again_it_finds_the_same_and_says_the_same(self):
        said = []
        self.assertEqual(self.combine(combine.Effort(4, 2), said), self.found)
        self.assertEqual(said, self.said)
        self.assertTrue(said)
