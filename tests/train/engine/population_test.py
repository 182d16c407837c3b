"""A population against a plain loop over one member at a time, and against replays of its own records."""

from unittest import mock

import chex
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys
from overfit.data import kinds
from overfit.nn import initializers
from overfit.train import optimizers, predict, start
from overfit.train.engine import lane, layout, population, program
from tests import problems

EVERY, ROOM = 10, (48, 20)
SMALL = layout.Layout(2, 2, 2)
PLAIN = problems.recipe()
GLOROT, NORMAL = (PLAIN._replace(start=start.drawn(f)) for f in (initializers.glorot, initializers.normal))
ADAM = problems.recipe(optimizer=optimizers.by_hyper(optimizers.adamw), batch_norm=True)
NOISY = problems.blobs(80, spread=1.5)  # cannot be learnt without errors


def member(seed, steps, *, train=40, validation=20, rate=0.2, recipe=PLAIN, **numbers):
    """A member on examples of its own."""
    also = {f: numbers.pop(f) for f in ('restore_best', 'stop_at') if f in numbers}
    order = np.random.default_rng(seed).permutation(80)
    numbers = {'learning_rate': rate, 'steps': steps, 'dropout': 0.2, 'patience': 0.0} | numbers
    return population.Member(
        recipe, base.Hyper(**numbers), seed, order[:train], order[train : train + validation], **also
    )


def train(members, **options):
    options = {'eval_every': EVERY, 'capacity': ROOM, 'layout': SMALL} | options
    return population.train(members, NOISY, **options)


MEMBERS = [
    # Without validation examples or without choosing: the last weights are kept.
    member(1, 50, validation=0),
    member(2, 30, train=48, restore_best=False),
    member(3, 60, train=13, recipe=GLOROT, restore_best=False),
    member(4, 50, train=5, recipe=NORMAL, validation=0),
    member(5, 50, recipe=ADAM, rate=0.01, dropout=None, momentum=0.9, restore_best=False),
    member(6, 20, validation=0, patience=None, dropout=None),
    member(7, 37, validation=0),
    member(8, 50, recipe=ADAM, rate=0.02, train=20, momentum=0.8, validation=0),
    # Stopped early, or at a step of their own.
    member(10, 200, patience=2.0, rate=1.0),
    member(11, 200, patience=3.0, rate=0.5, train=15),
    member(12, 400, patience=4.0, rate=2.0, validation=11),
    member(13, 200, stop_at=25.0),
    member(14, 100, patience=3.0, restore_best=False),
    # Diverged.
    member(15, 200, rate=3e38),
    member(16, 100, rate=np.inf, validation=0),
]
LAST, STOPPING, DIVERGED = slice(0, 8), slice(8, 13), slice(13, 15)


def naive_loop(one, steps):
    """Trains one member step by step: (state, losses and errors of the batches)."""
    x, y = NOISY.x[one.train], NOISY.y[one.train]
    hyper = base.Hyper(**{f: np.float32(v) for f, v in one.hyper.numbers().items()})
    state = problems.initial(keys.key(one.seed), x, kinds.vector.measure(x), hyper, one.recipe)
    seen = []
    for rows in problems.visits(one.seed, len(x), steps, one.recipe.batch_size):
        batch = base.Batch(x[rows], y[rows])
        state, metrics = problems.one_step(state, batch, hyper, population.structure(one.recipe))
        seen.append(metrics)
    return state, np.array(seen)


class PopulationTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.told = []
        cls.trained = train(MEMBERS, progress=lambda *amounts: cls.told.append(amounts))

    def test_every_member_equals_a_plain_loop(self):
        for one, found in zip(MEMBERS[LAST], self.trained[LAST], strict=True):
            steps = EVERY * -(-int(one.hyper.steps) // EVERY)
            state, seen = naive_loop(one, steps)
            self.assertEqual((found.steps, found.best_step, found.diverged), (steps, steps, False))
            chex.assert_trees_all_close(
                found.variables, {'params': state.params, **state.collections}, atol=1e-4
            )
            np.testing.assert_array_equal(found.curve[:, 0], np.arange(EVERY, steps + 1, EVERY))
            np.testing.assert_allclose(found.curve[:, 1:3], seen.reshape(-1, EVERY, 2).mean(1), atol=1e-4)
            chex.assert_trees_all_close(found.inputs, kinds.vector.measure(NOISY.x[one.train]))

    def test_company_does_not_matter(self):
        for number in (2, 4, 11):
            chex.assert_trees_all_close(train([MEMBERS[number]])[0], self.trained[number], atol=1e-4)

    def test_layout_and_padding_do_not_matter(self):
        chosen = [*MEMBERS[LAST][:4], *MEMBERS[STOPPING][:2]]
        before = [*self.trained[LAST][:4], *self.trained[STOPPING][:2]]
        for options in (
            {'layout': layout.Layout(1, 1, 5), 'capacity': (64, 30)},
            {'layout': None, 'capacity': None},
        ):
            for old, new in zip(before, train(chosen, **options), strict=True):
                chex.assert_trees_all_close(new, old, atol=1e-4)

    def test_making_room_does_not_matter(self):
        """Refilled slots and merged lanes against lanes that wait for their last member."""
        for new, old in zip(train(MEMBERS, compact=False), self.trained, strict=True):
            chex.assert_trees_all_close(new, old, atol=1e-4)

    def test_members_of_two_lanes_come_together(self):
        # 16 members in 2 lanes of 4 slots each; when none waits, lanes half empty merge.
        members = [member(seed, 200, stop_at=200.0 if seed % 4 == 0 else 20.0) for seed in range(16)]
        with mock.patch.object(lane.Lane, 'adopt', autospec=True, side_effect=lane.Lane.adopt) as spy:
            found = train(members)
        self.assertGreater(spy.call_count, 0)
        self.assertEqual([t.steps for t in found], [200 if seed % 4 == 0 else 20 for seed in range(16)])
        for number in (0, 1, 8, 12, 15):
            chex.assert_trees_all_close(train([members[number]])[0], found[number], atol=1e-4)

    def test_early_stopping_replayed_on_the_curve(self):
        steps = set()
        for one, found in zip(MEMBERS[STOPPING], self.trained[STOPPING], strict=True):
            best, best_step, wait, done = np.inf, None, 0, None
            for at, _, _, loss, error in found.curve.astype(np.float32):
                score = error + np.float32(1e-3) * loss if one.restore_best else -at
                wait += 1
                if score < best:
                    best, best_step, wait = score, int(at), 0
                done = at
                if at >= (one.stop_at or one.hyper.steps) or 0 < one.hyper.patience <= wait:
                    break
            self.assertEqual((found.best_step, found.steps), (best_step, int(done)))
            self.assertEqual(found.curve[-1, 0], found.steps)
            kept = found.curve[found.curve[:, 0] == best_step][0]
            self.assertEqual((found.loss, found.error), (kept[3], kept[4]))
            steps.add(found.steps)
        self.assertGreater(len(steps), 3)
        self.assertLess(self.trained[STOPPING][0].steps, 200)
        self.assertLess(self.trained[STOPPING][1].best_step, self.trained[STOPPING][1].steps)
        self.assertEqual(self.trained[STOPPING][3].steps, 30)
        self.assertEqual(self.trained[STOPPING][4].steps, 100)

    def test_the_kept_weights_give_the_recorded_error(self):
        for one, found in zip(MEMBERS[STOPPING], self.trained[STOPPING], strict=True):
            x, y = NOISY.x[one.validation], NOISY.y[one.validation]
            inputs = (x - found.inputs.mean) / found.inputs.scale
            logits = one.recipe.model.apply(found.variables, inputs, train=False).logits
            log_p = np.asarray(jax.nn.log_softmax(logits))
            np.testing.assert_allclose(found.error, (log_p.argmax(-1) != y).mean(), atol=1e-6)
            np.testing.assert_allclose(found.loss, -log_p[np.arange(len(y)), y].mean(), atol=1e-4)

    def test_a_diverged_member_stands_still_and_is_told_of(self):
        for one, found in zip(MEMBERS[DIVERGED], self.trained[DIVERGED], strict=True):
            self.assertTrue(found.diverged)
            self.assertEqual((found.steps, len(found.curve)), (EVERY, 1))
            self.assertTrue(np.isnan(found.error))
            hyper = base.Hyper(learning_rate=0.0)
            began = problems.initial(keys.key(one.seed), NOISY.x, found.inputs, hyper, PLAIN)
            chex.assert_trees_all_close(found.variables['params'], began.params, atol=1e-6)

    def test_a_diverged_member_that_recovers_before_the_host_looks_keeps_what_it_had(self):
        # Logits of one huge example overflow until the weights have decayed: diverged at first, finite later.
        x = NOISY.x.copy()
        x[60] = 3e38
        recipe = problems.recipe(widths=(), start=start.drawn(initializers.he))
        numbers = {'weight_decay': 0.5, 'rate': 0.05, 'recipe': recipe, 'dropout': None}
        rows = np.arange(40), np.arange(50, 70)
        members = [member(s, 600, **numbers)._replace(train=rows[0], validation=rows[1]) for s in range(8)]
        with mock.patch.object(population, '_evaluations_due', lambda *_: 1):
            short = population.train(members, NOISY._replace(x=x), eval_every=EVERY, layout=SMALL)
        with mock.patch.object(lane.Lane, 'FIRST', program.MOST_EVALUATIONS):
            long = population.train(members, NOISY._replace(x=x), eval_every=EVERY, layout=SMALL)
        self.assertIn(True, [t.diverged for t in long])
        for new, old in zip(long, short, strict=True):
            chex.assert_trees_all_close(new, old, atol=1e-4)

    def test_it_may_run_until_patience_ends_it(self):
        found = train([member(3, np.inf, patience=3.0, rate=1.0)])[0]
        self.assertEqual(found.steps, found.best_step + 3 * EVERY)

    def test_what_would_never_end_is_refused(self):
        endless = member(3, np.inf, patience=3.0)
        empty = endless._replace(validation=endless.validation[:0])
        for one in (member(3, np.inf), endless._replace(restore_best=False), empty):
            with self.assertRaisesRegex(
                ValueError, 'of inf steps would never end: give a number of steps, or p'
            ):
                train([one])

    def test_an_end_at_0_counts(self):
        self.assertEqual(train([member(3, 40)._replace(stop_at=0)])[0].steps, EVERY)

    def test_without_validation_there_is_no_error_to_report(self):
        self.assertTrue(np.isnan(self.trained[0].error))
        self.assertTrue(np.isnan(self.trained[0].loss))

    def test_progress_tells_every_step_and_member(self):
        amounts, finished = np.sum(self.told, axis=0)
        self.assertEqual(amounts, sum(t.steps for t in self.trained))
        self.assertEqual(finished, len(MEMBERS))

    def test_one_program_is_compiled_for_all_chunks(self):
        compiled = []

        def listen(event, seconds, **_):
            if event == '/jax/core/compile/backend_compile_duration':
                compiled.append(seconds)

        members = [one._replace(recipe=one.recipe._replace(batch_size=4)) for one in MEMBERS[LAST][:2]]
        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            train([members[0]._replace(stop_at=EVERY)])
            first = len(compiled)
            train(members)
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)
        self.assertGreater(first, 0)
        self.assertLen(compiled, first)

    def test_weights_are_left_behind_where_not_wanted(self):
        found = train(MEMBERS[STOPPING][:2], keep_variables=False)
        for new, old in zip(found, self.trained[STOPPING], strict=False):
            self.assertIsNone(new.variables)
            chex.assert_trees_all_close(new.curve, old.curve, atol=1e-4)

    def test_members_are_refused_without_examples_or_with_too_many(self):
        for count in (0, 65_536):
            with self.assertRaisesRegex(ValueError, f'has {count} training examples; between 1 and 65535'):
                train([MEMBERS[0], MEMBERS[1]._replace(train=np.zeros(count, int))])
        self.assertEqual(train([]), [])

    def test_predictions_are_the_models_own(self):
        trained = [self.trained[n] for n in (0, 1, 2, 8, 9)]
        x = problems.blobs(600, spread=1.5, seed=4).x
        wanted = []
        for one in trained:
            inputs = (x - one.inputs.mean) / one.inputs.scale
            wanted.append(jax.nn.log_softmax(PLAIN.model.apply(one.variables, inputs, train=False).logits))
        for count in (1, 255, 256, 257, 600):
            got = predict.predict(PLAIN, trained, x[:count])
            self.assertEqual(got.shape, (5, count, 3))
            np.testing.assert_allclose(got, np.stack(wanted)[:, :count], atol=1e-5)
        many = predict.predict(PLAIN, trained * 8, x[:7])
        self.assertEqual(many.shape, (40, 7, 3))
        np.testing.assert_allclose(many[37], wanted[2][:7], atol=1e-5)


def _tell_ids(key, state, outputs, batch, hyper, axis_name):
    """A loss whose mean is the batch itself: the numbers in the first column, as digits to the base 50."""
    digits = batch.x[:, 0] * 50.0 ** jnp.arange(4)
    return 4 * digits + 0 * jnp.sum(outputs.logits, axis=1), state


class OrderTest(chex.TestCase):
    def test_every_example_is_visited_once_an_epoch(self):
        recipe = problems.recipe(loss=base.Loss(lambda classes, features: (), _tell_ids), batch_size=4)
        x = np.stack([np.arange(40), np.arange(40) ** 2 % 7], axis=1).astype(np.float32)
        examples = base.Examples(x, np.arange(40, dtype=np.int32) % 3, ('a', 'b', 'c'), kinds.vector)
        rows = np.random.default_rng(3).permutation(40)
        members = [
            population.Member(recipe, base.Hyper(learning_rate=0.0, steps=42.0), seed, rows[:count], rows[:0])
            for seed, count in ((1, 14), (2, 7), (3, 3), (4, 1), (1, 14), (5, 14))
        ]
        found = population.train(members, examples, eval_every=1, layout=SMALL)
        streams = []
        for one, result in zip(members, found, strict=True):
            numbers = result.curve[:, 1].astype(np.int64)
            stream = np.stack([numbers // 50**place % 50 for place in range(4)], axis=1).reshape(-1)
            epochs = stream.reshape(-1, len(one.train))
            for epoch in epochs:
                self.assertEqual(sorted(epoch), sorted(one.train))
            if len(one.train) > 5:
                self.assertGreater(len({tuple(epoch) for epoch in epochs}), 0.9 * len(epochs))
            streams.append(stream)
        np.testing.assert_array_equal(streams[0], streams[4])
        self.assertFalse(np.array_equal(streams[0], streams[5]))
