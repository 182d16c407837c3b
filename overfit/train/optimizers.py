"""Optimizers, each `(hyper, learning_rate) -> optax.GradientTransformation`.

They are made inside the train step from traced numbers, `learning_rate` being the scheduled rate of that
step. Which fields of `hyper` are `None` decides the structure of the state; the numbers do not. Each follows
the semantics that PyTorch publishes for its own, and each shrinks kernels by `learning_rate * weight_decay`
a step, apart from the gradient: I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019,
algorithms 1 and 2.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from overfit import base
from overfit.objectives import penalties


def _chain(hyper: base.Hyper, learning_rate: base.Number, *parts: optax.GradientTransformation):
    if hyper.weight_decay is not None:
        parts += (optax.add_decayed_weights(hyper.weight_decay, mask=penalties.kernels),)
    return optax.chain(*parts, optax.scale(-learning_rate))


def _momentum(hyper: base.Hyper, *, nesterov: bool = False) -> tuple[optax.GradientTransformation, ...]:
    return () if hyper.momentum is None else (optax.trace(hyper.momentum, nesterov=nesterov),)


def sgd(hyper: base.Hyper, learning_rate: base.Number) -> optax.GradientTransformation:
    """Stochastic gradient descent with heavy-ball momentum.

    `m <- momentum * m + g`; `p <- p - learning_rate * (m + weight_decay * p)`.

    Args:
        hyper: `momentum` in [0, 1), `weight_decay`.
        learning_rate: scalar, of this step.

    Returns:
        The transformation; without momentum it holds no `m`.

    B. Polyak, "Some methods of speeding up the convergence of iteration methods", USSR Computational
    Mathematics and Mathematical Physics 4, 1964, section 2, with `learning_rate` outside the sum.
    """
    return _chain(hyper, learning_rate, *_momentum(hyper))


def nesterov(hyper: base.Hyper, learning_rate: base.Number) -> optax.GradientTransformation:
    """Stochastic gradient descent with Nesterov's momentum.

    `m <- momentum * m + g`; `p <- p - learning_rate * (g + momentum * m + weight_decay * p)`.

    Args:
        hyper: `momentum` in [0, 1), `weight_decay`.
        learning_rate: scalar, of this step.

    Returns:
        The transformation; without momentum it is plain `sgd`.

    I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum in deep
    learning", ICML 2013, eq. 3 and 4, in the variable at which the gradient is taken.
    """
    return _chain(hyper, learning_rate, *_momentum(hyper, nesterov=True))


class SquareSum(NamedTuple):
    """State of Adagrad: the sum of each weight's squared gradients."""

    total: base.Params


def _scale_by_square_sum(eps: float) -> optax.GradientTransformation:
    def init(params):
        return SquareSum(jax.tree.map(jnp.zeros_like, params))

    def update(gradients, state, params=None):
        del params
        total = jax.tree.map(lambda s, g: s + g * g, state.total, gradients)
        return jax.tree.map(lambda g, s: g / (jnp.sqrt(s) + eps), gradients, total), SquareSum(total)

    return optax.GradientTransformation(init, update)


def adagrad(hyper: base.Hyper, learning_rate: base.Number) -> optax.GradientTransformation:
    """Adagrad: steps shrink with the sum of a weight's squared gradients.

    `s <- s + g^2`; `m <- momentum * m + g / (sqrt(s) + 1e-10)`;
    `p <- p - learning_rate * (m + weight_decay * p)`.
    Optax's own starts `s` at 0.1 and puts epsilon under the root.

    Args:
        hyper: `momentum` in [0, 1) (the paper and PyTorch have none), `weight_decay`.
        learning_rate: scalar, of this step.

    Returns:
        The transformation.

    J. Duchi, E. Hazan, Y. Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011, eq. 1 with the diagonal matrix.
    """
    return _chain(hyper, learning_rate, _scale_by_square_sum(1e-10), *_momentum(hyper))


def rmsprop(hyper: base.Hyper, learning_rate: base.Number) -> optax.GradientTransformation:
    """RMSProp: steps are divided by the running root mean square of a weight's gradient.

    `v <- 0.99 * v + 0.01 * g^2`; `m <- momentum * m + g / (sqrt(v) + 1e-8)`;
    `p <- p - learning_rate * (m + weight_decay * p)`.

    Args:
        hyper: `momentum` in [0, 1), `weight_decay`.
        learning_rate: scalar, of this step.

    Returns:
        The transformation.

    T. Tieleman, G. Hinton, "Lecture 6.5 - rmsprop", COURSERA: Neural Networks for Machine Learning, 2012.
    """
    scaled = optax.scale_by_rms(decay=0.99, eps=1e-8, eps_in_sqrt=False)
    return _chain(hyper, learning_rate, scaled, *_momentum(hyper))


def adamw(hyper: base.Hyper, learning_rate: base.Number) -> optax.GradientTransformation:
    """Adam with decoupled weight decay.

    `m <- momentum * m + (1 - momentum) * g`; `v <- 0.999 * v + 0.001 * g^2`; at step t
    `p <- p - learning_rate * (m / (1 - momentum^t) / (sqrt(v / (1 - 0.999^t)) + 1e-8) + weight_decay * p)`.

    Args:
        hyper: `momentum` in [0, 1), beta 1; `weight_decay`.
        learning_rate: scalar, of this step.

    Returns:
        The transformation; without momentum it holds no `m`.

    D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1; I. Loshchilov,
    F. Hutter, ICLR 2019, algorithm 2.
    """
    if hyper.momentum is None:
        scaled = optax.scale_by_rms(decay=0.999, eps=1e-8, eps_in_sqrt=False, bias_correction=True)
    else:
        scaled = optax.scale_by_adam(b1=hyper.momentum, b2=0.999, eps=1e-8)
    return _chain(hyper, learning_rate, scaled)
