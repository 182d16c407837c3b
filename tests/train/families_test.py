"""Every optimizer, activation, initializer, loss and augmentation: it learns, alone and in a population."""

import collections
import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data.augment import corruption, geometry, light, mixing, policy
from overfit.nn import activations, initializers, models
from overfit.objectives import losses
from overfit.train import automatic, average, muon, optimizers, sam, schedule_free, start
from overfit.train.engine import population
from tests import problems

together = jax.jit(jax.vmap(problems.learn, in_axes=(0, 0, None, None)), static_argnums=3)


def functions_of(module, *parameters):
    """Public functions of a module that take these parameters."""
    return [
        f
        for name, f in vars(module).items()
        if inspect.isfunction(f)
        and f.__module__ == module.__name__
        and not name.startswith('_')
        and tuple(inspect.signature(f).parameters) == parameters
    ]


def values_of(module, kind):
    return {name: value for name, value in vars(module).items() if isinstance(value, kind)}


OPTIMIZERS = [
    function
    for module in (optimizers, muon, automatic, schedule_free)
    for function in functions_of(module, 'learning_rate', 'momentum', 'weight_decay')
]
RATES = {'sgd': 0.2, 'nesterov': 0.1, 'adagrad': 0.1, 'rmsprop': 0.02, 'adamw': 0.05}
RATES |= {'lion': 0.02, 'muon': 0.1, 'yellowfin': 3.0, 'prodigy': 3.0, 'd_adaptation': 2.0}
RATES |= {'schedule_free_sgd': 1.0, 'schedule_free_adamw': 0.1}


def numbers_of(optimizer):
    return {} if optimizer == 'yellowfin' else {'momentum': 0.8}  # YellowFin finds its own


STRENGTHS = {
    'geometric': {'shift': 0.1, 'rotate': 0.2, 'zoom': 0.1},
    'lighting': {'brightness': 0.3, 'contrast': 0.3},
    'colour': {'colour': 0.2},
    'noise': {'noise': 0.2},
    'cutout': {'cutout': 0.3},
    'mixup': {'mixup': 0.2},
    'cutmix': {'cutmix': 0.2},
    'trivial_augment': {'policy': 0.3},
}
AVERAGES = {
    'EMA': {'ema_decay': 0.9},
    'SWA': {'swa_start': 0.5, 'steps': 50.0},
    'schedule-free': {'momentum': 0.8},
}
CNN = models.CNN(problems.CLASSES, channels=(4, 6), widths=(8,))
FAMILIES = [
    ('model', 'CNN', problems.recipe(model=CNN), {'dropout': 0.2}, 0.1),
    ('model', 'CNN with batch normalisation', problems.recipe(model=CNN.clone(batch_norm=True)), {}, 0.1),
    *[
        (
            'optimizer',
            f.__name__,
            problems.recipe(optimizer=f),
            numbers_of(f.__name__),
            RATES[f.__name__],
        )
        for f in map(optimizers.by_hyper, OPTIMIZERS)
    ],
    ('gradient', 'SAM', problems.recipe(gradient=sam.sam), {'sam_radius': 0.1}, 0.2),
    *[
        ('average', value.name, problems.recipe(average=value), AVERAGES[value.name], 0.2)
        for value in [*values_of(average, base.Average).values(), schedule_free.average]
    ],
    *[
        ('activation', name, problems.recipe(activation=value), {}, 2.0 if name == 'sigmoid' else 0.2)
        for name, value in [
            ('maxout', activations.maxout(2)),
            *values_of(activations, base.Activation).items(),
        ]
    ],
    *[
        ('initializer', f.__name__, problems.recipe(start=start.drawn(f)), {}, 0.5)
        for f in functions_of(initializers, 'key', 'shape', 'dtype')
    ],
    *[
        ('loss', name, problems.recipe(loss=loss), {'center_weight': 0.05, 'center_rate': 0.5}, 0.2)
        for name, loss in values_of(losses, base.Loss).items()
    ],
    *[
        ('augment', f.__name__, problems.recipe(augment=(f,)), STRENGTHS[f.__name__], 0.2)
        for module in (geometry, light, corruption, mixing, policy)
        for f in functions_of(module, 'key', 'batch', 'hyper', 'inputs')
    ],
]


class FamiliesTest(chex.TestCase):
    def test_all_are_found(self):
        counts = collections.Counter(family for family, *_ in FAMILIES)
        least = {'optimizer': 12, 'average': 3, 'activation': 4, 'initializer': 4, 'loss': 2, 'augment': 8}
        self.assertTrue(all(counts[family] >= count for family, count in least.items()), counts)

    @parameterized.named_parameters(*[(f'{family}_{name}', *row) for family, name, *row in FAMILIES])
    def test_it_learns_and_a_population_equals_its_members(self, recipe, numbers, rate):
        data = problems.batches(problems.examples_for(recipe), 50, 16)
        hypers = [
            base.Hyper(**{f: np.float32(v * factor) for f, v in ({'learning_rate': rate} | numbers).items()})
            for factor in (1.0, 0.5, 0.8)
        ]
        starts = [problems.begun(recipe, hyper, seed) for seed, hyper in enumerate(hypers)]
        key = jnp.stack([state.key for state in starts])
        stacked = jax.tree.map(lambda *a: np.stack(a), *[state._replace(key=None) for state in starts])
        recipe = population.structure(recipe)
        population_hyper = jax.tree.map(lambda *a: np.stack(a), *hypers)
        states, _ = together(stacked._replace(key=key), population_hyper, data, recipe)
        for number, (state, hyper) in enumerate(zip(starts, hypers, strict=True)):
            state, metrics = problems.alone(state, hyper, data, recipe)
            own = jax.tree.map(lambda a, n=number: a[n], (states.params, states.loss_state))
            chex.assert_trees_all_close(own, (state.params, state.loss_state), atol=1e-4)
            if number == 0:
                self.assertLess(float(metrics.loss[-5:].mean()), 0.7 * float(metrics.loss[:3].mean()))
                self.assertLess(float(metrics.error[-10:].mean()), 0.25)
