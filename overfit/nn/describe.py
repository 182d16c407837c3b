"""Models in words, for tables, and as plain values, for files from which they are made again."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from overfit import base
from overfit.nn import activations, dropout, models

MODELS = {module.__name__: module for module in (models.MLP, models.CNN)}  # those that can be made again
ACTIVATIONS = {'relu': activations.relu, 'tanh': activations.tanh, 'sigmoid': activations.sigmoid}
DROPPING_FIELDS = ('dropping', 'block_dropping')
DROPPINGS = {kind.name: kind for kind in dropout.DROPPINGS}
NOT_SAVED = ('parent', 'name', 'axis_name')  # of a module's fields: where it stands, not what it is


def describe(model: Any, shape: tuple[int, ...]) -> str:
    """Describes a model in a few words, as `'CNN conv 32-conv 64-128 relu, batch norm'`.

    Args:
        model: a linen module, of this package or any other.
        shape: of one input; by it a `CNN` chooses its channels where it was given none.

    Returns:
        Layers and activation of an `MLP` or a `CNN`; of any other module its class and its plain fields.

    >>> describe(models.MLP(10, batch_norm=True), (8, 8, 1))
    'MLP 128-128 relu, batch norm'
    """
    if type(model) not in MODELS.values():
        fields = [f'{name} {_spelled(value)}' for name, value in _fields(model).items() if _is_plain(value)]
        return ' '.join([type(model).__name__, ', '.join(fields)]).strip()
    channels = ()
    if type(model) is models.CNN:
        channels = model.channels or models.channels_for(*shape[:2])
    layers = '-'.join([*(f'conv {c}' for c in channels), *map(str, model.widths)])
    words = [type(model).__name__, layers, model.activation.name]
    kinds = [kind.name for kind in _droppings(model).values() if kind not in (None, dropout.units)]
    return ', '.join([' '.join(filter(None, words)), *['batch norm'] * model.batch_norm, *kinds])


def to_config(model: Any) -> dict[str, Any]:
    """Makes plain values of a model, for JSON.

    Args:
        model: a linen module.

    Returns:
        `model`, the name of its class, and `fields`, by name; `fields` is `None` where the class is not
        part of this package, so that `from_config` cannot make it again.
    """
    if type(model) not in MODELS.values():
        return {'model': type(model).__name__, 'fields': None}
    named = {'activation': _activation_name(model.activation)}
    named |= {field: kind and _dropping_name(kind) for field, kind in _droppings(model).items()}
    return {'model': type(model).__name__, 'fields': _fields(model) | named}


def from_config(config: Mapping[str, Any]) -> nn.Module:
    """Makes a model of what `to_config` made of it.

    Args:
        config: with `model` and `fields`; whatever else it holds is ignored.

    Returns:
        A linen module.

    Raises:
        ValueError: the class, its activation or its kind of dropout is not part of this package.
    """
    name, fields = config['model'], config['fields']
    if fields is None or name not in MODELS:
        raise ValueError(
            f'the saved model is a {name}, which is not part of overfit: '
            'give the module, or the recipe it was trained with, as load(path, recipe=...)'
        )
    plain = {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    named = {'activation': ('activation', _activation(fields['activation']))}
    saved = {field: fields[field] for field in DROPPING_FIELDS if fields.get(field) is not None}
    named |= {field: ('kind of dropout', DROPPINGS.get(kind)) for field, kind in saved.items()}
    for field, (noun, value) in named.items():
        if value is None:
            raise ValueError(
                f'the saved {name} has the {noun} {fields[field]!r}, which is not part of overfit: '
                'give the module, or the recipe it was trained with, as load(path, recipe=...)'
            )
        plain[field] = value
    return MODELS[name](**plain)


def _fields(model):
    if not dataclasses.is_dataclass(model):
        return {}
    names = [field.name for field in dataclasses.fields(model)]
    return {name: getattr(model, name) for name in names if name not in NOT_SAVED}


def _is_plain(value):
    if isinstance(value, base.Activation):
        return True
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def _spelled(value):
    if isinstance(value, base.Activation):
        return value.name
    if isinstance(value, tuple | list):
        return '-'.join(map(_spelled, value)) or '()'
    return f'{value:g}' if isinstance(value, float) else str(value)


def _activation_name(activation):
    """The name under which an activation is saved; one that is not ours never gets the name of ours."""
    return activation.name if _activation(activation.name) == activation else f'own {activation.name}'


def _droppings(model):
    return {field: kind for field, kind in _fields(model).items() if field in DROPPING_FIELDS}


def _dropping_name(kind):
    return kind.name if DROPPINGS.get(kind.name) == kind else f'own {kind.name}'


def _activation(name):
    kind, _, pieces = name.partition(' ')
    if kind == 'maxout' and pieces.isdecimal() and int(pieces) >= 2:
        return activations.maxout(int(pieces))
    return ACTIVATIONS.get(name)
