"""Optimizers in optax's manner: plain numbers in, an `optax.GradientTransformation` out.

`by_hyper` makes a recipe's optimizer of each. The train step calls it with traced numbers, `learning_rate`
being the scheduled rate of that step. Which numbers are `None` decides the structure of the state; their
values do not. Each follows the semantics that PyTorch publishes for its own, and each shrinks kernels (see
`overfit.objectives.penalties`) by `learning_rate * weight_decay` a step, apart from the gradient:
I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithms 1 and 2.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from overfit import base
from overfit.objectives import penalties


@functools.cache
def by_hyper(optimizer: Callable[..., optax.GradientTransformation]) -> base.Optimizer:
    """Makes a recipe's optimizer of a function of plain numbers.

    Args:
        optimizer: `(learning_rate, *, momentum, weight_decay) -> optax.GradientTransformation`, as those
            here.

    Returns:
        `(hyper, learning_rate) -> optax.GradientTransformation`, of the same name. Equal arguments give
        the same object, so that recipes which hold it are equal.

    >>> slot = by_hyper(sgd)
    >>> transformation = slot(base.Hyper(momentum=0.9), 0.1)
    >>> slot is by_hyper(sgd), slot.__name__
    (True, 'sgd')
    """

    def slot(hyper: base.Hyper, learning_rate: base.Number) -> optax.GradientTransformation:
        return optimizer(learning_rate, momentum=hyper.momentum, weight_decay=hyper.weight_decay)

    # The name only: functools.wraps would also claim the parameters of what is wrapped.
    slot.__name__ = getattr(optimizer, '__name__', 'optimizer')
    return slot


def _chain(
    learning_rate: base.Number, weight_decay: base.Number, *parts: optax.GradientTransformation
) -> optax.GradientTransformation:
    if weight_decay is not None:
        parts += (optax.add_decayed_weights(weight_decay, mask=penalties.kernels),)
    return optax.chain(*parts, optax.scale(-learning_rate))


def _momentum(momentum: base.Number, *, nesterov: bool = False) -> tuple[optax.GradientTransformation, ...]:
    return () if momentum is None else (optax.trace(momentum, nesterov=nesterov),)


def sgd(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """Stochastic gradient descent with heavy-ball momentum.

    `m <- momentum * m + g`; `p <- p - learning_rate * (m + weight_decay * p)`.

    Args:
        learning_rate: scalar, of this step.
        momentum: scalar in [0, 1); `None`: the state holds no `m`.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation.

    Reference: Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational
    Mathematics and Mathematical Physics 4, 1964, section 2, with `learning_rate` outside the sum.

    >>> params = {'kernel': jnp.array([1.0])}
    >>> transformation = sgd(0.5, momentum=0.9)
    >>> updates, _ = transformation.update({'kernel': jnp.array([2.0])}, transformation.init(params), params)
    >>> updates['kernel'].tolist()
    [-1.0]
    """
    return _chain(learning_rate, weight_decay, *_momentum(momentum))


def nesterov(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """Stochastic gradient descent with Nesterov's momentum.

    `m <- momentum * m + g`; `p <- p - learning_rate * (g + momentum * m + weight_decay * p)`.

    Args:
        learning_rate: scalar, of this step.
        momentum: scalar in [0, 1); `None`: plain `sgd`.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation.

    Reference: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML
    2013, eq. 3 and 4, in the variable at which the gradient is taken.

    >>> params = {'kernel': jnp.array([1.0])}
    >>> transformation = nesterov(0.5, momentum=0.5)
    >>> updates, _ = transformation.update({'kernel': jnp.array([2.0])}, transformation.init(params), params)
    >>> updates['kernel'].tolist()
    [-1.5]
    """
    return _chain(learning_rate, weight_decay, *_momentum(momentum, nesterov=True))


class SquareSum(NamedTuple):
    """State of Adagrad.

    Attributes:
        total: sum of each weight's squared gradients, a tree like the weights.
    """

    total: base.Params


def _scale_by_square_sum(eps: float) -> optax.GradientTransformation:
    def init(params):
        return SquareSum(jax.tree.map(jnp.zeros_like, params))

    def update(gradients, state, params=None):
        del params
        total = jax.tree.map(lambda s, g: s + g * g, state.total, gradients)
        return jax.tree.map(lambda g, s: g / (jnp.sqrt(s) + eps), gradients, total), SquareSum(total)

    return optax.GradientTransformation(init, update)


def adagrad(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """Adagrad: steps shrink with the sum of a weight's squared gradients.

    `s <- s + g^2`; `m <- momentum * m + g / (sqrt(s) + 1e-10)`;
    `p <- p - learning_rate * (m + weight_decay * p)`.
    Optax's own starts `s` at 0.1 and puts epsilon under the root.

    Args:
        learning_rate: scalar, of this step.
        momentum: scalar in [0, 1) (the paper and PyTorch have none); `None`: none.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation.

    Reference: Duchi, Hazan, Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011, eq. 1 with the diagonal matrix.

    >>> params = {'kernel': jnp.array([1.0])}
    >>> transformation = adagrad(0.5)
    >>> updates, _ = transformation.update({'kernel': jnp.array([2.0])}, transformation.init(params), params)
    >>> updates['kernel'].tolist()
    [-0.5]
    """
    return _chain(learning_rate, weight_decay, _scale_by_square_sum(1e-10), *_momentum(momentum))


def rmsprop(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """RMSProp: steps are divided by the running root mean square of a weight's gradient.

    `v <- 0.99 * v + 0.01 * g^2`; `m <- momentum * m + g / (sqrt(v) + 1e-8)`;
    `p <- p - learning_rate * (m + weight_decay * p)`.

    Args:
        learning_rate: scalar, of this step.
        momentum: scalar in [0, 1); `None`: none.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation.

    Reference: Tieleman and Hinton, "Lecture 6.5 - rmsprop", COURSERA: Neural Networks for Machine Learning,
    2012.

    >>> params = {'kernel': jnp.array([1.0])}
    >>> transformation = rmsprop(0.1)
    >>> updates, _ = transformation.update({'kernel': jnp.array([2.0])}, transformation.init(params), params)
    >>> round(float(updates['kernel'][0]), 3)
    -1.0
    """
    scaled = optax.scale_by_rms(decay=0.99, eps=1e-8, eps_in_sqrt=False)
    return _chain(learning_rate, weight_decay, scaled, *_momentum(momentum))


def adamw(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """Adam with decoupled weight decay.

    `m <- momentum * m + (1 - momentum) * g`; `v <- 0.999 * v + 0.001 * g^2`; at step t
    `p <- p - learning_rate * (m / (1 - momentum^t) / (sqrt(v / (1 - 0.999^t)) + 1e-8) + weight_decay * p)`.

    Args:
        learning_rate: scalar, of this step.
        momentum: scalar in [0, 1), beta 1; `None`: the state holds no `m`.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation.

    Reference: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1; Loshchilov
    and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.

    >>> params = {'kernel': jnp.array([1.0]), 'bias': jnp.array([1.0])}
    >>> transformation = adamw(0.5, momentum=0.9, weight_decay=0.5)
    >>> updates, _ = transformation.update(params, transformation.init(params), params)
    >>> [round(float(updates[name][0]), 3) for name in ('kernel', 'bias')]
    [-0.75, -0.5]
    """
    if momentum is None:
        scaled = optax.scale_by_rms(decay=0.999, eps=1e-8, eps_in_sqrt=False, bias_correction=True)
    else:
        scaled = optax.scale_by_adam(b1=momentum, b2=0.999, eps=1e-8)
    return _chain(learning_rate, weight_decay, scaled)


def lion(
    learning_rate: base.Number, *, momentum: base.Number = None, weight_decay: base.Number = None
) -> optax.GradientTransformation:
    """Lion: steps of one size, in the direction that momentum and gradient agree on.

    `u <- sign(momentum * m + (1 - momentum) * g)`; `m <- 0.99 * m + 0.01 * g`;
    `p <- p - learning_rate * (u + weight_decay * p)`. Good rates are a tenth to a third of AdamW's.

    Args:
        learning_rate: scalar, of this step.
        momentum: scalar in [0, 1), beta 1; `None`: the state holds no `m`, and `u` is `sign(g)`.
        weight_decay: scalar, at least 0; it acts on kernels only.

    Returns:
        The transformation.

    Reference: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2.

    >>> params = {'kernel': jnp.array([1.0, 1.0])}
    >>> transformation = lion(0.5, momentum=0.9)
    >>> slope = {'kernel': jnp.array([2.0, -0.1])}
    >>> transformation.update(slope, transformation.init(params), params)[0]['kernel'].tolist()
    [-0.5, 0.5]
    """
    scaled = optax.scale_by_sign() if momentum is None else optax.scale_by_lion(b1=momentum, b2=0.99)
    return _chain(learning_rate, weight_decay, scaled)
