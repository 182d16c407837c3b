"""Classes with too few examples, or groups, for the folds: refused, with ways out that were tried."""

import numpy as np

from overfit.data import grouping, source
from overfit.data import splits as splits_lib
from overfit.data.read.wording import counted
from overfit.data.splits import OUTER_FOLDS
from overfit.study import labelled_sets
from overfit.study.labelled_sets import LabelledSet
from overfit.study.protocol import fold_count

MOST_SETS = 20  # that a study draws of its own accord
LARGEST = 0.3  # of validation, so of the fewest folds


def draw(
    data: splits_lib.Splits, size: int | None, count: int | None, validation: float, *, seed: int
) -> tuple[LabelledSet, ...]:
    """Draws labelled sets, each class of which can be in every fold.

    Args:
        data: the data set.
        size: labelled examples; `None`: all there are.
        count: of labelled sets; `None`: as many as a study may draw of its own accord.
        validation: fraction of them that is held out.
        seed: of the study.

    Returns:
        What `labelled_sets.draw` returns.

    Raises:
        ValueError: a size that the data do not have, or a class with fewer examples or groups than there are
            folds; the sentence names what would work.
    """
    pool, count = data.train, count or MOST_SETS
    if data.cross_fitted:
        _check_outer(data, size, count, validation, seed)
    drawn = labelled_sets.draw(data, size, count, seed=seed)
    counts = np.min([_counts(pool, one.labelled) for one in drawn], axis=0)
    folds, rarest = fold_count(validation), int(counts.argmin())
    if counts[rarest] >= folds:
        return drawn
    found = _counted(int(counts[rarest]), pool)
    name = pool.classes[rarest]
    if _sized(data, size):
        said = f'a labelled set of train_size={size} has {found} of class {name}'
    else:
        said = f'class {name} has {found.replace(" ", " labelled ", 1) if pool.groups is None else found}'
        said += ' outside of an outer fold' * data.cross_fitted
    said += f', fewer than the {folds} folds of validation={validation:g}'
    raise ValueError(said + _remedies(data, size, validation, count, seed))


def _check_outer(data, size, count, validation, seed):
    """Refuses classes of which not every outer fold can have an example."""
    counts = _counts(data.train)
    rarest = int(counts.argmin())
    if counts[rarest] < OUTER_FOLDS:
        said = f'class {data.train.classes[rarest]} has {_counted(int(counts[rarest]), data.train)}'
        said += f', fewer than the {OUTER_FOLDS} folds of cross-fitting'
        raise ValueError(said + _remedies(data, size, validation, count, seed))
    try:
        data.outer_folds(OUTER_FOLDS, count // OUTER_FOLDS)
    except ValueError:  # of groups alone
        said = (
            f'the {len(np.unique(data.train.groups))} groups are too uneven for the {OUTER_FOLDS} folds of '
        )
        said += 'cross-fitting, each of which is to leave every class to train on'
        raise ValueError(said + _remedies(data, size, validation, count, seed)) from None


def _remedies(data, size, validation, count, seed):
    """What would work, each of it tried; begins with a colon, empty where nothing is known to work."""
    ways = []
    larger = _larger(data, size, validation, count, seed) if _sized(data, size) else None
    if larger:
        ways.append(f'give train_size={larger} or more')
    if validation < LARGEST and _fits(data, size, LARGEST, count, seed):
        ways.append(f'give validation={LARGEST:g} ({fold_count(LARGEST)} folds)')
    if data.cross_fitted and not larger:
        apart = _held_out(data)
        if apart is not None and _fits(apart, size, validation, count, seed):
            ways.append("give test='holdout'")
        elif apart is not None and not ways and _fits(apart, size, LARGEST, count, seed):
            ways.append(f"give test='holdout' and validation={LARGEST:g}")
    if not larger:
        ways += _other_data(data, size, validation, count, seed)
    return f': {", or ".join(ways)}' if ways else ', for the groups are too uneven'


def _other_data(data, size, validation, count, seed):
    """To add to small classes, or to leave them out."""
    pool, needed = data.train, source.needed_of(data.test_mode, fold_count(validation))
    counts = _counts(pool)
    if data.test_mode == 'holdout':  # a person counts what was held out too
        counts = counts + _counts_of(data.test.reveal(), data.test.groups, len(pool.classes))
    small = np.flatnonzero(counts < needed)
    if not len(small):
        return []
    add, leave = source.ways_out(counts, needed, 'example' if pool.groups is None else 'group')
    kept = ~np.isin(pool.y, small)
    if leave and not _fits(_part(data, kept), size, validation, count, seed):
        leave = ''
    return ['leave train_size out and ' * _sized(data, size) + add, *[leave] * bool(leave)]


def _fits(data, size, validation, count, seed):
    """Whether the labelled sets can be drawn and cut into folds."""
    pool, folds = data.train, fold_count(validation)
    if len(np.unique(pool.y)) < 2 or (data.cross_fitted and _counts(pool).min() < OUTER_FOLDS):
        return False
    try:
        drawn = labelled_sets.draw(data, size, count, seed=seed)
    except ValueError:
        return False
    return all(labelled_sets.most_folds(pool, one.labelled) >= folds for one in drawn)


def _sized(data, size):
    """Whether a labelled set is to have fewer examples than it could."""
    most = len(data.train.y)
    if data.cross_fitted:
        most = most * (OUTER_FOLDS - 1) // OUTER_FOLDS
    return size is not None and size < most


def _larger(data, size, validation, count, seed):
    """The smallest `train_size` that works, or `None`; a larger labelled set holds the smaller one."""
    try:
        largest = min(len(one.labelled) for one in labelled_sets.draw(data, None, count, seed=seed))
    except ValueError:
        return None
    if not _fits(data, largest, validation, count, seed):
        return None
    below, enough = size, largest
    while enough - below > 1:
        middle = (below + enough) // 2
        below, enough = (below, middle) if _fits(data, middle, validation, count, seed) else (middle, enough)
    return enough


def _held_out(data):
    """The data as `test='holdout'` would split them; `None` where it cannot."""
    pool = data.train
    try:
        rows, held = splits_lib.holdout_split(
            pool.y, source.TEST_PERCENT / 100, seed=data.split_seed, name='fraction', groups=pool.groups
        )
    except ValueError:
        return None
    return _part(data, rows)._replace(
        test=splits_lib.Holdout(pool.x[held], pool.y[held]), test_mode='holdout'
    )


def _part(data, rows):
    """The data with some of the pool's rows, and of its classes those that have any."""
    pool = data.train
    groups = None if pool.groups is None else pool.groups[rows]
    codes, y = np.unique(pool.y[rows], return_inverse=True)
    classes = tuple(pool.classes[code] for code in codes)
    part = pool._replace(x=pool.x[rows], y=y.astype(np.int32), classes=classes, groups=groups)
    return data._replace(train=part)


def _counts(pool, rows=slice(None)):
    """How many examples of each class there are, or groups that have any, `[classes]`."""
    groups = None if pool.groups is None else pool.groups[rows]
    return _counts_of(pool.y[rows], groups, len(pool.classes))


def _counts_of(y, groups, classes):
    if groups is None:
        return np.bincount(y, minlength=classes)
    counts = np.zeros(classes, np.int64)
    counts[np.unique(y)] = (grouping.count(y, groups) > 0).sum(0)
    return counts


def _counted(number, pool):
    return counted(number, 'example' if pool.groups is None else 'group')
