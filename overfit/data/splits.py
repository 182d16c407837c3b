"""Splits of a small set: stratified, nested, seeded, and a test set whose labels cannot be read by accident.

Every function takes the labels `y` and returns indices into that `y`; to split a subset again, pass
`y[subset]` and look the result up in `subset`. The same seed gives the same split.
"""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import numpy as np

from overfit import base

Seed = int | Sequence[int]


class Holdout:
    """A test set that tells whether predictions are wrong, and keeps its labels to itself.

    Code that searches gets the inputs and this verdict; `reveal` is for the report alone.

    Args:
        x: `[N, ...]` inputs.
        y: `[N]` class of each.

    Attributes:
        x: `[N, ...]` inputs.
    """

    __slots__ = ('x', '_y')

    def __init__(self, x: np.ndarray, y: np.ndarray):
        chex.assert_rank(y, 1)
        chex.assert_equal_shape_prefix([x, y], 1)
        labels = np.array(y, np.int32)
        labels.setflags(write=False)
        object.__setattr__(self, 'x', x)
        object.__setattr__(self, '_y', labels)

    def __setattr__(self, name, value):
        raise AttributeError(f'a Holdout is frozen: {name} cannot be set')

    def __len__(self) -> int:
        return len(self._y)

    def __repr__(self) -> str:
        return f'Holdout({len(self)} examples)'

    def wrong(self, predictions: base.Array) -> np.ndarray:
        """Which predictions are wrong.

        Args:
            predictions: `[..., N]` integer class indices; leading axes are members or ensembles.

        Returns:
            `[..., N]` bool.
        """
        predictions = np.asarray(predictions)
        chex.assert_type(predictions, int)
        chex.assert_axis_dimension(predictions, -1, len(self))
        return predictions != np.broadcast_to(self._y, predictions.shape)

    def reveal(self) -> np.ndarray:
        """The labels, `[N]` int32: for the report alone (confusion matrix), never for a choice."""
        return self._y


class Splits(NamedTuple):
    """A data set, as loaded.

    Attributes:
        train: the labelled pool, from which subsets and validation sets are drawn.
        test: what the final error is measured on.
        name: short name for tables.
        how: how the test split was made.
        notes: what a user should know: imbalance, duplicates, anything changed on reading.
        sha256: hash of the four arrays, after reading.
    """

    train: base.Examples
    test: Holdout
    name: str
    how: str
    notes: tuple[str, ...]
    sha256: str


def stratified_order(y: np.ndarray, *, seed: Seed) -> np.ndarray:
    """A random order of which every prefix holds the classes in proportion: one order, nested subsets.

    The j-th example (j = 0, 1, ...) of a class with m examples has its place at the fraction
    `(j + 1/2) / m`; the first example of every class comes before all others. For prefixes of at least
    as many examples as classes, the count of a class with share p among K classes is at least 1 and
    differs from `prefix * p` by at most `1 + p * K` (by less than 1 where classes are equally large).

    Args:
        y: `[N]` integer labels, N >= 1.
        seed: of `np.random.default_rng`.

    Returns:
        `[N]` int32, a permutation of `range(N)`.
    """
    chex.assert_rank(y, 1)
    chex.assert_type(y, int)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind='stable')]
    _, starts, counts = np.unique(y[by_class], return_index=True, return_counts=True)
    rank = np.arange(len(y)) - np.repeat(starts, counts)
    place = np.where(rank == 0, -1.0, (rank + 0.5) / np.repeat(counts, counts))
    return by_class[np.lexsort((rng.random(len(y)), place))].astype(np.int32)


def subset(y: np.ndarray, size: int, *, seed: Seed) -> np.ndarray:
    """The first `size` examples of `stratified_order`: of the same seed, the smaller lies inside the larger.

    Args:
        y: `[N]` integer labels.
        size: how many, from twice the number of classes to N.
        seed: of `np.random.default_rng`.

    Returns:
        `[size]` int32 indices.

    Raises:
        ValueError: if `size` is out of range.
    """
    least = 2 * len(np.unique(y))
    if not least <= size <= len(y):
        raise ValueError(
            f'train_size={size} does not fit this data: it has {len(y):,} labelled examples of '
            f'{least // 2} classes, so give {least} (two a class) to {len(y)}.'
        )
    return stratified_order(y, seed=seed)[:size]


def holdout_split(
    y: np.ndarray, fraction: float, *, seed: Seed, name: str = 'validation'
) -> tuple[np.ndarray, np.ndarray]:
    """Splits once in two, stratified; every class keeps an example to train on.

    Args:
        y: `[N]` integer labels.
        fraction: share of the examples held out, 0.1 to 0.3.
        seed: of `np.random.default_rng`.
        name: what messages call the fraction: the argument that it came from.

    Returns:
        Indices of the training examples and of those held out, int32, each in random order.

    Raises:
        ValueError: if `fraction` is out of range, or there are too few examples for the classes.
    """
    if not 0.1 <= fraction <= 0.3:
        raise ValueError(f'{name}={fraction} is out of range: give a fraction from 0.1 to 0.3.')
    kept = len(y) - max(1, round(fraction * len(y)))
    classes = len(np.unique(y))
    if kept < classes:
        raise ValueError(
            f'{name}={fraction} of {len(y)} examples leaves {kept} to train on, fewer than the '
            f'{classes} classes: use more examples or a smaller fraction.'
        )
    order = stratified_order(y, seed=seed)
    return order[:kept], order[kept:]


def folds(y: np.ndarray, k: int, *, seed: Seed) -> list[tuple[np.ndarray, np.ndarray]]:
    """Splits into `k` stratified folds: every example validates once, sizes differ by at most 1.

    Args:
        y: `[N]` integer labels.
        k: number of folds, 2 or more.
        seed: of `np.random.default_rng`.

    Returns:
        For each fold, indices of its training and of its validation examples, int32.

    Raises:
        ValueError: if `k` is below 2, or a class has fewer examples than folds.
    """
    chex.assert_rank(y, 1)
    values, counts = np.unique(y, return_counts=True)
    if k < 2:
        raise ValueError(f'{k} folds leave nothing to train on: give 2 or more.')
    if counts.min() < k:
        raise ValueError(
            f'class {values[counts.argmin()]} has {counts.min()} examples, fewer than the {k} folds: '
            f'use at most {counts.min()} folds, or add examples of it.'
        )
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind='stable')]
    fold = np.empty(len(y), np.int64)
    fold[by_class] = (np.arange(len(y)) + rng.integers(k)) % k
    order = shuffled.astype(np.int32)
    return [(order[fold[order] != f], order[fold[order] == f]) for f in range(k)]
