"""Values that a stranger might put into the slots of a recipe, most of them wrong."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from overfit import base
from overfit.objectives import losses
from overfit.train import start


def module(call):
    """A module of a bare `__call__`."""
    return type('Own', (nn.Module,), {'__call__': nn.compact(call)})()


@module
def without_outputs(self, x, *, train, dropout=None, input_dropout=None):
    return nn.Dense(3)(x)


@module
def of_five_classes(self, x, *, train, dropout=None, input_dropout=None):
    return base.Outputs(x, nn.Dense(5)(x))


@module
def without_dropout(self, x, *, train):
    return base.Outputs(x, nn.Dense(3)(x))


@module
def of_flat_features(self, x, *, train, dropout=None, input_dropout=None):
    return base.Outputs(jnp.sum(x, axis=1), nn.Dense(3)(x))


@module
def of_constant_dropout(self, x, *, train, dropout=None, input_dropout=None):
    if dropout:  # a traced number has no truth
        x = x * (1 - dropout)
    return base.Outputs(x, nn.Dense(3)(x))


def loss(apply, init=lambda classes, features: ()):
    return base.Loss(init, apply, apply.__name__)


def values(outputs, batch):
    return losses.cross_entropy(outputs.logits, batch.y)


def mean_loss(key, state, outputs, batch, hyper, axis_name):
    return jnp.mean(values(outputs, batch)), state


def valueless_loss(key, state, outputs, batch, hyper, axis_name):
    return None, state


def stateless_loss(key, state, outputs, batch, hyper, axis_name):
    return values(outputs, batch)


def growing_loss(key, state, outputs, batch, hyper, axis_name):
    return values(outputs, batch), jnp.concatenate([state, state])


def counting_loss(key, state, outputs, batch, hyper, axis_name):
    return values(outputs, batch), state + 0.5  # of an integer


def asking_loss(key, state, outputs, batch, hyper, axis_name):
    if hyper.own['gap'] > 0:
        return values(outputs, batch), state
    return 2 * values(outputs, batch), state


def multiplying_loss(key, state, outputs, batch, hyper, axis_name):
    return values(outputs, batch) * hyper.label_smoothing, state


def margin_loss(key, state, outputs, batch, hyper, axis_name):
    margin = hyper.own.get('gap')
    return values(outputs, batch) + (0 if margin is None else margin), state


def checkpointed_loss(key, state, outputs, batch, hyper, axis_name):
    again = jax.checkpoint(lambda outputs, hyper: values(outputs, batch) * hyper.own['gap'])
    return again(outputs, hyper), state


def halved(key, batch, hyper, inputs):
    return jax.tree.map(lambda a: a[::2], batch)


def bare(key, batch, hyper, inputs):
    return batch.x


def of_three_arguments(key, x, hyper):
    return x


def zoomed(key, batch, hyper, inputs):
    return batch._replace(x=batch.x * hyper.zoom)


def random_floats(key, step, y, count, size):
    return jax.random.uniform(key, (size,))


def too_few(key, step, y, count, size):
    return jnp.zeros(size - 1, jnp.int32)


def pair(key, step, y, count, size):
    return jnp.zeros(size, jnp.int32), key


def no_optimizer(hyper, learning_rate):
    return None


def rounding(hyper, learning_rate):
    """Its state becomes another with the first update."""
    return optax.GradientTransformation(lambda params: jnp.int32(0), lambda g, s, p=None: (g, s + 0.5))


def lazy(hyper, learning_rate):
    """Reads its own number only when it updates."""

    def update(gradients, state, params=None):
        return jax.tree.map(lambda g: -learning_rate * hyper.own['pace'] * g, gradients), state

    return optax.GradientTransformation(lambda params: (), update)


def flat_gradient(objective, params, hyper, axis_name):
    out, gradient = jax.value_and_grad(objective, has_aux=True)(params)
    return out, jax.tree.leaves(gradient)


def bare_gradient(objective, params, hyper, axis_name):
    return jax.grad(objective, has_aux=True)(params)[0]


def average(**slots):
    ema = {
        'init': lambda params: params,
        'update': lambda average, params, progress, hyper: params,
        'weights': lambda average, params: average,
        'name': 'mine',
    }
    return base.Average(**ema | slots)


def per_step(average, params, progress, hyper):
    return jax.tree.map(lambda a, p: a + (p - a) / hyper.steps, average, params)


def two_columns(outputs, loss_state):
    return outputs.logits[:, :2]


def nothing(path):
    return path[0] == 'head'


def wrong_path(path):
    return path[3] == 'kernel'


GIVEN = start.given({'params': {'logits': {'kernel': np.zeros((9, 3), np.float32)}}})


def wide(x, inputs):
    return jnp.concatenate([x, x**2], axis=1)
