"""Models in words, and as JSON and back."""

import json

import flax.linen as nn
import jax
import jax.numpy as jnp
from absl.testing import absltest, parameterized

from overfit import base
from overfit.nn import activations, describe, dropout, first, models

SWISH = base.Activation('swish', nn.swish)


class Own(nn.Module):
    classes: int
    widths: tuple[int, ...] = (32, 16)
    rate: float = 0.25
    activation: base.Activation = SWISH
    dtype: object = jnp.float32
    bottleneck: bool = True


class Wider(models.MLP):
    """Ours, but changed."""


class DescribeTest(parameterized.TestCase):
    @parameterized.parameters(
        (models.MLP(10), 'MLP 128-128 relu'),
        (models.MLP(10, (32,), activations.tanh, batch_norm=True), 'MLP 32 tanh, batch norm'),
        (models.MLP(10, ()), 'MLP relu'),
        (models.MLP(10, (9,), first=first.gradients), 'MLP 9 relu, on oriented gradients'),
        (models.MLP(10, (4,), SWISH), 'MLP 4 swish'),
        (models.MLP(10, (4,), activations.maxout(3)), 'MLP 4 maxout 3'),
        (models.CNN(10, batch_norm=True), 'CNN conv 32-conv 64-128 relu, batch norm'),
        (models.CNN(10, (8, 16), widths=()), 'CNN conv 8-conv 16 relu'),
        (models.MLP(10, (4,), dropping=dropout.gaussian), 'MLP 4 relu, Gaussian dropout'),
        (
            models.CNN(10, (8,), batch_norm=True, block_dropping=dropout.channels),
            'CNN conv 8-128 relu, batch norm, spatial dropout',
        ),
        (Own(3), 'Own classes 3, widths 32-16, rate 0.25, activation swish, bottleneck True'),
        (nn.Sequential([nn.Dense(3)]), 'Sequential'),
        (object(), 'object'),
    )
    def test_words(self, model, words):
        self.assertEqual(describe.describe(model, (8, 8, 1)), words)

    def test_what_is_built_on_ours_goes_by_its_own_name(self):
        self.assertStartsWith(describe.describe(Wider(10), (4,)), 'Wider classes 10, widths 128-128')


class ConfigTest(parameterized.TestCase):
    @parameterized.parameters(
        models.MLP(10),
        models.MLP(3, (32, 7), activations.sigmoid, batch_norm=True),
        models.MLP(3, (), activations.maxout(4)),
        models.CNN(10),
        models.MLP(3, (5,), dropping=dropout.connections),
        models.CNN(3, (8,), dropping=dropout.gaussian, block_dropping=dropout.channels),
        models.MLP(3, activation=activations.gelu, first=first.gradients),
        models.CNN(3, activation=activations.leaky_relu, first=first.harmonic),
        models.CNN(4, (8,), 5, (16, 16), activations.tanh, batch_norm=True),
    )
    def test_a_model_comes_back(self, model):
        config = json.loads(json.dumps(describe.to_config(model)))
        again = describe.from_config(config | {'nets': 3})
        self.assertEqual(again, model)
        shapes = [
            jax.eval_shape(lambda m=m: m.init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)), train=False))
            for m in (model, again)
        ]
        self.assertEqual(*shapes)

    def test_a_config_of_an_earlier_version(self):
        config = {
            'model': 'CNN',
            'fields': {
                'classes': 10, 'widths': [128], 'batch_norm': True, 'activation': 'relu', 'channels': None,
                'kernel': 3,
            },
        }  # fmt: skip
        self.assertEqual(describe.from_config(config), models.CNN(10, batch_norm=True))

    def test_where_a_module_stands_is_not_saved(self):
        self.assertEqual(describe.to_config(models.MLP(3, axis_name='batch', name='left')),
                         describe.to_config(models.MLP(3)))  # fmt: skip

    @parameterized.parameters(
        (
            Own(3),
            r'the saved model is a Own, .*: give the module, or the recipe .* as load\(path, recipe=...\)',
        ),
        (
            Wider(3),
            r'the saved model is a Wider, .*: give the module, or the recipe .* as load\(path, recipe=...\)',
        ),
        (
            models.MLP(3, dropping=dropout.gaussian._replace(of_weights=True)),
            "the saved MLP has the kind of dropout 'own Gaussian dropout'",
        ),
        (models.MLP(3, first=base.First('zoom', lambda x: x)), "the saved MLP stands on 'own zoom'"),
        (models.MLP(3, activation=SWISH), "the saved MLP has the activation 'own swish'"),
        (models.MLP(3, activation=SWISH._replace(name='relu')), "has the activation 'own relu'"),
        (models.MLP(3, activation=SWISH._replace(name='maxout 2', pieces=2)), "activation 'own maxout 2'"),
    )
    def test_what_is_not_ours_is_refused(self, model, message):
        config = json.loads(json.dumps(describe.to_config(model)))
        with self.assertRaisesRegex(ValueError, message):
            describe.from_config(config)

    def test_a_strangers_class_of_our_name(self):
        stranger = type('MLP', (nn.Module,), {})()
        with self.assertRaisesRegex(ValueError, 'is a MLP, which is not part of overfit'):
            describe.from_config(describe.to_config(stranger))


if __name__ == '__main__':
    absltest.main()
