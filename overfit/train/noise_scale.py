"""The gradient noise scale: the batch size above which a larger batch hardly makes a better step."""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from overfit import base
from overfit.train import step


class Noise(NamedTuple):
    """Two unbiased estimates; average each over several before taking the ratio, which is biased.

    Attributes:
        trace: sum of the variances of one example's gradient, `tr(Sigma)`.
        square: squared norm of the true gradient, `|G|^2`; an estimate may come out below 0.
    """

    trace: Any
    square: Any

    @property
    def scale(self) -> base.Array:
        """The simple noise scale `tr(Sigma) / |G|^2`, examples; infinite where noise hides the gradient."""
        hidden = self.square <= 0
        return jnp.where(hidden, jnp.inf, self.trace / jnp.where(hidden, 1.0, self.square))


def from_sizes(
    small_square: base.Array, large_square: base.Array, small: base.Number, large: base.Number
) -> Noise:
    """From squared norms of the gradients of batches of two sizes: `E |G_B|^2 = |G|^2 + tr(Sigma) / B`.

    Args:
        small_square: `[...]`, squared norm of the gradient of a small batch, or the mean of several.
        large_square: `[...]`, likewise of a large one.
        small: examples of the small batch.
        large: of the large one, more than that.

    Returns:
        The estimates, `[...]`.

    Reference: McCandlish et al., "An empirical model of large-batch training", 2018, appendix A.1.

    >>> found = from_sizes(jnp.float32(5.0), jnp.float32(2.0), 1, 4)
    >>> float(found.trace), float(found.square), float(found.scale)
    (4.0, 1.0, 4.0)
    """
    chex.assert_equal_shape([small_square, large_square])
    square = (large * large_square - small * small_square) / (large - small)
    trace = (small_square - large_square) / (1 / small - 1 / large)
    return Noise(trace, square)


def from_examples(gradients: base.Params) -> Noise:
    """From the gradients of single examples.

    Args:
        gradients: tree of `[B, ...]`, B at least 2.

    Returns:
        The estimates, scalars.

    Reference: McCandlish et al., "An empirical model of large-batch training", 2018, eq. 2.9.

    >>> found = from_examples({'w': jnp.array([[3.0], [1.0]])})
    >>> float(found.trace), float(found.square)
    (2.0, 3.0)
    """
    leaves = jax.tree.leaves(gradients)
    chex.assert_equal_shape_prefix(leaves, 1)
    squares = sum(jnp.sum(jnp.square(leaf)) for leaf in leaves)
    return _from_sums(jax.tree.map(lambda leaf: jnp.sum(leaf, axis=0), gradients), squares, len(leaves[0]))


def of_net(state: base.State, batch: base.Batch, hyper: base.Hyper, recipe: base.Recipe) -> Noise:
    """Of a net, from the gradients of single examples, one after the other.

    Of the loss alone, without penalties, augmentation or dropout; normalisation has its running statistics,
    as the gradient of one example has none of a batch. A loss of pairs has no gradient of one example.

    Args:
        state: of the net.
        batch: `[B, ...]` raw inputs and labels, at least 2: the more, the surer.
        hyper: numbers of the loss.
        recipe: of the net.

    Returns:
        The estimates, scalars.
    """
    chex.assert_rank(batch.y, 1)
    x = step.prepared(batch.x, state.inputs, recipe)
    trained, frozen = step.parted(state.params, recipe)

    def objective(trained, x, y):
        variables = {'params': step.joined(trained, frozen), **state.collections}
        outputs = recipe.model.apply(variables, x[None], train=False)
        one = base.Batch(x[None], y[None])
        values, _ = recipe.loss.apply(state.key, state.loss_state, outputs, one, hyper, None)
        return values[0]

    def add(sums, example):
        gradient = jax.grad(objective)(trained, *example)
        total, squares = sums
        square = jnp.square(optax.tree.norm(gradient))
        return (jax.tree.map(jnp.add, total, gradient), squares + square), None

    begin = jax.tree.map(jnp.zeros_like, trained), jnp.zeros(())
    (total, squares), _ = jax.lax.scan(add, begin, (x, jnp.asarray(batch.y)))
    return _from_sums(total, squares, len(batch.y))


def _from_sums(total, squares, count):
    """From the sum of the examples' gradients and that of their squared norms."""
    of_mean = jnp.square(optax.tree.norm(total) / count)
    trace = (squares - count * of_mean) / (count - 1)
    return Noise(trace, of_mean - trace / count)
