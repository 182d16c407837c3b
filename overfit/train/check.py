"""Refuses recipes that cannot train, in one sentence and before anything is compiled.

The values in a recipe's slots may be anybody's. Each is traced on shapes alone (`jax.eval_shape`), which
takes milliseconds, and what it returns is held against what its slot promises in `overfit.base`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from overfit import base, keys
from overfit.train import start, step


def recipes(arms: Iterable[tuple[base.Recipe, Iterable[str]]], examples: base.Examples) -> None:
    """Checks recipes, every value of a slot once.

    Args:
        arms: recipes, each with the names of the numbers that it will be given.
        examples: that they are to be trained on.

    Raises:
        ValueError: a value does not do what its slot promises, or a number is read by none; the message
            names the value, what it did and what it has to do.
    """
    inputs = examples.kind.measure(examples.x[:2])
    checked = set()
    for recipe, names in arms:
        numbers = base.Hyper.of(**dict.fromkeys(names, 0.0))
        key = (recipe, frozenset(numbers.own))
        if key not in checked:
            checked.add(key)
            _check(recipe, numbers, examples, inputs, checked)


def _check(recipe, numbers, examples, inputs, checked):
    classes, size = len(examples.classes), recipe.batch_size
    example = step.example_of(examples.x, inputs, recipe)
    batch = base.Batch(
        jax.ShapeDtypeStruct((size, *examples.x.shape[1:]), examples.x.dtype),
        jax.ShapeDtypeStruct((size,), jnp.int32),
    )
    fields = base.Hyper(**{name: 0.0 for name in base.NAMES}, own=_Watched(numbers.own))

    def new(*slot):
        # A slot that reads own numbers is traced for each set of them.
        key = (*slot, frozenset(numbers.own))
        fresh = key not in checked or numbers.own
        checked.add(key)
        return fresh

    if new('model', recipe.model, example):
        _check_model(recipe.model, example, classes)
        start.check_given(recipe.start, recipe.model, example)
    outputs, variables = start.shapes_of(recipe.model, example)
    params = dict(variables).get('params', {})
    features = outputs.features.shape[-1]
    outputs = base.Outputs(*(jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype) for a in outputs))
    for augment in recipe.augment:
        if new('augment', augment, size):
            _check_augment(augment, batch, fields, inputs)
    if new('loss', recipe.loss, recipe.model, size):
        _check_loss(recipe, outputs, batch, fields, classes, features)
    if new('optimizer', recipe.optimizer, recipe.model):
        made = _called('optimizer', recipe.optimizer, lambda: recipe.optimizer(fields, 0.1))
        if not isinstance(made, optax.GradientTransformation):
            _refuse(
                'optimizer', recipe.optimizer, f'returns {_kind(made)}', 'an optax.GradientTransformation'
            )
    if recipe.average is not None:
        _traced('average', recipe.average, lambda p: _averaged(recipe.average, p, fields), params)
    if recipe.gradient is not None:
        _check_gradient(recipe.gradient, params, fields)
    if recipe.sampler is not None and new('sampler', recipe.sampler, size):
        _check_sampler(recipe.sampler, size)
    unread = sorted(set(numbers.own) - fields.own.read)
    if unread:
        raise ValueError(
            f'the number {unread[0]} is given, but no loss, augmentation, optimizer, gradient or average of '
            f"the recipe reads hyper.own['{unread[0]}']: mend its name, or leave it out of the space"
        )


def _check_model(model, example, classes):
    name = type(model).__name__
    try:
        made, _ = start.shapes_of(model, example)
        numbers = {'dropout': 0.1, 'input_dropout': 0.1}
        variables = dict(start.shapes_of(model, example)[1])

        def train(variables, x, key):
            rngs, mutable = {'dropout': key}, [c for c in variables if c != 'params']
            return model.apply(variables, x, train=True, rngs=rngs, mutable=mutable, **numbers)

        jax.eval_shape(train, variables, example, keys.key(0))
    except Exception as error:
        raise ValueError(
            f'the model {name} cannot be called as model(x, train=..., dropout=..., input_dropout=...) with '
            f'x of shape {example.shape} and type {example.dtype}: {_first_line(error)}'
        ) from error
    if not isinstance(made, base.Outputs):
        raise ValueError(
            f'the model {name} returns {_kind(made)}, but must return base.Outputs(features, logits): the '
            'features [B, F] before its last layer, and the logits [B, classes]'
        )
    for field, value in made._asdict().items():
        if not hasattr(value, 'shape') or len(value.shape) != 2 or value.shape[0] != 1:
            shape = list(value.shape) if hasattr(value, 'shape') else _kind(value)
            raise ValueError(
                f'the model {name} gives {field} of shape {shape} for one example, but must give '
                f'{"[1, F]" if field == "features" else f"[1, {classes}]"}'
            )
    if made.logits.shape[1] != classes:
        raise ValueError(
            f'the model {name} gives {made.logits.shape[1]} logits, but the examples have {classes} classes'
        )


def _check_augment(augment, batch, hyper, inputs):
    def call(x, y, key):
        return augment(key, base.Batch(x, y), hyper, inputs)

    made = _traced('augmentation', augment, call, batch.x, batch.y, keys.key(0))
    if not isinstance(made, base.Batch):
        _refuse('augmentation', augment, f'returns {_kind(made)}', 'a base.Batch')
    if made.x.shape != batch.x.shape or made.y.shape != batch.y.shape:
        _refuse(
            'augmentation',
            augment,
            f'makes inputs {list(made.x.shape)} and labels {list(made.y.shape)} of a batch of inputs '
            f'{list(batch.x.shape)} and labels {list(batch.y.shape)}',
            'a batch of the same shapes',
        )


def _check_loss(recipe, outputs, batch, hyper, classes, features):
    size = recipe.batch_size

    def call(outputs, y, key):
        state = recipe.loss.init(classes, features)
        data = base.Batch(jnp.zeros(batch.x.shape, batch.x.dtype), y)
        values, after = recipe.loss.apply(key, state, outputs, data, hyper, None)
        scores = None if recipe.predict is None else recipe.predict(outputs, state)
        return values, state, after, scores

    made = _traced('loss', recipe.loss, call, outputs, batch.y, keys.key(0))
    values, before, after, scores = made
    if getattr(values, 'shape', None) != (size,):
        shape = list(values.shape) if hasattr(values, 'shape') else _kind(values)
        _refuse(
            'loss',
            recipe.loss,
            f'gives {shape} for a batch of {size}',
            f'one value for each example, [{size}]',
        )
    if jax.tree.map(_form, before) != jax.tree.map(_form, after):
        _refuse('loss', recipe.loss, 'changes the form of its state', 'a state of the same shapes and types')
    if scores is not None and scores.shape != (size, classes):
        _refuse(
            'predict', recipe.predict, f'gives {list(scores.shape)}', f'log-probabilities [{size}, {classes}]'
        )


def _check_gradient(gradient, params, hyper):
    def call(params):
        def objective(params):
            return sum((jnp.sum(leaf) for leaf in jax.tree.leaves(params)), jnp.zeros(())), ()

        return gradient(objective, params, hyper, None)[1]

    made = _traced('gradient', gradient, call, params)
    if jax.tree.map(_form, made) != jax.tree.map(_form, params):
        _refuse('gradient', gradient, 'returns another tree than the weights', '((loss, aux), gradient)')


def _check_sampler(sampler, size):
    def call(key, y):
        return sampler(key, jnp.int32(0), y, jnp.uint32(4), size)

    made = _traced('sampler', sampler, call, keys.key(0), jax.ShapeDtypeStruct((8,), jnp.int32))
    if made.shape != (size,) or not jnp.issubdtype(made.dtype, jnp.integer):
        _refuse('sampler', sampler, f'gives {made.dtype} {list(made.shape)}', f'whole numbers [{size}]')


def _averaged(average, params, hyper):
    state = average.update(average.init(params), params, jnp.float32(0.5), hyper)
    return average.weights(state, params)


class _Watched(Mapping):
    """The own numbers of a setting, which remember which of them were read."""

    def __init__(self, numbers: Mapping[str, Any]):
        self._numbers, self.read = dict(numbers), set()

    def __getitem__(self, name):
        self.read.add(name)
        return self._numbers[name]

    def __iter__(self):
        return iter(self._numbers)

    def __len__(self):
        return len(self._numbers)


def _traced(slot, value, function, *arguments):
    return _called(slot, value, lambda: jax.eval_shape(function, *arguments))


def _called(slot, value, function):
    try:
        return function()
    except Exception as error:
        raise ValueError(f'the {slot} {_name(value)} fails on a batch: {_first_line(error)}') from error


def _refuse(slot, value, did, has_to):
    raise ValueError(f'the {slot} {_name(value)} {did}, but has to return {has_to}')


def _name(value):
    return getattr(value, 'name', None) or getattr(value, '__name__', None) or type(value).__name__


def _kind(value):
    return f'a {type(value).__name__}'


def _form(leaf):
    return np.shape(leaf), str(jnp.result_type(leaf))


def _first_line(error):
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f'{type(error).__name__}: {lines[0] if lines else ""}'
