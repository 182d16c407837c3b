"""How unsure a net is by its own dropout: many passes with units dropped, and what they disagree on."""

import functools
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from overfit import base
from overfit.train import predict, step


class Uncertain(NamedTuple):
    """What passes with different masks say.

    Attributes:
        log_probabilities: `[B, classes]`, logarithm of the mean probability over the passes.
        information: `[B]` nats, mutual information of the label and the mask: 0 where all passes agree, at
            most `log(classes)`. What a label of the example would say of the net.
    """

    log_probabilities: jax.Array
    information: jax.Array


def of_passes(log_probabilities: base.Array) -> Uncertain:
    """Averages passes, and parts what they are unsure of together from what they disagree on.

    `H(mean_t p_t) - mean_t H(p_t)`, with the entropy `H(p) = -sum_c p_c log p_c`.

    Args:
        log_probabilities: `[T, B, classes]` of each pass (or of each net of an average).

    Reference: Houlsby et al., "Bayesian active learning for classification and preference learning", arXiv
    1112.5745, 2011, eq. 2; Gal, Islam and Ghahramani, "Deep Bayesian active learning with image data", ICML
    2017, section 3.

    >>> split = of_passes(jnp.log(jnp.array([[[0.999, 0.001]], [[0.001, 0.999]]])))
    >>> round(float(split.information[0]), 2)
    0.69
    """
    chex.assert_rank(log_probabilities, 3)
    count = log_probabilities.shape[0]
    mean = jax.nn.logsumexp(log_probabilities, axis=0) - jnp.log(count)
    information = _entropy(mean) - _entropy(log_probabilities).mean(0)
    return Uncertain(mean, jnp.maximum(information, 0))


def mc_dropout(
    key: base.Key,
    net: predict.Net,
    x: base.Array,
    recipe: base.Recipe,
    *,
    dropout: base.Number,
    input_dropout: base.Number = None,
    passes: int = 50,
) -> Uncertain:
    """Predicts with a net whose units are dropped as in training, many times.

    A pass has one key, so examples of one call share the mask of DropConnect, as a batch does in training.
    The rates are traced: other rates share the compiled program.

    Args:
        key: PRNG key; of equal keys the masks are equal.
        net: trained, see `train.predict.Net`.
        x: `[B, ...]` raw inputs.
        recipe: gives the model, with its kind of dropout, how inputs are prepared, and what predicts.
        dropout: of hidden units, as the net was trained with; `None` or 0: all passes are the same.
        input_dropout: of inputs; likewise.
        passes: how many, 1 or more.

    Raises:
        ValueError: no pass, or a net with statistics of the batch, as batch normalisation has: a pass that
            drops units would take them from this batch.

    Reference: Gal and Ghahramani, "Dropout as a Bayesian approximation", ICML 2016, eq. 6, for classes.
    """
    if passes < 1:
        raise ValueError(f'passes={passes} predict nothing: give 1 or more')
    others = sorted(set(net.variables) - {'params'})
    if others:
        raise ValueError(
            f'the {type(recipe.model).__name__} has the collection {others[0]!r}, which a pass with dropout '
            'would take from the batch: give a net without batch normalisation'
        )
    rates = {'dropout': dropout, 'input_dropout': input_dropout}
    rates = {name: jnp.float32(rate) for name, rate in rates.items() if rate is not None}
    return _passes(jax.random.split(key, passes), net, x, rates, predict.predicting(recipe))


@functools.partial(jax.jit, static_argnames='recipe')
def _passes(keys, net, x, rates, recipe):
    def one(key):
        inputs = step.prepared(x, net.inputs, recipe)
        outputs = recipe.model.apply(net.variables, inputs, train=True, rngs={'dropout': key}, **rates)
        if recipe.predict is None:
            return jax.nn.log_softmax(outputs.logits)
        return recipe.predict(outputs, net.loss_state)

    return of_passes(jax.lax.map(one, keys))


def _entropy(log_probabilities):
    return -jnp.sum(jnp.exp(log_probabilities) * jnp.maximum(log_probabilities, -1e4), axis=-1)
