"""What goes on inside a net, layer by layer: flat and dead units, variances, slopes."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from overfit import base
from overfit.objectives import losses, penalties
from overfit.train import step

FLAT = 0.05  # of the largest slope of an activation: a unit with less learns next to nothing


class Layer(NamedTuple):
    """One dense layer at a batch of inputs; `outputs` are what the activation is applied to.

    Attributes:
        name: path of the layer in the model's variables, joined by `/`.
        variance: of the outputs, over examples and units.
        flat: share of examples and units where the activation's slope is under a twentieth of its largest
            one: a sigmoid or tanh that is saturated, a ReLU that is off. NaN for the last layer.
        dead: share of units that are flat for all examples of the batch. NaN for the last layer.
        slope: root mean square of the loss's slope by an output, of one example.
        slope_of_kernel: root mean square of the loss's slope by a weight.
        kernel: root mean square of the weights.
    """

    name: str
    variance: jax.Array
    flat: jax.Array
    dead: jax.Array
    slope: jax.Array
    slope_of_kernel: jax.Array
    kernel: jax.Array


def layers(
    variables: base.Variables,
    batch: base.Batch,
    inputs: Any,
    *,
    activation: base.Activation,
    recipe: base.Recipe,
) -> tuple[Layer, ...]:
    """Diagnoses every dense layer of a net, without dropout.

    Where batch normalisation follows a layer, its outputs are the normalised ones.

    Args:
        variables: of the model, all collections.
        batch: raw inputs `[B, ...]` and labels.
        inputs: statistics of the inputs.
        activation: of the hidden layers; maxout has no slope that could be flat, its shares are NaN.
        recipe: gives the model, and how inputs are prepared.

    Returns:
        A `Layer` each, in the order in which the model calls them.

    Raises:
        ValueError: a model without dense layers.

    Reference: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, sections 3 and 4.
    """
    x = step.prepared(batch.x, inputs, recipe)
    shapes = _places(recipe.model, variables, x)
    if not shapes:
        raise ValueError(f'the model {type(recipe.model).__name__} has no dense layer to be diagnosed')
    names = list(shapes)

    def loss(params, added):
        """The loss where `added` is put on the outputs: its slope by `added` is that by the outputs."""
        outputs = []

        def listen(call, arguments, options, context):
            out = call(*arguments, **options)
            name = _name(context)
            if name is None:
                return out
            if not _normalises(context):
                outputs.append(None)
            last = len(outputs) - 1
            if _normalises(context) == shapes[names[last]][1]:
                out = out + added[last]
                outputs[last] = out
            return out

        with nn.intercept_methods(listen):
            found = recipe.model.apply({**variables, 'params': params}, x, train=False)
        values = losses.cross_entropy(found.logits, batch.y)
        return losses.batch_mean(values, batch.weight), outputs

    nothing = [jnp.zeros(shape) for shape, _ in shapes.values()]
    (by_weights, by_outputs), outputs = jax.grad(loss, argnums=(0, 1), has_aux=True)(
        variables['params'], nothing
    )
    found = []
    for place, name in enumerate(names):
        path = name.split('/')
        out, last = outputs[place], place == len(names) - 1
        flat = _flat(out, activation) if not last else jnp.full(out.shape, jnp.nan)
        found.append(
            Layer(
                name,
                jnp.var(out),
                flat.mean(),
                jnp.where(jnp.isnan(flat).any(), jnp.nan, (flat > 0).all(0).mean()),
                _size(by_outputs[place]) * len(batch.y),
                _size(_kernel(_at(by_weights, path))),
                _size(_kernel(_at(variables['params'], path))),
            )
        )
    return tuple(found)


def _places(model, variables, x):
    """By name of each dense layer, the shape of its outputs, and whether a normalisation makes them."""
    shapes = {}

    def listen(call, arguments, options, context):
        out = call(*arguments, **options)
        name = _name(context)
        if name is not None and _normalises(context) and shapes:
            shapes[next(reversed(shapes))] = (out.shape, True)
        elif name is not None:
            shapes[name] = (out.shape, False)
        return out

    with nn.intercept_methods(listen):
        jax.eval_shape(lambda x: model.apply(variables, x, train=False), x)
    return shapes


def _name(context):
    """Path of a dense layer or a normalisation that is called; `None`: something else is."""
    if context.method_name != '__call__' or not isinstance(context.module, nn.Dense | nn.BatchNorm):
        return None
    return '/'.join(context.module.path)


def _normalises(context):
    return isinstance(context.module, nn.BatchNorm)


def _flat(outputs, activation):
    """1 where the activation's slope is next to nothing, else 0, `[B, units]`."""
    if activation.pieces > 1:
        return jnp.full(outputs.shape, jnp.nan)

    def slope(z):
        return jax.vmap(jax.grad(activation.apply))(z.ravel())

    largest = slope(jnp.linspace(-4.0, 4.0, 101)).max()
    return (jnp.abs(slope(outputs).reshape(outputs.shape)) < FLAT * largest).astype(jnp.float32)


def _kernel(layer):
    """The weights of a layer that are its kernel."""
    marks = jax.tree.leaves(penalties.kernels(layer))
    [kernel] = [leaf for mark, leaf in zip(marks, jax.tree.leaves(layer), strict=True) if mark]
    return kernel


def _size(a):
    return jnp.sqrt(jnp.square(a).mean())


def _at(tree, path):
    for part in path:
        tree = tree[part]
    return tree
