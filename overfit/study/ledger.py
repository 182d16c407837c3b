"""Turns tables of mistakes into the numbers of the results, and these into rows."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from overfit import base
from overfit.nn import describe as describe_lib
from overfit.study import simultaneous, size_curve, stats
from overfit.study.baselines import LABELS as TEXTBOOKS
from overfit.study.results import Difference, Interval, LabelsWorth, Row
from overfit.study.tables import Tables

MARGIN = 0.1  # of the baseline's error: differences within it do not matter


class Figures(NamedTuple):
    """All that the tables of a study say.

    Attributes:
        errors: test error of the baseline, then of each arm.
        differences: of each arm from the baseline, simultaneous over arms and controls.
        worths: of each arm, in labels.
        near_best: whether an arm cannot be told from the best one.
        controls: error of each control, and its difference from the baseline.
        sizes: the baseline's error by number of labels.
        margin: percentage points that do not matter.
        detectable: percentage points; `None` without an arm.
        squeezed: error of the squeezed model, its difference from the baseline, and its worth.
        references: error of each reference, and by how much the squeezed model's is larger, by name.
    """

    errors: tuple[Interval, ...]
    differences: tuple[Difference, ...]
    worths: tuple[LabelsWorth, ...]
    near_best: tuple[bool, ...]
    controls: tuple[tuple[Interval, Difference], ...]
    sizes: Mapping[int, Interval]
    margin: float
    detectable: float | None
    squeezed: tuple[Interval, Difference, LabelsWorth] | None
    references: Mapping[str, tuple[Interval, Difference | None]]


class Facts(NamedTuple):
    """What is known of an arm beside its mistakes.

    Attributes:
        label: its name in the table.
        recipe: what was trained, in one line.
        hyper: the setting, by name of the number.
        trials: settings tried on a labelled set.
        member_steps: training steps in all.
        diverged: nets that predict and diverged.
        diverged_in_search: nets of the search that did, those that predict among them.
        cost: of training its model, as a multiple of the baseline's.
    """

    label: str
    recipe: str
    hyper: Mapping[str, float]
    trials: int
    member_steps: int
    diverged: int
    diverged_in_search: int
    cost: float


def figures(tables: Tables) -> Figures:
    """Makes every number of the ledger of tables of mistakes; `tables.read` has those of an earlier study.

    Args:
        tables: what was measured.
    """
    baseline, columns = tables.baseline, tables.columns
    arms = list(tables.arms.values())[1:]
    compared = [*arms, *tables.controls.values()]
    # Many techniques together say nothing of one, and a control is none.
    alike = [label not in TEXTBOOKS for label in list(tables.arms)[1:]] + [False] * len(tables.controls)
    differences = []
    if compared:
        differences = simultaneous.compare(np.stack(compared), baseline, columns, alike=alike)
    errors = [stats.interval(table, columns) for table in (baseline, *compared)]
    squeezed = None
    if tables.squeezed is not None:
        squeezed = (
            stats.interval(tables.squeezed, columns),
            stats.difference(tables.squeezed, baseline, columns),
            worth(tables, tables.squeezed),
        )
    references = {}
    for name, table in tables.references.items():
        # A reference may have been measured on fewer labelled sets.
        shared = ~np.isnan(table).all(1)
        against = None
        if tables.squeezed is not None:
            against = stats.difference(tables.squeezed[shared], table[shared], columns)
        references[name] = (stats.interval(table[shared], columns), against)
    curve = dict(sorted((tables.sizes | {tables.train_size: baseline}).items()))
    return Figures(
        tuple(errors[: 1 + len(arms)]),
        tuple(differences[: len(arms)]),
        tuple(worth(tables, table, label) for label, table in list(tables.arms.items())[1:]),
        tuple(bool(one) for one in simultaneous.near_best(np.stack(arms), columns)) if arms else (),
        tuple(zip(errors[1 + len(arms) :], differences[len(arms) :], strict=True)),
        {size: stats.interval(table, columns) for size, table in curve.items()},
        MARGIN * errors[0].mean,
        simultaneous.detectable(differences[: len(arms)]) if arms else None,
        squeezed,
        references,
    )


def worth(tables: Tables, table: np.ndarray, label: str | None = None) -> LabelsWorth:
    """What an arm is worth in labels, read off the baseline's error by number of labels.

    Args:
        tables: what was measured.
        table: `[J, N]`, the arm's mistakes.
        label: of the arm, where it may have been measured with fewer labels.
    """
    curve = dict(sorted((tables.sizes | {tables.train_size: tables.baseline}).items()))
    if len(curve) < 2:
        return LabelsWorth(None, None, None, False)  # a curve of one point tells nothing
    sizes, stacked = list(curve), np.stack(list(curve.values()))
    found = size_curve.labels_worth(stacked, sizes, tables.train_size, table, tables.columns)
    if np.array_equal(table, tables.baseline, equal_nan=True):
        # No difference seen is no certainty that there is none.
        found = found._replace(low=1 / found.largest, high=found.largest)
    if label in tables.fewer:
        own = dict(sorted((tables.fewer[label] | {tables.train_size: table}).items()))
        found = found._replace(
            enough=size_curve.enough(
                stacked, sizes, tables.train_size, np.stack(list(own.values())), list(own)
            )
        )
    return found


def plain(facts: Facts, error: Interval) -> Row:
    """The row of what is compared with nothing."""
    return Row(
        technique=facts.label,
        recipe=facts.recipe,
        hyper=facts.hyper,
        trials=facts.trials,
        member_steps=facts.member_steps,
        test_error=error,
        diverged=facts.diverged,
        diverged_in_search=facts.diverged_in_search,
        cost=facts.cost,
    )


def row(
    facts: Facts,
    error: Interval,
    difference: Difference,
    margin: float,
    *,
    labels: LabelsWorth | None = None,
    near_best: bool = False,
) -> Row:
    """The row of an arm that is compared with the baseline."""
    return plain(facts, error)._replace(
        difference=difference,
        labels_worth=labels,
        verdict=stats.verdict(difference, margin),
        near_best=near_best,
    )


def setting(numbers: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The median of each number over the labelled sets on which it was chosen.

    >>> setting([{'l2': 1.0}, {'l2': 4.0}, {'l2': 2.0}])
    {'l2': 2.0}
    """
    names = dict.fromkeys(name for one in numbers for name in one)
    return {name: float(np.median([one[name] for one in numbers if name in one])) for name in names}


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
    for slot in ('sampler', 'gradient', 'average', 'trained', 'predict', 'prepare', 'views'):
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
