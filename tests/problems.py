"""Tiny labelled sets and recipes that train in a moment, and a member that does."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys
from overfit.data import kinds, sampling
from overfit.nn import activations, initializers, models
from overfit.objectives import losses
from overfit.train import optimizers, start, step
from overfit.train.engine import layout

CLASSES = 3


def blobs(count: int = 60, *, features: int = 4, spread: float = 0.3, seed: int = 0) -> base.Examples:
    """Gaussian blobs, one a class, in turn; small `spread` makes them separable."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(CLASSES, features))
    y = (np.arange(count) % CLASSES).astype(np.int32)
    x = (centers[y] + spread * rng.normal(size=(count, features))).astype(np.float32)
    return base.Examples(x, y, ('a', 'b', 'c'), kinds.vector)


def pictures(count: int = 48, *, side: int = 6, channels: int = 1, seed: int = 0) -> base.Examples:
    """Noisy `uint8` images, each class with its own bright rows; neither symmetric nor square in content."""
    rng = np.random.default_rng(seed)
    y = (np.arange(count) % CLASSES).astype(np.int32)
    x = rng.integers(0, 60, (count, side, side, channels))
    for n, label in enumerate(y):
        x[n, 2 * label : 2 * label + 2, : side - 2] += 150
    return base.Examples(x.astype(np.uint8), y, ('0', '1', '2'), kinds.image)


def recipe(**changes) -> base.Recipe:
    """A small MLP on softmax by SGD; fields of the recipe and of its model can be changed."""
    fields = {f: changes.pop(f) for f in ('widths', 'activation', 'batch_norm') if f in changes}
    model = models.MLP(CLASSES, **{'widths': (8,), 'activation': activations.tanh} | fields)
    sgd, he = optimizers.by_hyper(optimizers.sgd), start.drawn(initializers.he)
    plain = base.Recipe(model, losses.softmax, sgd, he, batch_size=8)
    return plain._replace(**changes)


FOUR = layout.Layout(devices=2, lanes=1, width=2)  # one lane of four slots
VECTORS, IMAGES = blobs(spread=0.6), pictures()


def examples_for(recipe: base.Recipe) -> base.Examples:
    """Images where a recipe needs them, else vectors."""
    return IMAGES if recipe.augment or isinstance(recipe.model, models.CNN) else VECTORS


def batches(examples: base.Examples, count: int, size: int) -> base.Batch:
    """`[count, size, ...]` examples, drawn at random."""
    order = np.random.default_rng(5).integers(0, len(examples.y), (count, size))
    return base.Batch(examples.x[order], examples.y[order])


@functools.partial(jax.jit, static_argnames=('recipe',))
def initial(key, x, inputs, hyper, recipe):
    """`step.init_state`, compiled."""
    return step.init_state(key, x, inputs, hyper, recipe)


def begun(recipe: base.Recipe, hyper: base.Hyper, seed: int = 0) -> base.State:
    """The initial state of a net on `examples_for` its recipe."""
    examples = examples_for(recipe)
    return initial(keys.key(seed), examples.x[:1], examples.kind.measure(examples.x), hyper, recipe)


def learn(state, hyper, data, recipe):
    """A member over `[S, B, ...]` batches: (state, metrics of each step)."""
    return jax.lax.scan(lambda state, batch: step.train_step(state, batch, hyper, recipe), state, data)


@functools.partial(jax.jit, static_argnames=('most',))
def _stream(seed, count, most):
    """Positions of the first `most` examples that a net visits: a permutation an epoch."""
    place = jnp.arange(most, dtype=jnp.uint32)
    order = jax.random.fold_in(keys.key(seed), sampling.ORDER)
    epochs = jax.vmap(lambda epoch: jax.random.fold_in(order, epoch))(place // jnp.uint32(count))
    return keys.shuffled(epochs, place % jnp.uint32(count), count)


def visits(seed: int, count: int, steps: int, size: int) -> np.ndarray:
    """`[steps, size]` positions of the `count` training examples of a net that make its batches."""
    stream = np.asarray(_stream(seed, count, -(-steps * size // 600) * 600))
    return stream[: steps * size].reshape(steps, size)


one_step = jax.jit(step.train_step, static_argnums=3)
alone = jax.jit(learn, static_argnums=3)
