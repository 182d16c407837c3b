"""Models in words, for tables, and as plain values, for files from which they are made again."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from overfit import base
from overfit.nn import activations, concat, dropout, first, models

MODELS = {
    module.__name__: module for module in (models.MLP, models.CNN, concat.Concat)
}  # those that can be made again
ACTIVATIONS = {
    one.name: one
    for one in (
        activations.relu,
        activations.tanh,
        activations.sigmoid,
        activations.leaky_relu,
        activations.gelu,
    )
}
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
    if type(model) is concat.Concat:
        return ' | '.join(describe(tower, shape) for tower in model.towers)
    channels = ()
    if type(model) is models.CNN:
        channels = model.channels or models.channels_for(*shape[:2])
    layers = '-'.join([*(f'conv {c}' for c in channels), *map(str, model.widths)])
    words = [type(model).__name__, layers, model.activation.name]
    kinds = [getattr(model, field, None) for field in ('dropping', 'block_dropping')]
    more = ['batch norm'] * model.batch_norm
    more += [f'on {layer.name}' for layer in (model.first,) if layer is not None]
    more += [kind.name for kind in kinds if kind not in (None, dropout.units)]
    return ', '.join([' '.join(word for word in words if word), *more])


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
    return {'model': type(model).__name__, 'fields': {n: _plain(v) for n, v in _fields(model).items()}}


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
    return MODELS[name](**{field: _value(field, value, name) for field, value in fields.items()})


def _plain(value):
    """A field's value as JSON can hold it."""
    if isinstance(value, base.Activation):
        return _activation_name(value)
    if isinstance(value, base.First):
        return value.name if first.FIRSTS.get(value.name) == value else f'own {value.name}'
    if isinstance(value, dropout.Dropping):
        return value.name if DROPPINGS.get(value.name) == value else f'own {value.name}'
    if isinstance(value, nn.Module):
        return to_config(value)
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _value(field, plain, model):
    """The value of a field of which `_plain` made this."""
    if field == 'towers':
        return tuple(from_config(one) for one in plain)
    kinds = {'activation': ('has the activation', _activation), 'first': ('stands on', first.FIRSTS.get)}
    kinds |= dict.fromkeys(('dropping', 'block_dropping'), ('has the kind of dropout', DROPPINGS.get))
    if field in kinds and plain is not None:
        has, known = kinds[field]
        if known(plain) is None:
            raise ValueError(
                f'the saved {model} {has} {plain!r}, which is not part of overfit: '
                'give the module, or the recipe it was trained with, as load(path, recipe=...)'
            )
        return known(plain)
    return tuple(plain) if isinstance(plain, list) else plain


def _fields(model):
    if not dataclasses.is_dataclass(model):
        return {}
    names = [field.name for field in dataclasses.fields(model)]
    return {name: getattr(model, name) for name in names if name not in NOT_SAVED}


def _is_plain(value):
    if isinstance(value, base.Activation | base.First):
        return True
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | float | str)


def _spelled(value):
    if isinstance(value, base.Activation | base.First):
        return value.name
    if isinstance(value, tuple | list):
        return '-'.join(map(_spelled, value)) or '()'
    return f'{value:g}' if isinstance(value, float) else str(value)


def _activation_name(activation):
    """The name under which an activation is saved; one that is not ours never gets the name of ours."""
    return activation.name if _activation(activation.name) == activation else f'own {activation.name}'


def _activation(name):
    kind, _, pieces = name.partition(' ')
    if kind == 'maxout' and pieces.isdecimal() and int(pieces) >= 2:
        return activations.maxout(int(pieces))
    return ACTIVATIONS.get(name)
