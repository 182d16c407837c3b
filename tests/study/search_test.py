"""The search: equal budgets, its choice recomputed setting by setting, and no way to a test set."""

import ast
import inspect
import typing
from collections.abc import Callable

import chex
import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import (
    arms,
    baselines,
    combine,
    decide,
    measure,
    plan,
    protocol,
    race,
    requests,
    search,
    spaces,
    techniques,
)
from overfit.study.arms import arm_of
from overfit.train.engine import population, program
from tests.study import tiny


class SearchTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.found = search.search(tiny.ARMS, tiny.POOL, tiny.LABELLED, tiny.PROTOCOL)

    def test_every_arm_has_the_same_budget(self):
        self.assertEqual([t.arm for t in self.found], list(tiny.ARMS))
        self.assertEqual({t.trials for t in self.found}, {tiny.PROTOCOL.trials})
        members = 3 * 2 + 2 * 1  # of 3 settings on 2 folds, the better 2 go on to the third
        self.assertEqual({t.member_steps for t in self.found}, {members * tiny.PROTOCOL.steps})
        self.assertEqual({t.diverged for t in self.found}, {0})

    def test_settings_come_from_the_arms_own_space(self):
        for one in self.found:
            given = one.hyper.numbers()
            self.assertEqual(set(given), {'steps', *one.arm.space})
            self.assertEqual(given['steps'], tiny.PROTOCOL.steps)
            for field, wanted in one.arm.space.items():
                if isinstance(wanted, spaces.Range):
                    self.assertBetween(given[field], wanted.low, wanted.high)
                else:
                    self.assertEqual(given[field], wanted)

    def test_the_choice_is_the_winner_of_the_race(self):
        fifths = splits.folds(tiny.POOL.y[tiny.LABELLED], 5, seed=tiny.PROTOCOL.seed)
        folds = fifths[: tiny.PROTOCOL.folds]  # of validation=0.2
        for one in (self.found[0], self.found[2]):
            drawn = spaces.trials(one.arm.space, tiny.PROTOCOL.trials, seed=tiny.PROTOCOL.seed)
            trained = []
            for values in drawn:
                members = [
                    population.Member(
                        one.arm.recipe,
                        base.Hyper.of(steps=tiny.PROTOCOL.steps, **values),
                        protocol.seed_of(tiny.PROTOCOL.seed, 'search', number),
                        tiny.LABELLED[train],
                        tiny.LABELLED[held],
                        one.arm.restore_best,
                    )
                    for number, (train, held) in enumerate(folds)
                ]
                trained.append(tiny.train(members))
            scores = np.array([[program.score(t.error, t.loss) for t in group] for group in trained])
            going_on = np.argsort(scores[:, :2].mean(1))[:2]
            best = going_on[scores[going_on].mean(1).argmin()]
            np.testing.assert_allclose(one.fold_scores, scores[best], atol=1e-5)
            np.testing.assert_allclose(one.score, scores[best].mean(), atol=1e-5)
            np.testing.assert_allclose(one.error, np.mean([t.error for t in trained[best]]), atol=1e-6)
            self.assertAlmostEqual(one.hyper.learning_rate, drawn[best]['learning_rate'])
            together = np.mean([t.curve[:, 4] + 1e-3 * t.curve[:, 3] for t in trained[best]], axis=0)
            self.assertEqual(one.best_step, trained[best][0].curve[together.argmin(), 0])

    def test_an_arm_behind_on_the_first_folds_goes_no_further(self):
        arm, good = tiny.ARMS[0], base.Hyper(learning_rate=0.1, steps=20.0)
        arguments = ([arm], [[good]], tiny.POOL, tiny.LABELLED, tiny.PROTOCOL)
        plain = search.evaluate(*arguments)[0]
        self.assertLen(plain.fold_scores, 3)
        settings = [[good, good._replace(learning_rate=0.09)]]
        for rival, folds in ((0.0, 2), (9.0, 3)):
            beat = plain._replace(fold_scores=(rival, rival, rival))
            found = search.evaluate(arguments[0], settings, *arguments[2:], beat=beat)[0]
            self.assertLen(found.fold_scores, folds)
            self.assertEqual(combine.beats(found, beat), folds == 3)
            np.testing.assert_allclose(found.score, np.mean(found.fold_scores))

    def test_arms_are_told_of_in_order(self):
        told = []
        search.search(tiny.ARMS, tiny.POOL, tiny.LABELLED, tiny.PROTOCOL, tell=told.append)
        self.assertEqual(told, self.found)

    def test_again_it_finds_the_same(self):
        again = search.search(tiny.ARMS, tiny.POOL, tiny.LABELLED, tiny.PROTOCOL)
        self.assertEqual(again, self.found)

    def test_a_setting_that_diverged_is_told_of_and_not_chosen(self):
        arm, good = tiny.ARMS[0], base.Hyper(learning_rate=0.1, steps=20.0)
        settings = [good._replace(learning_rate=np.inf), good]
        found = search.evaluate([arm], [settings], tiny.POOL, tiny.LABELLED, tiny.PROTOCOL)[0]
        self.assertEqual((found.hyper, found.diverged, found.trials), (good, 2, 2))  # out after two folds

    def test_seeds_are_the_same_in_every_process(self):
        self.assertEqual(protocol.seed_of(0, 'measure', 3), 3085344617)
        drawn = {
            protocol.seed_of(seed, word, n)
            for seed in (0, 1)
            for word in ('search', 'measure')
            for n in range(9)
        }
        self.assertLen(drawn, 36)


class EqualArmsTest(chex.TestCase):
    """Arms with one recipe, the same settings and the same use of weights are judged alike.

    Refit and ensemble race in a later batch than the baseline whose search they share.
    """

    PROTOCOL = tiny.PROTOCOL._replace(trials=8, folds=5)
    EQUAL = (techniques.refit, tiny.ENSEMBLE, techniques.ensemble(2))
    OTHERS = (techniques.dropout, techniques.last_weights)
    ARMS = tuple(arm_of(one, tiny.BASELINE) for one in ((), *((t,) for t in (*OTHERS, *EQUAL))))

    def search(self, chosen, **changes):
        found = search.search(chosen, tiny.POOL, tiny.LABELLED, self.PROTOCOL._replace(**changes))
        self.assertEqual([one.arm for one in found], list(chosen))
        return {one.arm.label: one._replace(arm=None) for one in found}

    def equal_and_others(self, found):
        labels = {'tuned baseline', *(technique.label for technique in self.EQUAL)}
        equal = [one for label, one in found.items() if label in labels]
        others = [one for label, one in found.items() if label not in labels]
        self.assertEqual((len(equal), len(others)), (4, 2))
        return equal, others

    def test_they_get_the_same_setting_scores_and_steps(self):
        for seed in range(15):
            equal, others = self.equal_and_others(self.search(self.ARMS, seed=seed))
            for one in equal[1:]:
                self.assertEqual(one, equal[0], seed)
            self.assertNotIn(equal[0], others)

    def test_the_order_of_arms_changes_nothing(self):
        wanted = self.search(self.ARMS)
        rng = np.random.default_rng(0)
        for _ in range(4):
            found = self.search([self.ARMS[n] for n in rng.permutation(len(self.ARMS))])
            for label, one in wanted.items():
                self.assertEqual(found[label].hyper, one.hyper, label)
                self.assertEqual(found[label].member_steps, one.member_steps, label)
                self.assertEqual(found[label].best_step, one.best_step, label)
                np.testing.assert_allclose(found[label].fold_scores, one.fold_scores, atol=1e-5)
            equal, _ = self.equal_and_others(found)
            self.assertEqual(equal[1:], equal[:-1])

    def test_alone_an_arm_is_judged_as_in_company(self):
        wanted = self.search(self.ARMS)
        for arm in (self.ARMS[0], self.ARMS[1], self.ARMS[-1]):
            [one] = self.search([arm]).values()
            self.assertEqual(one.hyper, wanted[arm.label].hyper)
            self.assertEqual(one.member_steps, wanted[arm.label].member_steps)
            np.testing.assert_allclose(one.fold_scores, wanted[arm.label].fold_scores, atol=1e-5)


class OutOfReachTest(chex.TestCase):
    """Test labels and what was measured on them: not passed to any function that decides, by their type."""

    def test_a_test_set_is_refused(self):
        test = splits.Holdout(tiny.POOL.x, tiny.POOL.y)
        with self.assertRaisesRegex(TypeError, 'never a test set; got Holdout'):
            search.search(tiny.ARMS, test, tiny.LABELLED, tiny.PROTOCOL)
        whole = splits.Splits(tiny.POOL, test, 'tiny', '', (), '')
        with self.assertRaisesRegex(TypeError, 'never a test set; got Splits'):
            search.evaluate(tiny.ARMS, [[base.Hyper()]], whole, tiny.LABELLED, tiny.PROTOCOL)

    # A request is checked against all of the data, and its study keeps it for measuring: what decides
    # receives `study.design`, which is checked here.
    SEES_ALL = {'requests': {'Study', 'prepare', 'describe'}}
    MODULES = (
        arms,
        baselines,
        combine,
        decide,
        plan,
        population,
        program,
        protocol,
        race,
        requests,
        search,
        spaces,
        techniques,
    )
    HIDDEN = (splits.Holdout, splits.Splits, measure.Measured)

    def test_nothing_that_decides_takes_one(self):
        for module in self.MODULES:
            excepted = self.SEES_ALL.get(module.__name__.rsplit('.', 1)[1], ())
            for name, value in vars(module).items():
                if getattr(value, '__module__', '') != module.__name__ or name in excepted:
                    continue
                types = [found for one in self.functions(value) for found in self.hints(one).values()]
                self.assertEqual(set(self.inside(types)) & set(self.HIDDEN), set(), f'{module}.{name}')
                if inspect.isfunction(value) and 'pool' in inspect.signature(value).parameters:
                    if not name.startswith('_'):
                        self.assertIs(self.hints(value)['pool'], base.Examples, name)
            nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
            names = {getattr(node, 'attr', None) or getattr(node, 'id', None) for node in nodes}
            imported = {
                alias.name for n in nodes for alias in getattr(n, 'names', ()) if hasattr(alias, 'asname')
            }
            self.assertEqual(names & {'reveal', 'Holdout', 'Measured'}, set(), module.__name__)
            self.assertNotIn('measure', imported, module.__name__)

    def test_what_sees_all_is_named_with_a_reason(self):
        self.assertContainsSubset(self.SEES_ALL['requests'], set(vars(requests)))
        seen = set(self.inside([requests.Study]))
        self.assertContainsSubset({splits.Holdout, splits.Splits}, seen)
        self.assertNotIn(measure.Measured, seen)

    def test_the_walk_finds_what_is_deep_inside(self):
        nested = [Callable[[tuple[measure.Measured, ...]], None]]
        self.assertIn(measure.Measured, set(self.inside(nested)))
        self.assertIn(splits.Holdout, set(self.inside([list[requests.Study]])))
        self.assertIn(base.Hyper, set(self.inside([decide.Decided | None])))

    @staticmethod
    def functions(value):
        """A function; or a class, and the functions in it."""
        if inspect.isfunction(value):
            return [value]
        if not isinstance(value, type):
            return []
        members = [
            getattr(one, 'fget', None) or getattr(one, '__func__', one) for one in vars(value).values()
        ]
        return [value, *(one for one in members if inspect.isfunction(one) and one.__annotations__)]

    @staticmethod
    def hints(value):
        return typing.get_type_hints(value)

    def inside(self, types, seen=None):
        """All classes that types are made of, through containers, unions, functions and fields."""
        seen = set() if seen is None else seen
        for one in types:
            if isinstance(one, list):
                yield from self.inside(one, seen)
                continue
            if isinstance(one, type) and typing.get_origin(one) is None:
                if one in seen:
                    continue
                seen.add(one)
                yield one
            yield from self.inside(typing.get_args(one), seen)
            if getattr(one, '__module__', '').startswith('overfit') and hasattr(one, '_fields'):
                yield from self.inside(typing.get_type_hints(one).values(), seen)
