"""Penalties by hand, and by the meaning of their gradients."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import parameterized

from overfit.objectives import penalties
from overfit.train import optimizers


def params():
    return {
        'Dense_0': {'kernel': jnp.array([[3.0, -1.0], [-4.0, 0.0]]), 'bias': jnp.array([7.0, 7.0])},
        'ConvBlock_0': {'kernel': jnp.full((2, 2, 1, 3), -0.5), 'scale': jnp.array([9.0, 9.0, 9.0])},
    }


class PenaltiesTest(chex.TestCase):
    def test_kernels(self):
        expected = {
            'Dense_0': {'kernel': True, 'bias': False},
            'ConvBlock_0': {'kernel': True, 'scale': False},
        }
        self.assertEqual(penalties.kernels(params()), expected)
        self.assertEqual(penalties.kernels(jnp.ones(2)), False)

    def test_values_by_hand(self):
        self.assertEqual(penalties.l1(params()), 3 + 1 + 4 + 12 * 0.5)
        self.assertEqual(penalties.l2(params()), (9 + 1 + 16 + 12 * 0.25) / 2)
        self.assertEqual(penalties.l1({'bias': jnp.ones(3)}), 0)

    def test_gradients(self):
        tree, kernels = params(), penalties.kernels(params())
        signs = jax.tree.map(lambda is_kernel, w: np.sign(w) * is_kernel, kernels, tree)
        chex.assert_trees_all_equal(jax.grad(penalties.l1)(tree), signs)
        weights = jax.tree.map(lambda is_kernel, w: w * is_kernel, kernels, tree)
        chex.assert_trees_all_close(jax.grad(penalties.l2)(tree), weights)

    def test_max_norm_by_hand(self):
        # Columns of the dense kernel have norms 5 and 1, filters of the convolution norm 1.
        bounded = penalties.max_norm(params(), 2.0)
        np.testing.assert_allclose(bounded['Dense_0']['kernel'], [[1.2, -1.0], [-1.6, 0.0]], rtol=1e-6)
        np.testing.assert_array_equal(bounded['ConvBlock_0']['kernel'], params()['ConvBlock_0']['kernel'])
        tight = penalties.max_norm(params(), 0.5)
        np.testing.assert_allclose(tight['Dense_0']['kernel'], [[0.3, -0.5], [-0.4, 0.0]], rtol=1e-6)
        np.testing.assert_allclose(tight['ConvBlock_0']['kernel'], np.full((2, 2, 1, 3), -0.25), rtol=1e-6)
        for tree in (bounded, tight):
            np.testing.assert_array_equal(tree['Dense_0']['bias'], [7, 7])
            np.testing.assert_array_equal(tree['ConvBlock_0']['scale'], [9, 9, 9])

    @parameterized.parameters(None, 0, 0.0)
    def test_no_bound_is_the_identity(self, bound):
        chex.assert_trees_all_equal(penalties.max_norm(params(), bound), params())

    def test_a_population_of_bounds(self):
        tree = {'kernel': jnp.array([[3.0, 0.0], [4.0, 0.0]])}
        kernels = jax.jit(jax.vmap(penalties.max_norm, (None, 0)))(tree, jnp.array([0.0, 1.0, 9.0]))['kernel']
        np.testing.assert_allclose(kernels[:, :, 0], [[3, 4], [0.6, 0.8], [3, 4]], rtol=1e-6)
        np.testing.assert_array_equal(kernels[0], tree['kernel'])
        np.testing.assert_array_equal(kernels[:, :, 1], np.zeros((3, 2)))

    def test_soft_threshold_by_hand(self):
        shrunk = penalties.soft_threshold(params(), 0.75)
        np.testing.assert_allclose(shrunk['Dense_0']['kernel'], [[2.25, -0.25], [-3.25, 0.0]])
        np.testing.assert_array_equal(shrunk['ConvBlock_0']['kernel'], np.zeros((2, 2, 1, 3)))
        np.testing.assert_array_equal(shrunk['Dense_0']['bias'], [7, 7])
        self.assertEqual(penalties.sparsity(shrunk), 13 / 16)
        self.assertEqual(penalties.sparsity(params()), 1 / 16)
        self.assertEqual(penalties.sparsity({'bias': jnp.zeros(3)}), 0)

    @parameterized.parameters(None, 0, 0.0)
    def test_no_threshold_is_the_identity(self, amount):
        chex.assert_trees_all_equal(penalties.soft_threshold(params(), amount), params())

    def test_soft_threshold_minimises_what_a_proximal_operator_minimises(self):
        """`(u - w)^2 / 2 + amount |u|`, on a grid."""
        grid, amount = np.linspace(-3, 3, 60_001), 0.8
        for w in np.random.default_rng(0).uniform(-2, 2, 20):
            best = grid[np.argmin((grid - w) ** 2 / 2 + amount * np.abs(grid))]
            found = penalties.soft_threshold({'kernel': jnp.float32(w)}, amount)['kernel']
            self.assertAlmostEqual(float(found), best, delta=1e-4)

    def test_frozen_weights_that_are_absent_count_nothing(self):
        whole = params()
        trained = {'Dense_0': whole['Dense_0'], 'ConvBlock_0': {'kernel': None, 'scale': None}, 'other': None}
        marks = {
            'Dense_0': {'kernel': True, 'bias': False},
            'ConvBlock_0': {'kernel': None, 'scale': None},
            'other': None,
        }
        self.assertEqual(penalties.kernels(trained), marks)
        self.assertEqual(penalties.l1(trained), 3 + 1 + 4)
        self.assertEqual(penalties.l2(trained), (9 + 1 + 16) / 2)
        bounded = penalties.max_norm(trained, 2.0)
        self.assertEqual(jax.tree.structure(bounded), jax.tree.structure(trained))
        np.testing.assert_allclose(bounded['Dense_0']['kernel'], [[1.2, -1.0], [-1.6, 0.0]], rtol=1e-6)
        slopes = jax.grad(lambda tree: penalties.l1(tree) + penalties.l2(tree))(trained)
        self.assertIsNone(slopes['other'])
        np.testing.assert_allclose(slopes['Dense_0']['kernel'], [[4, -2], [-5, 0]])
        self.assertEqual(penalties.l1({'a': None}), 0)


class UpdateRulesTest(chex.TestCase):
    """What a penalty does to weights on which the loss does not depend."""

    WEIGHTS = np.float32([[2.0, -0.5], [0.25, -4.0]])

    def moved(self, optimizer, penalty, steps=1, **numbers):
        tree = {'kernel': jnp.array(self.WEIGHTS)}
        transformation = optimizer(0.125, **numbers)
        state = transformation.init(tree)
        for _ in range(steps):
            updates, state = transformation.update(jax.grad(penalty)(tree), state, tree)
            tree = optax.apply_updates(tree, updates)
        return np.asarray(tree['kernel'])

    def test_l1_subtracts_a_constant_and_l2_multiplies_by_a_factor(self):
        """Exact for plain SGD: `learning_rate * l1` and `1 - learning_rate * l2`."""
        by_l1 = self.moved(optimizers.sgd, lambda p: 0.5 * penalties.l1(p))
        np.testing.assert_array_equal(by_l1, self.WEIGHTS - np.sign(self.WEIGHTS) * 0.0625)
        by_l2 = self.moved(optimizers.sgd, lambda p: 0.5 * penalties.l2(p))
        np.testing.assert_array_equal(by_l2, self.WEIGHTS * (1 - 0.0625))

    def test_coupled_and_decoupled_decay_are_one_for_sgd_and_two_for_adam(self):
        def nothing(tree):
            return 0.0 * penalties.l2(tree)

        def coupled(tree):
            return 0.5 * penalties.l2(tree)

        plain = [
            self.moved(optimizers.sgd, coupled, 4),
            self.moved(optimizers.sgd, nothing, 4, weight_decay=0.5),
        ]
        np.testing.assert_allclose(*plain, rtol=1e-6)
        np.testing.assert_allclose(plain[0], self.WEIGHTS * (1 - 0.0625) ** 4, rtol=1e-6)
        # Adam divides a coupled pull by its own size, so every weight moves by the learning rate.
        inside = self.moved(optimizers.adamw, coupled, 1, momentum=0.9)
        np.testing.assert_allclose(inside, self.WEIGHTS - 0.125 * np.sign(self.WEIGHTS), rtol=1e-5)
        apart = self.moved(optimizers.adamw, nothing, 1, momentum=0.9, weight_decay=0.5)
        np.testing.assert_allclose(apart, self.WEIGHTS * (1 - 0.0625), rtol=1e-6)

    def test_only_a_proximal_step_leaves_exact_zeros(self):
        """A subgradient jumps over zero, back and forth."""
        over = self.moved(optimizers.sgd, lambda p: 0.3 * penalties.l1(p), 40)
        self.assertEqual(penalties.sparsity({'kernel': jnp.array(over)}), 0)
        self.assertLess(np.abs(over[1, 0]), 0.0376)
        tree = {'kernel': jnp.array(self.WEIGHTS)}
        for _ in range(40):
            tree = penalties.soft_threshold(tree, 0.125 * 0.3)
        np.testing.assert_array_equal(tree['kernel'] == 0, [[False, True], [True, False]])
        np.testing.assert_allclose(tree['kernel'][0, 0], 0.5, rtol=1e-5)
