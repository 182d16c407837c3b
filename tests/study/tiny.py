"""A study of blobs that is over in seconds: pool, arms, protocol."""

import numpy as np

from overfit.study import search
from overfit.train.engine import layout, population
from tests import problems

POOL = problems.blobs(72, spread=1.0)
RECIPE = problems.recipe()
ARMS = tuple(search.arm_of(keys, RECIPE) for keys in ((), ('l2',), ('dropout',), ('ensemble',), ('refit',)))
LABELLED = np.random.default_rng(0).permutation(72)[:30]
PROTOCOL = search.Protocol(
    train_size=30,
    validation=0.2,
    folds=3,
    trials=3,
    replicates=4,
    steps=40,
    eval_every=10,
    capacity=(60, 15),
    seed=5,
)


def train(members):
    """The population in another layout than the study's own: one member at a time, on one device."""
    return population.train(
        members, POOL, eval_every=PROTOCOL.eval_every, layout=layout.Layout(1, 1, 1), capacity=(60, 15)
    )
