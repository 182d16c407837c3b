"""One step, initial states and randomness against NumPy."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base, keys
from overfit.data import augment, kinds
from overfit.nn import activations, initializers, models
from overfit.objectives import losses
from overfit.train import optimizers, start, step
from tests import problems

PLAIN = problems.recipe()
CNN = problems.recipe(model=models.CNN(3, channels=(4,), widths=(8,), batch_norm=True))


def biased(recipe, hyper):
    """An initial state whose biases are not 0."""
    state, rng = problems.begun(recipe, hyper), np.random.default_rng(0)
    moved = jax.tree.map(lambda a: np.asarray(a) + np.float32(rng.normal(0, 0.2, a.shape)), state.params)
    return state._replace(params=moved)


class OneStepTest(chex.TestCase):
    """One SGD step whose data weigh nothing, or against the same step without the technique."""

    def steps(self, **numbers):
        """(weights before, after a step on padding alone, the same step on data with and without)."""
        field = next(iter(numbers))
        hyper = base.Hyper(learning_rate=np.float32(0.1), **{field: np.float32(numbers[field])})
        before = biased(PLAIN, hyper)
        batch = base.Batch(problems.VECTORS.x[:8], problems.VECTORS.y[:8], np.ones(8, np.float32))
        padding = batch._replace(weight=np.zeros(8, np.float32))
        found = [
            problems.one_step(before, data, h, PLAIN)[0].params
            for data, h in (
                (padding, hyper),
                (batch, hyper),
                (batch, hyper._replace(**{field: np.float32(0)})),
            )
        ]
        return before.params, *found

    def check(self, change, **numbers):
        before, after, with_it, without = self.steps(**numbers)
        for layer in before:
            old = np.asarray(before[layer]['kernel'])
            np.testing.assert_allclose(after[layer]['kernel'], old + change(old), atol=1e-7)
            np.testing.assert_allclose(
                np.subtract(with_it[layer]['kernel'], without[layer]['kernel']), change(old), atol=1e-6
            )
            np.testing.assert_array_equal(after[layer]['bias'], before[layer]['bias'])
            np.testing.assert_allclose(with_it[layer]['bias'], without[layer]['bias'], atol=1e-7)

    def test_l1_takes_a_constant_from_each_weight(self):
        self.check(lambda w: -0.1 * 0.03 * np.sign(w), l1=0.03)

    def test_l2_multiplies_each_weight_by_a_factor(self):
        self.check(lambda w: (1 - 0.1 * 0.2) * w - w, l2=0.2)

    def test_decoupled_decay_multiplies_each_weight_by_a_factor(self):
        self.check(lambda w: (1 - 0.1 * 0.3) * w - w, weight_decay=0.3)

    def test_max_norm_bounds_each_units_weights(self):
        before, _, bounded, free = self.steps(max_norm=0.8)
        for layer in before:
            length = np.linalg.norm(np.asarray(free[layer]['kernel']), axis=0)
            self.assertGreater(length.max(), 0.8)
            wanted = np.asarray(free[layer]['kernel']) * np.minimum(1, 0.8 / length)[None, :]
            np.testing.assert_allclose(bounded[layer]['kernel'], wanted, atol=1e-6)
            np.testing.assert_array_equal(bounded[layer]['bias'], free[layer]['bias'])

    def test_the_loss_holds_its_penalties(self):
        state = biased(PLAIN, base.Hyper())
        padding = base.Batch(problems.VECTORS.x[:4], problems.VECTORS.y[:4], np.zeros(4, np.float32))
        weights = np.concatenate([np.ravel(layer['kernel']) for layer in state.params.values()])
        _, metrics = problems.one_step(state, padding, base.Hyper(l1=0.3, l2=0.7), PLAIN)
        wanted = 0.3 * np.abs(weights).sum() + 0.35 * (weights**2).sum()
        np.testing.assert_allclose(metrics.loss, wanted, rtol=1e-5)

    def test_padding_weighs_nothing(self):
        hyper = base.Hyper(learning_rate=0.1)
        state = biased(PLAIN, hyper)
        some = base.Batch(problems.VECTORS.x[:5], problems.VECTORS.y[:5])
        padded = base.Batch(problems.VECTORS.x[:8], problems.VECTORS.y[:8], np.float32([1] * 5 + [0] * 3))
        (a, of_a), (b, of_b) = (problems.one_step(state, batch, hyper, PLAIN) for batch in (some, padded))
        chex.assert_trees_all_close(a.params, b.params, atol=1e-6)
        chex.assert_trees_all_close(of_a, of_b, atol=1e-6)

    def test_the_rate_follows_the_schedule(self):
        """Differences of a bias under a constant gradient: logits 0, one label, no hidden layer."""
        recipe = problems.recipe(widths=())
        hyper = base.Hyper(learning_rate=0.001, steps=10.0, warmup=0.3, step_decay=0.5)
        batch = base.Batch(np.zeros((1, 4), np.float32), np.zeros(1, np.int32))
        inputs = kinds.Standard(np.zeros(4, np.float32), np.ones(4, np.float32), np.zeros(4, np.float32))
        state = problems.initial(keys.key(0), batch.x, inputs, hyper, recipe)
        bias = []
        for _ in range(12):
            bias.append(float(state.params['logits']['bias'][0]))
            state, _ = problems.one_step(state, batch, hyper, recipe)
        rates = np.diff(bias) / (2 / 3)  # softmax of equal logits: 1 - 1/3
        wanted = 0.001 * np.array([1 / 3, 2 / 3, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25])
        np.testing.assert_allclose(rates, wanted, rtol=5e-3)


class InitTest(chex.TestCase):
    @parameterized.parameters('uniform_fan_in', 'he', 'glorot', 'normal')
    def test_every_kernel_has_the_initializers_bounds_and_variance(self, name):
        recipe = problems.recipe(
            model=models.CNN(3, channels=(24, 24), widths=(48, 48)),
            start=start.drawn(getattr(initializers, name)),
        )
        state = self.draw(recipe)
        kernels, others = self.parts(state.params)
        self.assertLen(kernels, 5)
        for path, kernel in kernels.items():
            receptive = int(np.prod(kernel.shape[:-2]))
            fan_in, fan_out = receptive * kernel.shape[-2], receptive * kernel.shape[-1]
            variance = {
                'uniform_fan_in': 1 / (3 * fan_in),
                'he': 2 / fan_in,
                'glorot': 2 / (fan_in + fan_out),
                'normal': 1e-4,
            }[name]
            if name in ('uniform_fan_in', 'glorot'):
                bound = np.sqrt(3 * variance)
                self.assertLessEqual(np.abs(kernel).max(), bound * (1 + 1e-6), path)
                self.assertGreater(np.abs(kernel).max(), 0.95 * bound, path)
            spread = 5 * np.sqrt(2 / kernel.size)  # five standard errors of a normal's variance
            np.testing.assert_allclose(kernel.var() / variance, 1, atol=spread, err_msg=path)
            self.assertLess(abs(kernel.mean()), 5 * np.sqrt(variance / kernel.size), path)
        for path, value in others.items():
            np.testing.assert_array_equal(value, np.zeros_like(value), path)

    def draw(self, recipe, **numbers):
        x = problems.IMAGES.x
        return problems.initial(keys.key(7), x, kinds.image.measure(x), base.Hyper(**numbers), recipe)

    def parts(self, params):
        leaves = {
            jax.tree_util.keystr(p): np.asarray(a) for p, a in jax.tree_util.tree_leaves_with_path(params)
        }
        kernels = {path: a for path, a in leaves.items() if path.endswith("['kernel']")}
        return kernels, {path: a for path, a in leaves.items() if path not in kernels}

    def test_kernels_have_the_models_type(self):
        class Half(nn.Module):
            @nn.compact
            def __call__(self, x, *, train, dropout=None, input_dropout=None):
                return base.Outputs(x, nn.Dense(3, param_dtype=jnp.bfloat16)(x))

        recipe = problems.recipe()._replace(model=Half())
        x = problems.VECTORS.x
        params = step.init_state(keys.key(0), x, kinds.vector.measure(x), base.Hyper(), recipe).params
        self.assertEqual({leaf.dtype.name for leaf in jax.tree.leaves(params)}, {'bfloat16'})

    def test_equal_shapes_are_drawn_apart(self):
        kernels, _ = self.parts(self.draw(problems.recipe(widths=(36, 36, 36))).params)
        first, second, third = list(kernels.values())[:3]
        self.assertLess(abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]), 0.12)
        self.assertLess(abs(np.corrcoef(third.ravel(), second.ravel())[0, 1]), 0.12)

    def test_scale_of_the_kernels_alone(self):
        plain, scaled = self.draw(CNN), self.draw(CNN, init_log2_scale=-1.5)
        before, others = self.parts(plain.params)
        after, untouched = self.parts(scaled.params)
        for path in before:
            np.testing.assert_allclose(after[path], before[path] * 2**-1.5, rtol=1e-6)
        chex.assert_trees_all_equal(others, untouched)

    def test_the_rest_starts_where_it_should(self):
        adamw = optimizers.by_hyper(optimizers.adamw)
        state = self.draw(CNN._replace(loss=losses.center, optimizer=adamw), momentum=0.9)
        norm = state.params['ConvBlock_0']['BatchNorm_0']
        np.testing.assert_array_equal(norm['scale'], np.ones(4))
        np.testing.assert_array_equal(norm['bias'], np.zeros(4))
        running = state.collections['batch_stats']['ConvBlock_0']['BatchNorm_0']
        np.testing.assert_array_equal(running['mean'], np.zeros(4))
        np.testing.assert_array_equal(running['var'], np.ones(4))
        np.testing.assert_array_equal(state.loss_state, np.zeros((3, 8)))
        self.assertEqual(int(state.step), 0)
        self.assertTrue(all(not np.any(a) for a in jax.tree.leaves(state.opt_state)))
        self.assertEqual(self.draw(PLAIN).collections, {})


def _spy_apply(key, state, outputs, batch, hyper, axis_name):
    return losses.cross_entropy(outputs.logits, batch.y), outputs.features


SPY = base.Loss(lambda classes, features: (), _spy_apply)  # its state shows the features of the last step


class RandomnessTest(chex.TestCase):
    def seen(self, recipe, hyper, seed, number):
        x = problems.VECTORS.x
        state = problems.initial(keys.key(0), x, kinds.vector.measure(x), hyper, recipe)
        state = state._replace(key=keys.key(seed), step=jnp.int32(number))
        batch = base.Batch(problems.VECTORS.x[:32], problems.VECTORS.y[:32])
        return np.asarray(problems.one_step(state, batch, hyper, recipe)[0].loss_state)

    @parameterized.named_parameters(
        (
            'dropout',
            problems.recipe(loss=SPY, widths=(32,), activation=activations.sigmoid),
            {'dropout': 0.5},
        ),
        ('noise', problems.recipe(loss=SPY, widths=(), augment=(augment.noise,)), {'noise': 0.5}),
    )
    def test_a_step_can_be_replayed_and_no_two_are_alike(self, recipe, numbers):
        hyper = base.Hyper(learning_rate=0.1, **numbers)
        first = self.seen(recipe, hyper, 1, 4)
        np.testing.assert_array_equal(self.seen(recipe, hyper, 1, 4), first)
        clean = self.seen(recipe, base.Hyper(learning_rate=0.1), 1, 4)
        for seed, number in ((1, 5), (2, 4)):
            other = self.seen(recipe, hyper, seed, number)
            noises = [(a - clean).ravel() if 'noise' in numbers else (a == 0).ravel() for a in (first, other)]
            self.assertLess(abs(np.corrcoef(*noises)[0, 1]), 0.2)
