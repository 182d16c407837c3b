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
from overfit.data import kinds
from overfit.train import start, step

CALLS = {
    'prepare': '(x, inputs)',
    'trained': '(path)',
    'augmentation': '(key, batch, hyper, inputs)',
    'loss': 'init(classes, features) and apply(key, state, outputs, batch, hyper, axis_name)',
    'predict': '(outputs, loss_state)',
    'optimizer': '(hyper, learning_rate)',
    'gradient': '(objective, params, hyper, axis_name)',
    'average': 'init(params), update(average, params, progress, hyper) and weights(average, params)',
    'sampler': '(key, step, y, count, batch_size)',
}  # what the values in a recipe's slots are called with, as `overfit.base` describes it


def recipes(arms: Iterable[tuple[base.Recipe, Iterable[str]]], examples: base.Examples) -> None:
    """Checks recipes, every value of a slot once for each set of numbers.

    Numbers are traced, as in the compiled program, and those that an arm does not have are `None`: a value
    that asks `if hyper.dropout:` or multiplies by an absent number is refused here.

    Args:
        arms: recipes, each with the names of the numbers that it will be given beside `steps`.
        examples: that they are to be trained on.

    Raises:
        ValueError: a value does not do what its slot promises, or a number is read by none; the message
            names the value, what it did and what it has to do.
    """
    inputs = examples.kind.measure(examples.x[:2])
    checked = set()
    for recipe, names in arms:
        names = frozenset(names) | {'steps'}
        if (recipe, names) not in checked:
            checked.add((recipe, names))
            _check(recipe, names, examples, inputs, checked)


def _check(recipe, names, examples, inputs, checked):
    classes, size = len(examples.classes), recipe.batch_size
    own = names.difference(base.NAMES)
    read = set()
    prepare = recipe.prepare or kinds.standardise
    example = _called('prepare', prepare, lambda: step.example_of(examples.x, inputs, recipe))
    batch = base.Batch(
        jax.ShapeDtypeStruct((size, *examples.x.shape[1:]), examples.x.dtype),
        jax.ShapeDtypeStruct((size,), jnp.int32),
    )

    def new(*slot):
        # What reads own numbers is traced for every recipe: it is the reading that is looked at.
        fresh = bool(own) or slot not in checked
        checked.add(slot)
        return fresh

    def traced(name, value, function, *arguments):
        """What `function(hyper, *arguments)` gives, in shapes."""

        def call(numbers, *arguments):
            known = {n: number for n, number in numbers.items() if n not in own}
            watched = _Watched({n: number for n, number in numbers.items() if n in own}, read)
            return function(base.Hyper(**known, own=watched), *arguments)

        numbers = {n: jax.ShapeDtypeStruct((), jnp.float32) for n in sorted(names)}
        return _called(name, value, lambda: jax.eval_shape(call, numbers, *arguments))

    rates = names & {'dropout', 'input_dropout'}
    if new('model', recipe.model, example, rates):
        _check_model(recipe.model, example, classes, rates)
    if new('start', recipe.start, recipe.model, example):
        start.check_given(recipe.start, recipe.model, example)
    outputs, variables = start.shapes_of(recipe.model, example)
    variables = {'params': {}} | dict(variables)
    trained = _check_trained(recipe, variables)
    outputs = base.Outputs(*(jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype) for a in outputs))
    for augment in recipe.augment:
        if new('augment', augment, size, names):
            _check_augment(traced, augment, batch, inputs)
    if new('loss', recipe.loss, recipe.predict, outputs, names):
        _check_loss(traced, recipe, outputs, batch, classes)
    if new('optimizer', recipe.optimizer, recipe.trained, recipe.model, names):
        _check_optimizer(traced, recipe.optimizer, trained)
    if recipe.average is not None and new('average', recipe.average, recipe.model, names):
        _check_average(traced, recipe.average, variables['params'])
    if recipe.gradient is not None and new('gradient', recipe.gradient, recipe.trained, recipe.model, names):
        _check_gradient(traced, recipe.gradient, trained)
    if recipe.sampler is not None and new('sampler', recipe.sampler, size):
        _check_sampler(recipe.sampler, size)
    unread = sorted(own - read)
    if unread:
        raise ValueError(
            f'the number {unread[0]} is given, but no loss, augmentation, optimizer, gradient or average of '
            f"the recipe reads hyper.own['{unread[0]}']: mend its name, or leave it out of the space"
        )


def _check_model(model, example, classes, rates):
    name = type(model).__name__
    try:
        made, _ = start.shapes_of(model, example)
        variables = dict(start.shapes_of(model, example)[1])
        numbers = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in rates}

        def train(variables, x, key, numbers):
            numbers = {'dropout': None, 'input_dropout': None} | numbers
            rngs, mutable = {'dropout': key}, [c for c in variables if c != 'params']
            return model.apply(variables, x, train=True, rngs=rngs, mutable=mutable, **numbers)

        jax.eval_shape(train, variables, example, _key(), numbers)
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


def _check_trained(recipe, variables):
    """The weights that are trained; `None` stands for the others."""
    if recipe.trained is not None:
        paths = [
            tuple(str(part.key) for part in path)
            for collection in variables.values()
            for path, _ in jax.tree_util.tree_leaves_with_path(collection)
        ]
        marks = _called('trained', recipe.trained, lambda: [recipe.trained(path) for path in paths])
        if not any(marks):
            raise ValueError(
                f'trained={_name(recipe.trained)} marks no variable of the {type(recipe.model).__name__}, so '
                f'nothing would be trained; its variables have paths such as {paths[0]} and {paths[-1]}'
            )
    return step.parted(variables['params'], recipe)[0]


def _check_augment(traced, augment, batch, inputs):
    def call(hyper, x, y, key):
        return augment(key, base.Batch(x, y), hyper, inputs)

    made = traced('augmentation', augment, call, batch.x, batch.y, _key())
    if not isinstance(made, base.Batch):
        _refuse('augmentation', augment, f'returns {_kind(made)}', 'a base.Batch')
    if np.shape(made.x) != batch.x.shape or np.shape(made.y) != batch.y.shape:
        _refuse(
            'augmentation',
            augment,
            f'makes inputs {list(np.shape(made.x))} and labels {list(np.shape(made.y))} of a batch of inputs '
            f'{list(batch.x.shape)} and labels {list(batch.y.shape)}',
            'a batch of the same shapes',
        )


def _check_loss(traced, recipe, outputs, batch, classes):
    loss, size = recipe.loss, recipe.batch_size

    def begin(hyper):
        return loss.init(classes, outputs.features.shape[-1])

    def call(hyper, outputs, y, key, state):
        data = base.Batch(jnp.zeros(batch.x.shape, batch.x.dtype), y)
        made = loss.apply(key, state, outputs, data, hyper, None)
        if not isinstance(made, tuple) or len(made) != 2:
            _refuse('loss', loss, f'returns {_kind(made)}', 'a pair (values, state)')
        return made

    before = traced('loss', loss, begin)
    values, after = traced('loss', loss, call, outputs, batch.y, _key(), before)
    if getattr(values, 'shape', None) != (size,):
        shape = list(values.shape) if hasattr(values, 'shape') else _kind(values)
        _refuse('loss', loss, f'gives {shape} for a batch of {size}', f'one value for each example, [{size}]')
    if not _alike(before, after):
        _refuse('loss', loss, 'changes the form of its state', 'a state of the same shapes and types')
    if recipe.predict is not None:
        scores = traced('predict', recipe.predict, lambda hyper, *a: recipe.predict(*a), outputs, before)
        if getattr(scores, 'shape', None) != (size, classes):
            shape = list(scores.shape) if hasattr(scores, 'shape') else _kind(scores)
            _refuse('predict', recipe.predict, f'gives {shape}', f'log-probabilities [{size}, {classes}]')


def _check_optimizer(traced, optimizer, params):
    def call(hyper, rate, params):
        made = optimizer(hyper, rate)
        if not isinstance(made, optax.GradientTransformation):
            _refuse('optimizer', optimizer, f'returns {_kind(made)}', 'an optax.GradientTransformation')
        before = made.init(params)
        updates, state = made.update(params, before, params)
        return optax.apply_updates(params, updates), before, state

    rate = jax.ShapeDtypeStruct((), jnp.float32)
    after, before, state = traced('optimizer', optimizer, call, rate, params)
    if not _alike(after, params):
        _refuse('optimizer', optimizer, 'changes the shapes of the weights', 'updates of their shapes')
    if not _alike(before, state):
        _refuse(
            'optimizer', optimizer, 'changes the form of its state', 'a state of the same shapes and types'
        )


def _check_average(traced, average, params):
    def call(hyper, params):
        before = average.init(params)
        state = average.update(before, params, jnp.float32(0.5), hyper)
        return before, state, average.weights(state, params)

    before, after, weights = traced('average', average, call, params)
    if not _alike(before, after):
        _refuse('average', average, 'changes the form of its state', 'a state of the same shapes and types')
    if not _alike(weights, params):
        _refuse('average', average, 'gives another tree than the weights', 'weights of the same shapes')


def _check_gradient(traced, gradient, params):
    def call(hyper, params):
        def objective(params):
            return sum((jnp.sum(leaf) for leaf in jax.tree.leaves(params)), jnp.zeros(())), ()

        (_, _), found = gradient(objective, params, hyper, None)
        return found

    made = traced('gradient', gradient, call, params)
    if not _alike(made, params):
        _refuse('gradient', gradient, 'returns another tree than the weights', '((loss, aux), gradient)')


def _check_sampler(sampler, size):
    def call(key, y):
        return sampler(key, jnp.int32(0), y, jnp.uint32(4), size)

    labels = jax.ShapeDtypeStruct((8,), jnp.int32)
    made = _called('sampler', sampler, lambda: jax.eval_shape(call, _key(), labels))
    if getattr(made, 'shape', None) != (size,) or not jnp.issubdtype(made.dtype, jnp.integer):
        did = f'{made.dtype} {list(made.shape)}' if hasattr(made, 'shape') else _kind(made)
        _refuse('sampler', sampler, f'gives {did}', f'whole numbers [{size}]')


def _key():
    """Shape and type of a key: to make one would compile."""
    return jax.eval_shape(lambda: keys.key(0))


class _Watched(Mapping):
    """The own numbers of a setting; those that are looked up are noted in `read`."""

    def __init__(self, numbers: Mapping[str, Any], read: set[str]):
        self.numbers, self.read = dict(numbers), read

    def __getitem__(self, name):
        self.read.add(name)
        return self.numbers[name]

    def __iter__(self):
        return iter(self.numbers)

    def __len__(self):
        return len(self.numbers)


# A tree, as the numbers are in training: a slot may hand `hyper` to `jax.jit` or `jax.checkpoint`.
jax.tree_util.register_pytree_node(
    _Watched,
    lambda watched: (tuple(watched.numbers.values()), watched),
    lambda watched, values: _Watched(dict(zip(watched.numbers, values, strict=True)), watched.read),
)


class _Refused(ValueError):
    """What a check says itself, as opposed to an error of what is checked."""


def _called(slot, value, function):
    try:
        return function()
    except _Refused:
        raise
    except Exception as error:
        raise ValueError(
            f'the {slot} {_name(value)} fails when it is called as {CALLS[slot]}: {_first_line(error)}'
        ) from error


def _refuse(slot, value, did, has_to):
    raise _Refused(f'the {slot} {_name(value)} {did}, but has to return {has_to}')


def _name(value):
    return getattr(value, 'name', None) or getattr(value, '__name__', None) or type(value).__name__


def _kind(value):
    if value is None:
        return 'None'
    if isinstance(value, jax.Array | jax.ShapeDtypeStruct):
        return 'an array'
    return f'a {type(value).__name__}'


def _alike(one, other):
    """Whether two trees of arrays have the same form, shapes and types."""
    forms = [
        [(np.shape(leaf), jnp.result_type(leaf)) for leaf in jax.tree.leaves(tree)] for tree in (one, other)
    ]
    return jax.tree.structure(one) == jax.tree.structure(other) and forms[0] == forms[1]


def _first_line(error):
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f'{type(error).__name__}: {lines[0] if lines else ""}'
