"""Muon against a NumPy loop of its rule, and what the rule is for: steps of equal size in all directions."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import parameterized

from overfit.train import muon

RATES = np.array([0.1, 0.05, 0.2])


def weights():
    rng = np.random.default_rng(1)
    shapes = {'kernel': (5, 3), 'bias': (3,)}
    filters = {'kernel': (2, 2, 3, 4)}
    return {
        'dense': {name: rng.normal(size=shape) for name, shape in shapes.items()},
        'filters': {name: rng.normal(size=shape) for name, shape in filters.items()},
    }


def slopes(t):
    rng = np.random.default_rng(10 + t)
    return jax.tree.map(lambda p: rng.normal(size=p.shape), weights())


def about_orthogonal(matrix):
    """Five steps of Newton and Schulz with Jordan's coefficients, on the wide form of a matrix."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (np.sqrt((x**2).sum()) + 1e-8)
    for _ in range(5):
        product = x @ x.T
        x = 3.4445 * x + (-4.775 * product + 2.0315 * product @ product) @ x
    return x if wide else x.T


def numpy_loop(beta, weight_decay):
    params = weights()
    first = jax.tree.map(np.zeros_like, params)
    second = jax.tree.map(np.zeros_like, params)
    for t, rate in enumerate(RATES):
        for layer, name in [('dense', 'kernel'), ('filters', 'kernel'), ('dense', 'bias')]:
            g, p = slopes(t)[layer][name], params[layer][name]
            m, v = first[layer][name], second[layer][name]
            m[:] = beta * m + (1 - beta) * g
            ahead = beta * m / (1 - beta ** (t + 2)) + (1 - beta) * g / (1 - beta ** (t + 1))
            if name == 'bias':
                v[:] = 0.999 * v + 0.001 * g**2
                p -= rate * ahead / (np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8)
            else:
                matrix = ahead.reshape(-1, ahead.shape[-1])
                step = 0.2 * np.sqrt(max(matrix.shape)) * about_orthogonal(matrix)
                p -= rate * (step.reshape(p.shape) + weight_decay * p)
    return params


class MuonTest(chex.TestCase):
    @parameterized.product(momentum=(None, 0.9), weight_decay=(None, 0.3))
    def test_like_a_numpy_loop(self, momentum, weight_decay):
        params = jax.tree.map(jnp.float32, weights())
        state = muon.muon(0.0, momentum=momentum).init(params)
        for t, rate in enumerate(RATES):
            optimizer = muon.muon(rate, momentum=momentum, weight_decay=weight_decay)
            updates, state = optimizer.update(jax.tree.map(jnp.float32, slopes(t)), state, params)
            params = optax.apply_updates(params, updates)
        chex.assert_trees_all_close(params, numpy_loop(momentum or 0.0, weight_decay or 0.0), atol=2e-4)

    def test_all_directions_move_about_alike(self):
        left, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
        slope = {'kernel': jnp.float32(left * np.array([3.0, 2, 1, 0.5, 0.3, 0.1]))}
        optimizer = muon.muon(1.0)
        updates, _ = optimizer.update(slope, optimizer.init(slope), slope)
        sizes = np.linalg.svd(updates['kernel'], compute_uv=False) / (muon.SIZE * np.sqrt(6))
        self.assertGreater(sizes.min(), 0.4)
        self.assertLess(sizes.max(), 1.3)

    def test_frozen_weights_that_are_absent(self):
        params = jax.tree.map(jnp.float32, weights()) | {'frozen': {'kernel': None}}
        optimizer = muon.muon(0.1, momentum=0.9, weight_decay=0.1)
        updates, _ = optimizer.update(params, optimizer.init(params), params)
        self.assertEqual(updates['frozen'], {'kernel': None})
        self.assertGreater(float(jnp.abs(updates['filters']['kernel']).max()), 0)
