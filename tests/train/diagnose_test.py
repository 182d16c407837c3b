"""Layers diagnosed against a net written out in NumPy, in float64."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import kinds
from overfit.nn import activations, models
from overfit.train import diagnose
from tests import problems

X = np.random.default_rng(0).normal(size=(12, 5)).astype(np.float32)
Y = np.arange(12, dtype=np.int32) % 3
INPUTS = kinds.Standard(np.zeros(5, np.float32), np.ones(5, np.float32), np.zeros(5, np.float32))


class Bare(nn.Module):
    """Has weights, but no dense layer."""

    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        scale = self.param('scale', nn.initializers.ones, (5,))
        return base.Outputs(x, (x * scale[None])[:, :3])


def net(activation, batch_norm=False):
    model = models.MLP(3, (7, 4), activation, batch_norm)
    variables = model.init(jax.random.key(1), X, train=False)
    params = jax.tree.map(lambda a: 3 * a, variables['params'])
    return {**variables, 'params': params}, problems.recipe(model=model)


def diagnosed(variables, recipe, activation):
    return diagnose.layers(variables, base.Batch(X, Y), INPUTS, activation=activation, recipe=recipe)


def by_hand(params):
    """Pre-activations of a tanh net, and the slopes by them and by the kernels."""
    names = ('Dense_0', 'Dense_1', 'logits')
    h, outs, ins = X.astype(np.float64), [], []
    for name in names:
        ins.append(h)
        outs.append(h @ np.float64(params[name]['kernel']) + np.float64(params[name]['bias']))
        h = np.tanh(outs[-1])
    share = np.exp(outs[-1] - outs[-1].max(1, keepdims=True))
    share /= share.sum(1, keepdims=True)
    slope = (share - np.eye(3)[Y]) / len(Y)
    slopes, kernels = [], []
    for name, before, out in reversed(list(zip(names, ins, [None, *outs[:-1]], strict=True))):
        slopes.append(slope)
        kernels.append(before.T @ slope)
        if out is not None:
            slope = (slope @ np.float64(params[name]['kernel']).T) * (1 - np.tanh(out) ** 2)
    return outs, slopes[::-1], kernels[::-1]


def size(a):
    return np.sqrt(np.square(a).mean())


class LayersTest(chex.TestCase):
    def test_against_numpy(self):
        variables, recipe = net(activations.tanh)
        found = diagnosed(variables, recipe, activations.tanh)
        outs, slopes, kernels = by_hand(variables['params'])
        self.assertEqual([one.name for one in found], ['Dense_0', 'Dense_1', 'logits'])
        for one, out, slope, kernel in zip(found, outs, slopes, kernels, strict=True):
            np.testing.assert_allclose(one.variance, out.var(), rtol=1e-4)
            np.testing.assert_allclose(one.slope, size(slope) * len(Y), rtol=1e-3)
            np.testing.assert_allclose(one.slope_of_kernel, size(kernel), rtol=1e-3)
            np.testing.assert_allclose(one.kernel, size(variables['params'][one.name]['kernel']), rtol=1e-5)
        for one, out in zip(found[:-1], outs[:-1], strict=True):
            flat = 1 - np.tanh(out) ** 2 < diagnose.FLAT
            self.assertGreater(flat.mean(), 0)
            np.testing.assert_allclose(one.flat, flat.mean(), atol=1e-6)
            np.testing.assert_allclose(one.dead, flat.all(0).mean(), atol=1e-6)
        self.assertTrue(np.isnan(found[-1].flat) and np.isnan(found[-1].dead))

    def test_a_dead_unit(self):
        variables, recipe = net(activations.relu)
        params = dict(variables['params'])
        params['Dense_1'] = {**params['Dense_1'], 'bias': params['Dense_1']['bias'].at[2].set(-1e3)}
        found = diagnosed({'params': params}, recipe, activations.relu)
        self.assertGreaterEqual(float(found[1].dead), 0.25)

    @parameterized.parameters(activations.sigmoid, activations.gelu, activations.maxout(2))
    def test_any_activation(self, *activation):
        activation = base.Activation(*activation)
        variables, recipe = net(activation)
        found = diagnosed(variables, recipe, activation)
        self.assertLen(found, 3)
        self.assertEqual(bool(jnp.isnan(found[0].flat)), activation.pieces > 1)

    def test_outputs_are_the_normalised_ones(self):
        variables, recipe = net(activations.relu, batch_norm=True)
        found = diagnosed(variables, recipe, activations.relu)
        plain = X @ variables['params']['Dense_0']['kernel']
        normed = plain / np.sqrt(1 + 1e-5) * variables['params']['BatchNorm_0']['scale'][None]
        np.testing.assert_allclose(found[0].variance, np.var(normed), rtol=1e-3)

    def test_no_dense_layer(self):
        variables = Bare().init(jax.random.key(0), X, train=False)
        with self.assertRaisesRegex(ValueError, 'the model Bare has no dense layer'):
            diagnosed(variables, problems.recipe(model=Bare()), activations.relu)
