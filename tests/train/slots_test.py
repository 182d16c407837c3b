"""The slots of a recipe by hand: losses and mixed labels, samplers, gradients, how inputs are prepared."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base, keys
from overfit.data import kinds, sampling
from overfit.objectives import losses
from overfit.train.engine import population
from tests import problems
from tests.train.loops import (
    TRAIN,
    VALIDATION,
    VECTORS,
    batch_of,
    begun,
    net,
    soft_cross_entropy,
    train,
)


def _half_and_half(key, batch, hyper, inputs):
    """Every input mixed with its neighbour, with a share of its own."""
    share = jnp.linspace(0.5, 1.0, len(batch.y))
    x = share[:, None] * batch.x + (1 - share[:, None]) * jnp.roll(batch.x, 1, axis=0)
    return batch._replace(x=x, mixed=base.Mixed(jnp.roll(batch.y, 1), share))


def _noted(key, state, outputs, batch, hyper, axis_name):
    """A loss whose state is what it draws."""
    return losses.cross_entropy(outputs.logits, batch.y), jax.random.uniform(key, (4,))


def _column(key, state, outputs, batch, hyper, axis_name):
    """A loss that is each example's first input."""
    return batch.x[:, 0] + 0 * jnp.sum(outputs.logits, axis=1), state


def stateless(apply):
    return base.Loss(lambda classes, features: (), apply)


class LossTest(chex.TestCase):
    @parameterized.product(loss=['softmax', 'center'], padded=[False, True])
    def test_mixed_labels_are_soft_labels(self, loss, padded):
        """Weights after a step of rate 1 tell the gradient."""
        recipe = problems.recipe(loss=getattr(losses, loss))
        hyper = base.Hyper(learning_rate=np.float32(1), label_smoothing=np.float32(0.1))
        rng = np.random.default_rng(0)
        share, other = rng.uniform(0.5, 1, 8).astype(np.float32), rng.integers(0, 3, 8).astype(np.int32)
        weight = np.float32([1, 1, 0, 1, 0, 1, 1, 1]) if padded else None
        batch = batch_of(np.arange(8))._replace(weight=weight, mixed=base.Mixed(other, share))
        state = begun(recipe, hyper)
        after, metrics = problems.one_step(state, batch, hyper, recipe)

        one_hot = np.eye(3, dtype=np.float32)
        q = share[:, None] * one_hot[batch.y] + (1 - share[:, None]) * one_hot[other]
        q = 0.9 * q + 0.1 / 3
        counts = np.ones(8, np.float32) if weight is None else weight
        x = np.asarray(kinds.standardise(batch.x, state.inputs))

        def by_hand(params):
            logits = recipe.model.apply({'params': params}, x, train=True).logits
            return jnp.sum(counts * soft_cross_entropy(logits, q)) / counts.sum()

        value, gradient = jax.value_and_grad(by_hand)(state.params)
        chex.assert_trees_all_close(
            jax.tree.map(jnp.subtract, state.params, after.params), gradient, atol=1e-6
        )
        np.testing.assert_allclose(metrics.loss, value, rtol=1e-5)
        guess = np.asarray(recipe.model.apply({'params': state.params}, x, train=False).logits).argmax(1)
        np.testing.assert_allclose(
            metrics.error, np.sum(counts * (guess != batch.y)) / counts.sum(), rtol=1e-6
        )

    def test_an_augmentation_mixes_inputs_and_labels(self):
        recipe = problems.recipe(augment=(_half_and_half,))
        hyper = base.Hyper(learning_rate=np.float32(1))
        state, batch = begun(recipe, hyper), batch_of(np.arange(8))
        share = np.linspace(0.5, 1, 8, dtype=np.float32)[:, None]
        x = share * batch.x + (1 - share) * batch.x[np.arange(8) - 1]
        y = batch.y[np.arange(8) - 1]
        wanted = batch._replace(x=x, mixed=base.Mixed(y, share[:, 0]))
        found, metrics = problems.one_step(state, batch, hyper, recipe)
        by_hand, same = problems.one_step(state, wanted, hyper, recipe._replace(augment=()))
        chex.assert_trees_all_close((found.params, metrics), (by_hand.params, same), atol=1e-6)

    def test_the_mean_is_over_the_examples_that_count(self):
        recipe = problems.recipe(loss=stateless(_column))
        weight = np.float32([1, 0, 1, 1, 0, 0, 1, 0])
        batch = batch_of(np.arange(8))._replace(weight=weight)
        _, metrics = problems.one_step(begun(recipe, base.Hyper()), batch, base.Hyper(), recipe)
        np.testing.assert_allclose(metrics.loss, batch.x[weight > 0, 0].mean(), rtol=1e-5)

    def test_its_draws_differ_from_step_to_step_and_can_be_replayed(self):
        recipe = problems.recipe(loss=base.Loss(lambda classes, features: jnp.zeros(4), _noted))
        hyper = base.Hyper(learning_rate=np.float32(0.1))
        batch, states = batch_of(np.arange(8)), [begun(recipe, hyper)]
        for _ in range(6):
            states.append(problems.one_step(states[-1], batch, hyper, recipe)[0])
        numbers = [tuple(np.asarray(state.loss_state).tolist()) for state in states[1:]]
        self.assertLen(set(numbers), 6)
        again = problems.one_step(states[3], batch, hyper, recipe)[0]
        self.assertEqual(tuple(np.asarray(again.loss_state).tolist()), numbers[3])
        other = problems.one_step(states[3]._replace(key=keys.key(77)), batch, hyper, recipe)[0]
        self.assertNotEqual(tuple(np.asarray(other.loss_state).tolist()), numbers[3])


def _last_of_class(key, step, y, count, batch_size):
    """The last example of one class, another class in each step."""
    place = jnp.arange(len(y))
    known = (y == step % 3) & (place < count)
    return jnp.full(batch_size, jnp.max(jnp.where(known, place, 0)))


class SamplerTest(chex.TestCase):
    def test_it_chooses_by_the_nets_labels_their_number_and_the_step(self):
        """A net that is shown one example in each step, against a loop over these examples."""
        recipe = problems.recipe(sampler=_last_of_class)
        nets = [net(recipe, seed=seed) for seed in (1, 2)]
        nets[1] = nets[1]._replace(train=np.arange(25, 5, -1))  # padded to the room of the other
        for one, found in zip(nets, train(*nets), strict=True):
            hyper = jax.tree.map(np.float32, one.hyper)
            state = problems.initial(keys.key(one.seed), VECTORS.x, found.inputs, hyper, recipe)
            for number in range(20):
                last = one.train[np.flatnonzero(VECTORS.y[one.train] == number % 3)[-1]]
                state, _ = problems.one_step(
                    state, batch_of(np.full(8, last)), hyper, population.structure(problems.recipe())
                )
            chex.assert_trees_all_close(found.variables['params'], state.params, atol=1e-5)

    def test_epochs_are_the_default(self):
        one, other = (train(net(problems.recipe(sampler=s)))[0] for s in (None, sampling.epochs))
        chex.assert_trees_all_equal(one, other)


def sam(objective, params, hyper, axis_name):
    """Sharpness-aware: the gradient at the worst place nearby (Foret et al. 2021)."""
    slope, _ = jax.grad(objective, has_aux=True)(params)
    length = jnp.sqrt(sum(jnp.sum(jnp.square(g)) for g in jax.tree.leaves(slope)))
    near = jax.tree.map(lambda p, g: p + hyper.own['rho'] * g / length, params, slope)
    return jax.value_and_grad(objective, has_aux=True)(near)


class GradientTest(chex.TestCase):
    def test_sharpness_aware_steps_by_hand(self):
        recipe = problems.recipe(gradient=sam)
        hyper = base.Hyper.of(learning_rate=np.float32(0.5), rho=np.float32(0.4), l2=np.float32(0.1))
        found = begun(recipe, hyper)
        layers = jax.tree.map(np.asarray, found.params)
        weights = [layers[layer][name] for layer in ('Dense_0', 'logits') for name in ('kernel', 'bias')]

        def by_hand(weights, x, q):
            first, shift, second, bias = weights
            logits = jnp.tanh(x @ first + shift[None, :]) @ second + bias[None, :]
            penalty = 0.1 * (jnp.sum(first**2) + jnp.sum(second**2)) / 2
            return soft_cross_entropy(logits, q).mean() + penalty

        slope_at = jax.jit(jax.grad(by_hand))
        for rows in np.arange(24).reshape(3, 8):
            x = np.asarray(kinds.standardise(VECTORS.x[rows], found.inputs))
            q = np.eye(3, dtype=np.float32)[VECTORS.y[rows]]
            slope = slope_at(weights, x, q)
            length = np.sqrt(sum(np.sum(np.square(g)) for g in slope))
            near = [w + 0.4 * g / length for w, g in zip(weights, slope, strict=True)]
            weights = [w - 0.5 * g for w, g in zip(weights, slope_at(near, x, q), strict=True)]
            found, _ = problems.one_step(found, batch_of(rows), hyper, recipe)
        got = [found.params[layer][name] for layer in ('Dense_0', 'logits') for name in ('kernel', 'bias')]
        for w, wanted in zip(got, weights, strict=True):
            np.testing.assert_allclose(w, wanted, atol=1e-5)


def centred(x, inputs):
    """Another kind's preparation: no division."""
    return x.astype(jnp.float32) - inputs[None, :]


CENTRED = kinds.Kind('centred', measure=lambda x: x.mean(0, dtype=np.float64), prepare=centred)


class KindTest(chex.TestCase):
    def test_a_recipe_of_another_kind_is_refused(self):
        for recipe, examples, message in (
            (
                problems.recipe(),
                VECTORS._replace(kind=CENTRED),
                'with standardise, .* kind centred, which centred',
            ),
            (problems.recipe(prepare=centred), VECTORS, 'with centred, .* kind vector, which standardise'),
        ):
            with self.assertRaisesRegex(ValueError, f'{message} prepares: to prepare them otherwise'):
                population.train([net(recipe)], examples)

    def test_statistics_of_whole_numbers(self):
        kind = CENTRED._replace(measure=lambda x: np.round(x.mean(0)).astype(np.int64))
        one = net(problems.recipe(prepare=centred), learning_rate=0.5)
        found = train(one, examples=VECTORS._replace(kind=kind))[0]
        self.assertEqual(found.inputs.dtype, np.int32)
        np.testing.assert_array_equal(found.inputs, np.round(VECTORS.x[TRAIN].mean(0)))
        x = VECTORS.x[VALIDATION] - np.round(VECTORS.x[TRAIN].mean(0))
        logits = one.recipe.model.apply(found.variables, x, train=False).logits
        wrong = np.argmax(logits, 1) != VECTORS.y[VALIDATION]
        np.testing.assert_allclose(found.error, wrong.mean(), atol=1e-6)

    def test_statistics_that_have_not_four_bytes_are_refused(self):
        kind = CENTRED._replace(measure=lambda x: x.mean(0).astype(np.float16))
        with self.assertRaisesRegex(ValueError, 'hold float16, .* let the kind of the data measure float32'):
            population.train([net(problems.recipe(prepare=centred))], VECTORS._replace(kind=kind))
