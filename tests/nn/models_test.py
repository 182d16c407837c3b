"""Models against XLA's convolution, naive loops and NumPy."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base, keys
from overfit.nn import activations, dropout, models

RELU = activations.relu
ITSELF = base.Activation('itself', lambda z: z)


def images(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def draw(model, x, seed=0):
    """Variables of a model with every leaf random, so that no bias is 0 and no scale is 1."""
    shapes = jax.eval_shape(lambda: model.init(keys.key(0), x, train=False))
    generator = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: np.float32(generator.uniform(-0.7, 1, leaf.shape)), shapes)


def xla_convolution(x, kernel):
    layout = ('NHWC', 'HWIO', 'NHWC')
    exact = jax.lax.Precision.HIGHEST
    return np.asarray(
        jax.lax.conv_general_dilated(x, kernel, (1, 1), 'SAME', dimension_numbers=layout, precision=exact)
    )


def naive_pool(x):
    batch, height, width, channels = x.shape
    out = np.zeros((batch, height // 2, width // 2, channels), x.dtype)
    for i in range(height // 2):
        for j in range(width // 2):
            out[:, i, j] = x[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(1, 2))
    return out


def numpy_norm(z, scale, bias):
    axes = tuple(range(z.ndim - 1))
    return (z - z.mean(axes)) / np.sqrt(z.var(axes) + 1e-5) * scale + bias


class ConvBlockTest(chex.TestCase):
    @parameterized.parameters(
        ((3, 8, 8, 1), 3), ((2, 9, 12, 3), 3), ((2, 7, 5, 2), 5), ((2, 6, 7, 2), 2), ((2, 2, 3, 4), 1)
    )
    def test_against_convolution_then_activation_then_pooling(self, shape, size):
        x = images(shape)
        block = models.ConvBlock(5, size, RELU, False, None)
        params = draw(block, x)['params']
        self.assertEqual(params['kernel'].shape, (size, size, shape[-1], 5))

        def independent(params):
            layout = ('NHWC', 'HWIO', 'NHWC')
            z = jax.lax.conv_general_dilated(x, params['kernel'], (1, 1), 'SAME', dimension_numbers=layout)
            h = jax.nn.relu(z + params['bias'][None, None, None, :])
            window = (1, 2, 2, 1)
            return jax.lax.reduce_window(h, -jnp.inf, jax.lax.max, window, window, 'VALID')

        def value(function):
            return lambda params: jnp.sum(jnp.sin(function(params)))

        def ours(params):
            return block.apply({'params': params}, x, train=True)

        expected = naive_pool(np.maximum(xla_convolution(x, params['kernel']) + params['bias'], 0))
        np.testing.assert_allclose(jax.jit(ours)(params), expected, atol=1e-5)
        both = jax.jit(lambda params: [jax.grad(value(f))(params) for f in (ours, independent)])(params)
        chex.assert_trees_all_close(*both, atol=1e-4)

    def test_a_thin_image_is_not_pooled(self):
        x = images((2, 1, 6, 3))
        block = models.ConvBlock(4, 3, activations.tanh, False, None)
        params = draw(block, x)['params']
        expected = np.tanh(xla_convolution(x, params['kernel']) + params['bias'])
        np.testing.assert_allclose(block.apply({'params': params}, x, train=True), expected, atol=1e-5)

    def test_maxout(self):
        x = images((2, 4, 4, 2))
        block = models.ConvBlock(3, 3, activations.maxout(2), False, None)
        params = draw(block, x)['params']
        z = xla_convolution(x, params['kernel']) + params['bias']
        expected = naive_pool(np.maximum(z[..., :3], z[..., 3:]))
        np.testing.assert_allclose(block.apply({'params': params}, x, train=True), expected, atol=1e-5)

    def test_batch_norm_in_training_and_after(self):
        x = images((4, 5, 6, 2)) + 3
        block = models.ConvBlock(3, 3, RELU, True, None)
        variables = draw(block, x)
        stats = {'mean': np.float32([0.5, -1, 2]), 'var': np.float32([0.3, 1, 4])}
        variables['batch_stats'] = {'BatchNorm_0': stats}
        params = variables['params']
        norm = params['BatchNorm_0']
        self.assertLess(norm['scale'].min(), 0)
        z = xla_convolution(x, params['kernel'])[:, :4]

        trained, new = block.apply(variables, x, train=True, mutable=['batch_stats'])
        expected = naive_pool(np.maximum(numpy_norm(z, norm['scale'], norm['bias']), 0))
        np.testing.assert_allclose(trained, expected, atol=1e-4)
        moved = {
            'mean': 0.9 * stats['mean'] + 0.1 * z.mean((0, 1, 2)),
            'var': 0.9 * stats['var'] + 0.1 * z.var((0, 1, 2)),
        }
        chex.assert_trees_all_close(new['batch_stats']['BatchNorm_0'], moved, rtol=1e-4)

        fixed = (z - stats['mean']) / np.sqrt(stats['var'] + 1e-5) * norm['scale'] + norm['bias']
        expected = naive_pool(np.maximum(fixed, 0))
        np.testing.assert_allclose(block.apply(variables, x, train=False), expected, atol=1e-4)


class MLPTest(chex.TestCase):
    @parameterized.named_parameters(
        ('relu', RELU, lambda z: np.maximum(z, 0)),
        (
            'maxout',
            activations.maxout(2),
            lambda z: np.maximum(z[:, : z.shape[1] // 2], z[:, z.shape[1] // 2 :]),
        ),
    )
    def test_against_numpy(self, activation, naive):
        x = images((4, 3, 2))
        model = models.MLP(3, widths=(6, 5), activation=activation)
        variables = draw(model, x)
        h, params = x.reshape(4, 6), variables['params']
        for layer in ('Dense_0', 'Dense_1'):
            h = naive(h @ params[layer]['kernel'] + params[layer]['bias'])
        features, logits = model.apply(variables, x, train=True)
        np.testing.assert_allclose(features, h, atol=1e-5)
        np.testing.assert_allclose(
            logits, h @ params['logits']['kernel'] + params['logits']['bias'], atol=1e-5
        )

    def test_without_hidden_layers_it_is_logistic_regression(self):
        x = images((4, 3, 2))
        model = models.MLP(3, widths=())
        variables = draw(model, x)
        params = variables['params']
        features, logits = model.apply(variables, x, train=False)
        np.testing.assert_array_equal(features, x.reshape(4, 6))
        np.testing.assert_allclose(
            logits, features @ params['logits']['kernel'] + params['logits']['bias'], atol=1e-5
        )
        self.assertEqual(list(params), ['logits'])

    def test_batch_norm_in_training(self):
        x = images((8, 4))
        model = models.MLP(3, widths=(5,), batch_norm=True)
        variables = draw(model, x)
        params = variables['params']
        norm = params['BatchNorm_0']
        outputs, _ = model.apply(variables, x, train=True, mutable=['batch_stats'])
        expected = np.maximum(numpy_norm(x @ params['Dense_0']['kernel'], norm['scale'], norm['bias']), 0)
        np.testing.assert_allclose(outputs.features, expected, atol=1e-4)


class ModelsTest(chex.TestCase):
    @parameterized.parameters((8, 8, 1), (9, 14, 3), (15, 8, 1), (2, 2, 1), (1, 5, 2), (32, 31, 3))
    def test_cnn_shapes(self, *shape):
        x = jnp.zeros((4, *shape))
        model = models.CNN(7, channels=(4, 6), widths=(5,), batch_norm=True)
        variables = jax.eval_shape(lambda: model.init(keys.key(0), x, train=False))
        outputs = jax.eval_shape(lambda v: model.apply(v, x, train=False), variables)
        self.assertEqual((outputs.features.shape, outputs.logits.shape), ((4, 5), (4, 7)))
        self.assertEqual(set(variables['params']), {'ConvBlock_0', 'ConvBlock_1', 'Dense_0', 'logits'})

    def test_cnn_is_blocks_then_dense(self):
        x = images((3, 8, 6, 1))
        model = models.CNN(4, channels=(3, 5), widths=(6,), activation=activations.tanh)
        variables = draw(model, x)
        h, params = x, variables['params']
        for block in ('ConvBlock_0', 'ConvBlock_1'):
            h = naive_pool(np.tanh(xla_convolution(h, params[block]['kernel']) + params[block]['bias']))
        h = np.tanh(h.reshape(3, -1) @ params['Dense_0']['kernel'] + params['Dense_0']['bias'])
        features, logits = model.apply(variables, x, train=True)
        np.testing.assert_allclose(features, h, atol=1e-5)
        np.testing.assert_allclose(
            logits, h @ params['logits']['kernel'] + params['logits']['bias'], atol=1e-5
        )

    def test_the_dense_layers_see_few_places_whatever_the_size(self):
        for side in (*range(4, 48), 64, 79, 80, 96, 127, 128):
            channels = models.channels_for(side // 2, side)
            self.assertBetween(side >> len(channels), 1 if side < 8 else 2, 4, side)
            self.assertEqual((len(channels), channels[-1]), (len(models.channels_for(side, 3)), 64))
        self.assertEqual([models.channels_for(n, n) for n in (19, 20, 39)], [(32, 64)] + 2 * [(16, 32, 64)])
        model = models.CNN(3)
        variables = jax.eval_shape(lambda: model.init(keys.key(0), jnp.zeros((1, 64, 64, 3)), train=False))
        self.assertEqual(variables['params']['Dense_0']['kernel'].shape, (4 * 4 * 64, 128))

    def test_a_table_is_no_image(self):
        with self.assertRaisesRegex(ValueError, r'images \[B, H, W, C\].*\(3, 5\)'):
            models.CNN(4).init(keys.key(0), jnp.zeros((3, 5)), train=False)

    @parameterized.named_parameters(
        ('mlp', models.MLP(3, widths=(400,))), ('cnn', models.CNN(3, channels=(2,), widths=(400,)))
    )
    def test_dropout_acts_in_training_only(self, model):
        x = images((16, 4, 4, 1))
        variables = draw(model, x)
        rngs = {'dropout': keys.key(7)}
        plain = model.apply(variables, x, train=False).features
        evaluated = model.apply(variables, x, train=False, dropout=0.5, input_dropout=0.5)
        np.testing.assert_array_equal(evaluated.features, plain)
        zero = model.apply(variables, x, train=True, dropout=0.0, input_dropout=0.0, rngs=rngs)
        np.testing.assert_array_equal(zero.features, plain)

        dropped = np.asarray(model.apply(variables, x, train=True, dropout=0.25, rngs=rngs).features)
        active = np.asarray(plain) > 0
        self.assertAlmostEqual((dropped == 0)[active].mean(), 0.25, delta=0.05)
        kept = active & (dropped > 0)
        np.testing.assert_allclose(dropped[kept], np.asarray(plain)[kept] / 0.75, rtol=1e-5)

    @parameterized.named_parameters(
        ('mlp', models.MLP(3, widths=(400,))), ('cnn', models.CNN(3, channels=(2,), widths=(400,)))
    )
    def test_other_kinds_of_dropout_are_another_function_of_the_same_weights(self, model):
        x = images((16, 4, 4, 1))
        variables = draw(model, x)

        def features(kind, seed=7, **options):
            rngs = {'dropout': keys.key(seed)}
            return model.clone(dropping=kind).apply(variables, x, rngs=rngs, **options).features

        plain = features(dropout.units, train=False)
        for kind in dropout.DROPPINGS[1:]:
            np.testing.assert_array_equal(features(kind, train=False, dropout=0.5), plain)
            np.testing.assert_array_equal(features(kind, train=True, dropout=0.0), plain)
            one, other = (features(kind, seed, train=True, dropout=0.5) for seed in (7, 8))
            self.assertGreater(np.abs(one - plain).max(), 0.1)
            self.assertGreater(np.abs(one - other).max(), 0.1)

    def test_drop_connect_masks_each_weight_once_a_batch(self):
        # One input of 1 and no bias: the features are the weights themselves.
        model = models.MLP(3, widths=(4000,), activation=ITSELF, dropping=dropout.connections)
        x = np.ones((2, 1), np.float32)
        variables = draw(model, x)
        variables['params']['Dense_0']['bias'][:] = 0
        rngs = {'dropout': keys.key(7)}
        features = np.asarray(model.apply(variables, x, train=True, dropout=0.25, rngs=rngs).features)
        np.testing.assert_array_equal(features[0], features[1])
        kept = features[0] != 0
        self.assertAlmostEqual(kept.mean(), 0.75, delta=0.03)
        weights = variables['params']['Dense_0']['kernel'][0]
        np.testing.assert_allclose(features[0][kept], weights[kept] / 0.75, rtol=1e-5)

    def test_spatial_dropout_drops_channels_of_blocks(self):
        model = models.CNN(3, channels=(64,), widths=(), block_dropping=dropout.channels)
        x = images((8, 4, 4, 1)) + 5
        variables = draw(model, x)
        variables = jax.tree.map(np.abs, variables)
        rngs = {'dropout': keys.key(7)}
        plain = model.apply(variables, x, train=False).features.reshape(8, 4, 64)
        dropped = model.apply(variables, x, train=True, dropout=0.25, rngs=rngs).features.reshape(8, 4, 64)
        self.assertGreater(plain.min(), 0)
        kept = np.asarray(dropped) > 0
        np.testing.assert_array_equal(kept, np.broadcast_to(kept[:, :1], kept.shape))
        self.assertAlmostEqual(kept.mean(), 0.75, delta=0.06)
        np.testing.assert_allclose(dropped[kept], plain[kept] / 0.75, rtol=1e-5)

    def test_input_dropout_reaches_the_inputs(self):
        x = np.ones((500, 4, 4, 1), np.float32)
        model = models.MLP(3, widths=())
        variables = draw(model, x)
        rngs = {'dropout': keys.key(7)}
        features = np.asarray(model.apply(variables, x, train=True, input_dropout=0.25, rngs=rngs).features)
        np.testing.assert_allclose(np.unique(features), [0, 4 / 3], rtol=1e-6)
        self.assertAlmostEqual((features == 0).mean(), 0.25, delta=0.02)

    def test_a_net_of_a_population_equals_itself_alone(self):
        x = images((5, 6, 6, 1))
        model = models.CNN(3, channels=(4,), widths=(6,), batch_norm=True)
        split, rates = jax.random.split(keys.key(1), 3), jnp.array([0.0, 0.3, 0.6])
        nets = [draw(model, x, seed) for seed in range(3)]
        variables = jax.tree.map(lambda *leaves: np.stack(leaves), *nets)

        def gradient(variables, rate, key):
            def value(params):
                own = {**variables, 'params': params}
                rngs = {'dropout': key}
                out, _ = model.apply(own, x, train=True, dropout=rate, rngs=rngs, mutable=['batch_stats'])
                return jnp.sum(out.logits**2)

            return jax.grad(value)(variables['params'])

        together = jax.jit(jax.vmap(gradient))(variables, rates, split)
        alone = jax.jit(gradient)(nets[1], rates[1], split[1])
        chex.assert_trees_all_close(jax.tree.map(lambda leaf: leaf[1], together), alone, atol=1e-4, rtol=1e-4)

    @parameterized.named_parameters(
        ('mlp', models.MLP(3, widths=(6,), batch_norm=True)),
        ('cnn', models.CNN(3, channels=(4,), widths=(6,), batch_norm=True)),
    )
    def test_sharded_statistics_are_those_of_the_whole_batch(self, model):
        x = images((6, 4, 4, 1))
        variables = draw(model, x)
        whole, stats = model.apply(variables, x, train=True, mutable=['batch_stats'])
        sharded = model.clone(axis_name='batch')
        shards, shard_stats = jax.vmap(
            lambda x: sharded.apply(variables, x, train=True, mutable=['batch_stats']), axis_name='batch'
        )(x.reshape(2, 3, 4, 4, 1))
        np.testing.assert_allclose(shards.logits.reshape(6, 3), whole.logits, atol=1e-5)
        for shard in (0, 1):
            chex.assert_trees_all_close(
                jax.tree.map(lambda leaf, shard=shard: leaf[shard], shard_stats), stats, atol=1e-6
            )

    def test_equal_settings_are_equal_and_hashable(self):
        one, same = (models.CNN(3, channels=(4,), activation=activations.maxout(2)) for _ in range(2))
        self.assertEqual((one, hash(one)), (same, hash(same)))
        self.assertNotEqual(one, models.CNN(3, channels=(4,)))
