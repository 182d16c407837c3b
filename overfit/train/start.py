"""How a net begins: variables drawn by an initializer, left to the module, or given.

Each is a `base.Start`. A module's own initializers make whatever is not said otherwise: biases, norms,
embeddings, slopes of activations, and all collections beside `params`.
"""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import traverse_util

from overfit import base
from overfit.objectives import penalties

FIXED = 'fixed'  # collection of what a model makes of its training inputs, and never trains
FITTED_TO = 5000  # training inputs at the most of which it is made
INIT = 0xFFFFFFFF  # folded into a net's key where the number of a step would stand, so no draw is used twice


@functools.lru_cache(maxsize=1024)
def shapes_of(model: nn.Module, example: jax.ShapeDtypeStruct) -> tuple[base.Outputs, base.Variables]:
    """What a model gives and holds, without computing it.

    Args:
        model: a linen module, hashable.
        example: shape and type of prepared inputs, `[1, ...]`.

    Returns:
        Outputs for one input, and variables: trees of `jax.ShapeDtypeStruct`.
    """
    return jax.eval_shape(lambda x: model.init_with_output(jax.random.key(0), x, train=False), example)


def _own(key, model, example, log2_scale, given):
    del given
    own = jax.random.fold_in(key, INIT)
    zeros = jnp.zeros(example.shape, example.dtype)
    variables = {'params': {}} | dict(model.init({'params': own}, zeros, train=False))
    scale = jnp.exp2(log2_scale)

    def scaled(is_kernel, leaf):
        return leaf * scale.astype(leaf.dtype) if is_kernel else leaf

    params = variables['params']
    return variables | {'params': jax.tree.map(scaled, penalties.kernels(params), params)}


def _drawn(initializer, key, model, example, log2_scale, given):
    variables = _own(key, model, example, log2_scale, given)
    leaves, tree = jax.tree.flatten(variables['params'])
    own, scale = jax.random.fold_in(key, INIT), jnp.exp2(log2_scale)
    for number, is_kernel in enumerate(jax.tree.leaves(penalties.kernels(variables['params']))):
        if is_kernel:
            leaf = leaves[number]
            kernel = initializer(jax.random.fold_in(own, number), leaf.shape, leaf.dtype)
            leaves[number] = kernel * scale.astype(leaf.dtype)
    return variables | {'params': jax.tree.unflatten(tree, leaves)}


def _given(rest, key, model, example, log2_scale, given):
    variables = rest(key, model, example, log2_scale, None)
    wanted = jax.tree_util.tree_leaves_with_path(given)
    leaves = {path: leaf for path, leaf in jax.tree_util.tree_leaves_with_path(variables)}
    for path, leaf in wanted:
        leaves[path] = jnp.asarray(leaf, leaves[path].dtype)
    return jax.tree.unflatten(jax.tree.structure(variables), list(leaves.values()))


own = base.Start(_own, name='default start')  # the module's own initializers for everything


@functools.cache
def drawn(initializer: base.Initializer) -> base.Start:
    """Kernels drawn by one initializer, everything else by the module's own.

    Kernels are what `penalties.kernels` says. The fan-in that an initializer sees is that of a kernel
    `[..., in, out]`, as dense layers and convolutions have it; for attention, whose kernels have more axes,
    leave the start to the module (`own`).

    Args:
        initializer: `(key, shape, dtype) -> array`, see `overfit.nn.initializers`.

    Returns:
        The same object for the same initializer.
    """
    return base.Start(
        functools.partial(_drawn, initializer), name=getattr(initializer, '__name__', 'own initializer')
    )


def given(variables: base.Variables, *, rest: base.Start = own, inputs: Any = None) -> base.Start:
    """Given weights: fine-tuning, transfer without the source data.

    Args:
        variables: `{'params': ..., 'batch_stats': ...}`, of the whole model or of some of its layers (a
            backbone without its head), for instance `Trained.variables` of another net.
        rest: how the variables begin that are not given.
        inputs: statistics of the inputs with which the weights were trained (`Trained.inputs`): the net
            then sees its inputs as they did. `None`: measured anew on the net's training examples.

    Returns:
        A start, equal to itself alone.

    Raises:
        ValueError: `variables` is no tree of collections, or `rest` holds given weights itself.
    """
    if rest.given is not None:
        raise ValueError('rest holds given weights too: put all given weights into one tree of variables')
    if not hasattr(variables, 'keys') or 'params' not in variables:
        raise ValueError(
            "variables is no tree with 'params' at its top: give {'params': net.variables['params']}"
        )
    return base.Start(_with_rest(rest.draw), base.Given(variables, inputs), f'given, else {rest.name}')


def fitted(start: base.Start, model: nn.Module, x: base.Array) -> base.Start:
    """A start for nets whose model has fixed variables made of the training inputs, as patch whitening has.

    Those are its collection `'fixed'`: a module makes them when it is initialised, of the inputs that it is
    given. In a population the drawing knows shapes alone, so they are made here, once for all nets with the
    same training inputs, and given.

    Args:
        start: how everything else begins; where weights are given that hold fixed variables too, these stay.
        model: a linen module.
        x: `[N, ...]` prepared training inputs; of more than 5,000 the first are taken.

    Returns:
        A start with the fixed variables as given ones; `start` itself where the model has none.
    """
    example = jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype)
    if FIXED not in shapes_of(model, example)[1]:
        return start
    made = {'params': {}, FIXED: _fixed(model, x[:FITTED_TO])}
    if start.given is None:
        return base.Start(_with_rest(start.draw), base.Given(made), start.name)
    known = traverse_util.flatten_dict(made) | traverse_util.flatten_dict(dict(start.given.variables))
    return start._replace(given=base.Given(traverse_util.unflatten_dict(known), start.given.inputs))


@functools.partial(jax.jit, static_argnums=0)
def _fixed(model, x):
    # Nothing else of the forward pass is in the program: it is not asked for.
    return model.init(jax.random.key(0), x, train=False)[FIXED]


@functools.cache
def _with_rest(rest):
    return functools.partial(_given, rest)


def check_given(start: base.Start, model: nn.Module, example: jax.ShapeDtypeStruct) -> None:
    """Refuses given weights that do not fit a model, before anything is drawn.

    Args:
        start: of a recipe.
        model: a linen module.
        example: shape and type of prepared inputs, `[1, ...]`.

    Raises:
        ValueError: a weight that the model does not have, or has in another shape.
    """
    if start.given is None:
        return
    variables = {'params': {}} | dict(shapes_of(model, example)[1])
    own_shapes = {
        jax.tree_util.keystr(path): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables)
    }
    for path, leaf in jax.tree_util.tree_leaves_with_path(start.given.variables):
        name = jax.tree_util.keystr(path)
        if own_shapes.get(name) != jnp.shape(leaf):
            there = f'has shape {own_shapes[name]} there' if name in own_shapes else 'does not exist there'
            raise ValueError(
                f'the given weights do not fit the {type(model).__name__}: {name} of shape {jnp.shape(leaf)} '
                f'{there}; give the layers that fit and leave out the others'
            )
