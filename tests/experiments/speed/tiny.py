"""A workload that trains in a moment."""

import numpy as np

from experiments.speed import workloads
from overfit import base
from overfit.data import kinds
from overfit.nn import models


def workload(
    model: models.MLP | models.CNN, *, side: int = 8, max_norm: float | None = None, batch_size: int = 8
) -> workloads.Workload:
    """24 images of three classes that are easily told apart, and two nets."""
    rng = np.random.default_rng(0)
    y = (np.arange(24) % 3).astype(np.int32)
    x = rng.integers(0, 40, (24, side, side, 1)) + 60 * y[:, None, None, None]
    examples = base.Examples(x.astype(np.uint8), y, ('a', 'b', 'c'), kinds.image)
    hyper = base.Hyper(learning_rate=0.1, momentum=0.9, max_norm=max_norm)
    recipe = workloads.recipe_of(model, batch_size)
    return workloads.Workload('tiny', recipe, hyper, examples, examples.x, y, members=2, epochs=10)
