"""The plan: what a budget buys, and what it says when it buys less."""

import re

import chex
import numpy as np
from absl.testing import parameterized

from overfit.data import kinds
from overfit.study import baselines, measure, plan, search, techniques
from overfit.study.arms import arm_of
from tests import problems
from tests.study import tiny

POOL = problems.blobs(400, spread=1.0)
BASELINE = baselines.baseline(baselines.mlp(3), kinds.vector)
APPLICABLE = [t for t in techniques.STANDARD if t.applies(BASELINE.recipe, kinds.vector)]
ARMS = tuple(arm_of(one, BASELINE) for one in [(), *((technique,) for technique in APPLICABLE)])
TEXTBOOK = arm_of(baselines.TEXTBOOK, BASELINE)


def make(budget=5.0, pool=POOL, arms=ARMS, textbook=TEXTBOOK, **changes):
    options = {'train_size': 90, 'validation': 0.2, 'seed': 0} | changes
    return plan.make(pool, arms, textbook, minutes=budget, **options)


class PlanTest(chex.TestCase):
    def test_the_same_request_the_same_plan(self):
        self.assertEqual(make(), make())

    def test_more_minutes_never_buy_less(self):
        plans = [make(budget) for budget in (0.1, 0.5, 1, 2, 4, 8, 16, 60, 600)]
        for less, more in zip(plans, plans[1:], strict=False):
            for field in plan.Level._fields:
                self.assertLessEqual(getattr(less.level, field), getattr(more.level, field))
            self.assertLessEqual(sum(less.seconds.values()), sum(more.seconds.values()))
            self.assertLessEqual(sum(less.member_steps.values()), sum(more.member_steps.values()))
        self.assertLess(plans[0].nets, plans[-1].nets)

    def test_it_fits_or_says_that_it_does_not(self):
        for budget in (0.1, 2, 20):
            made = make(budget)
            over = sum(made.seconds.values()) > 60 * budget
            self.assertEqual(over, any(f'more than the {budget:g} allowed' in line for line in made.cut))
        self.assertTrue(make(0.1).cut)

    def test_references_do_not_eat_the_budget(self):
        many = problems.blobs(20_000, spread=1.0)
        made = make(5, many, ARMS[:2], train_size=20_000)
        self.assertEqual(made.reference_replicates, 0)
        self.assertLess(made.seconds['references'], 60)
        self.assertTrue(any('no references' in line for line in made.cut))
        self.assertEqual(make(20).reference_replicates, make(20).protocol.replicates)

    def test_it_says_what_was_cut(self):
        made, usual = make(0.1), plan.STANDARD
        for what, field in (('trials', 'trials'), ('replicates', 'replicates'), ('epochs', 'epochs')):
            have, standard = getattr(made.level, field), getattr(usual, field)
            self.assertLess(have, standard)
            (line,) = [line for line in made.cut if re.search(rf'\b{what}\b', line) and 'instead' in line]
            self.assertIn(f'{have} ', line)
            self.assertIn(f'instead of {standard}', line)
        self.assertEqual([line for line in make(600).cut if 'instead' in line], [])

    def test_what_the_user_fixes_stays(self):
        made = make(1.0, trials=7, replicates=9)
        self.assertEqual((made.protocol.trials, made.protocol.replicates), (7, 9))
        self.assertEqual(make(60.0, trials=1).protocol.trials, 1)

    @parameterized.parameters((0.1, 0.1), (0.3, 5), (0.25, 60))
    def test_the_protocol_can_be_carried_out(self, validation, budget):
        made = make(budget, validation=validation)
        protocol = made.protocol
        self.assertEqual((protocol.train_size, protocol.validation, protocol.seed), (90, validation, 0))
        self.assertEqual(protocol.steps % protocol.eval_every, 0)
        self.assertGreaterEqual(protocol.steps, protocol.eval_every)
        self.assertBetween(protocol.folds, 2, round(1 / validation))
        self.assertIn(90, made.sizes)
        self.assertEqual(list(made.sizes), sorted(set(made.sizes)))
        self.assertLessEqual(made.sizes[-1], len(POOL.y))
        self.assertGreater(len(made.sizes), 2)
        for size in made.sizes:
            drawn = measure.replicate(POOL, size, protocol, 0)
            for net in measure.members_of(tuned(ARMS[0]), drawn, POOL.y, protocol):
                self.assertLessEqual(len(net.train), protocol.capacity[0])
                self.assertLessEqual(len(net.validation), protocol.capacity[1])

    def test_phases_and_costs(self):
        made = make()
        phases = ['tuning', 'combining', 'measuring', 'final', 'references']
        self.assertEqual(list(made.seconds), phases)
        self.assertEqual(list(made.member_steps), phases[:-1])
        self.assertTrue(all(np.isfinite(s) and s > 0 for s in made.seconds.values()))
        self.assertGreater(made.megabytes, 0)
        distinct = {arm.recipe._replace(start=None) for arm in ARMS}
        self.assertEqual(made.programs, len(distinct))

    def test_planned_steps_are_the_steps_taken(self):
        pool, arms = tiny.POOL, tiny.ARMS[:3]
        made = make(0.1, pool, arms, arms[1], train_size=30, trials=2)
        found = search.search(arms, pool, tiny.LABELLED, made.protocol)
        self.assertEqual(sum(t.member_steps for t in found), made.member_steps['tuning'])

    def test_shared_searches_are_counted_once_and_longer_ones_longer(self):
        chosen = (techniques.refit, tiny.ENSEMBLE, techniques.longer, techniques.last_weights)
        arms = [arm_of(one, tiny.BASELINE) for one in ((), *((t,) for t in chosen))]
        made = make(0.1, tiny.POOL, arms, arms[0], train_size=30, trials=3)
        told = []
        search.search(
            arms, tiny.POOL, tiny.LABELLED, made.protocol, progress=lambda *amounts: told.append(amounts)
        )
        self.assertEqual(np.sum(told, axis=0)[0], made.member_steps['tuning'])
        self.assertEqual(made.member_steps['tuning'] % made.protocol.steps, 0)

    def test_what_no_technique_asks_for_is_not_planned(self):
        def final(*chosen):
            arms = [arm_of(one, tiny.BASELINE) for one in ((), *((t,) for t in chosen))]
            return make(60, tiny.POOL, arms, arms[0], train_size=30, replicates=4)

        alone, several = final(techniques.l2), final(techniques.l2, tiny.ENSEMBLE)
        self.assertGreater(several.level.nets, 1)
        steps = 5 * alone.protocol.steps  # four replicates and the model itself
        self.assertEqual(alone.member_steps['final'], steps)
        self.assertEqual(several.member_steps['final'], several.level.nets * steps)
        self.assertEqual(final(techniques.refit).member_steps['final'], round(steps / 0.8))

    def test_without_a_budget_the_standard_effort_unless_that_takes_long(self):
        made = make(None)
        self.assertEqual(made.level, plan.STANDARD)
        self.assertEqual(made.cut, ())
        many = problems.blobs(20_000, spread=1.0)
        large = make(None, many, train_size=20_000)
        self.assertTrue(large.cut)
        for field in plan.Level._fields:
            self.assertLessEqual(getattr(large.level, field), getattr(plan.STANDARD, field))


def tuned(arm):
    return search.Tuned(arm, None, (0.1,), 0.1, 20, 3, 100, 0)
