"""What a practitioner writes by hand, on the very labelled sets on which `experiments.squeeze` measures.

A contestant is `(labelled, x_test, seed) -> predictions`: it is given one labelled set and returns the class
of each test example.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats as scipy_stats

from overfit import base
from overfit.data import kinds
from overfit.study import measure as measure_lib
from overfit.study import plan, references, requests, stats
from overfit.study import results as results_lib
from overfit.train import checkpoint

BY_HAND, SVM = 'PyTorch by hand', 'RBF SVM'
EPOCHS, BATCH_SIZE, SHIFT, ROTATE = 150, 32, 0.12, 0.2

Contestant = Callable[[base.Examples, np.ndarray, int], np.ndarray]


class Row(NamedTuple):
    """How a contestant did on a workload.

    Attributes:
        workload: the data, the number of labels and which labelled sets.
        column: the contestant.
        wrong: `[R, N]` bool: test example misclassified after training on the labelled set.
        seconds: median wall-clock time of a training, prediction included.
    """

    workload: str
    column: str
    wrong: np.ndarray
    seconds: float

    @property
    def test_error(self) -> np.ndarray:
        """`[R]`, percent."""
        return 100 * self.wrong.mean(1)

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
    """Trains every contestant on the study's fresh replicates, and on the labels of its final model.

    Args:
        study: from `overfit.study.requests.prepare`; nothing of it is run.
        contestants: by name.
        tell: told of every training.

    Returns:
        For either workload one row a contestant.
    """
    pool, holdout, protocol = study.splits.train, study.splits.test, study.design.plan.protocol
    name = f'{study.splits.name} at {protocol.train_size}'
    numbers = range(protocol.replicates)
    workloads = {
        name: [measure_lib.replicate(pool, protocol.train_size, protocol, n) for n in numbers],
        f'{name}, the labels of best/': [measure_lib.Replicate(study.design.labelled, protocol.seed)],
    }
    rows = []
    for workload, replicates in workloads.items():
        for column, contestant in contestants.items():
            wrong, seconds = [], []
            for labelled, seed in replicates:
                begin = time.perf_counter()
                examples = pool._replace(x=pool.x[labelled], y=pool.y[labelled])
                wrong.append(holdout.wrong(contestant(examples, holdout.x, seed)))
                seconds.append(time.perf_counter() - begin)
                tell(
                    f'{workload}: {column} {len(wrong)}/{len(replicates)}: '
                    f'{100 * wrong[-1].mean():.2f} % wrong after {seconds[-1]:.1f} s'
                )
            rows.append(Row(workload, column, np.stack(wrong), float(np.median(seconds))))
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
    kind, statistics = labelled.kind, labelled.kind.measure(labelled.x)
    x, x_test = (kind.features(x, statistics) for x in (labelled.x, x_test))
    model = references.models(plan.STANDARD.folds, x.shape[1], seed)[SVM]
    return model.fit(x, labelled.y).predict(x_test)


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


def read_squeezed(path: str | os.PathLike, study: requests.Study) -> results_lib.Results:
    """Reads `results.json` of `experiments.squeeze`.

    Args:
        path: of the file.
        study: what is to be compared with it.

    Returns:
        What the file holds.

    Raises:
        ValueError: no results there, results without a squeezed model, or on other data, labels or seed.
    """
    try:
        results, protocol = results_lib.read(path), study.design.plan.protocol
    except ValueError as error:
        raise ValueError(f'--squeezed={error}') from error
    if results.squeezed is None:
        raise ValueError(f'--squeezed={path} holds no squeezed model: give the results.json of a whole run')
    for flag, there, here in (
        ('data', results.data.sha256, study.splits.sha256),
        ('train_size', results.data.train, protocol.train_size),
        ('seed', results.seed, protocol.seed),
    ):
        if there != here:
            raise ValueError(
                f'--squeezed={path} comes from another --{flag} ({there}, here {here}): give both the same'
            )
    return results


def against_squeezed(
    results: results_lib.Results, best: checkpoint.Predictor, study: requests.Study, rows: list[Row]
) -> dict:
    """Compares a squeezed model with the hand-written net on the same labels.

    Args:
        results: from `read_squeezed`.
        best: the model of the same run.
        study: as measured.
        rows: from `measure`, the hand-written net among them.

    Returns:
        `replicates`: intervals of both test errors over the replicates; `best`: errors of the model in
        `best/` and of the net trained on the same labels, the test examples that only one of them gets
        wrong, and McNemar's exact p-value.
    """
    fresh, final = (row for row in rows if row.column == BY_HAND)
    holdout = study.splits.test
    ours, theirs = holdout.wrong(best.predict_proba(holdout.x).argmax(-1)), final.wrong[0]
    only_best, only_by_hand = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return {
        'replicates': {
            'squeezed': results.squeezed.test_error._asdict(),
            BY_HAND: stats.interval(fresh.wrong)._asdict(),
        },
        'best': {
            'squeezed': 100 * float(ours.mean()),
            BY_HAND: float(final.test_error[0]),
            'wrong_only_squeezed': only_best,
            'wrong_only_by_hand': only_by_hand,
            'p': mcnemar(only_best, only_by_hand),
        },
    }


def verdict(compared: dict) -> str:
    """What `against_squeezed` found, in two lines."""
    means, best = compared['replicates'], compared['best']
    intervals = [
        f'{name} {i["mean"]:.2f} % [{i["low"]:.2f}, {i["high"]:.2f}] (n = {i["n"]})'
        for name, i in means.items()
    ]
    gap = means['squeezed']['mean'] - means[BY_HAND]['mean']
    return (
        f'fresh replicates: {", ".join(intervals)}: {gap:+.2f} points\n'
        f'the same labels: best/ {best["squeezed"]:.2f} %, {BY_HAND} {best[BY_HAND]:.2f} %; only one wrong: '
        f'{best["wrong_only_squeezed"]} and {best["wrong_only_by_hand"]}, McNemar p = {best["p"]:.3f}'
    )


def mcnemar(only_one: int, only_other: int) -> float:
    """Exact two-sided p-value that two classifiers err equally often, from the examples only one gets wrong.

    Reference: McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    if only_one + only_other == 0:
        return 1.0
    return float(scipy_stats.binomtest(only_one, only_one + only_other).pvalue)


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
