"""The contract of every number of `Hyper`: `None` is 0 is absent, and another number gives another result."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import augment
from overfit.nn import dropout, models
from overfit.objectives import distillation, embeddings, losses
from overfit.study import spaces
from overfit.train import average, muon, optimizers, sam, schedule_free, step
from overfit.train.engine import layout, population
from tests import problems


def _pulled(key, state, outputs, batch, hyper, axis_name):
    """A stranger's loss: squared logits cost `pull`, a number that the package does not know."""
    values = losses.cross_entropy(outputs.logits, batch.y)
    pull = hyper.own.get('pull')
    if pull is not None:
        values = values + pull * jnp.sum(jnp.square(outputs.logits), axis=1)
    return values, state


def _taught(key, batch, hyper, inputs):
    """A teacher that takes each class for the next one."""
    return batch._replace(soft=jax.nn.one_hot((batch.y + 1) % problems.CLASSES, problems.CLASSES))


PLAIN = problems.recipe()
NORMED = problems.recipe(batch_norm=True)
CENTER = problems.recipe(loss=losses.center)
ADAM = problems.recipe(optimizer=optimizers.by_hyper(optimizers.adamw))
NESTEROV = problems.recipe(optimizer=optimizers.by_hyper(optimizers.nesterov))
NEWER = [
    problems.recipe(optimizer=optimizers.by_hyper(optimizer))
    for optimizer in (optimizers.lion, muon.muon, schedule_free.schedule_free_sgd)
]
CNN = problems.recipe(model=models.CNN(3, channels=(4,), widths=(8,), batch_norm=True))
DROPPING = [PLAIN._replace(model=PLAIN.model.clone(dropping=kind)) for kind in dropout.DROPPINGS[1:]]
DROPPING += [CNN._replace(model=CNN.model.clone(block_dropping=dropout.channels))]
SHIFTED = problems.recipe(augment=(augment.geometric,))
LIT = problems.recipe(augment=(augment.lighting,))
COLOURED = problems.recipe(augment=(augment.colour,))
CUT = problems.recipe(augment=(augment.cutout,))
MIXED = problems.recipe(augment=(augment.mixup,))
PASTED = problems.recipe(augment=(augment.cutmix,))
TRIVIAL = problems.recipe(augment=(augment.trivial_augment,))
NOISY = problems.recipe(augment=(augment.noise,))
CLIMBING = problems.recipe(gradient=sam.sam)
AVERAGED = problems.recipe(average=average.ema)
LATE = problems.recipe(average=average.swa)
TAUGHT = problems.recipe(loss=distillation.distilled, augment=(_taught,))
CONTRASTIVE = problems.recipe(loss=embeddings.contrastive)
SUPERVISED = problems.recipe(loss=embeddings.supervised_contrastive)
TRIPLETS = [problems.recipe(loss=loss) for loss in embeddings.BESIDE[2:]]
ALONE = problems.recipe(loss=embeddings.triplet_soft_alone)
PULLED = problems.recipe(loss=base.Loss(lambda classes, features: (), _pulled))

# For every field recipes in which it acts, the other numbers, and its own.
CONTRACT = {
    'learning_rate': [(PLAIN, {}, 0.1), (ADAM, {'momentum': 0.9}, 0.01)],
    'steps': [(PLAIN, {'cosine': 1.0}, 16.0)],
    'momentum': [(r, {}, 0.9) for r in (PLAIN, ADAM, NESTEROV, *NEWER)],
    'warmup': [(PLAIN, {'steps': 8.0}, 0.9)],
    'cosine': [(PLAIN, {'steps': 8.0}, 1.0)],
    'exponential': [(PLAIN, {'steps': 8.0}, 3.0)],
    'inverse_time': [(PLAIN, {'steps': 8.0}, 10.0)],
    'step_decay': [(PLAIN, {'steps': 8.0}, 0.8)],
    'weight_decay': [(r, {}, 0.3) for r in (PLAIN, ADAM, *NEWER)],
    'l1': [(PLAIN, {}, 0.05)],
    'l1_proximal': [(PLAIN, {}, 0.1), (ADAM, {'l1': 0.01}, 0.1), (CNN, {}, 0.1)],
    'l2': [(PLAIN, {}, 0.1), (CNN, {}, 0.1)],
    'max_norm': [(PLAIN, {}, 0.5), (CNN, {}, 0.5)],
    'dropout': [(recipe, {}, 0.5) for recipe in (PLAIN, CNN, *DROPPING)],
    'input_dropout': [(NORMED, {}, 0.3), (CNN, {}, 0.3)],
    'label_smoothing': [
        (PLAIN, {}, 0.3),
        (CENTER, {}, 0.3),
        (SUPERVISED, {'pair_weight': 0.5, 'temperature': 0.2}, 0.3),
    ],
    'distillation': [(TAUGHT, {}, 0.6)],
    'center_weight': [(CENTER, {'center_rate': 0.5}, 1.0)],
    'center_rate': [(CENTER, {'center_weight': 1.0}, 0.8)],
    'pair_weight': [
        (CONTRASTIVE, {'margin': 1.0}, 1.0),
        (SUPERVISED, {'temperature': 0.2}, 1.0),
        *[(r, {'margin': 1.0}, 1.0) for r in (*TRIPLETS, ALONE)],
    ],
    'margin': [(r, {'pair_weight': 1.0}, 1.0) for r in (CONTRASTIVE, *TRIPLETS, ALONE)],
    'temperature': [(SUPERVISED, {'pair_weight': 1.0}, 0.3)],
    'init_log2_scale': [(PLAIN, {}, -2.0), (CNN, {}, -2.0)],
    'shift': [(SHIFTED, {}, 0.3), (SHIFTED, {'rotate': 0.3}, 0.3)],
    'zoom': [(SHIFTED, {}, 0.4), (SHIFTED, {'shift': 0.2}, 0.4)],
    'rotate': [(SHIFTED, {}, 0.5), (SHIFTED, {'zoom': 0.2}, 0.5)],
    'shear': [(SHIFTED, {}, 0.5), (SHIFTED, {'rotate': 0.2}, 0.5)],
    'elastic': [(SHIFTED, {}, 0.2), (SHIFTED, {'shift': 0.2, 'elastic_smoothness': 0.2}, 0.2)],
    'elastic_smoothness': [(SHIFTED, {'elastic': 0.2}, 0.3), (SHIFTED, {'elastic': 0.2, 'zoom': 0.2}, 0.3)],
    'flip': [(SHIFTED, {}, 0.8), (SHIFTED, {'shift': 0.2}, 0.8)],
    'brightness': [(LIT, {}, 1.0)],
    'contrast': [(LIT, {}, 0.8)],
    'colour': [(COLOURED, {}, 0.5)],
    'cutout': [(CUT, {}, 0.6)],
    'mixup': [(MIXED, {}, 1.0), (MIXED, {'label_smoothing': 0.1}, 1.0)],
    'cutmix': [(PASTED, {}, 1.0)],
    'policy': [(TRIVIAL, {}, 1.0)],
    'noise': [(NOISY, {}, 0.5)],
    'sam_radius': [(CLIMBING, {}, 0.2), (NORMED._replace(gradient=sam.sam), {}, 0.2)],
    'ema_decay': [(AVERAGED, {}, 0.9)],
    'swa_start': [(LATE, {'steps': 8.0}, 0.5)],
    'patience': [(PLAIN, {'steps': 200.0, 'learning_rate': 1.0}, 2.0)],
}
OWN = {'pull': [(PULLED, {}, 0.5)]}  # of `Hyper.own`
ROWS = [(f'{f}_{n}', f, *row) for f, rows in (CONTRACT | OWN).items() for n, row in enumerate(rows)]


def outcome(recipe, numbers):
    """What six steps leave behind, whatever the optimizer keeps beside it."""
    hyper = base.Hyper.of(**{f: np.float32(v) for f, v in numbers.items() if v is not None})
    data = problems.batches(problems.examples_for(recipe), 6, 8)
    state, _ = problems.alone(problems.begun(recipe, hyper, 3), hyper, data, population.structure(recipe))
    return step.evaluated(state, recipe), state.loss_state


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


COMPILED = []  # a name for each compilation, as jax tells of them
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: COMPILED.append(event) if event.endswith('backend_compile_duration') else None
)


class HyperTest(chex.TestCase):
    def test_every_field_has_its_row_here(self):
        self.assertEqual(list(CONTRACT), list(base.NAMES))
        self.assertEqual((*base.NAMES, 'own'), base.Hyper._fields)
        self.assertEqual(list(spaces.RANGES), list(base.NAMES))

    @parameterized.named_parameters(*ROWS)
    def test_none_is_zero_is_absent_and_the_number_matters_in_one_program(self, field, recipe, others, value):
        find = stopped if field == 'patience' else functools.partial(outcome, recipe)
        others = {'learning_rate': 0.1} | others
        others.pop(field, None)
        absent, nothing = (find(others | {field: v}) for v in (None, 0.0))
        compiled = len(COMPILED)
        self.assertGreater(compiled, 0)
        half, whole = (find(others | {field: v}) for v in (value / 2, value))
        self.assertEqual(COMPILED[compiled:], [], 'one program for every value')
        chex.assert_tree_all_finite((absent, whole))
        self.assertLessEqual(distance(absent, nothing), 1e-6)
        self.assertGreater(distance(nothing, whole), 1e-4)
        self.assertGreater(distance(half, whole), 1e-4)

    def test_names_that_are_no_field_become_own_numbers(self):
        hyper = base.Hyper.of(learning_rate=0.1, ring=0.3, bell=0.2, gong=None)
        self.assertEqual((hyper.learning_rate, dict(hyper.own)), (0.1, {'bell': 0.2, 'ring': 0.3}))
        self.assertEqual(hyper.numbers(), {'learning_rate': 0.1, 'bell': 0.2, 'ring': 0.3})
        changed = hyper.with_numbers(learning_rate=None, ring=None, momentum=0.9)
        self.assertEqual(changed.numbers(), {'momentum': 0.9, 'bell': 0.2})
        self.assertEqual(changed, base.Hyper.of(bell=0.2, momentum=0.9))

    def test_the_order_in_which_own_numbers_are_given_does_not_matter(self):
        a, b = base.Hyper.of(ring=1.0, bell=2.0), base.Hyper.of(bell=2.0).with_numbers(ring=1.0)
        self.assertEqual(jax.tree.structure(a), jax.tree.structure(b))
        self.assertEqual(jax.tree.leaves(a), jax.tree.leaves(b))

    def test_in_a_population_absent_own_numbers_are_filled_with_0(self):
        """Nets of one program, of which one does not have the number."""
        numbers = ({}, {'pull': 0.5}, {'pull': 0.0})
        members = [
            population.Member(
                PULLED,
                base.Hyper.of(learning_rate=0.1, steps=20.0, **own),
                1,
                np.arange(40),
                np.arange(40, 60),
                False,
            )
            for own in numbers
        ]
        found = population.train(members, problems.VECTORS, eval_every=20, layout=problems.FOUR)
        chex.assert_trees_all_equal(found[0].variables, found[2].variables)
        self.assertGreater(distance(found[0].variables, found[1].variables), 1e-3)
