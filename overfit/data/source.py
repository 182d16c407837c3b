"""What a reader found, and how it becomes `Splits`: classes, groups, test set, warnings, hash."""

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from overfit import base
from overfit.data import duplicates, grouping, kinds, labels
from overfit.data import splits as splits_lib
from overfit.data.read.wording import counted
from overfit.data.splits import OUTER_FOLDS

TEST_PERCENT = 30
GIVEN, HOLDOUT, CROSS_FITTED = MODES = 'given', 'holdout', 'cross-fitted'
FOLDS = 5  # into which a study cuts what trains, of the standard validation


class Source(NamedTuple):
    """Examples as read, labels not yet encoded.

    Attributes:
        x: `[N, ...]`, as `kind` has them; `None` until the reader's `learn` makes it.
        y: `[N]` labels, whole numbers, booleans or names.
        kind: of the examples.
        x_test: the same for a test set that came along, or `None`.
        y_test: likewise.
        how: how that test set was made.
        names: what the labels index, where they are indices of named classes.
        notes: what a user should know of the reading.
        reading: what was done to make `x`, for `kind.accept`; plain enough for JSON.
        groups: `[N]` whole numbers or names, one for all examples of a patient, speaker or writer; or `None`.
        groups_test: likewise, of the test set.
        origin: hash of the inputs before images were reduced, on which splits hang; '': that of `x`.
        learn: `(rows) -> source`, of a reader that makes of columns what it learns from training rows: the
            same source with `x` of all examples, given the indices of those that may train; else `None`.
    """

    x: np.ndarray | None
    y: np.ndarray
    kind: kinds.Kind
    x_test: np.ndarray | None = None
    y_test: np.ndarray | None = None
    how: str = ''
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    reading: Mapping[str, Any] = {}
    groups: np.ndarray | None = None
    groups_test: np.ndarray | None = None
    origin: str = ''
    learn: Callable[[np.ndarray], 'Source'] | None = None


def check_mode(test: str | None) -> None:
    """Raises `ValueError` for a `test` that is no way to test; `None` leaves it to the data."""
    if test is not None and not isinstance(test, str):
        raise ValueError(
            f'test is a {type(test).__name__} and no way to test: give holdout or cross-fitted, '
            'or a test set as the arguments x_test and y_test.'
        )
    if test is not None and test not in MODES:
        raise ValueError(f'test={test} is no way to test: give holdout or cross-fitted, or leave it out.')


def fingerprint(arrays: Sequence[np.ndarray], *, before: str = '') -> str:
    """The sha256, in hexadecimal digits, of arrays with their types and shapes, and of what came before."""
    total = hashlib.sha256(before.encode())
    for array in arrays:
        total.update(f'{array.dtype.str} {array.shape}'.encode())
        total.update(np.ascontiguousarray(array).data)
    return total.hexdigest()


def assemble(source: Source, name: str, where: str, *, test: str | None = None) -> splits_lib.Splits:
    """Encodes labels and groups, holds out a test set if asked to, collects warnings, hashes.

    Which examples are held out hangs on a hash of the data alone, so that a study with another seed does
    not move test examples among those that train.

    Args:
        source: what a reader found.
        name: short name for tables.
        where: the file or set, for messages.
        test: `holdout`: 30 % are held out; `cross-fitted`: every example is tested; `given`: on the test set
            that came along; `None`: on that, or cross-fitted where there is none.

    Returns:
        The splits.

    Raises:
        ValueError: if labels or groups are unusable (one class, a class of one example, ...), or `test` does
            not fit the data.
    """
    mode = _mode(source, where, test)
    values, codes = np.unique(labels.clean(source.y, f'{where}: labels'), return_inverse=True)
    codes = codes.astype(np.int32)
    classes = tuple(source.names[value] if source.names else str(value) for value in values)
    groups, groups_test = _group_codes(source, where)
    _check_counts(codes, groups, classes, where, mode)
    seed = splits_lib.split_seed(fingerprint([codes], before=source.origin or fingerprint([source.x])))
    rows = held = slice(None)
    if mode == HOLDOUT:
        rows, held = splits_lib.holdout_split(
            codes, TEST_PERCENT / 100, seed=seed, name='fraction', groups=groups
        )
    if source.learn is not None:
        source = source.learn(np.arange(len(codes))[rows])
    train = base.Examples(
        x=source.x[rows],
        y=codes[rows],
        classes=classes,
        kind=source.kind,
        label_type=_label_type(values, classes),
        reading=source.kind.remember(source.x[rows], source.reading),
        groups=None if groups is None else groups[rows],
    )
    if mode == GIVEN:
        y_test = labels.clean(source.y_test, f'{where}: test labels')
        codes_test = labels.encode(y_test, values, f'{where}: test labels')
        tested = splits_lib.Holdout(source.x_test, codes_test, groups_test)
    else:
        tested = splits_lib.Holdout(source.x[held], codes[held], None if groups is None else groups[held])
    if mode == CROSS_FITTED:
        arrays, copies = (train.x, train.y), duplicates.within(train.x, train.kind, groups=groups)
    else:
        arrays = (train.x, train.y, tested.x, tested.reveal())
        copies = duplicates.across(train.x, tested.x, train.kind)
    known = [one for one in (groups, groups_test) if one is not None]
    return splits_lib.Splits(
        train=train,
        test=tested,
        name=name,
        how=_how(source, mode, groups),
        notes=(*source.notes, *_warnings(train, tested, copies, mode)),
        sha256=fingerprint([*arrays, *known]),
        test_mode=mode,
        split_seed=seed,
        copies=copies,
    )


def copies_sentence(copies: duplicates.Copies, count: int, mode: str, *, grouped: bool) -> str:
    """Says how many of `count` tested examples have copies where they should not, and what to do; or ''."""
    if not copies.exact + copies.near:
        return ''
    whose = f'of the {count:,} {"" if mode == CROSS_FITTED else "test "}examples are'
    of = 'training examples' if mode != CROSS_FITTED else 'others' + ' in another group' * grouped
    near = f'{"near-duplicates" if copies.near > 1 else "a near-duplicate"}'
    if not copies.exact:
        said = f'{copies.near:,} {whose} {near} of {of}'
    else:
        said = f'{copies.exact:,} {whose} exact copies of {of}'
        said += f', and {copies.near:,} more {near}' if copies.near else ''
    remedy = 'remove them'
    if mode != GIVEN:
        remedy += ', or give all copies of one example one group (overfit.data.duplicates.groups finds them)'
    return f'{said}: {remedy}'


def _mode(source, where, test):
    check_mode(test)
    if not len(source.y):
        raise ValueError(f'{where} holds no examples.')
    if source.x_test is None:
        if test == GIVEN:
            raise ValueError(f'test={test} needs a test set, but {where} has none: leave test out.')
        return test or CROSS_FITTED
    if test in (HOLDOUT, CROSS_FITTED):
        raise ValueError(
            f'test={test} is for data without a test set, but {where} has one ({source.how}): '
            'leave test out, or give the training examples alone.'
        )
    if not len(source.x_test):
        raise ValueError(f'{where} has an empty test set: leave it out, and every example is tested.')
    return GIVEN


def _how(source, mode, groups):
    if mode == CROSS_FITTED:
        return 'cross-fitted: every example is tested by nets that were not trained on it'
    if mode == HOLDOUT:
        whole = '' if groups is None else ', groups whole'
        return f'held out {TEST_PERCENT} %, stratified{whole}, chosen by a hash of the data'
    return source.how


def _group_codes(source, where):
    """The groups of training and test examples as whole numbers from 0; `None` for those without."""
    found = [one for one in (source.groups, source.groups_test) if one is not None]
    if not found:
        return None, None
    if len({one.dtype.kind == 'U' for one in found}) > 1:
        raise ValueError(
            f'{where}: the groups of training and test examples are numbers and names: use one of both.'
        )
    codes = np.unique(np.concatenate(found), return_inverse=True)[1].astype(np.int32)
    own = codes[: len(found[0])]
    return own, codes[len(own) :] if len(found) > 1 else None


def _label_type(values, classes):
    if values.dtype.kind == 'b':
        return 'bool'
    # whole numbers may stand for names
    whole = values.dtype.kind in 'iu' and all(name.lstrip('-').isdecimal() for name in classes)
    return 'int' if whole else 'str'


def _check_counts(codes, groups, classes, where, mode):
    if len(classes) < 2:
        raise ValueError(f'{where} has only one class, {classes[0]}: classification needs two or more.')
    least, need = (2, 'train and validate') if mode == GIVEN else (3, 'train, validate and test')
    counts = {'example': np.bincount(codes)}
    if groups is not None:
        counts['group'] = (grouping.count(codes, groups) > 0).sum(0)
    for noun, number in counts.items():
        if number.min() < least:
            few = number.argmin()
            ways = [way for way in ways_out(number, needed_of(mode, FOLDS), noun) if way]
            raise ValueError(
                f'{where}: class {classes[few]} has {counted(number[few], noun)}, too few to {need} on: '
                f'{", or ".join(ways)}.'
            )


def needed_of(test_mode: str, folds: int) -> int:
    """Examples or groups of a class with which it is in every fold of every labelled set.

    >>> needed_of('given', 5), needed_of('cross-fitted', 5), needed_of('cross-fitted', 3)
    (5, 7, 5)
    """
    if test_mode == GIVEN:
        return folds
    if test_mode == HOLDOUT:  # seven tenths stay, give or take two
        return -(-10 * (folds + 2) // 7)
    return next(n for n in itertools.count(OUTER_FOLDS) if n - -(-n // OUTER_FOLDS) >= folds)


def ways_out(counts: np.ndarray, enough: int, noun: str) -> tuple[str, str]:
    """Says what can be done about classes that are too small: to add to them, or to leave them out.

    Args:
        counts: `[classes]`, of the smallest of which the sentence speaks.
        enough: how many are enough, more than the smallest has.
        noun: what is counted, `'example'` or `'group'`.

    Returns:
        Both in words; the second is '' where fewer than two classes would be left.

    >>> ways_out(np.array([2, 9, 9]), 7, 'group')
    ('add groups of it until there are 7', 'leave it out')
    >>> ways_out(np.array([2, 3, 9]), 7, 'example')
    ('add examples to it and to 1 other class until each has 7', '')
    """
    others = int((counts < enough).sum()) - 1
    leave = '' if others + 3 > len(counts) else f'leave {"them" if others else "it"} out'
    if not others:
        return f'add {noun}s of it until there are {enough}', leave
    others = f'{others} other {"classes" if others > 1 else "class"}'
    return f'add {noun}s to it and to {others} until each has {enough}', leave


def _warnings(train, tested, copies, mode):
    codes_test = tested.reveal()
    counts, test_counts = np.bincount(train.y), np.bincount(codes_test, minlength=len(train.classes))
    if counts.max() > 3 * counts.min():
        many, few = counts.argmax(), counts.argmin()
        noun = 'example' if mode == CROSS_FITTED else 'training example'
        yield (
            f'imbalanced: {counted(counts[many], noun)} of class {train.classes[many]}, '
            f'{counts[few]:,} of class {train.classes[few]}'
        )
    classes = train.classes
    missing = [name for name, count in zip(classes, test_counts, strict=True) if not count]
    if missing:
        yield f'no test example of {len(missing)} of the {len(classes)} classes, among them {missing[0]}'
    if train.groups is not None and len(np.unique(train.groups)) == len(train.groups):
        yield 'every example has a group of its own, as without groups'
    if train.groups is not None and mode == GIVEN:
        if tested.groups is None:
            yield 'the test examples have no groups: each counts as one of its own'
        else:
            both = np.isin(tested.groups, train.groups)
            if both.any():
                yield (
                    f'{counted(len(np.unique(tested.groups[both])), "group")} with {both.sum():,} of the '
                    f'{len(tested):,} test examples are in the training set too: remove them from one side'
                )
    sentence = copies_sentence(copies, len(tested), mode, grouped=train.groups is not None)
    if sentence:
        yield sentence
