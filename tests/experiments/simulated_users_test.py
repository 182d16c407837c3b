"""Simulated users: what they are given, what is true, and that nets go the study's own way."""

import numpy as np
from absl.testing import absltest, parameterized

from experiments import own_data, simulated_users
from overfit.study import measure, procedures, requests, search, stats, techniques
from overfit.study.course import Course
from tests import problems
from tests.study import tiny

BIG = problems.blobs(400, spread=1.5)
OWN, REST = simulated_users.draw(BIG, 60, 100, seed=1)


def _ask(mode, sets=5, controls=1):
    return simulated_users.ask(BIG, OWN, REST, mode, sets, controls, seed=3)


def _constants(labelled, x_test, seed):
    """One procedure says class 0, the other says 1; a third knows the nearest labelled example."""
    nearest = ((x_test[:, None] - labelled.x) ** 2).sum(-1).argmin(1)
    none = np.zeros(len(x_test), np.int64)
    return {'zero': none, 'one': none + 1, 'nearest': labelled.y[nearest].astype(np.int64)}


class DrawTest(absltest.TestCase):
    def test_apart(self):
        self.assertEqual((len(OWN), len(REST)), (60, 100))
        self.assertLen(set(OWN) | set(REST), 160)
        again = simulated_users.draw(BIG, 60, 100, seed=2)[0]
        self.assertNotEqual(set(OWN), set(again))

    def test_rare_class(self):
        y = np.repeat([0, 1, 2], [380, 10, 10]).astype(np.int32)
        with self.assertRaisesRegex(ValueError, 'train_size=60 holds too few of the rarest class'):
            simulated_users.draw(BIG._replace(y=y), 60, 100, seed=0)
        y = np.repeat([0, 1, 2], [340, 30, 30]).astype(np.int32)
        own, _ = simulated_users.draw(BIG._replace(y=y), 60, 100, seed=0)
        self.assertGreaterEqual(np.bincount(y[own]).min(), 5)

    def test_too_many(self):
        with self.assertRaisesRegex(ValueError, 'more than the 400 examples'):
            simulated_users.draw(BIG, 60, 341, seed=0)


class UserTest(parameterized.TestCase):
    @parameterized.parameters(('cross-fitted', 60, 48), ('holdout', 18, 42))
    def test_labelled_sets(self, mode, tested, labelled):
        asked = _ask(mode)
        self.assertEqual((asked.own, len(asked.everything)), (tested, tested + 100))
        rest = {row.tobytes() for row in BIG.x[REST]}
        for place in asked.places.measured:
            one = asked.sets[place]
            self.assertLen(one.labelled, labelled)
            shown = {row.tobytes() for row in asked.data.train.x[one.labelled]}
            self.assertEmpty(shown & {row.tobytes() for row in asked.everything.x[one.tested]})
            self.assertEqual({row.tobytes() for row in asked.everything.x[one.tested[-100:]]}, rest)
        final = asked.sets[asked.places.final]
        self.assertLen(final.labelled, 60 if mode == 'cross-fitted' else 42)

    @parameterized.parameters('cross-fitted', 'holdout')
    def test_truth(self, mode):
        asked = _ask(mode)
        seen = simulated_users.read(asked, simulated_users.with_functions(asked, _constants))
        self.assertEqual(seen.labels, ('zero', 'one', 'nearest', 'zero, tuned again (1)'))
        shares = 100 * np.bincount(BIG.y[REST]) / len(REST)
        np.testing.assert_allclose(seen.at_size[[0, 1, 3]], 100 - shares[[0, 1, 0]], rtol=1e-5)
        np.testing.assert_allclose(seen.final[:2], 100 - shares[:2], rtol=1e-5)
        own = 100 * np.bincount(asked.data.test.reveal()) / asked.own
        np.testing.assert_allclose(seen.differences[0].mean, own[0] - own[1], rtol=1e-5, atol=1e-5)
        self.assertEqual((seen.differences[2].mean, len(seen.differences)), (0.0, 3))
        self.assertAlmostEqual(seen.of_models[0].mean, 100 - own[0], places=4)
        # The nearest of all the user's examples, by hand.
        labelled = asked.data.train._replace(
            x=asked.data.train.x[asked.sets[asked.places.final].labelled],
            y=asked.data.train.y[asked.sets[asked.places.final].labelled],
        )
        predicted = _constants(labelled, BIG.x[REST], 0)['nearest']
        self.assertAlmostEqual(seen.final[2], 100 * (predicted != BIG.y[REST]).mean(), places=4)
        if mode == 'holdout':
            predicted = _constants(labelled, asked.data.test.x, 0)['nearest']
            wrong = predicted != asked.data.test.reveal()
            self.assertEqual(seen.of_models[2][1:3], stats.wilson(wrong))

    def test_scikit_learns(self):
        found = own_data.scikit(BIG._replace(x=BIG.x[OWN], y=BIG.y[OWN]), BIG.x[REST], 5)
        chance = (BIG.y[REST] != np.bincount(BIG.y[OWN]).argmax()).mean()
        for name, predicted in found.items():
            self.assertLess((predicted != BIG.y[REST]).mean(), 0.8 * chance, name)

    def test_nets_go_the_way_of_a_study(self):
        asked = _ask('cross-fitted')
        wanted = requests.Request(baseline=tiny.BASELINE, minutes=0.1, trials=1, seed=3)
        chosen = [techniques.dropout]
        mistakes = simulated_users.with_nets(asked, chosen, wanted, squeezed=True)
        dropout = techniques.dropout.label
        self.assertEqual(list(mistakes.tables), ['tuned baseline', dropout, 'squeezed'])
        self.assertEqual(list(mistakes.final), list(mistakes.tables))
        design = requests.prepare(asked.data, wanted._replace(techniques=chosen, labelled_sets=5)).design
        sets = [one._replace(tested=one.tested[:-100]) for one in asked.sets[:5]]
        course = Course(asked.data.train, sets, design.plan.protocol, asked.data.test.x)
        [tuned] = search.search(course, design.arms[1:2], range(5))
        outcomes = procedures.outcomes(course, tuned)
        table = measure.mistakes(outcomes, sets, asked.data.test)
        np.testing.assert_array_equal(mistakes.tables[dropout][:, :60], table)
        self.assertFalse(np.isnan(mistakes.tables[dropout][:, 60:]).any())
        self.assertTrue(np.isnan(mistakes.final[dropout][:, :60]).all())
        seen = simulated_users.read(asked, mistakes)
        self.assertEqual(seen.labels[2:], ('squeezed', f'tuned baseline{simulated_users.CONTROL} (1)'))
        self.assertLen(seen.differences, 3)
        self.assertLen(seen.of_models, 3)
        again = 100 * mistakes.controls[seen.labels[3]][:, 60:].mean()
        self.assertAlmostEqual(seen.at_size[3], again, places=4)


if __name__ == '__main__':
    absltest.main()
