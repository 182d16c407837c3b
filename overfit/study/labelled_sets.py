"""The labelled sets on which every procedure runs, and what each is tested on.

A procedure takes labelled examples and a seed, tunes, and hands over a model. All arms of a study run on the
same labelled sets, each tuned anew on each of them, so the labelled set is the unit of every interval.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.data import grouping
from overfit.data import splits as splits_lib
from overfit.data.splits import OUTER_FOLDS
from overfit.study.protocol import seed_of


class LabelledSet(NamedTuple):
    """What a procedure is given, and what tests the model that it hands over.

    Attributes:
        labelled: `[n]` rows of the pool.
        tested: `[m]` rows of the test set; none of them is among the labelled ones.
        seed: of all that is drawn on it: inner folds, settings, initial weights, order.
    """

    labelled: np.ndarray
    tested: np.ndarray
    seed: int

    def again(self, salt: int) -> 'LabelledSet':
        """The same labelled set for a procedure that draws everything else anew."""
        return self._replace(seed=seed_of(self.seed, 'again', salt))


def draw(data: splits_lib.Splits, size: int | None, count: int, *, seed: int) -> tuple[LabelledSet, ...]:
    """Draws the labelled sets of a study.

    With a test set apart, every one is a stratified subset of the pool and tests on all of it; where the pool
    has no more than `size` examples, they are all the same examples, and only what is drawn on them differs.
    Cross-fitted, each is what an outer fold leaves, and tests on that fold; the outer folds hang on the data
    alone, so another seed moves no example from training to testing.

    Args:
        data: the data set.
        size: labelled examples; `None`: all there are.
        count: of labelled sets; cross-fitted, a multiple of `OUTER_FOLDS`.
        seed: of the study.

    Returns:
        The labelled sets.

    Raises:
        ValueError: a size that the data do not have, or classes or groups too small for the outer folds.
    """
    pool = data.train
    if not data.cross_fitted:
        seeds = [seed_of(seed, 'set', number) for number in range(count)]
        everything = np.arange(len(data.test))
        wanted = len(pool.y) if size is None else size
        return tuple(LabelledSet(splits_lib.subset(pool.y, wanted, seed=s), everything, s) for s in seeds)
    folds = data.outer_folds(OUTER_FOLDS, count // OUTER_FOLDS)
    sets = []
    for number, (train, test) in enumerate(folds):
        drawn = seed_of(seed, 'set', number)
        kept = train if size is None else train[splits_lib.subset(pool.y[train], size, seed=drawn)]
        sets.append(LabelledSet(kept, test, drawn))
    return tuple(sets)


def whole(data: splits_lib.Splits, size: int | None, *, seed: int) -> LabelledSet:
    """All labelled examples, or a stratified subset of `size`, with nothing left to test them."""
    pool = data.train
    drawn = seed_of(seed, 'whole')
    rows = np.arange(len(pool.y)) if size is None else splits_lib.subset(pool.y, size, seed=drawn)
    return LabelledSet(rows, np.arange(0), drawn)


def resized(one: LabelledSet, data: splits_lib.Splits, size: int, usual: int) -> LabelledSet:
    """A labelled set of another size: a smaller one lies inside, a larger one holds it.

    Args:
        one: the labelled set.
        data: the data set.
        size: labelled examples of the result, where the set has `usual` of them. Groups make the sets of
            cross-fitting unequal: there each keeps the share `size / usual` of its own, and never has more.
        usual: labelled examples of the sets, on average.
    """
    y = data.train.y
    if data.cross_fitted:
        size = round(len(one.labelled) * min(1.0, size / usual))
    if size <= len(one.labelled):
        return one._replace(labelled=one.labelled[splits_lib.subset(y[one.labelled], size, seed=one.seed)])
    order = splits_lib.stratified_order(y, seed=one.seed)
    return one._replace(labelled=order[:size])


def usual_size(sets: Sequence[LabelledSet]) -> int:
    """How many labelled examples sets have, on average: groups make those of cross-fitting unequal."""
    return round(float(np.mean([len(one.labelled) for one in sets])))


def most_folds(pool: base.Examples, labelled: np.ndarray) -> int:
    """Into how many folds a labelled set can be cut at most, each class in all of them."""
    groups = None if pool.groups is None else pool.groups[labelled]
    return grouping.rarest(pool.y[labelled], groups=groups)[1]


def inner_folds(
    pool: base.Examples, labelled: np.ndarray, count: int, *, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cuts a labelled set into folds: fewer where a class is too small, or groups too uneven, for so many.

    Args:
        pool: labelled examples.
        labelled: `[n]` rows of the pool.
        count: of folds, at most.
        seed: of the labelled set; nets and references of one seed have the same folds.

    Returns:
        For each fold, indices into `labelled` of its training and of its validation examples.

    Raises:
        ValueError: not even two folds leave every class to train on.
    """
    groups = None if pool.groups is None else pool.groups[labelled]
    for fewer in range(max(2, min(count, most_folds(pool, labelled))), 1, -1):
        try:
            return splits_lib.folds(pool.y[labelled], fewer, seed=seed_of(seed, 'folds'), groups=groups)
        except ValueError:
            if fewer == 2:
                raise


class Places(NamedTuple):
    """Where in the list of all labelled sets of a study each of them stands.

    Attributes:
        measured: on which every arm is tuned and tested.
        final: on which the model is trained that is handed over; one of `measured`, or a set of its own.
        controls: the measured sets again, for one control each.
        sizes: the measured sets with other numbers of labelled examples.
    """

    measured: range
    final: int
    controls: tuple[range, ...]
    sizes: Mapping[int, range]

    @property
    def tuned(self) -> tuple[int, ...]:
        """Where every arm is tuned: the measured sets and the final one."""
        return tuple(dict.fromkeys((*self.measured, self.final)))


def lay_out(
    data: splits_lib.Splits,
    size: int | None,
    count: int,
    controls: int,
    sizes: Sequence[int],
    *,
    folds: int,
    seed: int,
) -> tuple[tuple[LabelledSet, ...], Places]:
    """All labelled sets of a study, and where each of them stands.

    Args:
        data: the data set.
        size: labelled examples; `None`: all there are.
        count: of labelled sets.
        controls: how often the baseline is tuned again.
        sizes: other numbers of labelled examples at which it is tuned; those at which some class is too small
            for its folds are left out.
        folds: that are in use.
        seed: of the study.
    """
    measured = draw(data, size, count, seed=seed)
    sets, final = list(measured), 0
    if data.cross_fitted:
        final = len(sets)
        sets.append(whole(data, size, seed=seed))

    def placed(more):
        begin = len(sets)
        sets.extend(more)
        return range(begin, len(sets))

    again = tuple(placed([one.again(salt) for one in measured]) for salt in range(controls))
    others = {}
    for other in sizes:
        of_size = [resized(one, data, other, usual_size(measured)) for one in measured]
        if min(most_folds(data.train, one.labelled) for one in of_size) >= max(2, folds):
            others[other] = placed(of_size)
    return tuple(sets), Places(range(count), final, again, others)
