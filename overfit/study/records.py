"""`NamedTuple`s as JSON and back, by their annotations."""

import math
import types
import typing
from collections.abc import Mapping
from typing import Any


def _is_record(kind):
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, '_fields')


def plain(value: Any, where: str) -> Any:
    """Makes plain containers of records: fields in their order, floats to six significant digits.

    Args:
        value: records (`NamedTuple`s), mappings, sequences, NumPy and JAX scalars and arrays, plain values.
        where: what it is called in an error.

    Returns:
        Dicts, lists and plain values. A field that is `None` by default is left out where it is `None`.

    Raises:
        ValueError: a number is NaN or infinite; the message says which.
    """
    if _is_record(type(value)):
        optional = {name for name, default in value._field_defaults.items() if default is None}
        fields = value._asdict().items()
        return {k: plain(v, f'{where}.{k}') for k, v in fields if v is not None or k not in optional}
    if isinstance(value, Mapping):
        return {str(key): plain(item, f'{where}.{key}') for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f'{where}[{n}]') for n, item in enumerate(value)]
    if hasattr(value, 'tolist'):
        return plain(value.tolist(), where)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f'{where} is {value}: results hold finite numbers, or None for none')
        return float(f'{value:.6g}')
    return value


def typed(kind: Any, value: Any, where: str) -> Any:
    """Makes a value of JSON one of an annotated type: what `plain` made becomes records again.

    Args:
        kind: a record, `X | None`, `tuple[X, ...]`, `Mapping[str, X]`, `Any`, or a plain type.
        value: as loaded from JSON.
        where: what it is called in an error.

    Raises:
        ValueError: a key that is missing or unknown, or a value of another type; the message says which.
    """
    if kind is Any:
        return value
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        (present,) = (one for one in inner if one is not types.NoneType)
        return None if value is None else typed(present, value, where)
    if _is_record(kind):
        return _record(kind, value, where)
    if origin is tuple and isinstance(value, list | tuple):
        return tuple(typed(inner[0], item, f'{where}[{n}]') for n, item in enumerate(value))
    if origin is Mapping and isinstance(value, Mapping):
        return {key: typed(inner[1], item, f'{where}.{key}') for key, item in value.items()}
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if isinstance(kind, type) and type(value) is kind and kind is not float:
        return value
    words = {float: 'a finite number', int: 'a whole number', str: 'text', bool: 'true or false'}
    wanted = words.get(kind, 'a list' if origin is tuple else 'an object')
    raise ValueError(f'{where} is {value!r:.60}, where {wanted} belongs')


def _record(kind, value, where):
    if not isinstance(value, Mapping):
        raise ValueError(f'{where} is {value!r:.60}, where an object belongs')
    hints = typing.get_type_hints(kind)
    missing = [key for key in kind._fields if key not in value and key not in kind._field_defaults]
    unknown = [key for key in value if key not in kind._fields]
    if missing:
        raise ValueError(f'{where} lacks the key {missing[0]!r}')
    if unknown:
        raise ValueError(f'{where} has the unknown key {unknown[0]!r}; it knows {", ".join(kind._fields)}')
    return kind(**{key: typed(hints[key], item, f'{where}.{key}') for key, item in value.items()})
