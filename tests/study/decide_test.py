"""Deciding: what validation cannot judge is put on last, and nothing measured is waited for."""

import chex
from absl.testing import parameterized

from overfit import base
from overfit.study import combine, decide, plan, search, techniques
from overfit.study.arms import arm_of
from overfit.study.progress import Progress
from overfit.study.requests import Design
from tests.study import tiny

DROPOUT, L2 = techniques.dropout, techniques.l2


def design(*chosen, textbook=()):
    arms = tuple(arm_of(one, tiny.BASELINE) for one in ((), *((technique,) for technique in chosen)))
    made = plan.make(
        tiny.POOL, arms, arms[0], train_size=30, validation=0.2, minutes=0.1, seed=5, trials=2, replicates=3
    )
    level = made.level._replace(tries=2, try_trials=2, nets=3)
    return Design(
        tiny.BASELINE, arms, textbook, tiny.LABELLED, made._replace(protocol=tiny.PROTOCOL, level=level)
    )


def combined(*chosen):
    hyper = base.Hyper.of(learning_rate=0.1, steps=40.0)
    return search.Tuned(arm_of(chosen, tiny.BASELINE), hyper, (0.1, 0.2), 0.15, 20, 4, 100, 0)


class FinishTest(chex.TestCase):
    @parameterized.parameters(
        ((DROPOUT,), 3, 1, False),
        ((DROPOUT, techniques.refit), 3, 1, True),
        ((tiny.ENSEMBLE,), 3, 3, False),
        ((tiny.ENSEMBLE, techniques.refit), 4, 4, True),
        ((tiny.ENSEMBLE, techniques.ensemble(8), techniques.refit), 2, 2, True),
        ((tiny.ENSEMBLE,), 1, 1, False),
        ((techniques.last_weights,), 3, 1, False),
    )
    def test_only_techniques_that_were_compared_are_put_on(self, compared, nets, wanted, refit):
        start = combined(DROPOUT, L2)
        found = decide.finish(start, nets, design(*compared))
        self.assertEqual((found.arm.nets, found.arm.refit, found.arm.restore_best), (wanted, refit, True))
        self.assertEqual(found.arm.techniques[:2], (DROPOUT, L2))
        self.assertEqual(found.arm.recipe, start.arm.recipe)
        self.assertEqual(found._replace(arm=None), start._replace(arm=None))

    def test_a_refit_of_your_own_is_taken_once(self):
        own = techniques.refit._replace(label='all labels')
        found = decide.last_techniques(design(own, techniques.refit).arms, 1)
        self.assertEqual([technique.label for technique in found], ['all labels'])


class DecideTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.design = design(DROPOUT, L2, techniques.refit, tiny.ENSEMBLE, textbook=(DROPOUT, L2))
        progress = Progress(cls.design.plan.seconds, quiet=True)
        try:
            cls.found = decide.decide(tiny.POOL, cls.design, progress)
        finally:
            progress.close()

    def test_arms_are_those_of_the_search(self):
        wanted = search.search(self.design.arms, tiny.POOL, tiny.LABELLED, tiny.PROTOCOL)
        self.assertEqual(list(self.found.tuned), wanted)

    def test_the_combination_is_finished(self):
        wanted = combine.combine(
            self.found.tuned,
            tiny.BASELINE,
            (DROPOUT, L2),
            tiny.POOL,
            tiny.LABELLED,
            tiny.PROTOCOL,
            combine.Effort(2, 2),
        )
        squeezed = self.found.squeezed
        self.assertEqual(
            squeezed.arm.techniques, (*wanted.arm.techniques, techniques.refit, techniques.ensemble(3))
        )
        self.assertEqual((squeezed.hyper, squeezed.fold_scores), (wanted.hyper, wanted.fold_scores))
        self.assertEqual((squeezed.arm.nets, squeezed.arm.refit), (3, True))
