"""The search: equal budgets, its choice recomputed setting by setting, and no way to a test set."""

import inspect
import typing

import chex
import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import combine, search, spaces, techniques
from overfit.train import optimizers
from overfit.train.engine import population
from tests import problems
from tests.study import tiny


class ArmTest(chex.TestCase):
    def test_techniques_add_up(self):
        baseline = problems.recipe()
        arm = search.arm_of(('batch_norm', 'adamw', 'dropout', 'ensemble'), baseline)
        self.assertEqual(arm.recipe.model, baseline.model.clone(batch_norm=True))
        self.assertEqual(arm.recipe._replace(model=baseline.model, optimizer=baseline.optimizer), baseline)
        self.assertIs(arm.recipe.optimizer, optimizers.adamw)
        self.assertEqual(set(arm.space), {'learning_rate', 'momentum', 'dropout'})
        self.assertEqual(arm.space['learning_rate'], techniques.TECHNIQUES['adamw'].space['learning_rate'])
        self.assertEqual((arm.members, arm.refit, arm.restore_best), (5, False, True))
        self.assertEqual(arm.groups, {'normalisation', 'optimizer', 'dropout', 'members'})
        self.assertEqual(arm.label, 'batch normalisation + AdamW + dropout + average of 5 nets')

    def test_the_order_of_techniques_does_not_change_the_recipe(self):
        baseline = problems.recipe()
        keys = ('noise', 'lighting', 'shift', 'deeper', 'wider')
        self.assertEqual(search.arm_of(keys, baseline).recipe, search.arm_of(keys[::-1], baseline).recipe)

    def test_the_baseline(self):
        arm = search.arm_of((), problems.recipe())
        self.assertEqual((arm.recipe, set(arm.space)), (problems.recipe(), {'learning_rate'}))
        self.assertEqual(arm.label, techniques.BASELINE.label)

    def test_every_technique_changes_something(self):
        for key in techniques.applicable('image', 'mlp'):
            arm, plain = (search.arm_of(keys, techniques.baseline_recipe(3)) for keys in ((key,), ()))
            self.assertNotEqual(arm._replace(keys=()), plain, key)


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
        self.assertEqual({t.frozen for t in self.found}, {0})

    def test_settings_come_from_the_arms_own_space(self):
        for one in self.found:
            given = {f: v for f, v in one.hyper._asdict().items() if v is not None}
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
                        base.Hyper(steps=tiny.PROTOCOL.steps, **values),
                        search.seed_of(tiny.PROTOCOL.seed, 'search', number),
                        tiny.LABELLED[train],
                        tiny.LABELLED[held],
                        one.arm.restore_best,
                    )
                    for number, (train, held) in enumerate(folds)
                ]
                trained.append(tiny.train(members))
            scores = np.array([[search.score(t.error, t.loss) for t in group] for group in trained])
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
        search.search(tiny.ARMS, tiny.POOL, tiny.LABELLED, tiny.PROTOCOL, said=told.append)
        self.assertEqual(told, self.found)

    def test_again_it_finds_the_same(self):
        again = search.search(tiny.ARMS, tiny.POOL, tiny.LABELLED, tiny.PROTOCOL)
        self.assertEqual(again, self.found)

    def test_a_setting_that_is_lost_is_told_of_and_not_chosen(self):
        arm, good = tiny.ARMS[0], base.Hyper(learning_rate=0.1, steps=20.0)
        settings = [good._replace(learning_rate=np.inf), good]
        found = search.evaluate([arm], [settings], tiny.POOL, tiny.LABELLED, tiny.PROTOCOL)[0]
        self.assertEqual((found.hyper, found.frozen, found.trials), (good, 2, 2))  # out after two folds

    def test_seeds_are_the_same_in_every_process(self):
        self.assertEqual(search.seed_of(0, 'measure', 3), 3085344617)
        drawn = {
            search.seed_of(seed, word, n)
            for seed in (0, 1)
            for word in ('search', 'measure')
            for n in range(9)
        }
        self.assertLen(drawn, 36)


class OutOfReachTest(chex.TestCase):
    """Test labels: not passed to any searching function, by their type."""

    def test_a_test_set_is_refused(self):
        test = splits.Holdout(tiny.POOL.x, tiny.POOL.y)
        with self.assertRaisesRegex(TypeError, 'never a test set; got Holdout'):
            search.search(tiny.ARMS, test, tiny.LABELLED, tiny.PROTOCOL)
        whole = splits.Splits(tiny.POOL, test, 'tiny', '', (), '')
        with self.assertRaisesRegex(TypeError, 'never a test set; got Splits'):
            search.evaluate(tiny.ARMS, [[base.Hyper()]], whole, tiny.LABELLED, tiny.PROTOCOL)

    def test_no_function_that_searches_takes_one(self):
        for module in (search, spaces, combine, techniques, population):
            for name, function in vars(module).items():
                if not inspect.isfunction(function) or function.__module__ != module.__name__:
                    continue
                types = typing.get_type_hints(function)
                self.assertEqual(
                    set(self.inside(types.values())) & {splits.Holdout, splits.Splits}, set(), name
                )
                if not name.startswith('_') and 'pool' in inspect.signature(function).parameters:
                    self.assertIs(types['pool'], base.Examples, name)
            source = inspect.getsource(module)
            self.assertNotIn('reveal', source)
            self.assertNotIn('splits.Holdout', source)

    def inside(self, types):
        """All classes that types are made of, through containers and fields."""
        for one in types:
            yield from (
                [one] if isinstance(one, type) else self.inside([*one] if isinstance(one, list) else ())
            )
            yield from self.inside(typing.get_args(one))
            if getattr(one, '__module__', '').startswith('overfit') and hasattr(one, '_fields'):
                yield from self.inside(typing.get_type_hints(one).values())
