"""A study of blobs that is over in seconds: pool, baseline, arms, protocol."""

import numpy as np

from overfit.study import spaces, techniques
from overfit.study.arms import Baseline, arm_of
from overfit.study.protocol import Protocol
from overfit.train.engine import layout, population
from tests import problems

POOL = problems.blobs(72, spread=1.0)
RECIPE = problems.recipe()
BASELINE = Baseline(RECIPE, {'learning_rate': spaces.Range(1e-2, 1.0, 'log')})
ENSEMBLE = techniques.ensemble(5)
TECHNIQUES = (techniques.l2, techniques.dropout, ENSEMBLE, techniques.refit)
ARMS = tuple(arm_of(one, BASELINE) for one in ((), *((technique,) for technique in TECHNIQUES)))
LABELLED = np.random.default_rng(0).permutation(72)[:30]
PROTOCOL = Protocol(
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
