"""A study trains the nets and steps that its plan says; `tiny.run` holds that phases run in its order."""

import chex

from overfit.study import techniques
from tests.study import tiny


class PlannedTest(chex.TestCase):
    """A study trains what its plan says; that phases run in its order `tiny.run` holds."""

    def test_nets_are_those_of_the_plan_but_for_what_combining_may_skip(self):
        ran, plan = tiny.ran(), tiny.ran().study.design.plan
        race = 2 * 1 + 1 * 1  # two settings on one fold, the better one on another
        # One search for baseline, refit and average; four more. Refits of two folds; an average's third net.
        self.assertEqual(ran.nets['tuning'], 3 * (5 * race + 2 + 1))
        self.assertEqual(ran.nets['checking'], 3 * race * (2 + 2))  # controls, sizes
        self.assertEqual(ran.nets['final'], 3 * 2 + 2)  # refits, and those of the model again
        self.assertBetween(ran.nets['combining'], 0, 3 * 2)
        self.assertBetween(plan.nets, sum(ran.nets.values()), 1.3 * sum(ran.nets.values()))

    def test_steps_are_those_of_the_plan_but_for_refits_and_combining(self):
        ran, plan = tiny.ran(), tiny.ran().study.design.plan
        self.assertEqual(ran.steps['checking'], plan.member_steps['checking'])
        refitted = 3 * 2 * plan.protocol.steps  # planned for the refit's nets, which stop earlier or later
        planned = plan.member_steps['tuning']
        self.assertBetween(ran.steps['tuning'], planned - 2 * refitted, planned + refitted)
        self.assertLessEqual(ran.steps['combining'], plan.member_steps['combining'])
        self.assertLessEqual(ran.steps['final'], plan.member_steps['final'] + 10 * ran.nets['final'])

    def test_member_steps_of_the_rows_are_those_of_their_nets(self):
        rows = {row.technique: row for row in tiny.ran().found.results.arms}
        searched = 3 * 3 * 60  # sets, nets, steps
        self.assertEqual(rows['dropout'].member_steps, searched)
        self.assertEqual(rows['twice the steps'].member_steps, 2 * searched)
        self.assertGreaterEqual(rows[tiny.LAST.label].member_steps, searched + 3 * 60)
        self.assertGreater(rows[techniques.refit.label].member_steps, searched)
