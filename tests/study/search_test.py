"""The search: equal budgets, anew on every labelled set, its choice recomputed setting by setting."""

import chex
import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import combine, protocol, search, spaces, techniques
from overfit.study.arms import arm_of
from overfit.train.engine import population
from tests.study import tiny

PLACES = range(3)


def close(one, other, test):
    """That two tuned arms are the same but for the order of sums."""
    for field in ('hyper', 'trials', 'member_steps', 'diverged', 'refit_step'):
        test.assertEqual(getattr(one, field), getattr(other, field), field)
    np.testing.assert_allclose(one.fold_scores, other.fold_scores, atol=1e-5)
    np.testing.assert_allclose(one.error, other.error, atol=1e-6)


def last_good(curves, held):
    """The last step whose error is at most half a standard error above that of the best, one by one."""
    rows = [
        tuple(sum(column) / len(curves) for column in zip(*at, strict=True))
        for at in zip(*curves, strict=True)
    ]
    best = min(rows, key=lambda row: row[4] + 1e-3 * row[3])
    share = (best[4] * held + 1) / (held + 2)
    return max(row[0] for row in rows if row[4] <= best[4] + (share * (1 - share) / held) ** 0.5 / 2)


class SearchTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.course, cls.told = tiny.course(), []
        cls.found = search.search(
            cls.course, tiny.ARMS, PLACES, tell=lambda arm, tuned: cls.told.append((arm, tuned))
        )

    def flat(self):
        return [one for of_arm in self.found for one in of_arm]

    def test_every_arm_has_the_same_budget_on_every_set(self):
        self.assertEqual([[one.arm for one in of_arm] for of_arm in self.found], [[a] * 3 for a in tiny.ARMS])
        self.assertEqual([[one.place for one in of_arm] for of_arm in self.found], [[0, 1, 2]] * 5)
        self.assertEqual({one.trials for one in self.flat()}, {tiny.PROTOCOL.trials})
        nets = 3 * 1 + 2 * 2  # 3 settings on one fold, the better 2 on two more
        self.assertEqual({one.member_steps for one in self.flat()}, {nets * tiny.PROTOCOL.steps})
        self.assertEqual({one.diverged for one in self.flat()}, {0})
        self.assertEqual({len(one.fold_scores) for one in self.flat()}, {3})

    def test_settings_come_from_the_arms_own_space(self):
        for one in self.flat():
            given = one.hyper.numbers()
            self.assertEqual(set(given), {'steps', *one.arm.space})
            self.assertEqual(given['steps'], tiny.PROTOCOL.steps)
            for field, wanted in one.arm.space.items():
                if isinstance(wanted, spaces.Range):
                    self.assertBetween(given[field], wanted.low, wanted.high)
                else:
                    self.assertEqual(given[field], wanted)

    def test_every_set_tries_its_own_and_all_arms_the_same_on_one_set(self):
        def rates(arm, place):
            return tuple(one.learning_rate for one in search.settings(arm, self.course, place))

        for place in PLACES:
            self.assertLen({rates(arm, place) for arm in tiny.ARMS}, 1)
        self.assertLen({rates(tiny.ARMS[0], place) for place in PLACES}, 3)
        again = tiny.course([one.again(0) for one in tiny.SETS])
        self.assertNotEqual(
            search.settings(tiny.ARMS[0], again, 0), search.settings(tiny.ARMS[0], self.course, 0)
        )
        larger = tiny.course([tiny.SETS[0]._replace(labelled=np.arange(72))])
        longer = search.settings(tiny.ARMS[1], larger, 0)
        self.assertEqual({one.steps for one in longer}, {40.0 * 72 / 30})

    def test_the_choice_is_the_winner_of_the_race(self):
        for number, place in ((0, 0), (0, 2), (2, 1), (2, 2)):
            one, drawn_from = self.found[number][place], tiny.SETS[place]
            labelled, seed = drawn_from.labelled, protocol.seed_of
            folds = splits.folds(tiny.POOL.y[labelled], 5, seed=seed(drawn_from.seed, 'folds'))
            tried = spaces.trials(one.arm.space, 3, seed=seed(drawn_from.seed, 'settings'))
            members = [
                population.Member(
                    one.arm.recipe,
                    base.Hyper.of(steps=40.0, **values),
                    seed(drawn_from.seed, 'net', net),
                    labelled[train],
                    labelled[held],
                    one.arm.restore_best,
                )
                for values in tried
                for net, (train, held) in enumerate(folds[:3])
            ]
            trained = tiny.train(members)
            trained = [trained[3 * setting : 3 * setting + 3] for setting in range(3)]
            scores = np.array([[t.error + t.loss for t in group] for group in trained])
            going_on = np.argsort(scores[:, 0])[:2]
            best = going_on[scores[going_on].mean(1).argmin()]
            np.testing.assert_allclose(one.fold_scores, scores[best], atol=1e-5)
            np.testing.assert_allclose(one.score, scores[best].mean(), atol=1e-5)
            np.testing.assert_allclose(one.error, np.mean([t.error for t in trained[best]]), atol=1e-6)
            self.assertAlmostEqual(one.hyper.learning_rate, tried[best]['learning_rate'])
            held = sum(len(held) for _, held in folds[:3])
            self.assertEqual(one.refit_step, last_good([t.curve for t in trained[best]], held))

    def test_the_nets_of_the_chosen_setting_have_predicted_and_lost_their_weights(self):
        for one in self.flat():
            self.assertEqual([run.net for run in one.runs], [0, 1, 2])
            self.assertEqual({(run.hyper, run.place, run.stop_at) for run in one.runs}, {
                (one.hyper, one.place, None)
            })  # fmt: skip
            self.assertEqual(self.course.probabilities(one.runs).shape, (3, 80, 3))
            self.assertEqual({net.variables for net in self.course.results(one.runs)}, {None})

    def test_an_arm_behind_on_the_first_folds_goes_no_further(self):
        arm, good = tiny.ARMS[0], base.Hyper.of(learning_rate=0.1, steps=20.0)
        [plain] = search.judge(self.course, [search.Entry(arm, (good,), 1)])
        self.assertLen(plain.fold_scores, 3)
        settings = (good, good._replace(learning_rate=0.09))
        for rival, folds in ((0.0, 1), (9.0, 3)):
            beat = plain._replace(fold_scores=(rival, rival, rival))
            [found] = search.judge(self.course, [search.Entry(arm, settings, 1, beat)])
            self.assertLen(found.fold_scores, folds)
            self.assertLen(found.runs, folds)
            self.assertEqual(combine.beats(found, beat), folds == 3)
            np.testing.assert_allclose(found.score, np.mean(found.fold_scores))

    def test_arms_are_told_of_in_order(self):
        self.assertEqual(self.told, list(zip(tiny.ARMS, self.found, strict=True)))

    def test_again_it_finds_the_same(self):
        self.assertEqual(search.search(tiny.course(), tiny.ARMS, PLACES), self.found)

    def test_alone_an_arm_and_a_set_are_judged_as_in_company(self):
        arm = tiny.ARMS[2]
        alone = tiny.course([tiny.SETS[1]])
        [[one]] = search.search(alone, [arm], [0])
        wanted = self.found[2][1]
        close(one, wanted, self)
        np.testing.assert_allclose(
            alone.probabilities(one.runs), self.course.probabilities(wanted.runs), atol=1e-3
        )

    def test_a_setting_that_diverged_is_told_of_and_not_chosen(self):
        arm, good = tiny.ARMS[0], base.Hyper.of(learning_rate=0.1, steps=20.0)
        settings = (good._replace(learning_rate=np.inf), good)
        [found] = search.judge(tiny.course(), [search.Entry(arm, settings, 0)])
        self.assertEqual((found.hyper, found.diverged, found.trials), (good, 1, 2))  # out after one fold

    def test_an_arm_whose_every_setting_diverges_is_judged_all_the_same(self):
        arm, good = tiny.ARMS[0], base.Hyper.of(learning_rate=0.1, steps=20.0)
        settings = tuple(good._replace(learning_rate=np.float32(rate)) for rate in (np.inf, 3e38))
        [found] = search.judge(tiny.course(), [search.Entry(arm, settings, 0)])
        self.assertGreaterEqual(found.diverged, 2)
        self.assertGreater(found.score, 1e8)

    def test_seeds_are_the_same_in_every_process(self):
        self.assertEqual(protocol.seed_of(0, 'set', 3), 2407521904)
        words = ('set', 'again', 'folds', 'settings', 'net', 'whole')
        drawn = {protocol.seed_of(seed, word, n) for seed in (0, 1) for word in words for n in range(9)}
        self.assertLen(drawn, 2 * len(words) * 9)


class EqualArmsTest(chex.TestCase):
    """Arms with one recipe, the same settings and the same use of weights are judged alike.

    Refit and ensemble race in a later batch than the baseline whose search they share.
    """

    PROTOCOL = tiny.PROTOCOL._replace(trials=8, folds=5)
    EQUAL = (techniques.refit, tiny.ENSEMBLE, techniques.ensemble(2))
    OTHERS = (techniques.dropout, techniques.last_weights)
    ARMS = tuple(arm_of(one, tiny.BASELINE) for one in ((), *((t,) for t in (*OTHERS, *EQUAL))))

    def search(self, chosen):
        course = tiny.course(protocol=self.PROTOCOL)
        found = search.search(course, chosen, PLACES)
        self.assertEqual([one[0].arm for one in found], list(chosen))
        return {of_arm[0].arm.label: [one._replace(arm=None) for one in of_arm] for of_arm in found}

    def equal_and_others(self, found):
        labels = {'tuned baseline', *(technique.label for technique in self.EQUAL)}
        equal = [one for label, one in found.items() if label in labels]
        others = [one for label, one in found.items() if label not in labels]
        self.assertEqual((len(equal), len(others)), (4, 2))
        return equal, others

    def test_they_get_the_same_setting_scores_and_nets_in_any_order(self):
        wanted = self.search(self.ARMS)
        rng = np.random.default_rng(0)
        for order in (range(len(self.ARMS)), rng.permutation(len(self.ARMS))):
            found = self.search([self.ARMS[n] for n in order])
            equal, others = self.equal_and_others(found)
            for one in equal[1:]:
                self.assertEqual(one, equal[0])
            for place in PLACES:
                self.assertNotIn(equal[0][place], [other[place] for other in others])
                for label, of_arm in wanted.items():
                    close(found[label][place], of_arm[place], self)
