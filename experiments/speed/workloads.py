"""What the speed benchmark trains: nets, numbers and data, the same for every column."""

import math
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import numpy as np
from scipy import ndimage

from experiments.speed import torch_task
from overfit import base
from overfit.data import load, splits
from overfit.nn import initializers, models
from overfit.objectives import losses
from overfit.train import optimizers, start

SMALL, LARGE_SIDE = 200, 28  # examples; pixels


class Layer(NamedTuple):
    """Shapes of a layer for a batch.

    Attributes:
        inputs: `[B, F]`, of a convolution `[B, H, W, C]`.
        kernel: `[F, out]`, of a convolution `[side, side, C, out]`.
        outputs: `[B, out]`, of a convolution `[B, H, W, out]`.
    """

    inputs: tuple[int, ...]
    kernel: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def convolves(self) -> bool:
        """Whether it is a convolution; else it is dense."""
        return len(self.kernel) == 4


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
        """Multiplications and additions in the matrix products and convolutions of a net's step.

        Forward, gradients of the weights, and gradients of the inputs but for the first layer's.
        """
        products = [math.prod(layer.kernel) * math.prod(layer.outputs[:-1]) for layer in self.layers]
        return 2 * (3 * sum(products) - products[0])

    @property
    def layers(self) -> list[Layer]:
        """Shapes of each layer for a batch."""
        return layers(self.recipe.model, self.examples.x.shape[1:], self.recipe.batch_size)

    @property
    def steps(self) -> int:
        """Steps in `epochs`."""
        return max(1, round(self.epochs * len(self.examples.y) / self.recipe.batch_size))


def channels_of(model: models.MLP | models.CNN, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Output channels of a model's convolutions for inputs `[H, W, C]`; `()` without any."""
    if not isinstance(model, models.CNN):
        return ()
    return tuple(model.channels or models.channels_for(*shape[:2]))


def layers(model: models.MLP | models.CNN, shape: tuple[int, ...], batch_size: int) -> list[Layer]:
    """Lists the layers of a model, from the inputs to the logits.

    Args:
        model: its activation of one piece a unit.
        shape: of an input, `[H, W, C]`.
        batch_size: examples a step.
    """
    listed = []
    for out in channels_of(model, shape):
        height, width, depth = shape
        kernel = (model.kernel, model.kernel, depth, out)
        listed.append(Layer((batch_size, *shape), kernel, (batch_size, height, width, out)))
        shape = height // 2, width // 2, out
    inputs = math.prod(shape)
    for out in (*model.widths, model.classes):
        listed.append(Layer((batch_size, inputs), (inputs, out), (batch_size, out)))
        inputs = out
    return listed


def recipe_of(model: nn.Module, batch_size: int) -> base.Recipe:
    """A model on cross-entropy by SGD, its kernels drawn by He."""
    sgd, he = optimizers.by_hyper(optimizers.sgd), start.drawn(initializers.he)
    return base.Recipe(model, losses.softmax, sgd, he, batch_size=batch_size)


def _on_digits(name, model, batch_size, hyper, members, epochs, *, large=False):
    """A model on 200 of the digits, or on all of them, enlarged."""
    digits = load.load('digits')
    x, y, x_test = digits.train.x, digits.train.y, digits.test.x
    if large:
        x, x_test = enlarged(x, LARGE_SIDE), enlarged(x_test, LARGE_SIDE)
    else:
        rows = splits.subset(y, SMALL, seed=0)
        x, y = x[rows], y[rows]
    examples = digits.train._replace(x=x, y=y)
    recipe = recipe_of(model, batch_size)
    return Workload(name, recipe, hyper, examples, x_test, digits.test.reveal(), members, epochs)


def enlarged(x: np.ndarray, side: int) -> np.ndarray:
    """Enlarges images `[N, H, W, C]` bilinearly to `[N, side, side, C]` uint8."""
    factors = (1, side / x.shape[1], side / x.shape[2], 1)
    out = ndimage.zoom(x.astype(np.float32), factors, order=1, mode='nearest', grid_mode=True)
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


def _mlp(name, width, members):
    hyper = base.Hyper(learning_rate=0.05, momentum=0.9, dropout=0.3)
    return _on_digits(name, models.MLP(10, widths=(width, width)), 64, hyper, members, 60)


def _cnn(name, kernel, members):
    hyper = base.Hyper(learning_rate=0.02, momentum=0.9, dropout=0.3)
    model = models.CNN(10, channels=(32, 64), kernel=kernel)
    return _on_digits(name, model, 64, hyper, members, 6, large=True)


def _wide_mlp(name, members):
    hyper = base.Hyper(learning_rate=0.01, momentum=0.9, dropout=0.5, input_dropout=0.2, max_norm=3.0)
    model = models.MLP(10, widths=(1024, 1024, 2048))
    return _on_digits(name, model, 100, hyper, members, 6, large=True)


MAKERS: dict[str, Callable[[bool], Workload]] = {
    'W1': lambda gpu: _mlp('W1', 64, 4096 if gpu else 64),
    'W2': lambda gpu: _mlp('W2', 256, 32),
    'W3': lambda gpu: _cnn('W3', 3, 256 if gpu else 8),
    'W3-5x5': lambda gpu: _cnn('W3-5x5', 5, 8),
    'W4': lambda gpu: _wide_mlp('W4', 4),
}
DESCRIPTIONS = {
    'W1': 'MLP 64-64-64-10, batch 64, dropout',
    'W2': 'MLP 64-256-256-10, batch 64, dropout',
    'W3': 'CNN 28×28, 3×3 kernels, 32 and 64 channels, batch 64, dropout',
    'W3-5x5': 'the same with 5×5 kernels',
    'W4': 'MLP 784-1024-1024-2048-10, batch 100, dropout, inputs too, max-norm',
}


def make(name: str, gpu: bool = False) -> Workload:
    """Makes a workload of `MAKERS`; W1 and W3 have more nets on a GPU."""
    return MAKERS[name](gpu)


def torch_task_of(workload: Workload, gpu: bool = False) -> torch_task.Task:
    """What the PyTorch columns need to know of a workload; it can be unpickled without JAX."""
    model, hyper, examples = workload.recipe.model, workload.hyper, workload.examples
    statistics = examples.kind.measure(examples.x)
    channels = channels_of(model, examples.x.shape[1:])

    def inputs(x):
        x = np.asarray(examples.kind.prepare(x, statistics))
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if channels else x.reshape(len(x), -1)

    return torch_task.Task(
        x=inputs(examples.x),
        y=examples.y.astype(np.int64),
        x_test=inputs(workload.x_test),
        y_test=workload.y_test.astype(np.int64),
        channels=channels,
        kernel=model.kernel if channels else 0,
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
