"""A net trained step by step, over the batches that it visits in a population."""

import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys
from overfit.data import kinds
from overfit.train.engine import population
from tests import problems

PLAIN, VECTORS = problems.recipe(), problems.VECTORS
TRAIN, VALIDATION = np.arange(40), np.arange(40, 60)


def net(recipe, *, seed=3, steps=20, restore_best=False, **numbers):
    hyper = base.Hyper.of(**{'learning_rate': 0.2, 'steps': float(steps)} | numbers)
    return population.Member(recipe, hyper, seed, TRAIN, VALIDATION, restore_best)


def train(*nets, eval_every=10, examples=VECTORS):
    return population.train(nets, examples, eval_every=eval_every, layout=problems.FOUR)


def batch_of(rows):
    return base.Batch(VECTORS.x[rows], VECTORS.y[rows])


def begun(recipe, hyper, seed=3):
    x = VECTORS.x[TRAIN]
    return problems.initial(keys.key(seed), x, kinds.vector.measure(x), hyper, recipe)


def plain_loop(recipe, hyper, steps, seed=3):
    """States after each step of a plain loop over the batches that a net of a population visits."""
    hyper = jax.tree.map(np.float32, hyper)
    states = [begun(recipe, hyper, seed)]
    for rows in problems.visits(seed, len(TRAIN), steps, recipe.batch_size):
        states.append(problems.one_step(states[-1], batch_of(rows), hyper, population.structure(recipe))[0])
    return states


def soft_cross_entropy(logits, q):
    return -jnp.sum(q * jax.nn.log_softmax(logits), axis=1)
