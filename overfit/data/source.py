"""What a reader found, and how it becomes `Splits`: classes, test set, warnings, hash."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from overfit import base
from overfit.data import kinds, labels
from overfit.data import splits as splits_lib
from overfit.data.read.wording import counted

TEST_PERCENT = 30


class Source(NamedTuple):
    """Examples as read, labels not yet encoded.

    Attributes:
        x: `[N, ...]`, as `kind` has them.
        y: `[N]` labels, whole numbers, booleans or names.
        kind: of the examples.
        x_test: the same for a test set that came along, or `None`.
        y_test: likewise.
        how: how that test set was made.
        names: what the labels index, where they are indices of named classes.
        notes: what a user should know of the reading.
        reading: what was done to make `x`, for `kind.accept`; plain enough for JSON.
    """

    x: np.ndarray
    y: np.ndarray
    kind: kinds.Kind
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    how: str = ''
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    reading: Mapping[str, Any] = {}


def hold_out(y: np.ndarray, where: str, *, seed: int) -> tuple[np.ndarray, np.ndarray, str]:
    """Holds out a stratified test set.

    Args:
        y: `[N]` labels.
        where: the file, for messages.
        seed: of the split.

    Returns:
        Indices of the pool and of the test set, and a sentence that says how.

    Raises:
        ValueError: if a class is too small to be split.
    """
    y = labels.clean(y, f'{where}: labels')
    classes, codes = np.unique(y, return_inverse=True)
    _check_counts(
        codes, [str(name) for name in classes], where, least=3, need='training, validation and test'
    )
    pool, test = splits_lib.holdout_split(codes, TEST_PERCENT / 100, seed=seed, name='fraction')
    return pool, test, f'held out {TEST_PERCENT} % at random, stratified, seed {seed}'


def assemble(source: Source, name: str, where: str, *, seed: int) -> splits_lib.Splits:
    """Encodes the labels, holds out a test set where there is none, collects warnings, hashes.

    Args:
        source: what a reader found.
        name: short name for tables.
        where: the file or set, for messages.
        seed: of the test split, where one is made.

    Returns:
        The splits.

    Raises:
        ValueError: if the labels are unusable (one class, a class of one example, ...).
    """
    if not len(source.x):
        raise ValueError(f'{where} holds no examples.')
    if source.x_test is not None and not len(source.x_test):
        raise ValueError(f'{where} has an empty test set: leave it out, and {TEST_PERCENT} % are held out.')
    if source.x_test is None:
        pool, test, how = hold_out(source.y, where, seed=seed)
        source = source._replace(
            x=source.x[pool],
            y=source.y[pool],
            x_test=source.x[test],
            y_test=source.y[test],
            how=how,
        )
    y = labels.clean(source.y, f'{where}: labels')
    y_test = labels.clean(source.y_test, f'{where}: test labels')
    values, codes = np.unique(y, return_inverse=True)
    codes, codes_test = codes.astype(np.int32), labels.encode(y_test, values, f'{where}: test labels')
    classes = tuple(source.names[value] if source.names else str(value) for value in values)
    _check_counts(codes, classes, where, least=2, need='training and validation')
    arrays = (source.x, codes, source.x_test, codes_test)
    return splits_lib.Splits(
        train=base.Examples(
            x=source.x,
            y=codes,
            classes=classes,
            kind=source.kind,
            label_type=_label_type(values, classes),
            reading=source.kind.remember(source.x, source.reading),
        ),
        test=splits_lib.Holdout(source.x_test, codes_test),
        name=name,
        how=source.how,
        notes=(*source.notes, *_warnings(*arrays, classes)),
        sha256=_hash(arrays),
    )


def duplicates(x: np.ndarray, x_test: np.ndarray) -> int:
    """How many rows of `x_test` (`[M, ...]`) are, byte for byte, rows of `x` (`[N, ...]`)."""
    seen = {_digest(row) for row in x}
    return sum(_digest(row) in seen for row in x_test)


def _label_type(values, classes):
    if values.dtype.kind == 'b':
        return 'bool'
    # whole numbers may stand for names
    whole = values.dtype.kind in 'iu' and all(name.lstrip('-').isdecimal() for name in classes)
    return 'int' if whole else 'str'


def _digest(row):
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()


def _hash(arrays):
    total = hashlib.sha256()
    for array in arrays:
        total.update(f'{array.dtype.str} {array.shape}'.encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def _check_counts(codes, classes, where, *, least, need):
    counts = np.bincount(codes)
    if len(counts) < 2:
        raise ValueError(f'{where} has only one class, {classes[0]}: classification needs two or more.')
    if counts.min() < least:
        few = counts.argmin()
        raise ValueError(
            f'{where}: class {classes[few]} has {counted(counts[few], "example")}, '
            f'but {least} are needed for {need}: add examples of it or leave it out.'
        )


def _warnings(x, y, x_test, y_test, classes):
    counts, test_counts = np.bincount(y), np.bincount(y_test, minlength=len(classes))
    if counts.max() > 3 * counts.min():
        many, few = counts.argmax(), counts.argmin()
        yield (
            f'imbalanced: {counted(counts[many], "training example")} of class {classes[many]}, '
            f'{counts[few]:,} of class {classes[few]}'
        )
    missing = [name for name, count in zip(classes, test_counts, strict=True) if not count]
    if missing:
        yield f'no test example of {len(missing)} of the {len(classes)} classes, among them {missing[0]}'
    copies = duplicates(x, x_test)
    if copies:
        yield f'{copies:,} of the {len(x_test):,} test examples are exact copies of training examples'
