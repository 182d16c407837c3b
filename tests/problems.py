"""Tiny labelled sets and recipes that train in a moment, and a member that does."""

import functools

import jax
import numpy as np

from experiments.speed import workloads
from overfit import base, keys
from overfit.nn import activations, initializers, models
from overfit.objectives import losses
from overfit.train import optimizers, step

CLASSES = 3


def blobs(count: int = 60, *, features: int = 4, spread: float = 0.3, seed: int = 0) -> base.Examples:
    """Gaussian blobs, one a class, in turn; small `spread` makes them separable."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(CLASSES, features))
    y = (np.arange(count) % CLASSES).astype(np.int32)
    x = (centers[y] + spread * rng.normal(size=(count, features))).astype(np.float32)
    return base.Examples(x, y, ('a', 'b', 'c'), 'vector')


def pictures(count: int = 48, *, side: int = 6, channels: int = 1, seed: int = 0) -> base.Examples:
    """Noisy `uint8` images, each class with its own bright rows; neither symmetric nor square in content."""
    rng = np.random.default_rng(seed)
    y = (np.arange(count) % CLASSES).astype(np.int32)
    x = rng.integers(0, 60, (count, side, side, channels))
    for n, label in enumerate(y):
        x[n, 2 * label : 2 * label + 2, : side - 2] += 150
    return base.Examples(x.astype(np.uint8), y, ('0', '1', '2'), 'image')


def recipe(**changes) -> base.Recipe:
    """A small MLP on softmax by SGD; fields of the recipe and of its model can be changed."""
    fields = {f: changes.pop(f) for f in ('widths', 'activation', 'batch_norm') if f in changes}
    model = models.MLP(CLASSES, **{'widths': (8,), 'activation': activations.tanh} | fields)
    plain = base.Recipe(model, losses.softmax, optimizers.sgd, initializers.he, batch_size=8)
    return plain._replace(**changes)


VECTORS, IMAGES = blobs(spread=0.6), pictures()


def examples_for(recipe: base.Recipe) -> base.Examples:
    """Images where a recipe needs them, else vectors."""
    return IMAGES if recipe.augment or isinstance(recipe.model, models.CNN) else VECTORS


def batches(examples: base.Examples, count: int, size: int) -> base.Batch:
    """`[count, size, ...]` examples, drawn at random."""
    order = np.random.default_rng(5).integers(0, len(examples.y), (count, size))
    return base.Batch(examples.x[order], examples.y[order])


@functools.partial(jax.jit, static_argnames=('recipe', 'shape'))
def initial(key, hyper, moments, recipe, shape):
    """`step.init_state`, compiled."""
    return step.init_state(key, recipe, hyper, moments, shape)


def start(recipe: base.Recipe, hyper: base.Hyper, seed: int = 0) -> base.State:
    """The initial state of a member on `examples_for` its recipe."""
    examples = examples_for(recipe)
    moments = step.moments_of(examples.x, examples.kind)
    return initial(keys.key(seed), hyper, moments, recipe, examples.x.shape[1:])


def learn(state, hyper, data, recipe):
    """A member over `[S, B, ...]` batches: (state, metrics of each step)."""
    return jax.lax.scan(lambda state, batch: step.train_step(state, batch, hyper, recipe), state, data)


one_step = jax.jit(step.train_step, static_argnums=3)
alone = jax.jit(learn, static_argnums=3)


def workload(model, *, side=8, max_norm=None, batch_size=8):
    """A tiny one for the speed benchmark: 24 images that are easily told apart."""
    rng = np.random.default_rng(0)
    y = (np.arange(24) % 3).astype(np.int32)
    x = rng.integers(0, 40, (24, side, side, 1)) + 60 * y[:, None, None, None]
    examples = base.Examples(x.astype(np.uint8), y, ('a', 'b', 'c'), 'image')
    recipe = base.Recipe(model, losses.softmax, optimizers.sgd, initializers.he, batch_size=batch_size)
    hyper = base.Hyper(learning_rate=0.1, momentum=0.9, max_norm=max_norm)
    return workloads.Workload('tiny', recipe, hyper, examples, examples.x, y, 2, 10)
