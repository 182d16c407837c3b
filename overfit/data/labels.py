"""Labels: whatever a file holds, to class indices and names."""

from typing import Any

import numpy as np


def clean(y: np.ndarray, where: str) -> np.ndarray:
    """Whole numbers stay numbers and booleans booleans, names become text.

    Args:
        y: `[N]` or `[N, 1]`.
        where: file and array, for messages.

    Returns:
        `[N]`, of an integer, a boolean or a text dtype.

    Raises:
        ValueError: if they are none of these.
    """
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(
            f'{where} has shape {y.shape}, but labels are one a row, [N], whole numbers or names.'
        )
    if y.dtype.kind == 'S':
        try:
            return np.char.decode(y, 'utf-8')
        except UnicodeDecodeError:
            raise ValueError(
                f'{where} holds bytes that are not UTF-8: labels are whole numbers or names.'
            ) from None
    if y.dtype.kind == 'f':
        bad = y[~np.isfinite(y) | (y != np.round(y))]
        if len(bad):
            raise ValueError(
                f'{where} holds {bad[0]}, but labels are whole numbers or names '
                '(a quantity to predict would have to be cut into classes first).'
            )
        if len(y) and np.abs(y).max() > 2**53:
            raise ValueError(
                f'{where} holds {y[np.abs(y).argmax()]}, which real numbers cannot hold exactly: use names.'
            )
        return y.astype(np.int64)
    if y.dtype.kind not in 'biuU':
        raise ValueError(f'{where} has dtype {y.dtype}, but labels are whole numbers or names.')
    return y


def encode(y: np.ndarray, classes: np.ndarray, where: str) -> np.ndarray:
    """The index of each clean label among the sorted `classes`.

    Args:
        y: `[N]` clean labels.
        classes: `[K]`, the distinct training labels, sorted.
        where: what they label, for messages.

    Returns:
        `[N]` int32.

    Raises:
        ValueError: for a label that is not among the classes.
    """
    if any((y.dtype.kind == kind) != (classes.dtype.kind == kind) for kind in 'Ub'):
        raise ValueError(
            f'{where} have dtype {y.dtype}, those for training {classes.dtype}: '
            'use whole numbers for both, or names for both, or booleans.'
        )
    unseen = np.setdiff1d(y, classes)
    if len(unseen):
        raise ValueError(
            f'{where} hold the class {unseen[0]}, which no training example has: '
            'every class of the test set needs training examples.'
        )
    return np.searchsorted(classes, y).astype(np.int32)


def mixture(y: Any, name: str) -> tuple[str, ...]:
    """Notes a list of labels of several types, of which NumPy makes one.

    Args:
        y: labels as a person gave them.
        name: of the argument.

    Returns:
        The note, if there is something to say.
    """
    types = {_type(label) for label in y} if isinstance(y, list | tuple) else set()
    if len(types) < 2:
        return ()
    common = 'text' if 'text' in types else 'numbers'
    return (f'{name} mixes {" and ".join(sorted(types))}: all of them were read as {common}',)


def _type(label):
    if isinstance(label, str | bytes):
        return 'text'
    return 'booleans' if isinstance(label, bool | np.bool_) else 'numbers'
