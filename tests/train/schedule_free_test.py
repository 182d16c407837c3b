"""Schedule-free training against its three sequences in NumPy, and against Optax's."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import parameterized
from optax import contrib

from overfit import base
from overfit.train import schedule_free
from tests import problems
from tests.train.loops import begun, net, train

RATES = np.array([0.05, 0.1, 0.2, 0.2, 0.2, 0.1, 0.2, 0.2])  # a warm-up, and one smaller


def slope(w, t):
    return np.array([1.0, 3.0]) * w + 0.1 * np.random.default_rng(t).normal(size=2)


def numpy_loop(adam, b, decay, rates):
    z = x = np.array([2.0, -1.0])
    second, highest, total, ys, xs = np.zeros(2), 0.0, 0.0, [], []
    for t, rate in enumerate(rates, start=1):
        y = (1 - b) * z + b * x
        g = slope(y, t)
        if adam:
            second = 0.999 * second + 0.001 * g**2
            g = g / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
        z = z - rate * (g + decay * y)
        highest = max(highest, rate)
        total += highest**2
        x = (1 - highest**2 / total) * x + highest**2 / total * z
        ys.append((1 - b) * z + b * x)
        xs.append(x)
    return np.array(ys), np.array(xs)


def ours(name, momentum, decay, rates):
    params, ys, xs = {'kernel': jnp.array([2.0, -1.0])}, [], []
    value = schedule_free.average
    followed, state = value.init(params), None
    highest = rates.max()
    for t, rate in enumerate(rates, start=1):
        optimizer = getattr(schedule_free, name)(rate, momentum=momentum, weight_decay=decay)
        state = optimizer.init(params) if state is None else state
        slopes = {'kernel': jnp.float32(slope(np.asarray(params['kernel'], np.float64), t))}
        updates, state = optimizer.update(slopes, state, params)
        params = optax.apply_updates(params, updates)
        # A warm-up whose multiplier at this progress is the share of the rate.
        hyper = base.Hyper(momentum=momentum, warmup=1.0)
        followed = value.update(followed, params, jnp.float32(rate / highest), hyper)
        ys.append(params['kernel'])
        xs.append(value.weights(followed, params)['kernel'])
    return np.array(ys), np.array(xs)


class ScheduleFreeTest(chex.TestCase):
    @parameterized.product(
        name=('schedule_free_sgd', 'schedule_free_adamw'), momentum=(None, 0.9), decay=(None, 0.2)
    )
    def test_like_a_numpy_loop(self, name, momentum, decay):
        wanted = numpy_loop(name.endswith('adamw'), momentum or 0.0, decay or 0.0, RATES)
        found = ours(name, momentum, decay, RATES)
        np.testing.assert_allclose(found[0], wanted[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found[1], wanted[1], rtol=1e-4, atol=1e-5)

    @parameterized.parameters('schedule_free_sgd', 'schedule_free_adamw')
    def test_like_optax(self, name):
        optimizer = getattr(contrib, name)(0.1, b1=0.9)
        params = {'kernel': jnp.array([2.0, -1.0])}
        state = optimizer.init(params)
        for t in range(1, 9):
            slopes = {'kernel': jnp.float32(slope(np.asarray(params['kernel'], np.float64), t))}
            updates, state = optimizer.update(slopes, state, params)
            params = optax.apply_updates(params, updates)
        found = ours(name, 0.9, None, np.full(8, 0.1))
        np.testing.assert_allclose(found[0][-1], params['kernel'], rtol=1e-4)
        evaluated = contrib.schedule_free_eval_params(state, params)['kernel']
        np.testing.assert_allclose(found[1][-1], evaluated, rtol=1e-4)

    @parameterized.parameters(False, True)
    def test_a_population_keeps_the_average_and_not_the_weights_that_are_trained(self, adam):
        recipe = schedule_free.with_recipe(problems.recipe(), adam=adam)
        numbers = {'momentum': 0.9, 'warmup': 0.2, 'learning_rate': 0.1 if adam else 1.0}
        found = train(net(recipe, **numbers))[0]
        hyper = jax.tree.map(np.float32, net(recipe, **numbers).hyper)
        state = begun(recipe, hyper)
        xs, total = jax.tree.map(np.asarray, state.params), 0.0
        rows = problems.visits(3, 40, 20, recipe.batch_size)
        for t, row in enumerate(rows, start=1):
            batch = base.Batch(problems.VECTORS.x[row], problems.VECTORS.y[row])
            state, _ = problems.one_step(state, batch, hyper, recipe)
            weight = min(1.0, t / 20 / 0.2) ** 2
            total += weight
            xs = jax.tree.map(lambda x, z, c=weight / total: (1 - c) * x + c * z, xs, state.opt_state.z)
        chex.assert_trees_all_close(found.variables['params'], xs, atol=1e-4)
        away = jax.tree.map(lambda a, b: np.abs(a - b).max(), xs, state.params)
        self.assertGreater(max(jax.tree.leaves(away)), 1e-3)

    @parameterized.parameters('schedule_free_sgd', 'schedule_free_adamw')
    def test_frozen_weights_that_are_absent(self, name):
        params = {'a': {'kernel': jnp.ones((2, 2))}, 'frozen': {'kernel': None}}
        optimizer = getattr(schedule_free, name)(0.1, momentum=0.9, weight_decay=0.1)
        updates, _ = optimizer.update(params, optimizer.init(params), params)
        self.assertEqual(updates['frozen'], {'kernel': None})
