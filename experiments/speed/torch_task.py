"""A workload as the PyTorch columns see it; importing this loads neither JAX nor PyTorch."""

from typing import NamedTuple

import numpy as np

COLUMNS = ('dataloader', 'tensor', 'vmap', 'compile')


class Task(NamedTuple):
    """A net, its numbers and its data.

    Attributes:
        x: `[n, C, H, W]` or `[n, F]` float32, standardised.
        y: `[n]` int64.
        x_test: likewise.
        y_test: likewise.
        channels: of the convolutions, each followed by a 2×2 maximum; `()`: none.
        kernel: side of their kernels, odd.
        widths: of the dense hidden layers.
        classes: logits.
        batch_size: examples a step.
        learning_rate: of SGD.
        momentum: of SGD.
        dropout: of the dense hidden units.
        input_dropout: of the inputs.
        max_norm: bound on a unit's incoming weights; 0: none.
        members: nets that the column `vmap` trains at once.
        steps: before the test error is taken.
        device: `'cpu'` or `'cuda'`.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    channels: tuple[int, ...]
    kernel: int
    widths: tuple[int, ...]
    classes: int
    batch_size: int
    learning_rate: float
    momentum: float
    dropout: float
    input_dropout: float
    max_norm: float
    members: int
    steps: int
    device: str
