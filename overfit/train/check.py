"""Refuses recipes that cannot train, in one sentence and before anything is compiled.

The values in a recipe's slots may be anybody's. Each is traced on shapes alone (`jax.eval_shape`), which
takes milliseconds, and what it returns is held against what its slot promises in `overfit.base`.
"""

import functools
from collections.abc import Iterable

import flax.linen as nn
import jax
import jax.numpy as jnp

from overfit import base
from overfit.data import kinds
from overfit.train import schedules, slots, start, step

# Numbers that the train step, the engine and the start read themselves, whatever the recipe.
OF_THE_STEP = {'learning_rate', 'steps', 'l1', 'l1_proximal', 'l2', 'max_norm', 'patience', 'init_log2_scale'}
OF_THE_STEP |= set(schedules.SCHEDULES)


def recipes(
    arms: Iterable[tuple[base.Recipe, Iterable[str]]],
    examples: base.Examples,
    *,
    known: dict[tuple, frozenset[str]] | None = None,
) -> None:
    """Checks recipes, every value of a slot once for each set of numbers.

    Numbers are traced, as in the compiled program, and those that an arm does not have are `None`: a value
    that asks `if hyper.dropout:` or multiplies by an absent number is refused here. So is a number that
    changes nothing: its row would say that a technique was tried which was not.

    Args:
        arms: recipes, each with the names of the numbers that it will be given beside `steps`.
        examples: that they are to be trained on.
        known: what earlier calls found out; calls that share it check no value twice.

    Raises:
        ValueError: a value does not do what its slot promises, or a number is read by none; the message
            names the value, what it did and what it has to do.
    """
    inputs = examples.kind.measure(examples.x[:2])
    known = {} if known is None else known
    for recipe, names in arms:
        _check_slots(recipe)
        prepared_as_the_kind_says(recipe, examples)
        try:
            _check(recipe, frozenset(names) | {'steps'}, examples, inputs, known)
        except slots.Refused as error:
            raise ValueError(str(error)) from None


def prepared_as_the_kind_says(recipe: base.Recipe, examples: base.Examples) -> None:
    """Refuses a recipe that prepares its inputs otherwise than the kind of its examples.

    Args:
        recipe: whose `prepare` must be the kind's.
        examples: give the kind.

    Raises:
        ValueError: it is another.
    """
    prepare, wanted = recipe.prepare or kinds.standardise, examples.kind.prepare
    if prepare is not wanted:
        raise ValueError(
            f'the recipe prepares its inputs with {slots.name_of(prepare)}, but the examples are of the '
            f'kind {examples.kind.name}, which {slots.name_of(wanted)} prepares: to prepare them otherwise, '
            'give a kind of your own, kinds.Kind(name, prepare=...)'
        )


def _check_slots(recipe):
    """Every slot holds a value of its type, and all of them can be hashed, as programs are kept by recipe."""
    if not isinstance(recipe, base.Recipe):
        raise ValueError(f'a recipe is {slots.kind_of(recipe)}: give an overfit.Recipe')
    typed = {'model': nn.Module, 'loss': base.Loss, 'start': base.Start, 'average': base.Average}
    functions = ('optimizer', 'sampler', 'gradient', 'trained', 'predict', 'prepare', 'views')
    for slot, value in recipe._asdict().items():
        wanted = typed.get(slot)
        if value is None and slot in base.Recipe._field_defaults:
            continue
        if wanted is not None and not isinstance(value, wanted):
            raise ValueError(f'the slot {slot} holds {slots.kind_of(value)}, but takes a {wanted.__name__}')
        if slot in functions and not callable(value):
            kind = slots.kind_of(value)
            raise ValueError(f'the slot {slot} holds {kind}, but takes a function {slots.CALLS[slot]}')
        if slot == 'augment' and not (isinstance(value, tuple) and all(map(callable, value))):
            raise ValueError(f'the slot augment holds {slots.kind_of(value)}, but takes a tuple of functions')
        if slot == 'batch_size' and (not isinstance(value, int) or value < 1):
            raise ValueError(f'batch_size={value!r} is no batch: give a whole number of 1 or more')
        try:
            hash(value)
        except TypeError:
            raise ValueError(
                f'the slot {slot} holds {slots.name_of(value)}, which cannot be hashed: give it '
                'tuples for lists and dicts'
            ) from None


def _check(recipe, names, examples, inputs, known):
    classes, size = len(examples.classes), recipe.batch_size
    prepare = recipe.prepare or kinds.standardise
    example = slots.called('prepare', prepare, lambda: step.example_of(examples.x, inputs, recipe))
    batch = base.Batch(
        jax.ShapeDtypeStruct((size, *examples.x.shape[1:]), examples.x.dtype),
        jax.ShapeDtypeStruct((size,), jnp.int32),
    )
    read = set()

    def once(check, *slot):
        """Checks a value that was not checked with these numbers; notes the numbers that it reads."""
        if slot not in known:
            found = set()
            check(functools.partial(_traced, names, found))
            known[slot] = frozenset(found)
        read.update(known[slot])

    model, loss = recipe.model, recipe.loss
    once(
        lambda traced: slots.check_model(traced, model, example, classes, size),
        'model',
        model,
        example,
        size,
        names,
    )
    once(lambda _: start.check_given(recipe.start, model, example), 'start', recipe.start, model, example)
    outputs, variables = start.shapes_of(model, example)
    variables = {'params': {}} | dict(variables)
    trained = slots.check_trained(recipe, variables)
    outputs = base.Outputs(*(jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype) for a in outputs))
    for augment in recipe.augment:
        once(
            lambda traced, a=augment: slots.check_augment(traced, a, batch, inputs),
            'augment',
            augment,
            size,
            names,
        )
    of_loss = 'loss', loss, recipe.predict, outputs, names
    once(lambda traced: slots.check_loss(traced, recipe, outputs, batch, classes), *of_loss)
    of_optimizer = 'optimizer', recipe.optimizer, recipe.trained, model, names
    once(lambda traced: slots.check_optimizer(traced, recipe.optimizer, trained), *of_optimizer)
    average, gradient, params = recipe.average, recipe.gradient, variables['params']
    if average is not None:
        once(lambda traced: slots.check_average(traced, average, params), 'average', average, model, names)
    if gradient is not None:
        of_gradient = 'gradient', gradient, recipe.trained, model, names
        once(lambda traced: slots.check_gradient(traced, gradient, trained), *of_gradient)
    if recipe.views is not None:
        of_views = 'views', recipe.views, recipe.prepare, example
        once(lambda _: slots.check_views(recipe.views, recipe, batch.x, inputs), *of_views)
    if recipe.sampler is not None:
        once(lambda _: slots.check_sampler(recipe.sampler, size), 'sampler', recipe.sampler, size)
    unread = sorted(names - OF_THE_STEP - read)
    if unread:
        place = f'hyper.{unread[0]}' if unread[0] in base.NAMES else f"hyper.own['{unread[0]}']"
        raise ValueError(
            f'the number {unread[0]} is given, but nothing in the recipe reads {place}: mend its name, or '
            'leave it out of the space'
        )


def _traced(names, found, slot, value, function, *arguments):
    """What `function(hyper, *arguments)` gives, in shapes; adds to `found` the numbers that it depends on."""
    numbers = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in sorted(names)}

    def call(numbers, *arguments):
        return function(base.Hyper.of(**numbers), *arguments)

    program, shapes = slots.called(
        slot, value, lambda: jax.make_jaxpr(call, return_shape=True)(numbers, *arguments)
    )
    used = {id(one) for equation in program.jaxpr.eqns for one in equation.invars}
    used |= {id(one) for one in program.jaxpr.outvars}
    # The numbers are the first arguments, in the order of their names.
    of_numbers = zip(sorted(names), program.jaxpr.invars, strict=False)
    found |= {name for name, variable in of_numbers if id(variable) in used}
    return shapes
