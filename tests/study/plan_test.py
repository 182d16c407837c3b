"""The plan: what a budget buys, and what it says when it buys less."""

import re

import chex
import numpy as np
from absl.testing import parameterized

from overfit.data import kinds, splits
from overfit.study import baselines, costs, plan, race, references, techniques
from overfit.study.arms import arm_of
from tests import problems
from tests.study import tiny

POOL = problems.blobs(400, spread=1.0)
BASELINE = baselines.baseline(baselines.mlp(3), kinds.vector)
APPLICABLE = [t for t in techniques.STANDARD if t.applies(BASELINE.recipe, kinds.vector)]
ARMS = tuple(arm_of(one, BASELINE) for one in [(), *((technique,) for technique in APPLICABLE)])
TEXTBOOK = arm_of(baselines.TEXTBOOK, BASELINE)


def make(budget=5.0, pool=POOL, arms=ARMS, textbook=TEXTBOOK, trials=None, labelled_sets=None, **changes):
    given = {'train_size': 90, 'tests': 300, 'cross_fitted': False, 'validation': 0.2} | changes
    task = plan.Task(pool, arms, textbook, **given)
    return plan.make(task, minutes=budget, trials=trials, labelled_sets=labelled_sets)


def arms_of(*chosen):
    return [arm_of(one, tiny.BASELINE) for one in ((), *((technique,) for technique in chosen))]


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

    def test_a_need_that_rounds_to_the_budget(self):
        needed = sum(make(0.01).seconds.values()) / 60
        for budget, words in ((needed - 1e-6, 'a little more than the'), (needed - 0.2, 'about ')):
            [line] = [line for line in make(budget).cut if 'even so' in line]
            self.assertStartsWith(line, f'even so {words}')
            self.assertIn(f'more than the {budget:g} allowed', line)

    def test_references_do_not_eat_the_budget(self):
        many = problems.blobs(20_000, spread=1.0)
        made = make(5, many, ARMS[:2], train_size=20_000)
        known = references.names(kinds.vector, many.x.shape[1:])
        missing = set(known) - set(made.references)
        self.assertTrue(missing)
        [line] = [line for line in made.cut if 'references' in line]
        for name in missing:
            self.assertIn(name, line)
        others = sum(seconds for phase, seconds in made.seconds.items() if phase != 'references')
        self.assertLessEqual(made.seconds['references'], max(30, 0.2 * others) + costs.LOADING)
        small = make(20)
        self.assertEqual((small.references, small.reference_sets), (known, small.level.sets))

    def test_it_says_what_was_cut(self):
        made, usual = make(0.1), plan.STANDARD
        for what, field in (('settings an arm', 'trials'), ('labelled sets', 'sets'), ('epochs', 'epochs')):
            have, standard = getattr(made.level, field), getattr(usual, field)
            self.assertLess(have, standard)
            (line,) = [line for line in made.cut if re.search(rf'\b{what}\b', line) and 'instead' in line]
            self.assertIn(f'{have} ', line)
            self.assertIn(f'instead of {standard}', line)
        self.assertEqual([line for line in make(600).cut if 'instead' in line], [])

    def test_what_the_user_fixes_stays(self):
        made = make(1.0, trials=7, labelled_sets=9)
        self.assertEqual((made.protocol.trials, made.level.sets), (7, 9))
        self.assertEqual(make(60.0, trials=1).protocol.trials, 1)

    @parameterized.parameters((0.1, 0.1), (0.3, 5), (0.25, 60))
    def test_the_protocol_can_be_carried_out(self, validation, budget):
        made = make(budget, validation=validation)
        protocol = made.protocol
        self.assertEqual((protocol.train_size, protocol.validation), (90, validation))
        self.assertEqual(protocol.steps % protocol.eval_every, 0)
        self.assertGreaterEqual(protocol.steps, protocol.eval_every)
        self.assertBetween(protocol.folds, 1, round(1 / validation))
        self.assertIn(90, made.sizes)
        self.assertEqual(list(made.sizes), sorted(set(made.sizes)))
        self.assertLessEqual(made.sizes[-1], len(POOL.y))
        self.assertGreater(len(made.sizes), 2)
        for size in made.sizes:
            most = min(round(1 / validation), np.bincount(POOL.y[:size]).min())
            for train, held in splits.folds(POOL.y[:size], most, seed=0):
                self.assertLessEqual(len(train), protocol.capacity[0])
                self.assertLessEqual(len(held), protocol.capacity[1])

    def test_sizes_and_where_they_are_read_downwards(self):
        self.assertEqual(make().sizes, (22, 45, 90, 180, 360))
        self.assertEqual(make().fewer, ())
        crossed = make(cross_fitted=True, train_size=320, tests=400)
        self.assertEqual((crossed.sizes, crossed.fewer), ((80, 160, 320), (80, 160)))
        self.assertGreaterEqual(crossed.protocol.capacity[0], 400)  # the last model has all examples
        self.assertEqual(make(train_size=400).fewer, (100, 200))

    def test_phases_and_costs(self):
        made = make()
        phases = ['tuning', 'checking', 'combining', 'final', 'references']
        self.assertEqual(list(made.seconds), phases)
        self.assertEqual(list(made.member_steps), phases[:-1])
        self.assertTrue(all(np.isfinite(s) and s > 0 for s in made.seconds.values()))
        for phase, seconds in made.compiling.items():
            self.assertBetween(seconds, 0, made.seconds[phase])
        self.assertGreater(made.megabytes, 0)
        distinct = {arm.recipe._replace(start=None) for arm in ARMS}
        self.assertEqual(made.programs, len(distinct))

    def test_shared_searches_are_counted_once_and_longer_ones_longer(self):
        arms = arms_of(techniques.refit, tiny.ENSEMBLE, techniques.longer, techniques.last_weights)
        made = make(20, tiny.POOL, arms, arms[0], train_size=30, trials=4, labelled_sets=5)
        protocol, sets = made.protocol, 5
        nets = race.nets(4, protocol.folds) * sets
        # The baseline's search serves refit and average, which add nets of their own.
        lengths = nets * (1 + 2 + 1) + sets * (protocol.folds + 5)
        self.assertEqual(made.member_steps['tuning'], lengths * protocol.steps)
        another = make(
            20, tiny.POOL, arms, arms[0], train_size=30, trials=4, labelled_sets=5, cross_fitted=True
        )
        more = race.nets(4, protocol.folds) * 4 * protocol.steps  # the set of the last model
        self.assertEqual(another.member_steps['tuning'] - made.member_steps['tuning'], more)

    def test_what_no_technique_asks_for_is_not_planned(self):
        def final(*chosen):
            arms = arms_of(*chosen)
            return make(60, tiny.POOL, arms, arms[0], train_size=30, labelled_sets=4)

        alone, several = final(techniques.l2), final(techniques.l2, tiny.ENSEMBLE)
        self.assertGreater(several.level.nets, 1)
        steps = 5 * alone.protocol.steps  # four labelled sets and the model itself
        self.assertEqual(alone.member_steps['final'], alone.protocol.folds * steps)
        self.assertEqual(several.member_steps['final'], several.level.nets * steps)

    def test_without_a_budget_the_standard_effort_unless_that_takes_long(self):
        made = make(None)
        self.assertEqual(made.level, plan.STANDARD)
        self.assertEqual(made.cut, ())
        many = problems.blobs(20_000, spread=1.0)
        large = make(None, many, train_size=20_000)
        self.assertTrue(large.cut)
        for field in plan.Level._fields:
            self.assertLessEqual(getattr(large.level, field), getattr(plan.STANDARD, field))

    def test_fewer_comparisons_and_more_examples_find_smaller_differences(self):
        self.assertGreater(plan.detectable(5, 90, 38), plan.detectable(10, 90, 38))
        self.assertGreater(plan.detectable(10, 90, 38), plan.detectable(10, 800, 38))
        self.assertGreater(plan.detectable(10, 800, 38), plan.detectable(10, 800, 2))
