"""Optimizers against NumPy loops of what PyTorch documents, and against PyTorch where it is installed."""

import functools
import importlib.util
import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import parameterized

from overfit import base
from overfit.train import optimizers

NAMES = ('sgd', 'nesterov', 'adagrad', 'rmsprop', 'adamw', 'lion')
STEPS = 6
RATES = np.array([0.1, 0.2, 0.05, 0.1, 0.3, 0.02])  # scheduled: another one each step


def weights():
    rng = np.random.default_rng(1)
    return {'dense': {'kernel': rng.normal(size=(3, 2)), 'bias': rng.normal(size=2)}}


def gradient(params, t):
    """A quadratic's gradient with some noise; the first bias never has any."""
    rng = np.random.default_rng(t)
    kernel, bias = params['dense']['kernel'], params['dense']['bias']
    moving = np.array([0.0, 1.0])
    return {'dense': {'kernel': kernel + rng.normal(size=(3, 2)), 'bias': (bias + rng.normal()) * moving}}


def numpy_loop(name, momentum, weight_decay, rates=RATES):
    """The update rules as PyTorch's documentation states them, weight decay as AdamW's."""
    params = weights()
    memory = {k: np.zeros_like(p) for k, p in params['dense'].items()}
    squares = {k: np.zeros_like(p) for k, p in params['dense'].items()}
    for t, rate in enumerate(rates):
        for k, g in gradient(params, t)['dense'].items():
            p, m, s = params['dense'][k], memory[k], squares[k]
            if k == 'kernel':
                p *= 1 - rate * weight_decay
            if name in ('sgd', 'nesterov'):
                m[:] = momentum * m + g
                p -= rate * (g + momentum * m if name == 'nesterov' else m)
            elif name == 'adagrad':
                s += g**2
                m[:] = momentum * m + g / (np.sqrt(s) + 1e-10)
                p -= rate * m
            elif name == 'rmsprop':
                s[:] = 0.99 * s + 0.01 * g**2
                m[:] = momentum * m + g / (np.sqrt(s) + 1e-8)
                p -= rate * m
            elif name == 'lion':
                p -= rate * np.sign(momentum * m + (1 - momentum) * g)
                m[:] = 0.99 * m + 0.01 * g
            else:
                m[:] = momentum * m + (1 - momentum) * g
                s[:] = 0.999 * s + 0.001 * g**2
                first, second = 1 - momentum ** (t + 1), 1 - 0.999 ** (t + 1)
                p -= rate / first * m / (np.sqrt(s) / np.sqrt(second) + 1e-8)
    return params


def ours(name, hyper, rates=RATES):
    """The same steps with the transformation made anew in each, as the train step does."""
    optimizer = optimizers.by_hyper(getattr(optimizers, name))
    params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), weights())
    state = optimizer(hyper, 0.0).init(params)
    for t in range(STEPS):
        transformation = optimizer(hyper, rates[t])
        updates, state = transformation.update(gradient(params, t), state, params)
        params = optax.apply_updates(params, updates)
    return params, state


def assert_close(got, wanted, rtol=1e-4):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6), got, wanted)


def in_torch(name, torch, momentum, weight_decay):
    kernel, bias = (torch.tensor(weights()['dense'][k], requires_grad=True) for k in ('kernel', 'bias'))
    arrays = {
        'dense': {'kernel': kernel.detach().numpy(), 'bias': bias.detach().numpy()}
    }  # they share memory
    rules = {
        'sgd': lambda p, **o: torch.optim.SGD(p, momentum=momentum, **o),
        'nesterov': lambda p, **o: torch.optim.SGD(p, momentum=momentum, nesterov=momentum > 0, **o),
        'adagrad': lambda p, **o: torch.optim.Adagrad(p, **o),
        'rmsprop': lambda p, **o: torch.optim.RMSprop(p, momentum=momentum, **o),
        'adamw': lambda p, **o: torch.optim.AdamW(p, betas=(momentum, 0.999), weight_decay=0.0, **o),
    }
    rule = rules[name]([kernel, bias], lr=1.0)
    for t, rate in enumerate(RATES):
        rule.param_groups[0]['lr'] = rate
        slopes = gradient(arrays, t)['dense']
        kernel.grad, bias.grad = torch.tensor(slopes['kernel']), torch.tensor(slopes['bias'])
        with torch.no_grad():
            kernel *= 1 - rate * weight_decay
        rule.step()
    return arrays


class OptimizersTest(chex.TestCase):
    @parameterized.product(name=NAMES, momentum=(None, 0.9), weight_decay=(None, 0.1))
    def test_like_a_numpy_loop(self, name, momentum, weight_decay):
        got, _ = ours(name, base.Hyper(momentum=momentum, weight_decay=weight_decay))
        assert_close(got, numpy_loop(name, momentum or 0.0, weight_decay or 0.0))

    @parameterized.product(name=NAMES, momentum=(0.0, 0.9))
    def test_like_pytorch(self, name, momentum):
        if importlib.util.find_spec('torch') is None:
            self.skipTest('PyTorch is not installed; the NumPy loop stands for it')
        if name == 'lion':
            self.skipTest('PyTorch has no Lion')
        if name == 'adagrad' and momentum:
            self.skipTest("PyTorch's Adagrad has no momentum")
        import torch

        wanted = in_torch(name, torch, momentum, 0.1)
        assert_close(ours(name, base.Hyper(momentum=momentum, weight_decay=0.1))[0], wanted)
        assert_close(numpy_loop(name, momentum, 0.1), wanted, rtol=1e-9)

    @parameterized.parameters(*NAMES)
    def test_traced_numbers_of_a_population_against_numpy_loops(self, name):
        hypers = base.Hyper(momentum=jnp.array([0.0, 0.5, 0.9]), weight_decay=jnp.array([0.1, 0.0, 0.3]))
        rates = jnp.asarray(RATES, jnp.float32)
        got = jax.jit(jax.vmap(lambda hyper: ours(name, hyper, rates)[0]))(hypers)
        for net, numbers in enumerate([(0.0, 0.1), (0.5, 0.0), (0.9, 0.3)]):
            assert_close(jax.tree.map(lambda a, n=net: a[n], got), numpy_loop(name, *numbers))

    @parameterized.parameters(*NAMES)
    def test_weight_decay_alone_shrinks_kernels_only(self, name):
        params = jax.tree.map(jnp.float32, {'a': {'kernel': 2.0, 'bias': 2.0}, 'b': {'scale': 2.0}})
        transformation = getattr(optimizers, name)(0.1, momentum=0.9, weight_decay=0.5)
        zero = jax.tree.map(jnp.zeros_like, params)
        updates, _ = transformation.update(zero, transformation.init(params), params)
        wanted = {'a': {'kernel': -0.1, 'bias': 0.0}, 'b': {'scale': 0.0}}
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), updates, wanted)

    @parameterized.parameters(*NAMES)
    def test_the_state_depends_on_what_is_absent_not_on_the_numbers(self, name):
        def structure(momentum, rate):
            params = jax.tree.map(jnp.float32, {'a': {'kernel': 2.0}})
            state = getattr(optimizers, name)(rate, momentum=momentum).init(params)
            return jax.tree.structure(state), len(jax.tree.leaves(state))

        self.assertEqual(structure(0.0, 0.0), structure(jnp.float32(0.9), jnp.float32(1.0)))
        self.assertLess(structure(None, 0.1)[1], structure(0.0, 0.1)[1])

    @parameterized.parameters(*NAMES)
    def test_alone_with_plain_numbers(self, name):
        optimizer = getattr(optimizers, name)(0.1, momentum=0.9, weight_decay=0.1)
        params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), weights())
        state = optimizer.init(params)
        for t in range(STEPS):
            updates, state = optimizer.update(gradient(params, t), state, params)
            params = optax.apply_updates(params, updates)
        assert_close(params, numpy_loop(name, 0.9, 0.1, np.full(STEPS, 0.1)))

    @parameterized.parameters(*NAMES)
    def test_frozen_weights_that_are_absent(self, name):
        """The weights that are there move as if the others were not, through momentum and decay."""
        params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), weights()) | {'frozen': {'kernel': None}}
        optimizer = getattr(optimizers, name)(0.1, momentum=0.9, weight_decay=0.1)
        state = optimizer.init(params)
        for t in range(STEPS):
            slopes = gradient(params, t) | {'frozen': {'kernel': None}}
            updates, state = optimizer.update(slopes, state, params)
            params = optax.apply_updates(params, updates)
        self.assertEqual(params.pop('frozen'), {'kernel': None})
        assert_close(params, numpy_loop(name, 0.9, 0.1, np.full(STEPS, 0.1)))


class ByHyperTest(chex.TestCase):
    @parameterized.parameters(*NAMES)
    def test_equal_arguments_give_the_same_object_of_the_same_name(self, name):
        slot = optimizers.by_hyper(getattr(optimizers, name))
        self.assertIs(slot, optimizers.by_hyper(getattr(optimizers, name)))
        self.assertEqual(slot.__name__, name)
        self.assertEqual(list(inspect.signature(slot).parameters), ['hyper', 'learning_rate'])
        others = {optimizers.by_hyper(getattr(optimizers, other)) for other in NAMES}
        self.assertLen(others, len(NAMES))

    def test_what_has_no_name_is_taken_too(self):
        slot = optimizers.by_hyper(functools.partial(optimizers.sgd))
        updates, _ = slot(base.Hyper(weight_decay=0.5), 0.1).update(
            {'kernel': jnp.zeros(1)},
            slot(base.Hyper(weight_decay=0.5), 0.0).init({'kernel': jnp.ones(1)}),
            {'kernel': jnp.ones(1)},
        )
        np.testing.assert_allclose(updates['kernel'], [-0.05], rtol=1e-6)
