"""What each slot of a recipe promises, held against what its value does on shapes alone.

A check is called with `traced(slot, value, function, *arguments)`: it gives the shapes of
`function(hyper, *arguments)`, and notes which numbers of `hyper` they depend on.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from overfit import base, keys
from overfit.train import start, step

Traced = Callable[..., Any]
HINTS = {'optimizer': ' (an Optax optimizer is wrapped, as in lambda hyper, rate: optax.adam(rate))'}

CALLS = {
    'model': '(x, *, train, dropout, input_dropout)',
    'prepare': '(x, inputs)',
    'views': '(x, inputs)',
    'trained': '(path)',
    'augmentation': '(key, batch, hyper, inputs)',
    'loss': 'init(classes, features) and apply(key, state, outputs, batch, hyper, axis_name)',
    'predict': '(outputs, loss_state)',
    'optimizer': '(hyper, learning_rate)',
    'gradient': '(objective, params, hyper, axis_name)',
    'average': 'init(params), update(average, params, progress, hyper) and weights(average, params)',
    'sampler': '(key, step, y, count, batch_size)',
}  # what the values in a recipe's slots are called with, as `overfit.base` describes it


def check_model(
    traced: Traced, model: nn.Module, example: jax.ShapeDtypeStruct, classes: int, size: int
) -> None:
    """Refuses a model that cannot be called as ours are, or gives something else than `Outputs`."""
    name = type(model).__name__
    abreast = jax.ShapeDtypeStruct((size, *example.shape[1:]), example.dtype)

    def train(hyper, variables, x, key):
        rates = {'dropout': hyper.dropout, 'input_dropout': hyper.input_dropout}
        mutable = [c for c in variables if c != 'params']
        return model.apply(variables, x, train=True, rngs={'dropout': key}, mutable=mutable, **rates)

    try:
        made, variables = start.shapes_of(model, example)
        traced('model', model, train, dict(variables), abreast, _key())
    except Exception as error:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise ValueError(
            f'the model {name} cannot be called as model(x, train=..., dropout=..., input_dropout=...) with '
            f'x of shape {example.shape} or {abreast.shape} and type {example.dtype}: {_first_line(cause)}'
        ) from error
    if not jax.tree.leaves(dict(variables).get('params', {})):
        raise ValueError(f'the model {name} has no weights, so nothing would be trained: give it a layer')
    if not isinstance(made, base.Outputs):
        raise ValueError(
            f'the model {name} returns {kind_of(made)}, but must return base.Outputs(features, logits): the '
            'features [B, F] before its last layer, and the logits [B, classes]'
        )
    for field, value in made._asdict().items():
        if not hasattr(value, 'shape') or len(value.shape) != 2 or value.shape[0] != 1:
            raise ValueError(
                f'the model {name} gives {field} of shape {_shape(value)} for one example, but must give '
                f'{"[1, F]" if field == "features" else f"[1, {classes}]"}'
            )
    if made.logits.shape[1] != classes:
        raise ValueError(
            f'the model {name} gives {made.logits.shape[1]} logits, but the examples have {classes} classes'
        )


def check_trained(recipe: base.Recipe, variables: base.Variables) -> base.Params:
    """Returns the weights that are trained, `None` for the others; refuses a mark of none."""
    if recipe.trained is not None:
        paths = [
            tuple(str(part.key) for part in path)
            for collection in variables.values()
            for path, _ in jax.tree_util.tree_leaves_with_path(collection)
        ]
        marks = called('trained', recipe.trained, lambda: [recipe.trained(path) for path in paths])
        if not any(marks):
            raise ValueError(
                f'trained={name_of(recipe.trained)} marks no variable of the {type(recipe.model).__name__}, '
                f'so nothing would be trained; its variables have paths such as {paths[0]} and {paths[-1]}'
            )
    return step.parted(variables['params'], recipe)[0]


def check_augment(traced: Traced, augment: base.Augment, batch: base.Batch, inputs: Any) -> None:
    """Refuses an augmentation that gives no batch of the same shapes."""

    def call(hyper, x, y, key):
        return augment(key, base.Batch(x, y), hyper, inputs)

    made = traced('augmentation', augment, call, batch.x, batch.y, _key())
    if not isinstance(made, base.Batch):
        _refuse('augmentation', augment, f'returns {kind_of(made)}', 'a base.Batch')
    if np.shape(made.x) != batch.x.shape or np.shape(made.y) != batch.y.shape:
        _refuse(
            'augmentation',
            augment,
            f'makes inputs {_shape(made.x)} and labels {_shape(made.y)} of a batch of inputs '
            f'{_shape(batch.x)} and labels {_shape(batch.y)}',
            'a batch of the same shapes',
        )
    size, mixed = batch.y.shape, made.mixed
    if made.y.dtype != jnp.int32:
        _refuse(
            'augmentation', augment, f'makes labels of type {made.y.dtype}', 'whole numbers (int32) as labels'
        )
    if made.weight is not None and np.shape(made.weight) != size:
        _refuse(
            'augmentation',
            augment,
            f'gives weights {_shape(made.weight)}',
            f'one for each example, {list(size)}',
        )
    whole = isinstance(mixed, base.Mixed) and jnp.issubdtype(jnp.result_type(mixed.y), jnp.integer)
    if mixed is not None and not (whole and np.shape(mixed.y) == np.shape(mixed.share) == size):
        _refuse(
            'augmentation',
            augment,
            'mixes labels by something else',
            f'mixed=base.Mixed(y, share) with whole numbers y and shares, {list(size)} each',
        )


def check_views(views: base.Views, recipe: base.Recipe, x: jax.ShapeDtypeStruct, inputs: Any) -> None:
    """Refuses views that are not inputs themselves, one after another."""

    def shown():
        made = jax.eval_shape(views, x, inputs)
        if getattr(made, 'shape', (0,))[1:] != x.shape or not made.shape[0]:
            wanted = f'views one after another, [V, {", ".join(map(str, x.shape))}]'
            _refuse('views', views, f'gives {_shape(made)} for inputs {list(x.shape)}', wanted)
        return step.example_of(jax.ShapeDtypeStruct(x.shape, made.dtype), inputs, recipe)

    if called('views', views, shown).dtype != step.example_of(x, inputs, recipe).dtype:
        _refuse('views', views, 'makes inputs of another type', 'what can be prepared as an input is')


def check_loss(
    traced: Traced, recipe: base.Recipe, outputs: base.Outputs, batch: base.Batch, classes: int
) -> None:
    """Refuses a loss that gives no value for each example, and what predicts from its state."""
    loss, size = recipe.loss, recipe.batch_size

    def begin(hyper):
        return loss.init(classes, outputs.features.shape[-1])

    def call(hyper, outputs, y, key, state):
        data = base.Batch(jnp.zeros(batch.x.shape, batch.x.dtype), y)
        made = loss.apply(key, state, outputs, data, hyper, None)
        if not isinstance(made, tuple) or len(made) != 2:
            _refuse('loss', loss, f'returns {kind_of(made)}', 'a pair (values, state)')
        return made

    before = traced('loss', loss, begin)
    values, after = traced('loss', loss, call, outputs, batch.y, _key(), before)
    if getattr(values, 'shape', None) != (size,):
        did = f'gives {_shape(values)} for a batch of {size}'
        _refuse('loss', loss, did, f'one value for each example, [{size}]')
    if not _alike(before, after):
        _refuse('loss', loss, 'changes the form of its state', 'a state of the same shapes and types')
    if recipe.predict is not None:
        scores = traced('predict', recipe.predict, lambda hyper, *a: recipe.predict(*a), outputs, before)
        if getattr(scores, 'shape', None) != (size, classes):
            did = f'gives {_shape(scores)}'
            _refuse('predict', recipe.predict, did, f'log-probabilities [{size}, {classes}]')


def check_optimizer(traced: Traced, optimizer: base.Optimizer, params: base.Params) -> None:
    """Refuses an optimizer that is no Optax transformation, or changes the form of weights or state."""

    def call(hyper, rate, params):
        made = optimizer(hyper, rate)
        if not isinstance(made, optax.GradientTransformation):
            _refuse('optimizer', optimizer, f'returns {kind_of(made)}', 'an optax.GradientTransformation')
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


def check_average(traced: Traced, average: base.Average, params: base.Params) -> None:
    """Refuses an average that gives no weights of the same form."""

    def call(hyper, params):
        before = average.init(params)
        state = average.update(before, params, jnp.float32(0.5), hyper)
        return before, state, average.weights(state, params)

    before, after, weights = traced('average', average, call, params)
    if not _alike(before, after):
        _refuse('average', average, 'changes the form of its state', 'a state of the same shapes and types')
    if not _alike(weights, params):
        _refuse('average', average, 'gives another tree than the weights', 'weights of the same shapes')


def check_gradient(traced: Traced, gradient: base.Gradient, params: base.Params) -> None:
    """Refuses a gradient of another form than the weights."""

    def call(hyper, params):
        def objective(params):
            return sum((jnp.sum(leaf) for leaf in jax.tree.leaves(params)), jnp.zeros(())), ()

        (_, _), found = gradient(objective, params, hyper, None)
        return found

    made = traced('gradient', gradient, call, params)
    if not _alike(made, params):
        _refuse('gradient', gradient, 'returns another tree than the weights', '((loss, aux), gradient)')


def check_sampler(sampler: base.Sampler, size: int) -> None:
    """Refuses a sampler that gives no batch of positions."""

    def call(key, y):
        return sampler(key, jnp.int32(0), y, jnp.uint32(4), size)

    labels = jax.ShapeDtypeStruct((8,), jnp.int32)
    made = called('sampler', sampler, lambda: jax.eval_shape(call, _key(), labels))
    if getattr(made, 'shape', None) != (size,) or not jnp.issubdtype(made.dtype, jnp.integer):
        kind = f'{made.dtype} ' if hasattr(made, 'dtype') else ''
        _refuse('sampler', sampler, f'gives {kind}{_shape(made)}', f'whole numbers [{size}]')


def _key():
    """Shape and type of a key: to make one would compile."""
    return jax.eval_shape(lambda: keys.key(0))


class Refused(ValueError):
    """What a check says itself, as opposed to an error of what is checked."""


def called(slot: str, value: Any, function: Callable[[], Any]) -> Any:
    """What a function gives; what it raises becomes one sentence about the value in the slot."""
    try:
        return function()
    except Refused:
        raise
    except Exception as error:
        raise ValueError(
            f'the {slot} {name_of(value)} fails when it is called as {CALLS[slot]}: {_first_line(error)}'
            f'{HINTS.get(slot, "")}'
        ) from error


def _refuse(slot, value, did, has_to):
    raise Refused(f'the {slot} {name_of(value)} {did}, but has to return {has_to}')


def name_of(value: Any) -> str:
    """The name of a value for a message."""
    return getattr(value, 'name', None) or getattr(value, '__name__', None) or type(value).__name__


def kind_of(value: Any) -> str:
    """What a value is, for a message."""
    if value is None:
        return 'None'
    if isinstance(value, jax.Array | jax.ShapeDtypeStruct):
        return 'an array'
    return f'a {type(value).__name__}'


def _shape(value):
    return list(value.shape) if hasattr(value, 'shape') else kind_of(value)


def _alike(one, other):
    """Whether two trees of arrays have the same form, shapes and types."""
    forms = [
        [(np.shape(leaf), jnp.result_type(leaf)) for leaf in jax.tree.leaves(tree)] for tree in (one, other)
    ]
    return jax.tree.structure(one) == jax.tree.structure(other) and forms[0] == forms[1]


def _first_line(error):
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f'{type(error).__name__}: {lines[0] if lines else ""}'
