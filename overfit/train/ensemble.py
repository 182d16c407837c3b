"""Several nets as one: their probabilities averaged, or their weights (soups)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base


def average(log_probabilities: base.Array) -> jax.Array:
    """Averages the probabilities of nets: `log(1 / M sum_m p_m)`.

    Args:
        log_probabilities: `[M, ..., classes]` of M nets, as from `predict.predict`.

    Returns:
        `[..., classes]` log-probabilities.

    Reference: Lakshminarayanan, Pritzel and Blundell, "Simple and scalable predictive uncertainty estimation
    using deep ensembles", NeurIPS 2017, section 2.4.

    >>> two = jnp.log(jnp.array([[0.5, 0.5], [0.9, 0.1]]))
    >>> [round(float(p), 2) for p in jnp.exp(average(two))]
    [0.7, 0.3]
    """
    chex.assert_type(log_probabilities, float)
    nets = log_probabilities.shape[0]
    return jax.nn.logsumexp(jnp.asarray(log_probabilities), axis=0) - jnp.log(nets)


def uniform_soup(variables: Sequence[base.Variables]) -> base.Variables:
    """Averages the weights of nets, and their running statistics.

    Nets that began at different weights lie in different valleys, between which the mean is no net at all:
    let them share their start (`start.given`, or one seed and other numbers).

    Args:
        variables: trees of one form, one a net.

    Returns:
        A tree of that form.

    Raises:
        ValueError: no net.

    Reference: Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
    accuracy without increasing inference time", ICML 2022, section 2.

    >>> float(uniform_soup([{'params': jnp.float32(1)}, {'params': jnp.float32(4)}])['params'])
    2.5
    """
    if not len(variables):
        raise ValueError('a soup of no nets: give the variables of one net or more')
    chex.assert_trees_all_equal_shapes_and_dtypes(variables[0], *variables)
    return jax.tree.map(_mean, *variables)


class Soup(NamedTuple):
    """What a greedy soup came to.

    Attributes:
        variables: averaged weights.
        members: numbers of the nets in it, in the order in which they were tried.
        score: of the soup, as judged.
    """

    variables: base.Variables
    members: tuple[int, ...]
    score: float


def greedy_soup(variables: Sequence[base.Variables], judge: Callable[[base.Variables], float]) -> Soup:
    """Adds nets to a soup, the best first, where that makes it no worse on held-out examples.

    So it is never worse on them than the best single net.

    Args:
        variables: trees of one form, one a net; see `uniform_soup`.
        judge: of variables their score on held-out examples, lower is better (an error). Never of the test
            set: it chooses.

    Returns:
        The soup; a net whose score is not finite is never in it unless all are.

    Raises:
        ValueError: no net.

    Reference: Wortsman et al., ICML 2022, recipe 1.

    >>> soup = greedy_soup([jnp.float32(1), jnp.float32(5), jnp.float32(-2)], lambda w: abs(float(w)))
    >>> soup.members, float(soup.variables)  # 1, then -2, with which the mean is -0.5; 5 makes it worse
    ((0, 2), -0.5)
    """
    uniform_soup(variables)  # refuses what does not fit together
    alone = np.array([judge(one) for one in variables], np.float64)
    order = np.argsort(np.where(np.isfinite(alone), alone, np.inf), kind='stable')
    members, best = [int(order[0])], alone[order[0]]
    for number in order[1:]:
        score = judge(uniform_soup([variables[n] for n in (*members, number)]))
        if score <= best:
            members.append(int(number))
            best = score
    return Soup(uniform_soup([variables[n] for n in members]), tuple(members), float(best))


def _mean(*leaves):
    whole = jnp.stack([jnp.asarray(leaf) for leaf in leaves])
    return whole.mean(0).astype(whole.dtype)
