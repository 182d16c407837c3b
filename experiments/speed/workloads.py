"""What the speed benchmark trains: nets, numbers and data, the same for every column."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from experiments.speed import torch_task as task_lib
from overfit import base
from overfit.data import load, splits
from overfit.nn import initializers, models
from overfit.objectives import losses
from overfit.train import optimizers, step

SMALL, LARGE_SIDE = 200, 28  # examples; pixels


class Workload(NamedTuple):
    """One net on one data set.

    Attributes:
        name: short.
        recipe: model, loss, optimizer, batch size.
        hyper: its numbers, without `steps`.
        examples: that it is trained on, all of them.
        x_test: `[N, H, W, C]`, as stored.
        y_test: `[N]`.
        members: nets that a population column trains at once.
        epochs: passes over the examples before the test error is taken.
    """

    name: str
    recipe: base.Recipe
    hyper: base.Hyper
    examples: base.Examples
    x_test: np.ndarray
    y_test: np.ndarray
    members: int
    epochs: int

    @property
    def flops_per_step(self) -> int:
        """Multiplications and additions in the matrix products and convolutions of a member's step.

        Forward, gradients of the weights, and gradients of the inputs but for the first layer's.
        """
        products = [math.prod(kernel) * math.prod(outputs[:-1]) for _, kernel, outputs in self.layers]
        return 2 * (3 * sum(products) - products[0])

    @property
    def layers(self) -> list[tuple[tuple[int, ...], ...]]:
        """Shapes of each layer's inputs, kernel and outputs for a batch, see `layers`."""
        return layers(self.recipe.model, self.examples.x.shape[1:], self.recipe.batch_size)

    @property
    def steps(self) -> int:
        """Steps in `epochs`."""
        return max(1, round(self.epochs * len(self.examples.y) / self.recipe.batch_size))


def layers(model, shape: tuple[int, ...], batch_size: int) -> list[tuple[tuple[int, ...], ...]]:
    """Shapes of each layer's inputs, kernel and outputs.

    Args:
        model: `MLP` or `CNN`, its activation of one piece a unit.
        shape: of an input, `[H, W, C]`.
        batch_size: examples a step.
    """
    found = []
    for out in getattr(model, 'channels', ()):
        height, width, depth = shape
        kernel = (model.kernel, model.kernel, depth, out)
        found.append(((batch_size, *shape), kernel, (batch_size, height, width, out)))
        shape = height // 2, width // 2, out
    inputs = math.prod(shape)
    for out in (*model.widths, model.classes):
        found.append(((batch_size, inputs), (inputs, out), (batch_size, out)))
        inputs = out
    return found


def _of(name, model, batch_size, hyper, members, epochs, *, large=False):
    digits = load.load('digits')
    x, y, x_test = digits.train.x, digits.train.y, digits.test.x
    if large:
        x, x_test = enlarged(x, LARGE_SIDE), enlarged(x_test, LARGE_SIDE)
    else:
        rows = splits.subset(y, SMALL, seed=0)
        x, y = x[rows], y[rows]
    recipe = base.Recipe(model, losses.softmax, optimizers.sgd, initializers.he, batch_size=batch_size)
    examples = digits.train._replace(x=x, y=y)
    return Workload(name, recipe, hyper, examples, x_test, digits.test.reveal(), members, epochs)


def enlarged(x: np.ndarray, side: int) -> np.ndarray:
    """Enlarges images `[N, H, W, C]` bilinearly to `[N, side, side, C]` uint8."""
    factors = (1, side / x.shape[1], side / x.shape[2], 1)
    out = ndimage.zoom(x.astype(np.float32), factors, order=1, mode='nearest', grid_mode=True)
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


def _mlp(name, width, members):
    hyper = base.Hyper(learning_rate=0.05, momentum=0.9, dropout=0.3)
    return _of(name, models.MLP(10, widths=(width, width)), 64, hyper, members, 60)


def _cnn(name, kernel, members):
    hyper = base.Hyper(learning_rate=0.02, momentum=0.9, dropout=0.3)
    return _of(name, models.CNN(10, channels=(32, 64), kernel=kernel), 64, hyper, members, 6, large=True)


def _paper(name, members):
    hyper = base.Hyper(learning_rate=0.01, momentum=0.9, dropout=0.5, input_dropout=0.2, max_norm=3.0)
    return _of(name, models.MLP(10, widths=(1024, 1024, 2048)), 100, hyper, members, 6, large=True)


MADE: dict[str, Callable[[bool], Workload]] = {
    'W1': lambda gpu: _mlp('W1', 64, 4096 if gpu else 64),
    'W2': lambda gpu: _mlp('W2', 256, 32),
    'W3': lambda gpu: _cnn('W3', 3, 256 if gpu else 8),
    'W3-5x5': lambda gpu: _cnn('W3-5x5', 5, 8),
    'W4': lambda gpu: _paper('W4', 4),
}
ABOUT = {
    'W1': 'MLP 64-64-64-10, batch 64, dropout',
    'W2': 'MLP 64-256-256-10, batch 64, dropout',
    'W3': 'CNN 28×28, 3×3 kernels, 32 and 64 channels, batch 64, dropout',
    'W3-5x5': 'the same with 5×5 kernels',
    'W4': 'MLP 784-1024-1024-2048-10, batch 100, dropout, inputs too, max-norm',
}


def make(name: str, gpu: bool = False) -> Workload:
    """Makes a workload of `MADE`; W1 and W3 have more members on a GPU."""
    return MADE[name](gpu)


def task_of(workload: Workload, gpu: bool = False) -> task_lib.Task:
    """What the PyTorch columns need to know of a workload, without a word of JAX."""
    model, hyper, examples = workload.recipe.model, workload.hyper, workload.examples
    moments = step.moments_of(examples.x, examples.kind)
    channels = tuple(getattr(model, 'channels', ()))

    def inputs(x):
        x = np.asarray(step.standardise(x, moments))
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if channels else x.reshape(len(x), -1)

    return task_lib.Task(
        x=inputs(examples.x),
        y=examples.y.astype(np.int64),
        x_test=inputs(workload.x_test),
        y_test=workload.y_test.astype(np.int64),
        channels=channels,
        kernel=getattr(model, 'kernel', 0),
        widths=tuple(model.widths),
        classes=model.classes,
        batch_size=workload.recipe.batch_size,
        learning_rate=hyper.learning_rate,
        momentum=hyper.momentum,
        dropout=hyper.dropout or 0.0,
        input_dropout=hyper.input_dropout or 0.0,
        max_norm=hyper.max_norm or 0.0,
        members=workload.members,
        steps=workload.steps,
        device='cuda' if gpu else 'cpu',
    )
