"""Combining: on validation alone, never worse than its parts, one technique of a kind."""

from unittest import mock

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.objectives import losses
from overfit.study import baselines, combine, search, spaces, techniques
from overfit.study.arms import Technique, arm_of
from tests.study import tiny

JUDGED = (
    techniques.dropout,
    techniques.input_dropout,
    techniques.l2,
    techniques.momentum,
    techniques.label_smoothing,
)
CHOSEN = (*JUDGED, techniques.refit, techniques.last_weights)
ARMS = tuple(arm_of(one, tiny.BASELINE) for one in [(), *((technique,) for technique in CHOSEN)])
TEXTBOOK = baselines.Textbook('a book', (techniques.dropout, techniques.label_smoothing))
TOGETHER = baselines.together(TEXTBOOK, tiny.BASELINE)
PROTOCOL = tiny.PROTOCOL._replace(trials=2, folds=2)
PLACES = range(3)


def start_by_hand(judged):
    """The best score, or the combination of several within a standard error of its error (12 examples)."""
    best = min(judged, key=lambda one: one.score)
    for one in judged:
        doubt = np.sqrt(max(best.error + one.error, 1 / 12) / 12)
        if len(one.arm.techniques) > 1 and one.error <= best.error + doubt:
            return one
    return best


class CombineTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.course, cls.told = tiny.course(protocol=PROTOCOL), []
        by_arm = search.search(cls.course, (*ARMS, TOGETHER), PLACES)
        cls.tuned = list(zip(*by_arm, strict=True))
        cls.found = cls.combine(combine.Effort(4, 2), cls.told)

    @classmethod
    def combine(cls, effort, told, tuned=None, course=None):
        return combine.combine(
            course or cls.course, tuned or cls.tuned, tiny.BASELINE, effort, tell=told.append
        )

    def test_it_is_never_worse_on_validation_than_its_parts(self):
        for place, one in enumerate(self.found):
            self.assertEqual(one.place, place)
            eligible = [t for t in self.tuned[place] if t.arm.restore_best and not t.arm.refit]
            self.assertLen(eligible, len(JUDGED) + 2)
            self.assertLessEqual(one.score, start_by_hand(eligible).score)
        wins = [
            one.score < min(t.score for t in of_set)
            for one, of_set in zip(self.found, self.tuned, strict=True)
        ]
        self.assertTrue(any(wins), 'on some labelled set a combination is better than all of its parts')

    def test_the_textbook_yields_to_what_is_clearly_better(self):
        plain, *others = self.tuned[0]
        together = next(one for one in others if len(one.arm.techniques) > 1)
        count = self.course.validated(0, len(plain.runs))
        doubt = np.sqrt((0.1 + 0.15) / count)
        for error, trusted in ((0.1 + doubt / 2, True), (0.1 + 2 * doubt, False)):
            best = plain._replace(fold_scores=(0.2, 0.2), error=0.1)
            doubtful = together._replace(fold_scores=(0.9, 0.9), error=error)
            wanted = doubtful if trusted else best
            self.assertEqual(combine.start_of([best, doubtful], self.course), wanted)

    def test_one_technique_of_a_kind_and_none_that_validation_cannot_judge(self):
        for one in self.found:
            groups = [technique.group for technique in one.arm.techniques]
            self.assertLen(set(groups), len(groups))
            for technique in one.arm.techniques:
                self.assertIn(technique, JUDGED)

    def test_it_is_what_its_techniques_make(self):
        for one in self.found:
            arm = arm_of(one.arm.techniques, tiny.BASELINE)
            self.assertIn(one.arm, (arm, TOGETHER))
            given = {name for name, value in one.hyper.numbers().items() if value}
            self.assertContainsSubset({'learning_rate', 'steps'}, given)
            self.assertContainsSubset(given - {'steps'}, set(arm.space))
            scores = []
            for also in (
                (),
                combine.CHEAP,
            ):  # numbers that are 0 have no effect but on what is drawn at random
                again = tiny.course(protocol=PROTOCOL)
                again.expect((*ARMS, TOGETHER, arm), also)
                [found] = search.judge(again, [search.Entry(arm, (one.hyper,), one.place)])
                scores.append(found.score)
            self.assertLess(min(abs(score - one.score) for score in scores), 1e-4)

    def test_a_set_alone_comes_to_the_same_as_in_company(self):
        """Another set's choice, or its company in a program, changes nothing."""
        alone = tiny.course(tiny.SETS[1:2], protocol=PROTOCOL)
        [tuned] = zip(*search.search(alone, (*ARMS, TOGETHER), [0]), strict=True)
        [found] = self.combine(combine.Effort(4, 2), [], [tuned], alone)
        self.assertEqual(found.arm, self.found[1].arm)
        self.assertEqual(found.hyper, self.found[1].hyper)
        np.testing.assert_allclose(found.fold_scores, self.found[1].fold_scores, atol=1e-5)

    def test_again_it_finds_the_same_and_says_the_same(self):
        told = []
        self.assertEqual(self.combine(combine.Effort(4, 2), told), self.found)
        self.assertEqual(told, self.told)
        self.assertNotEmpty(told)
        for line in told:
            self.assertRegex(
                line, f'^combining: [1-9] of {len(self.tuned)} labelled sets tried a change, \\d took'
            )

    def test_where_nothing_beats_the_baseline_it_is_the_baseline(self):
        best = [(plain._replace(fold_scores=(-1.0, -1.0), error=-1.0), *o) for plain, *o in self.tuned]
        plain = [of_set[0] for of_set in best]
        self.assertEqual(self.combine(combine.Effort(2, 1), [], best), plain)
        self.assertEqual(self.combine(combine.Effort(2, 1), [], [(one,) for one in plain]), plain)

    def test_what_validation_cannot_judge_is_not_believed(self):
        unjudged = []
        for plain, *others in self.tuned:
            tempting = [one for one in others if one.arm.techniques[0] in CHOSEN[-2:]]
            self.assertLen(tempting, 2)
            unjudged.append((plain, *[one._replace(fold_scores=(-2.0, -2.0)) for one in tempting]))
        plain = [of_set[0] for of_set in unjudged]
        self.assertEqual(self.combine(combine.Effort(2, 1), [], unjudged), plain)

    def test_what_does_not_go_together_is_not_combined(self):
        """Two layers more cannot be had by a stranger's model, however well both did alone."""
        plain = self.tuned[0][0]
        good = [tuned(one, learning_rate=0.1, steps=40.0) for one in (OTHER_MODEL, techniques.deeper)]
        good = [one._replace(fold_scores=(score, score)) for one, score in zip(good, (-2, -1), strict=True)]
        with mock.patch.object(search, 'judge', side_effect=AssertionError('it is tried')):
            [found] = self.combine(combine.Effort(3, 2), [], [(plain, *good)])
        self.assertEqual(found, good[0])

    def test_without_tries_it_is_the_best_single_arm_of_each_set(self):
        told = []
        wanted = [
            start_by_hand((of_set[0], *of_set[1 : 1 + len(JUDGED)], of_set[-1])) for of_set in self.tuned
        ]
        self.assertEqual(self.combine(combine.Effort(0, 1), told), wanted)
        self.assertEmpty(told)

    def test_the_best_technique_is_tried_first_at_the_rate_of_the_best(self):
        """The first attempt, and that what is behind on the first fold has one fold."""
        seen = []
        judge = search.judge

        def watched(course, entries):
            seen.append(entries)
            return judge(course, entries)

        with mock.patch.object(search, 'judge', watched):
            self.combine(combine.Effort(1, 2), [])
        [entries] = seen
        for entry in entries:
            singles = [t for t in self.tuned[entry.place] if len(t.arm.techniques) == 1]
            judged = [t for t in singles if t.arm.techniques[0] in JUDGED]
            rest = [t for t in judged if not entry.beat.arm.excludes(t.arm.techniques[0])]
            first = min(rest, key=lambda t: t.score).arm.techniques[0]
            if first in entry.arm.techniques:  # else the doubtful part of the best is left out first
                self.assertEqual(entry.arm.techniques, (*entry.beat.arm.techniques, first))
            else:
                self.assertLess(len(entry.arm.techniques), len(entry.beat.arm.techniques))
            self.assertLen(entry.settings, 2)


class MovesTest(chex.TestCase):
    def scored(self, technique, score):
        one = tuned(technique, learning_rate=0.1, steps=40.0)
        return one._replace(fold_scores=(score, score))

    def test_what_did_not_help_alone_leaves_first_then_the_rest_joins(self):
        plain = tuned(techniques.refit, learning_rate=0.1)._replace(fold_scores=(0.5, 0.5))
        good, bad, worse = (
            self.scored(one, score)
            for one, score in (
                (techniques.l2, 0.4),
                (techniques.dropout, 0.6),
                (techniques.label_smoothing, 0.7),
            )
        )
        best = tuned(techniques.l2)._replace(
            arm=arm_of((techniques.l2, techniques.dropout, techniques.label_smoothing), tiny.BASELINE)
        )
        found = combine.moves([good, bad, worse], plain, best, combine.Effort(4, 2))
        told = [(move.technique.label, move.add) for move in found]
        self.assertEqual(told[:2], [('label smoothing', False), ('dropout', False)])
        self.assertEqual({add for _, add in told[2:]}, {True})
        few = combine.moves([good, bad, worse], plain, best, combine.Effort(2, 2))
        self.assertEqual([move.technique.label for move in few if not move.add], ['label smoothing'])
        alone = combine.moves([bad], plain, bad, combine.Effort(4, 2))
        self.assertEqual([move.add for move in alone], [True])


OWN = Technique('rings', space={'ring': spaces.Range(0.1, 1.0, 'log')})
ADAMW = techniques.adamw


def tuned(technique, **numbers):
    arm = arm_of((technique,), tiny.BASELINE)
    return search.Tuned(arm, 0, base.Hyper.of(**numbers), (), (0.1, 0.1), 0.1, 20, 2, 100, 0)


class Foreign(nn.Module):
    """A stranger's model."""

    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        return base.Outputs(x, nn.Dense(3)(x))


def own_loss(key, state, outputs, batch, hyper, axis_name):
    return losses.cross_entropy(jax.nn.log_softmax(outputs.logits), batch.y), state


def halves(key, batch, hyper, inputs):
    first, second = batch.x.reshape(2, -1, *batch.x.shape[1:])
    return batch._replace(x=jnp.concatenate([first, second + 0.1]))


OTHER_MODEL = Technique('another model', change=lambda recipe: recipe._replace(model=Foreign()))
OTHER_LOSS = Technique(
    'another loss', change=lambda recipe: recipe._replace(loss=base.Loss(lambda *_: (), own_loss))
)


class GoTogetherTest(chex.TestCase):
    def go(self, *chosen):
        found = combine.go_together(chosen, tiny.BASELINE, tiny.POOL)
        self.assertEqual(combine.go_together(chosen[::-1], tiny.BASELINE, tiny.POOL), found)
        return found

    def test_techniques_of_the_package_do(self):
        self.assertTrue(self.go())
        self.assertTrue(self.go(techniques.deeper, techniques.batch_norm, ADAMW, techniques.dropout))
        self.assertTrue(self.go(techniques.center, techniques.label_smoothing))

    def test_what_changes_our_model_does_not_go_with_another(self):
        self.assertFalse(self.go(OTHER_MODEL, techniques.deeper))
        self.assertFalse(self.go(OTHER_MODEL, techniques.dropout, techniques.batch_norm))
        self.assertTrue(self.go(OTHER_MODEL, techniques.l2, techniques.glorot))

    def test_label_smoothing_does_not_go_with_a_loss_that_does_not_know_it(self):
        self.assertFalse(self.go(OTHER_LOSS, techniques.label_smoothing))
        self.assertTrue(self.go(OTHER_LOSS, techniques.l2))

    def test_what_cannot_train_together_does_not(self):
        pairs = Technique('pairs', change=lambda recipe: recipe._replace(augment=(*recipe.augment, halves)))
        odd = Technique('batch of 7', change=lambda recipe: recipe._replace(batch_size=7))
        self.assertTrue(self.go(pairs))
        self.assertTrue(self.go(odd))
        self.assertFalse(self.go(pairs, odd))


class SettingsTest(chex.TestCase):
    INCUMBENT = base.Hyper.of(learning_rate=0.1, steps=40.0, l2=0.01, ring=0.3)

    def test_a_technique_joins_with_its_numbers_at_the_combinations_rate(self):
        candidate = tuned(techniques.dropout, learning_rate=0.9, steps=40.0, dropout=0.25)
        first, *others = combine.settings_with(self.INCUMBENT, candidate, 0, 4)
        self.assertLen(others, 3)
        given = {name: value for name, value in first.numbers().items() if value}
        self.assertEqual(given, self.INCUMBENT.numbers() | {'dropout': 0.25})
        for one in others:
            self.assertBetween(one.learning_rate, 0.1 / 3, 0.3)
            self.assertBetween(one.dropout, 0.1, 0.6)
            self.assertEqual((one.own['ring'], one.l2), (0.3, 0.01))
        self.assertEqual(combine.settings_with(self.INCUMBENT, candidate, 0, 1), [first])

    def test_a_number_of_your_own_joins_too(self):
        candidate = tuned(OWN, learning_rate=0.9, steps=40.0, ring=0.7)
        without = self.INCUMBENT.with_numbers(ring=None)
        first, second = combine.settings_with(without, candidate, 0, 2)
        self.assertEqual((first.own['ring'], first.learning_rate), (0.7, 0.1))
        self.assertBetween(second.own['ring'], 0.1, 1.0)

    def test_an_optimizer_brings_its_rate(self):
        candidate = tuned(ADAMW, learning_rate=0.004, steps=40.0, momentum=0.9)
        first, second = combine.settings_with(self.INCUMBENT, candidate, 0, 2)
        self.assertEqual((first.learning_rate, second.learning_rate), (0.004, 0.1))
        self.assertEqual((first.momentum, second.momentum), (0.9, 0.9))

    def test_a_technique_leaves_with_its_numbers(self):
        candidate = tuned(OWN, learning_rate=0.9, steps=40.0, ring=0.7)
        plain = tuned(techniques.refit, learning_rate=0.5, steps=40.0)
        first, second = combine.settings_without(self.INCUMBENT, candidate, plain, 0, 2)
        self.assertEqual((first.own['ring'], first.l2, first.learning_rate), (0.0, 0.01, 0.1))
        self.assertEqual(second.own['ring'], 0.0)
        self.assertNotEqual(second.learning_rate, 0.1)
        optimizer = tuned(ADAMW, learning_rate=0.004, steps=40.0, momentum=0.9)
        [first] = combine.settings_without(self.INCUMBENT, optimizer, plain, 0, 1)
        self.assertEqual((first.learning_rate, first.momentum), (0.5, 0.0))

    def test_a_combination_without_a_learning_rate(self):
        incumbent = base.Hyper.of(steps=40.0, l2=0.01)
        for own_rate in (False, True):
            technique = techniques.dropout._replace(own_rate=own_rate)
            candidate = tuned(technique, steps=40.0, dropout=0.25)
            candidate = candidate._replace(hyper=base.Hyper.of(steps=40.0, dropout=0.25))
            for one in combine.settings_with(incumbent, candidate, 0, 3):
                self.assertIsNone(one.learning_rate)
