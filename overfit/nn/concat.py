"""Several nets side by side: their bottlenecks concatenated, and a head on top."""

import dataclasses
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from overfit import base

TOWER = 'tower_'  # before the number of a tower, in the names of its variables


class Concat(nn.Module):
    """Towers that see the same inputs, a dense layer on all their features together.

    A tower looks at the inputs in its own way through its `first` layer, as `overfit.nn.first.half`. Its own
    logits are not used: the head's are.

    Attributes:
        classes: logits of the head.
        towers: linen modules that return `base.Outputs`.
        axis_name: axis over which statistics of the batch are averaged, for towers that have such a field.
    """

    classes: int
    towers: tuple[nn.Module, ...]
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, x: jax.Array, *, train: bool, dropout: base.Number = None, input_dropout: base.Number = None
    ) -> base.Outputs:
        """Classifies.

        Args:
            x: `[B, ...]` floats.
            train: as the towers take it.
            dropout: likewise.
            input_dropout: likewise.

        Returns:
            Features `[B, sum of the towers' features]`, and logits `[B, classes]`.
        """
        options = {'train': train, 'dropout': dropout, 'input_dropout': input_dropout}
        features = []
        for number, tower in enumerate(self.towers):
            fields = {field.name for field in dataclasses.fields(tower)}
            shared = {'axis_name': self.axis_name} if 'axis_name' in fields else {}
            tower = tower.clone(parent=self, name=f'{TOWER}{number}', **shared)
            features.append(tower(x, **options).features)
        x = jnp.concatenate(features, axis=-1)
        return base.Outputs(x, nn.Dense(self.classes, name='logits')(x))


def variables_of(towers: Sequence[base.Variables]) -> base.Variables:
    """The part of a `Concat`'s variables that towers trained before have, for `start.given`.

    Args:
        towers: of each tower its variables, all collections, in the order of `Concat.towers`.

    Returns:
        The same by collection and tower; the head's are missing, and drawn.

    >>> sorted(variables_of([{'params': {'a': 1}}, {'params': {'b': 2}}])['params'])
    ['tower_0', 'tower_1']
    """
    collections = dict.fromkeys(name for one in towers for name in one)
    return {
        name: {f'{TOWER}{n}': one[name] for n, one in enumerate(towers) if name in one}
        for name in collections
    }


def head_alone(path: tuple[str, ...]) -> bool:
    """Whether a variable is the head's: `Recipe.trained` for towers that stay as they were given.

    >>> head_alone(('logits', 'kernel')), head_alone(('tower_0', 'logits', 'kernel'))
    (True, False)
    """
    return not path[0].startswith(TOWER)
