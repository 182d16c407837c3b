"""What a practitioner writes by hand, on the very labelled sets on which `experiments.squeeze` measures.

A contestant is `(labelled, x_test, seed) -> predictions`: it is given one labelled set and returns the class
of each test example.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.data import kinds
from overfit.study import references, requests

BY_HAND, SVM = 'PyTorch by hand', references.SVM
FOLDS = 5  # as many as a study's `validation=0.2` makes
EPOCHS, BATCH_SIZE, SHIFT, ROTATE = 150, 32, 0.12, 0.2

Contestant = Callable[[base.Examples, np.ndarray, int], np.ndarray]


class Row(NamedTuple):
    """How a contestant did on a workload.

    Attributes:
        workload: the data and the number of labels.
        column: the contestant.
        wrong: `[J, N]` float32: test example misclassified after training on the labelled set; NaN where that
            does not test it.
        seconds: median wall-clock time of a training, prediction included.
    """

    workload: str
    column: str
    wrong: np.ndarray
    seconds: float

    @property
    def test_error(self) -> np.ndarray:
        """`[J]`, percent."""
        return 100 * np.nanmean(self.wrong, 1, dtype=np.float64)

    def as_json(self) -> dict:
        """`workload`, `column`, `test_error` of each labelled set in percent, `seconds`."""
        return {
            'workload': self.workload,
            'column': self.column,
            'test_error': self.test_error.round(4).tolist(),
            'seconds': round(self.seconds, 2),
        }


def measure(
    study: requests.Study,
    contestants: Mapping[str, Contestant],
    *,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Row]:
    """Trains every contestant on the labelled sets of the study.

    Args:
        study: from `overfit.study.requests.prepare`; nothing of it is run.
        contestants: by name.
        tell: told of every training.

    Returns:
        One row a contestant.
    """
    pool, holdout, design = study.splits.train, study.splits.test, study.design
    workload = f'{study.splits.name} at {design.plan.protocol.train_size}'
    sets = [design.sets[place] for place in design.places.measured]
    rows = []
    for column, contestant in contestants.items():
        wrong, seconds = np.full((len(sets), len(holdout)), np.nan, np.float32), []
        for number, one in enumerate(sets):
            begin = time.perf_counter()
            examples = _rows(pool, one.labelled)
            predicted = np.zeros(len(holdout), np.int64)
            predicted[one.tested] = contestant(examples, holdout.x[one.tested], one.seed)
            wrong[number, one.tested] = holdout.wrong(predicted)[one.tested]
            seconds.append(time.perf_counter() - begin)
            tell(
                f'{workload}: {column} {number + 1}/{len(sets)}: '
                f'{100 * np.nanmean(wrong[number]):.2f} % wrong after {seconds[-1]:.1f} s'
            )
        rows.append(Row(workload, column, wrong, float(np.median(seconds))))
    return rows


def table(rows: list[Row]) -> str:
    """The rows as text: mean and standard deviation of the test error in percent, n, median seconds."""
    width = max(len(row.workload) for row in rows)
    lines = [f'{"":{width}}  {"":15}  test error %   n   s a training']
    for row in rows:
        error, n = row.test_error, len(row.wrong)
        spread = f'± {error.std(ddof=1):.1f}' if n > 1 else ''
        figures = f'{error.mean():5.1f} {spread:5}  {n:3}   {row.seconds:8.1f}'
        lines.append(f'{row.workload:{width}}  {row.column:15}  {figures}')
    return '\n'.join(lines)


def svm(labelled: base.Examples, x_test: np.ndarray, seed: int) -> np.ndarray:
    """The contestant of `references`: an RBF SVM, tuned by cross-validation."""
    everything = np.arange(len(labelled.y)), np.arange(len(x_test))
    found = references.predict(labelled, x_test, *everything, folds=FOLDS, seed=seed, names=[references.SVM])
    return found[references.SVM]


def by_hand(labelled: base.Examples, x_test: np.ndarray, seed: int) -> np.ndarray:
    """The contestant in PyTorch: a small convolutional net, augmentation, dropout, Adam, the last weights.

    Args:
        labelled: `uint8` images; all of them are trained on.
        x_test: `[N, H, W, C]`.
        seed: of everything.

    Returns:
        `[N]` classes.

    Raises:
        ValueError: not images, images smaller than 4×4, or no PyTorch.
    """
    torch = _torch()
    height, width, channels = _image_shape(labelled)
    kind, statistics = labelled.kind, labelled.kind.measure(labelled.x)

    def inputs(x):
        return torch.tensor(np.asarray(kind.prepare(x, statistics)).transpose(0, 3, 1, 2))

    x, y = inputs(labelled.x), torch.tensor(labelled.y, dtype=torch.long)
    background = inputs(statistics.border.reshape(1, 1, 1, channels))
    torch.manual_seed(seed)
    nn = torch.nn
    net = nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * (height // 4) * (width // 4), 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, len(labelled.classes)),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(x)).split(BATCH_SIZE):
            angle = torch.empty(len(batch)).uniform_(-ROTATE, ROTATE)
            shift = torch.empty(len(batch), 2).uniform_(-SHIFT, SHIFT)
            optimizer.zero_grad()
            logits = net(moved(x[batch], angle, shift, background))
            nn.functional.cross_entropy(logits, y[batch]).backward()
            optimizer.step()
    net.eval()
    with torch.no_grad():
        return torch.cat([net(part).argmax(1) for part in inputs(x_test).split(1000)]).numpy()


def moved(x, angle, shift, background):
    """Rotates images about their middle and shifts them, bilinearly.

    Args:
        x: `[B, C, H, W]` tensor.
        angle: `[B]`, radians.
        shift: `[B, 2]`, of the sampling points to the right and downwards, as fractions of the sides.
        background: `[1, C, 1, 1]`, the value beyond the border.

    Returns:
        `[B, C, H, W]`.
    """
    torch = _torch()
    aspect = x.shape[2] / x.shape[3]
    across = torch.stack([angle.cos(), -angle.sin() * aspect, 2 * shift[:, 0]], 1)
    down = torch.stack([angle.sin() / aspect, angle.cos(), 2 * shift[:, 1]], 1)
    grid = torch.nn.functional.affine_grid(torch.stack([across, down], 1), x.shape, align_corners=False)
    return torch.nn.functional.grid_sample(x - background, grid, align_corners=False) + background


def _rows(pool, rows):
    groups = None if pool.groups is None else pool.groups[rows]
    return pool._replace(x=pool.x[rows], y=pool.y[rows], groups=groups)


def _image_shape(labelled):
    shape = labelled.x.shape[1:]
    if labelled.kind != kinds.image or min(shape[:2]) < 4:
        raise ValueError(
            f'the hand-written net takes images of at least 4×4 pixels; these are {labelled.kind.noun} of '
            f'{"×".join(map(str, shape))}'
        )
    return shape


def _torch():
    try:
        import torch
    except ImportError:
        raise ValueError('the hand-written net needs PyTorch: pip install -e ".[bench]"') from None
    return torch
