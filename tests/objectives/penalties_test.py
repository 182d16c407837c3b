"""Penalties by hand, and by the meaning of their gradients."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit.objectives import penalties


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
