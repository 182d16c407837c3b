"""What a comparison compares: techniques, and the arms that are made of them. All are values."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from overfit import base
from overfit.data import kinds
from overfit.study import spaces


class Technique(NamedTuple):
    """One change to a baseline; a row of the ledger.

    Attributes:
        label: the row's name in the table.
        group: techniques of one group exclude each other in a combination; `None`: it excludes itself alone.
        source: where it comes from.
        space: numbers that it adds, searched (a range) or fixed; names that are no field of `Hyper` become
            own numbers.
        change: the recipe with it.
        applies: `(recipe, kind) -> bool`, whether it makes sense for a baseline and a kind of data.
        own_rate: whether good learning rates have another size with it, as with another optimizer.
        order: of several techniques, those of lower order change the recipe first.
        nets: nets whose probabilities are averaged.
        refit: train on all labels, for the number of steps that validation chose.
        restore_best: keep the best weights rather than the last.
        stretch: training steps, as a multiple of the protocol's.
    """

    label: str
    group: str | None = None
    source: str = 'own'
    space: Mapping[str, spaces.Range | float] = {}
    change: Callable[[base.Recipe], base.Recipe] = lambda recipe: recipe
    applies: Callable[[base.Recipe, kinds.Kind], bool] = lambda recipe, kind: True
    own_rate: bool = False
    order: int = 50
    nets: int = 1
    refit: bool = False
    restore_best: bool = True
    stretch: float = 1.0

    @property
    def judged_by_validation(self) -> bool:
        """Whether held-out examples can say if it helps: one net, with its best weights."""
        return self.nets == 1 and not self.refit and self.restore_best


class Baseline(NamedTuple):
    """What techniques are added to.

    Attributes:
        recipe: without any of them.
        space: numbers that it is tuned by.
        label: its row's name in the table.
    """

    recipe: base.Recipe
    space: Mapping[str, spaces.Range | float]
    label: str = 'tuned baseline'


class Arm(NamedTuple):
    """A recipe to be tuned: the baseline with some techniques.

    Attributes:
        techniques: in the order in which they were added; `()` for the baseline.
        recipe: with all of them.
        space: numbers to be searched or fixed.
        label: in tables.
        nets: whose probabilities are averaged.
        refit: train on all labels.
        restore_best: keep the best weights.
        stretch: training steps, as a multiple of the protocol's.
    """

    techniques: tuple[Technique, ...]
    recipe: base.Recipe
    space: spaces.Space
    label: str
    nets: int = 1
    refit: bool = False
    restore_best: bool = True
    stretch: float = 1.0

    def excludes(self, technique: Technique) -> bool:
        """Whether a technique is in it, or one of the same group is."""
        return any(
            own == technique or (own.group is not None and own.group == technique.group)
            for own in self.techniques
        )


def arm_of(techniques: Sequence[Technique], baseline: Baseline) -> Arm:
    """Composes techniques onto a baseline; later ones win where two fix the same number.

    Args:
        techniques: in any order: each changes the recipe in its turn (`Technique.order`, then the label).
        baseline: what they are added to.

    Returns:
        The arm.

    Raises:
        ValueError: a technique cannot change the recipe that it is given.
    """
    recipe, space = baseline.recipe, dict(baseline.space)
    for technique in sorted(techniques, key=lambda t: (t.order, t.label)):
        recipe = _changed(technique, recipe)
    for technique in techniques:
        space |= technique.space
    return Arm(
        tuple(techniques),
        recipe,
        space,
        ' + '.join(t.label for t in techniques) or baseline.label,
        nets=max([t.nets for t in techniques], default=1),
        refit=any(t.refit for t in techniques),
        restore_best=all(t.restore_best for t in techniques),
        stretch=math.prod(t.stretch for t in techniques),
    )


def check(technique: Technique, baseline: Baseline) -> None:
    """Refuses a technique whose fields are not what they should be.

    Args:
        technique: anybody's.
        baseline: what it is to be added to.

    Raises:
        ValueError: the message names the field.
    """

    def refuse(field, works):
        raise ValueError(
            f'the technique {technique.label!r} has {field}={getattr(technique, field)!r}: give {works}'
        )

    if not isinstance(technique.label, str) or not technique.label or technique.label == baseline.label:
        refuse('label', "a text of its own, which is not the baseline's")
    if technique.group is not None and not isinstance(technique.group, str):
        refuse('group', 'a text, or leave it out (change=... is given by its name)')
    for field in ('change', 'applies'):
        if not callable(getattr(technique, field)):
            refuse(field, 'a function')
    if not isinstance(technique.nets, int) or technique.nets < 1:
        refuse('nets', 'a whole number of 1 or more')
    if not isinstance(technique.stretch, int | float) or not technique.stretch > 0:
        refuse('stretch', 'a factor above 0')
    spaces.check(technique.space, technique.label)


def _changed(technique, recipe):
    try:
        changed = technique.change(recipe)
    except Exception as error:
        raise ValueError(
            f'the technique "{technique.label}" cannot change a recipe with the model '
            f'{type(recipe.model).__name__}: {type(error).__name__}: {error}'
        ) from error
    if not isinstance(changed, base.Recipe):
        raise ValueError(
            f'the technique "{technique.label}" changes a recipe into a {type(changed).__name__}: let its '
            'change return a base.Recipe'
        )
    return changed
