"""Splits of a small set: stratified, nested, seeded, and a test set whose labels cannot be read by accident.

Every function takes the labels `y` and returns indices into that `y`; to split a subset again, pass
`y[subset]` and look the result up in `subset`. The same seed gives the same split.
"""

from collections.abc import Sequence
from typing import NamedTuple

import chex
import numpy as np

from overfit import base
from overfit.data import duplicates, grouping

Seed = int | Sequence[int]

OUTER_FOLDS = 5  # of cross-fitting: four fifths of the examples make a labelled set, the rest tests it


class Holdout:
    """A test set that tells whether predictions are wrong, and keeps its labels to itself.

    Code that searches gets the inputs and this verdict; `reveal` is for the report alone.

    Args:
        x: `[N, ...]` inputs.
        y: `[N]` class of each.
        groups: `[N]` codes as in `base.Examples`; `None`: every example is its own.

    Attributes:
        x: `[N, ...]` inputs.
        groups: `[N]` int32, or `None`.
    """

    __slots__ = ('x', 'groups', '_y')

    def __init__(self, x: np.ndarray, y: np.ndarray, groups: np.ndarray | None = None):
        chex.assert_rank(y, 1)
        chex.assert_equal_shape_prefix([x, y], 1)
        labels = np.array(y, np.int32)
        labels.setflags(write=False)
        object.__setattr__(self, 'x', x)
        object.__setattr__(self, '_y', labels)
        if groups is not None:
            chex.assert_equal_shape([groups, labels])
            groups = np.array(groups, np.int32)
            groups.setflags(write=False)
        object.__setattr__(self, 'groups', groups)

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
        sha256: hash of the arrays, after reading.
        test_mode: `given` (a test set came along), `holdout` (some examples were held out) or `cross-fitted`
            (every example is tested: `test` holds those of `train`, in the same order; see `outer_folds`).
        split_seed: of every split into what trains and what tests; it hangs on the data as they were before
            images were reduced, and on nothing else.
        copies: how many examples have copies on the other side.
    """

    train: base.Examples
    test: Holdout
    name: str
    how: str
    notes: tuple[str, ...]
    sha256: str
    test_mode: str = 'given'
    split_seed: int = 0
    copies: duplicates.Copies = duplicates.Copies()

    @property
    def cross_fitted(self) -> bool:
        """Whether every example is tested, by nets that were not trained on it."""
        return self.test_mode == 'cross-fitted'

    def outer_folds(self, k: int, repeats: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """`outer_folds` of the training examples, with this set's own seed."""
        return outer_folds(self.train.y, k, repeats, seed=self.split_seed, groups=self.train.groups)


def split_seed(sha256: str) -> int:
    """A seed, below 2^32, of a hash in hexadecimal digits: the same data are always split in the same way."""
    return int(sha256[:8], 16)


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
    y: np.ndarray,
    fraction: float,
    *,
    seed: Seed,
    name: str = 'validation',
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Splits once in two, stratified; every class keeps an example to train on.

    Args:
        y: `[N]` integer labels.
        fraction: share of the examples held out, 0.1 to 0.3; with groups about so many.
        seed: of `np.random.default_rng`.
        name: what messages call the fraction: the argument that it came from.
        groups: `[N]` codes; examples of one code stay on one side. `None`: every example is its own.

    Returns:
        Indices of the training examples and of those held out, int32, each in random order.

    Raises:
        ValueError: if `fraction` is out of range, or there are too few examples or groups for the classes.
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
    if groups is None:
        return order[:kept], order[kept:]
    chex.assert_equal_shape([groups, y])
    held = grouping.hold_out(y, groups, fraction, np.random.default_rng(seed))
    if not held.any():
        label, number = grouping.rarest(y, groups=groups)
        raise ValueError(
            f'no group can be held out, for each of the {len(np.unique(groups))} is the only one of some '
            f'class (class {label} has {number}): give more groups.'
        )
    return order[~held[order]], order[held[order]]


def folds(
    y: np.ndarray, k: int, *, seed: Seed, groups: np.ndarray | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Splits into `k` stratified folds: every example validates once.

    Args:
        y: `[N]` integer labels.
        k: number of folds, 2 or more.
        seed: of `np.random.default_rng`.
        groups: `[N]` codes; examples of one code are in one fold, and classes are as even as groups allow.
            `None`: every example is its own, and sizes differ by at most 1.

    Returns:
        For each fold, indices of its training and of its validation examples, int32.

    Raises:
        ValueError: if `k` is below 2, a class has fewer examples or groups than folds, or groups leave a
            training part without some class.
    """
    chex.assert_rank(y, 1)
    if k < 2:
        raise ValueError(f'{k} folds leave nothing to train on: give 2 or more.')
    for of, things in ((None, 'examples'), (groups, 'groups')):
        label, number = grouping.rarest(y, groups=of)
        if number < k:
            raise ValueError(_too_few(label, number, things, k))
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(y))
    if groups is None:
        by_class = shuffled[np.argsort(y[shuffled], kind='stable')]
        fold = np.empty(len(y), np.int64)
        fold[by_class] = (np.arange(len(y)) + rng.integers(k)) % k
    else:
        chex.assert_equal_shape([groups, y])
        fold = grouping.assign(y, groups, [1 / k] * k, rng)
    order = shuffled.astype(np.int32)
    pairs = [(order[fold[order] != f], order[fold[order] == f]) for f in range(k)]
    if any(len(np.unique(y[train])) < len(np.unique(y)) or not len(held) for train, held in pairs):
        raise ValueError(
            f'the {len(np.unique(groups))} groups are too uneven for {k} folds that leave every class to '
            'train on: use fewer folds, or smaller groups.'
        )
    return pairs


def outer_folds(
    y: np.ndarray, k: int, repeats: int, *, seed: Seed, groups: np.ndarray | None = None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The splits of cross-fitting: `folds`, and again with another shuffle for each repeat.

    Args:
        y: `[N]` integer labels of all examples.
        k: number of folds, 2 or more.
        repeats: how often every example is tested, 1 or more.
        seed: of all; `Splits.split_seed`.
        groups: as for `folds`.

    Returns:
        `k * repeats` pairs, repeat by repeat: indices of the examples to train on and to test, int32.

    Raises:
        ValueError: as `folds`, or if `repeats` is below 1.
    """
    if repeats < 1:
        raise ValueError(f'repeats={repeats} tests nothing: give 1 or more.')
    seeds = [(*np.atleast_1d(seed).tolist(), repeat) for repeat in range(repeats)]
    return [pair for one in seeds for pair in folds(y, k, seed=one, groups=groups)]


def _too_few(label, number, things, k):
    one = int(number) == 1
    advice = '' if one else f'use at most {number} folds, or '
    return (
        f'class {label} has {number} {things[:-1] if one else things}, fewer than the {k} folds: '
        f'{advice}add {things} of it{" or leave the class out" * one}.'
    )
