"""Studies of blobs that are over in seconds: pool, baseline, arms, labelled sets, two studies that ran."""

import collections
import functools
from collections.abc import Mapping
from typing import NamedTuple
from unittest import mock

import numpy as np

from overfit.data import splits as splits_lib
from overfit.study import decide, labelled_sets, plan, references, requests, spaces, squeeze, techniques
from overfit.study.arms import Baseline, arm_of
from overfit.study.course import Course
from overfit.study.progress import Progress
from overfit.study.protocol import Protocol
from overfit.study.results import Results
from overfit.train.engine import layout, population
from tests import problems

POOL, TEST = problems.blobs(72, spread=1.0), problems.blobs(80, spread=1.0, seed=8)
RECIPE = problems.recipe()
BASELINE = Baseline(RECIPE, {'learning_rate': spaces.Range(1e-2, 1.0, 'log')})
ENSEMBLE = techniques.ensemble(5)
TECHNIQUES = (techniques.l2, techniques.dropout, ENSEMBLE, techniques.refit)
ARMS = tuple(arm_of(one, BASELINE) for one in ((), *((technique,) for technique in TECHNIQUES)))
PROTOCOL = Protocol(
    train_size=30, validation=0.2, folds=3, trials=3, steps=40, eval_every=10, capacity=(72, 18)
)
# With a test set apart, and the pool testing itself.
SPLITS = splits_lib.Splits(
    POOL, splits_lib.Holdout(TEST.x, TEST.y), 'blobs <b>', 'made up', ('a note',), 'ab' * 32
)
CROSSED = SPLITS._replace(test=splits_lib.Holdout(POOL.x, POOL.y), test_mode='cross-fitted', split_seed=7)
SETS = labelled_sets.draw(SPLITS, 30, 3, seed=5)

ABOUT = {'command': 'python -m experiments.squeeze', 'versions': {'jax': '1'}, 'git': None}
LAST = techniques.ensemble(3)  # of the study that ran
CHOSEN = (techniques.dropout, techniques.l2, techniques.longer, techniques.refit, LAST)
LEVEL = plan.Level(trials=2, folds=2, sets=3, epochs=16, tries=1, try_trials=1, nets=2, controls=2)


def course(sets=SETS, splits=SPLITS, protocol=PROTOCOL):
    """The labelled sets, nothing trained on them."""
    return Course(splits.train, sets, protocol, splits.test.x)


def train(members, pool=POOL):
    """Nets in another layout than the study's own: one at a time, on one device."""
    where = layout.Layout(1, 1, 1)
    return population.train(members, pool, eval_every=10, layout=where, capacity=(72, 18))


def prepare(splits=SPLITS, level=LEVEL, **changes):
    """A small study of the blobs, planned."""
    size = None if splits.cross_fitted else 30
    given = {'train_size': size, 'baseline': BASELINE, 'techniques': CHOSEN, 'minutes': 60.0, 'seed': 3}
    with mock.patch.multiple(plan, LEVELS=(level,), LEAST_STEPS=60, MOST_STEPS=60):
        return requests.prepare(splits, requests.Request(**given | changes))


class Ran(NamedTuple):
    """A study that ran, and what was seen on its way.

    Attributes:
        study: what was asked for.
        found: what came of it.
        compared: what was decided before anything was measured.
        combined: what was decided after it.
        kept: partial results, in order.
        nets: that were trained, by phase.
        steps: likewise.
    """

    study: requests.Study
    found: squeeze.Found
    compared: decide.Compared
    combined: decide.Combined
    kept: list[Results]
    nets: Mapping[str, int]
    steps: Mapping[str, int]


def run(study, with_references=True):
    """Runs a study and watches it."""
    nets, steps, seen = collections.Counter(), collections.Counter(), {'phase': [], 'kept': []}
    train, check, combine = population.train, decide.check, decide.combine

    def counted(members, *arguments, progress=None, **options):
        def told(amount, finished):
            steps[seen['phase'][-1]] += amount
            nets[seen['phase'][-1]] += finished

        return train(members, *arguments, progress=told, **options)

    def watched(name, function):
        def decided(*arguments):
            seen[name] = function(*arguments)
            return seen[name]

        return decided

    class Watched(Progress):
        def phase(self, name, *arguments, **options):
            seen['phase'].append(name)
            return super().phase(name, *arguments, **options)

    progress = Watched(study.design.plan.seconds, quiet=True)
    with (
        mock.patch.object(population, 'train', counted),
        mock.patch.object(decide, 'check', watched('compared', check)),
        mock.patch.object(decide, 'combine', watched('combined', combine)),
        mock.patch.object(references, 'measure', references.measure if with_references else no_references),
    ):
        try:
            found = squeeze.run(study, progress, about=ABOUT, keep=seen['kept'].append)
        finally:
            progress.close()
    assert seen['phase'] == list(study.design.plan.seconds), 'phases run in the order of the plan'
    return Ran(study, found, seen['compared'], seen['combined'], seen['kept'], nets, steps)


def no_references(*arguments, **options):
    """Stands for `references.measure`."""
    return {}


@functools.cache
def ran():
    """A study with a test set apart: three labelled sets of 30."""
    return run(prepare())


@functools.cache
def crossed():
    """A cross-fitted study of all examples, without refit and ensemble: every example is tested once."""
    chosen = (techniques.dropout, techniques.momentum)
    return run(prepare(CROSSED, LEVEL._replace(sets=5, controls=1), techniques=chosen), False)


def by_hand(net, x, recipe=RECIPE):
    """`[N, classes]` probabilities of a trained net, by its model and a softmax in NumPy."""
    inputs = (x - net.inputs.mean) / net.inputs.scale
    logits = np.asarray(recipe.model.apply(net.variables, inputs, train=False).logits, np.float64)
    exponents = np.exp(logits - logits.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)
