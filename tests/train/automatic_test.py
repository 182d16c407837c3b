"""YellowFin against its closed form, a search and a NumPy loop; Prodigy and D-Adaptation against theirs."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import parameterized
from scipy import optimize

from overfit.train import automatic

CURVATURES = np.array([1.0, 4.0, 0.3])


def searched(h_max, h_min, variance, distance):
    """Momentum and rate by minimising what the paper minimises, within its bound."""
    bound = (np.sqrt(h_max / h_min) - 1) / (np.sqrt(h_max / h_min) + 1)

    def surrogate(root):
        return root**2 * distance**2 + ((1 - root) ** 2 / h_min) ** 2 * variance

    root = optimize.minimize_scalar(
        surrogate, bounds=(bound, 1), method='bounded', options={'xatol': 1e-10}
    ).x
    return root**2, (1 - root) ** 2 / h_min


def numpy_yellowfin(gradient, start, steps, *, factor=1.0, least=0.0, decay=0.0):
    """Algorithms 1 to 4 in float64; the cubic's root by bisection."""
    w = np.array(start, np.float64)
    window, logs, found = [], [0.0, 0.0], []
    mean, velocity = np.zeros_like(w), np.zeros_like(w)
    square = size = distance = 0.0
    h_max = np.inf
    for t in range(1, steps + 1):
        g = gradient(w, t)
        norm = np.linalg.norm(g)
        window = [*window, min(norm**2, 100 * h_max)][-20:]
        clip = min(1.0, np.sqrt(h_max) / norm)
        logs = [0.999 * a + 0.001 * np.log(b) for a, b in zip(logs, (max(window), min(window)), strict=True)]
        known = 1 - 0.999**t
        h_max, h_min = np.exp(logs[0] / known), np.exp(logs[1] / known)
        g = clip * g
        norm = clip * norm
        mean = 0.999 * mean + 0.001 * g
        square = 0.999 * square + 0.001 * norm**2
        size = 0.999 * size + 0.001 * norm
        distance = 0.999 * distance + 0.001 * size / square
        variance = max(square / known - np.sum((mean / known) ** 2), 1e-30)
        p = (distance / known * h_min) ** 2 / (2 * variance)
        root = optimize.brentq(lambda x, p=p: p * x - (1 - x) ** 3, 0.0, 1.0, xtol=1e-14)
        root = max(root, (np.sqrt(h_max / h_min) - 1) / (np.sqrt(h_max / h_min) + 1), np.sqrt(least))
        rate = (1 - root) ** 2 / h_min * min(1.0, t / 200)
        velocity = root**2 * velocity - factor * rate * g
        w = w + velocity - factor * rate * decay * w
        found.append((root**2, rate))
    return w, np.array(found)


def noisy(w, t):
    return CURVATURES * w + 0.3 * np.random.default_rng(t).normal(size=3)


def ours(gradient, start, steps, *, factor=1.0, name='kernel', **numbers):
    params = {name: jnp.asarray(start, jnp.float32)}
    optimizer = automatic.yellowfin(factor, **numbers)
    step = jax.jit(optimizer.update)
    state, found = optimizer.init(params), []
    for t in range(1, steps + 1):
        slope = {name: jnp.asarray(gradient(np.asarray(params[name], np.float64), t), jnp.float32)}
        updates, state = step(slope, state, params)
        params = optax.apply_updates(params, updates)
        found.append((float(state.momentum), float(state.rate)))
    return params[name], np.array(found)


class SingleStepTest(chex.TestCase):
    @parameterized.parameters(
        (4.0, 1.0, 1.0, 1.0),
        (1.0, 1.0, 1e-3, 2.0),
        (1.0, 1.0, 50.0, 0.1),
        (1e4, 1e-2, 1.0, 3.0),
        (2.0, 1.9, 1e-6, 1e3),
    )
    def test_is_the_minimum_of_what_the_paper_minimises(self, *measured):
        found = [float(one) for one in automatic.single_step(*map(jnp.float32, measured))]
        np.testing.assert_allclose(found, searched(*measured), rtol=2e-3, atol=2e-6)

    @parameterized.parameters(1e-12, 1e-3, 0.3, 1.0, 40.0, 1e5)
    def test_the_root_of_the_cubic(self, p):
        """With one curvature the bound is 0, so that the root itself comes out."""
        momentum, rate = automatic.single_step(1.0, 1.0, 1 / (2 * p), 1.0)
        x = np.sqrt(float(momentum))
        np.testing.assert_allclose(p * x, (1 - x) ** 3, atol=2e-6 * max(1, p))
        np.testing.assert_allclose(rate, (1 - x) ** 2, rtol=1e-3)

    def test_without_noise_it_is_polyaks_optimum_whatever_the_distance(self):
        for distance in (1e-6, 1.0, 1e6):
            momentum, rate = automatic.single_step(100.0, 1.0, 0.0, distance)
            np.testing.assert_allclose(momentum, (9 / 11) ** 2, rtol=1e-5)
            np.testing.assert_allclose(rate, (2 / 11) ** 2, rtol=1e-5)


class YellowFinTest(chex.TestCase):
    @parameterized.parameters(
        {},
        {'factor': 0.5},
        {'momentum': 0.7},
        {'weight_decay': 0.2},
    )
    def test_like_a_numpy_loop(self, factor=1.0, momentum=None, weight_decay=None):
        begin = np.array([3.0, -2.0, 1.0])
        wanted, tuned = numpy_yellowfin(
            noisy, begin, 60, factor=factor, least=momentum or 0.0, decay=weight_decay or 0.0
        )
        got, found = ours(noisy, begin, 60, factor=factor, momentum=momentum, weight_decay=weight_decay)
        np.testing.assert_allclose(found, tuned, rtol=5e-3, atol=1e-5)
        np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-4)
        if momentum is None:
            self.assertGreater(np.ptp(tuned[:, 0]), 1e-3)

    def test_a_quadratic_is_solved(self):
        found, _ = ours(lambda w, t: CURVATURES * w, np.array([3.0, -2.0, 1.0]), 600)
        self.assertLess(np.abs(found).max(), 0.05)

    def test_one_gradient_that_explodes_does_little(self):
        def exploding(w, t):
            return noisy(w, t) * (1e6 if t == 30 else 1)

        calm, _ = ours(noisy, np.ones(3), 40)
        shaken, _ = ours(exploding, np.ones(3), 40)
        np.testing.assert_allclose(shaken, calm, atol=0.5)

    def test_biases_do_not_decay(self):
        free, _ = ours(noisy, np.ones(3), 5, name='bias', weight_decay=0.5)
        plain, _ = ours(noisy, np.ones(3), 5, name='bias')
        np.testing.assert_array_equal(free, plain)


def numpy_prodigy(steps, rate, beta, decay):
    """Algorithm 4, with the bias correction that Optax has, in float64."""
    w, d = np.array([1.0, -2.0, 0.5]), 1e-6
    first, second, slopes, r = np.zeros(3), np.zeros(3), np.zeros(3), 0.0
    begin = w.copy()
    for t in range(1, steps + 1):
        g = noisy(w, t)
        size = d * rate * np.sqrt(1 - 0.999**t) / (1 - beta**t)
        first = beta * first + (1 - beta) * d * g
        second = 0.999 * second + 0.001 * (d * g) ** 2
        slopes = np.sqrt(0.999) * slopes + size * d * g / 1e-6
        r = np.sqrt(0.999) * r + d / 1e-6 * size * g @ (begin - w)
        shrunk = d
        d = max(d, r / np.abs(slopes).sum())
        w = w - size * first / (np.sqrt(second) + d * 1e-8) - rate * shrunk * decay * w
    return w, d


def numpy_d_adaptation(steps, rate, beta, decay):
    """Algorithm 5, with the bias correction that Optax has, in float64."""
    w, d, root = np.array([1.0, -2.0, 0.5]), 1e-6, np.sqrt(0.999)
    first, second, slopes, r = np.zeros(3), np.zeros(3), np.zeros(3), 0.0
    for t in range(1, steps + 1):
        g = noisy(w, t)
        size = d * rate * np.sqrt(1 - 0.999**t) / (1 - beta**t)
        product = g @ (slopes / (np.sqrt(second) + 1e-8))
        first = beta * first + (1 - beta) * size * g
        second = 0.999 * second + 0.001 * g**2
        slopes = root * slopes + (1 - root) * size * g
        r = root * r + (1 - root) * size * product
        shrunk = d
        d = max(d, r / ((1 - root) * np.abs(slopes).sum()))
        w = w - first / (np.sqrt(second) + 1e-8) - rate * shrunk * decay * w
    return w, d


class EstimatedRateTest(chex.TestCase):
    @parameterized.product(name=('prodigy', 'd_adaptation'), momentum=(None, 0.9), weight_decay=(None, 0.5))
    def test_like_a_numpy_loop(self, name, momentum, weight_decay):
        loop = {'prodigy': numpy_prodigy, 'd_adaptation': numpy_d_adaptation}[name]
        rate = {'prodigy': 1.0, 'd_adaptation': 10.0}[name]
        # The first steps are a millionth long: a float32 would round them.
        with jax.enable_x64(True):
            params = {'kernel': jnp.array([1.0, -2.0, 0.5], jnp.float64)}
            optimizer = getattr(automatic, name)(rate, momentum=momentum, weight_decay=weight_decay)
            state, step = optimizer.init(params), jax.jit(optimizer.update)
            for t in range(1, 41):
                slope = {'kernel': jnp.asarray(noisy(np.asarray(params['kernel']), t))}
                updates, state = step(slope, state, params)
                params = optax.apply_updates(params, updates)
        wanted, distance = loop(40, rate, momentum or 0.0, weight_decay or 0.0)
        np.testing.assert_allclose(state.estim_lr, distance, rtol=1e-5)
        np.testing.assert_allclose(params['kernel'], wanted, rtol=1e-4, atol=1e-5)
        self.assertGreater(distance, 1e-5)

    @parameterized.parameters('prodigy', 'd_adaptation')
    def test_biases_do_not_decay(self, name):
        def after(**numbers):
            params = {'bias': jnp.ones(3)}
            optimizer = getattr(automatic, name)(1.0, **numbers)
            return optimizer.update(params, optimizer.init(params), params)[0]['bias']

        np.testing.assert_array_equal(after(weight_decay=0.5), after())


class FrozenTest(chex.TestCase):
    @parameterized.parameters('yellowfin', 'prodigy', 'd_adaptation')
    def test_weights_that_are_absent(self, name):
        def after(more):
            params = {'a': {'kernel': jnp.ones((2, 2))}} | more
            optimizer = getattr(automatic, name)(1.0, momentum=0.5, weight_decay=0.1)
            return optimizer.update(params, optimizer.init(params), params)[0]

        found = after({'frozen': {'kernel': None}})
        self.assertEqual(found.pop('frozen'), {'kernel': None})
        chex.assert_trees_all_equal(found, after({}))
