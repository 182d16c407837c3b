"""The contract of every number of `Hyper`: `None` is 0 is absent, and another number gives another result."""

import functools

import chex
import jax
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import augment
from overfit.nn import models
from overfit.objectives import losses
from overfit.train import optimizers
from overfit.train.engine import layout, population
from tests import problems

PLAIN = problems.recipe()
NORMED = problems.recipe(batch_norm=True)
CENTER = problems.recipe(loss=losses.center)
ADAM = problems.recipe(optimizer=optimizers.adamw)
CNN = problems.recipe(model=models.CNN(3, channels=(4,), widths=(8,), batch_norm=True))
SHIFTED = problems.recipe(augment=(augment.geometric,))
LIT = problems.recipe(augment=(augment.lighting,))
NOISY = problems.recipe(augment=(augment.noise,))

# For every field recipes in which it acts, the other numbers, and its own.
CONTRACT = {
    'learning_rate': [(PLAIN, {}, 0.1), (ADAM, {'momentum': 0.9}, 0.01)],
    'steps': [(PLAIN, {'cosine': 1.0}, 16.0)],
    'momentum': [(r, {}, 0.9) for r in (PLAIN, ADAM, problems.recipe(optimizer=optimizers.nesterov))],
    'warmup': [(PLAIN, {'steps': 8.0}, 0.9)],
    'cosine': [(PLAIN, {'steps': 8.0}, 1.0)],
    'exponential': [(PLAIN, {'steps': 8.0}, 3.0)],
    'inverse_time': [(PLAIN, {'steps': 8.0}, 10.0)],
    'step_decay': [(PLAIN, {'steps': 8.0}, 0.8)],
    'weight_decay': [(PLAIN, {}, 0.3), (ADAM, {}, 0.3)],
    'l1': [(PLAIN, {}, 0.05)],
    'l2': [(PLAIN, {}, 0.1), (CNN, {}, 0.1)],
    'max_norm': [(PLAIN, {}, 0.5), (CNN, {}, 0.5)],
    'dropout': [(PLAIN, {}, 0.5), (CNN, {}, 0.5)],
    'input_dropout': [(NORMED, {}, 0.3), (CNN, {}, 0.3)],
    'label_smoothing': [(PLAIN, {}, 0.3), (CENTER, {}, 0.3)],
    'center_weight': [(CENTER, {'center_rate': 0.5}, 1.0)],
    'center_rate': [(CENTER, {'center_weight': 1.0}, 0.8)],
    'init_log2_scale': [(PLAIN, {}, -2.0), (CNN, {}, -2.0)],
    'shift': [(SHIFTED, {}, 0.3), (SHIFTED, {'rotate': 0.3}, 0.3)],
    'zoom': [(SHIFTED, {}, 0.4), (SHIFTED, {'shift': 0.2}, 0.4)],
    'rotate': [(SHIFTED, {}, 0.5), (SHIFTED, {'zoom': 0.2}, 0.5)],
    'flip': [(SHIFTED, {}, 0.8), (SHIFTED, {'shift': 0.2}, 0.8)],
    'brightness': [(LIT, {}, 1.0)],
    'contrast': [(LIT, {}, 0.8)],
    'noise': [(NOISY, {}, 0.5)],
    'patience': [(PLAIN, {'steps': 200.0, 'learning_rate': 1.0}, 2.0)],
}
ROWS = [(f'{f}_{n}', f, *row) for f, rows in CONTRACT.items() for n, row in enumerate(rows)]


def outcome(recipe, numbers):
    """What six steps leave behind, whatever the optimizer keeps beside it."""
    hyper = base.Hyper(**{f: np.float32(v) for f, v in numbers.items() if v is not None})
    data = problems.batches(problems.examples_for(recipe), 6, 8)
    state, _ = problems.alone(
        problems.begun(recipe, hyper, 3), hyper, data, recipe._replace(initializer=None)
    )
    return state.params, state.batch_stats, state.loss_state


def stopped(numbers):
    """What a whole run leaves behind, for what acts between evaluations; labels that cannot be learnt."""
    y = np.random.default_rng(2).permutation(problems.VECTORS.y)
    member = population.Member(PLAIN, base.Hyper(**numbers), 1, np.arange(40), np.arange(40, 60))
    found = population.train(
        [member], problems.VECTORS._replace(y=y), eval_every=10, layout=layout.Layout(1, 1, 1)
    )[0]
    return found.variables, float(found.steps)


def distance(a, b):
    return max(
        float(np.abs(np.subtract(u, v)).max()) for u, v in zip(*map(jax.tree.leaves, (a, b)), strict=True)
    )


class HyperTest(chex.TestCase):
    def test_every_field_has_its_row_here(self):
        self.assertEqual(list(CONTRACT), list(base.FIELDS))
        self.assertEqual(base.Hyper._fields, tuple(base.FIELDS))

    @parameterized.named_parameters(*ROWS)
    def test_none_is_zero_is_absent_and_the_number_matters(self, field, recipe, others, value):
        find = stopped if field == 'patience' else functools.partial(outcome, recipe)
        others = {'learning_rate': 0.1} | others
        others.pop(field, None)
        absent, nothing, half, whole = (find(others | {field: v}) for v in (None, 0.0, value / 2, value))
        chex.assert_tree_all_finite((absent, whole))
        self.assertLessEqual(distance(absent, nothing), 1e-6)
        self.assertGreater(distance(nothing, whole), 1e-4)
        self.assertGreater(distance(half, whole), 1e-4)
