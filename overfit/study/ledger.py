"""Turns measurements into the rows of the results."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from overfit import base
from overfit.nn import describe as describe_lib
from overfit.study import size_curve, stats
from overfit.study.results import Difference, LabelsWorth, Row


class Ledger(NamedTuple):
    """What every arm is compared with.

    An arm comes as two values: `tuned`, what the search found (`arm` with its `label` and `recipe`, `hyper`,
    `trials`, `member_steps`, `diverged`), and `measured`, what its nets did on the fresh replicates (`wrong`
    `[R, N]` bool, `member_steps`, `diverged`).

    Attributes:
        curve: the baseline's `[R, N]` mistakes at each number of labelled examples.
        train_size: the number of labelled examples at which arms are compared.
        baseline: `[R, N]` mistakes of the baseline there.
        shape: of one input.
    """

    curve: Mapping[int, np.ndarray]
    train_size: int
    baseline: np.ndarray
    shape: tuple[int, ...]

    def rows(self, tuned: Sequence[Any], measured: Sequence[Any]) -> tuple[Row, ...]:
        """Returns rows of arms that are compared with each other: p-values are corrected over them (Holm)."""
        rows = [self.row(t, m) for t, m in zip(tuned, measured, strict=True)]
        adjusted = stats.holm([row.difference.p for row in rows])
        return tuple(judge(row, float(p)) for row, p in zip(rows, adjusted, strict=True))

    def plain(self, tuned: Any, measured: Any) -> Row:
        """Returns the baseline's row: what was trained and how it did, compared with nothing."""
        return Row(
            technique=tuned.arm.label,
            recipe=describe(tuned.arm.recipe, self.shape),
            hyper={name: float(number) for name, number in tuned.hyper.numbers().items()},
            trials=tuned.trials,
            member_steps=tuned.member_steps + measured.member_steps,
            test_error=stats.interval(measured.wrong),
            diverged=measured.diverged,
            diverged_in_search=tuned.diverged,
        )

    def row(self, tuned: Any, measured: Any) -> Row:
        """Returns a row compared with the baseline; its p-value stands alone."""
        difference = stats.paired_difference(measured.wrong, self.baseline)
        row = self.plain(tuned, measured)._replace(
            difference=Difference(*difference, p_adjusted=difference.p),
            labels_worth=self._worth(measured.wrong),
        )
        return judge(row, difference.p)

    def _worth(self, wrong):
        sizes = sorted(self.curve)
        if len(sizes) < 2:
            return LabelsWorth(None, None, None, False)  # a curve of one point tells nothing
        curve = np.stack([self.curve[size] for size in sizes])
        worth = size_curve.labels_worth(curve, sizes, self.train_size, wrong)
        if (wrong == self.baseline).all():
            # No difference seen is no certainty that there is none.
            worth = worth._replace(low=1 / worth.largest, high=worth.largest)
        return worth


def judge(row: Row, p_adjusted: float) -> Row:
    """Returns the row with a corrected p-value and the verdict that follows from it."""
    difference = row.difference._replace(p_adjusted=p_adjusted)
    return row._replace(difference=difference, verdict=stats.verdict(difference, p_adjusted))


def describe(recipe: base.Recipe, shape: tuple[int, ...]) -> str:
    """Describes a recipe in one line, as `'MLP 128-128 relu; softmax, sgd, he; batch 32'`.

    Args:
        recipe: any; what is not part of this package goes by its own name.
        shape: of one input.

    Returns:
        The model; loss, optimizer, start and augmentations; the further slots that are filled, after the
        word for the slot; the batch size.
    """
    names = [
        recipe.loss.name,
        name_of(recipe.optimizer, 'own optimizer'),
        recipe.start.name,
        *(name_of(augment, 'own augmentation') for augment in recipe.augment),
    ]
    for slot in ('sampler', 'gradient', 'average', 'trained', 'predict', 'prepare'):
        value = getattr(recipe, slot)
        if value is not None:
            names.append(f'{slot} {name_of(value, "own")}')
    model = describe_lib.describe(recipe.model, shape)
    return f'{model}; {", ".join(names)}; batch {recipe.batch_size}'


def name_of(value: Any, nameless: str) -> str:
    """Names what fills a slot.

    Args:
        value: something with a `name`, or a function, or a `functools.partial` of one.
        nameless: the name of a lambda.

    >>> name_of(functools.partial(describe, shape=(4,)), 'own'), name_of(lambda x: x, 'own')
    ('describe', 'own')
    """
    while isinstance(value, functools.partial):
        value = value.func
    name = getattr(value, 'name', None) or getattr(value, '__name__', None) or type(value).__name__
    return nameless if name == '<lambda>' else str(name).strip('_')
