"""Public functions: their types and docstrings; below the study also order of arguments and shapes."""

import importlib
import inspect
import pathlib
import typing

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base, keys
from overfit.data import augment, kinds, sampling, views
from overfit.data.augment import boxes, corruption, elastic, geometry, light, mixing, policy
from overfit.nn import activations, convolution, dropout, initializers, models
from overfit.objectives import calibration, losses, metric_learning, pairs, penalties, triplets

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = ('nn', 'objectives', 'data', 'train')
ABOVE = ('study', 'report', 'door.py')  # there arguments are studies and results rather than arrays
KEY, DATA, NUMBER = range(3)
# Options that may be given by position, with the reason.
BY_POSITION = {
    'overfit.train.step.train_step.axis_name': 'the last, as in pmean',
    'overfit.train.step.error_rate.axis_name': 'likewise',
    'overfit.train.step.evaluated.batch_at': 'goes with the state and its recipe',
    'overfit.nn.initializers.*.dtype': 'flax calls initializers as (key, shape, dtype)',
    'overfit.data.load.from_arrays.x_test': 'x, y, x_test and y_test in the order of all who split data',
    'overfit.data.load.from_arrays.y_test': 'likewise',
    'overfit.objectives.losses.batch_mean.axis_name': 'the last of three that belong together, as in pmean',
}
# A parameter of such a name is a number that a setting could hold, whatever its annotation says.
NUMBERS = {'learning_rate', 'rate', 'strength', 'bound', 'patience', 'log2_scale', *base.NAMES}
ARRAYS = (jax.Array, np.ndarray, base.Array, base.Params, base.Batch, base.Outputs, base.State, base.Examples)


def modules(rooms):
    """Dotted names of the modules of rooms, found without importing any."""
    for room in rooms:
        place = ROOT / 'overfit' / room
        for path in sorted(place.rglob('*.py')) or [place]:
            if path.name != '__init__.py':
                yield '.'.join(path.relative_to(ROOT).with_suffix('').parts)


def functions_of(name):
    """Public functions that a module defines, by name; those that jax or functools wrap are unwrapped."""
    module = importlib.import_module(name)
    for attribute, value in vars(module).items():
        function = inspect.unwrap(value)
        if (
            not attribute.startswith('_')
            and inspect.isfunction(function)
            and function.__module__ == name
            and function.__name__ == attribute
        ):
            yield f'{name}.{attribute}', function


def parameters_of(function):
    return list(inspect.signature(function).parameters.values())


def may_be_by_position(function_name, parameter):
    module, _, _ = function_name.rpartition('.')
    return {f'{function_name}.{parameter}', f'{module}.*.{parameter}'} & set(BY_POSITION)


def place(name, annotation):
    """Where a parameter belongs; `None`: anywhere, as a size or a function."""
    if name == 'key':
        return KEY
    if name in NUMBERS or annotation == base.Number:
        return NUMBER
    return DATA if any(one in ARRAYS for one in (annotation, *typing.get_args(annotation))) else None


def methods_of(name):
    """Public classes that a module defines, and their public methods and properties, by name."""
    module = importlib.import_module(name)
    for attribute, value in vars(module).items():
        if attribute.startswith('_') or not inspect.isclass(value) or value.__module__ != name:
            continue
        yield f'{name}.{attribute}', value
        for method, found in vars(value).items():
            found = getattr(found, 'fget', None) or inspect.unwrap(getattr(found, '__func__', found))
            if not method.startswith('_') and inspect.isfunction(found) and found.__module__ == name:
                yield f'{name}.{attribute}.{method}', found


MODULES = [(name.removeprefix('overfit.'), name) for name in modules(ROOMS)]
ALL = MODULES + [(name.removeprefix('overfit.'), name) for name in modules(ABOVE)]


class SignatureTest(chex.TestCase):
    def test_no_room_is_empty_and_reasons_are_used(self):
        found = {
            name: function
            for module in (activations, losses)
            for name, function in functions_of(module.__name__)
        }
        self.assertIn('overfit.nn.activations.maxout', found)
        self.assertNotIn('overfit.nn.activations.relu', found)
        self.assertEqual({name.split('.')[1] for _, name in MODULES}, set(ROOMS))
        self.assertEqual({name.split('.')[1] for _, name in ALL}, {*ROOMS, 'study', 'report', 'door'})
        self.assertIn('overfit.door.squeeze', dict(functions_of('overfit.door')))
        self.assertIn('overfit.door.Result.table', dict(methods_of('overfit.door')))
        for name in BY_POSITION:
            module, function, parameter = name.rsplit('.', 2)
            some = [f for n, f in functions_of(module) if function in ('*', n.rpartition('.')[2])]
            # Of all functions of a module those count that have such a parameter.
            known = [one for f in some for one in parameters_of(f) if one.name == parameter]
            self.assertLen(known, len(some) if function != '*' else max(1, len(known)), name)
            for one in known:
                self.assertIsNot(one.default, inspect.Parameter.empty)

    @parameterized.named_parameters(*ALL)
    def test_types_are_given_in_(self, module):
        for name, function in [*functions_of(module), *methods_of(module)]:
            if inspect.isclass(function):
                continue
            hints = typing.get_type_hints(function)
            without = {p.name for p in parameters_of(function)} - {'self', 'cls'} | {'return'}
            self.assertEqual(without - set(hints), set(), name)

    @parameterized.named_parameters(*ALL)
    def test_docstrings_begin_with_a_sentence_in_(self, module):
        self.assertTrue(importlib.import_module(module).__doc__, module)
        for name, function in [*functions_of(module), *methods_of(module)]:
            first = (function.__doc__ or '').strip().split('\n')[0]
            self.assertTrue(first.endswith('.') and len(first) > 10, f'{name}: {first!r}')

    @parameterized.named_parameters(*MODULES)
    def test_key_state_data_numbers_stand_in_this_order_in_(self, module):
        for name, function in functions_of(module):
            hints = typing.get_type_hints(function)
            given = [p for p in parameters_of(function) if p.kind is not p.KEYWORD_ONLY]
            places = [place(p.name, hints.get(p.name)) for p in given]
            known = [at for at in places if at is not None]
            self.assertEqual(known, sorted(known), f'{name}{inspect.signature(function)}')
            names = [p.name for p in given]
            if 'key' in names:
                self.assertEqual(names[0], 'key', name)
            if 'state' in names:
                self.assertEqual(names.index('state'), int('key' in names), name)

    @parameterized.named_parameters(*MODULES)
    def test_options_are_given_by_name_in_(self, module):
        for name, function in functions_of(module):
            hints = typing.get_type_hints(function)
            options = {
                p.name
                for p in parameters_of(function)
                if p.kind is p.POSITIONAL_OR_KEYWORD
                and (p.default is not p.empty or hints.get(p.name) is bool)
                and not may_be_by_position(name, p.name)
            }
            self.assertEqual(options, set(), name)


def f32(*shape):
    return jnp.full(shape, 0.5, jnp.float32)


def i32(*shape):
    return jnp.zeros(shape, jnp.int32)


def shapes(tree):
    return jax.tree.map(lambda leaf: leaf.shape, tree)


KEY0 = keys.key(0)
TREE = {'dense': {'kernel': f32(4, 3), 'bias': f32(3)}, 'frozen': None}
STANDARD = kinds.Standard(f32(2), f32(2), f32(2))
IMAGES = base.Batch(f32(5, 6, 7, 2), i32(5))
CHANGED = base.Batch((5, 6, 7, 2), (5,))
MIXED = base.Batch((5, 6, 7, 2), (5,), mixed=base.Mixed((5,), (5,)))
HYPER = base.Hyper(
    shift=0.1, flip=0.5, brightness=0.1, colour=0.1, cutout=0.1, mixup=0.1, cutmix=0.1, policy=0.1, noise=0.1
)
# Function, its arguments, the shapes of its result.
SHAPES = [
    (losses.cross_entropy, (f32(5, 3), i32(5)), (5,)),
    (losses.center_distance, (f32(3, 4), f32(5, 4), i32(5)), (5,)),
    (losses.center_update, (f32(3, 4), f32(5, 4), i32(5), 0.5), (3, 4)),
    (losses.batch_mean, (f32(5), f32(5)), ()),
    (pairs.partners_of, (f32(5, 4), i32(5)), pairs.Partners((5, 4), (5, 5), (5, 5), ())),
    (pairs.distances, (f32(5, 4), f32(3, 4)), (5, 3)),
    (pairs.normalised, (f32(5, 4),), (5, 4)),
    (pairs.of_examples, (f32(5), f32(5), f32()), (5,)),
    *[
        (function, (f32(5, 4), i32(5), 0.5), (5,))
        for function in (
            pairs.contrastive,
            pairs.supervised_contrastive,
            triplets.batch_all,
            triplets.batch_hard,
            triplets.semi_hard,
        )
    ],
    (metric_learning.neighbours, (f32(5, 4), i32(5)), metric_learning.Neighbours((), ())),
    (metric_learning.all_pairs, (f32(5, 4), i32(5)), metric_learning.Pairs((10,), (10,), (10,))),
    (
        metric_learning.verification,
        (f32(9), i32(9) > 0, f32(2)),
        metric_learning.Verification((), (2,)),
    ),
    (metric_learning.variance_ratio, (f32(5, 4), i32(5), 3), ()),
    (metric_learning.collapse, (f32(5, 4),), metric_learning.Collapse((), (), ())),
    (penalties.kernels, (TREE,), {'dense': {'kernel': (), 'bias': ()}, 'frozen': None}),
    (penalties.l1, (TREE,), ()),
    (penalties.l2, (TREE,), ()),
    (penalties.max_norm, (TREE, 1.0), {'dense': {'kernel': (4, 3), 'bias': (3,)}, 'frozen': None}),
    (penalties.soft_threshold, (TREE, 1.0), {'dense': {'kernel': (4, 3), 'bias': (3,)}, 'frozen': None}),
    (penalties.sparsity, (TREE,), ()),
    *[
        (score, (f32(5, 3), i32(5)), ())
        for score in (calibration.nll, calibration.brier, calibration.calibration_error)
    ],
    *[
        (function, (KEY0, f32(5, 6), 0.5), (5, 6))
        for function in (dropout.dropout, dropout.gaussian_dropout, dropout.spatial_dropout)
    ],
    (convolution.convolve, (f32(5, 6, 7, 2), f32(3, 2, 2, 4)), (5, 6, 7, 4)),
    (convolution.convolve_1d, (f32(5, 7, 2), f32(3, 2, 4)), (5, 7, 4)),
    (convolution.windows, (f32(5, 6, 7, 2), 3, 2), (5, 6, 7, 12)),
    (convolution.max_pool, (f32(5, 6, 8, 2),), (5, 3, 4, 2)),
    *[
        (initializer, (KEY0, (3, 3, 2, 4)), (3, 3, 2, 4))
        for initializer in (
            initializers.uniform_fan_in,
            initializers.he,
            initializers.glorot,
            initializers.normal,
            initializers.lecun,
            initializers.orthogonal,
            initializers.uniform,
        )
    ],
    (augment.affine, (f32(5, 6, 7, 2), f32(5, 2, 3), f32(2)), (5, 6, 7, 2)),
    (augment.draw_affine, (KEY0, 5, 6, 7), (5, 2, 3)),
    (augment.random_affine, (KEY0, f32(5, 6, 7, 2), f32(2), {'zoom': 0.1}), (5, 6, 7, 2)),
    (augment.random_lighting, (KEY0, f32(5, 6, 7, 2), f32(2), {'contrast': 0.1}), (5, 6, 7, 2)),
    (augment.gaussian_noise, (KEY0, f32(5, 7, 2), f32(2), {'noise': 0.1}), (5, 7, 2)),
    (augment.resample, (f32(5, 6, 7, 2), f32(5, 6, 7), f32(5, 6, 7), f32(2)), (5, 6, 7, 2)),
    (augment.random_geometry, (KEY0, f32(5, 6, 7, 2), f32(2), {'elastic': 0.1}), (5, 6, 7, 2)),
    (elastic.smoothing, (6, {'scale': 1.0}), (6, 6)),
    (augment.elastic_field, (KEY0, 5, 6, 7, {'elastic': 0.1}), (5, 2, 6, 7)),
    (augment.random_colour, (KEY0, f32(5, 6, 7, 3), {'colour': 0.1}), (5, 6, 7, 3)),
    (augment.random_cutout, (KEY0, f32(5, 6, 7, 2), f32(2), {'cutout': 0.1}), (5, 6, 7, 2)),
    (boxes.covered, (f32(5), f32(5), 6), (5, 6)),
    (boxes.random_boxes, (KEY0, 5, 6, 7, f32(5)), (5, 6, 7)),
    (augment.larger_share, (KEY0, 5, {'alpha': 0.3}), (5,)),
    (mixing.partners, (KEY0, 5), (5,)),
    (augment.random_mixup, (KEY0, f32(5, 3), {'mixup': 0.3}), ((5, 3), (5,), (5,))),
    (augment.random_cutmix, (KEY0, f32(5, 6, 7, 2), {'cutmix': 0.3}), ((5, 6, 7, 2), (5,), (5,))),
    (augment.random_policy, (KEY0, f32(5, 6, 7, 3), f32(3), f32(3), {'policy': 1.0}), (5, 6, 7, 3)),
    *[
        (slot, (KEY0, IMAGES, HYPER, STANDARD), CHANGED)
        for slot in (
            augment.geometric,
            augment.lighting,
            augment.colour,
            augment.noise,
            augment.cutout,
            augment.trivial_augment,
        )
    ],
    *[(slot, (KEY0, IMAGES, HYPER, STANDARD), MIXED) for slot in (augment.mixup, augment.cutmix)],
    (views.shifted, (f32(5, 6, 7, 2), STANDARD), (5, 5, 6, 7, 2)),
    (views.mirrored, (f32(5, 6, 7, 2), STANDARD), (2, 5, 6, 7, 2)),
    (sampling.epochs, (KEY0, 3, i32(20), 17, 4), (4,)),
]
ACTIVATIONS = (
    activations.relu,
    activations.tanh,
    activations.sigmoid,
    activations.leaky_relu,
    activations.gelu,
    activations.maxout(3),
)
# These give no array: a value, a tuple of channels, or a function.
NO_ARRAY = (
    activations.maxout,
    initializers.normal_of,
    initializers.uniform_of,
    models.channels_for,
    sampling.per_class,
)


class ShapesTest(chex.TestCase):
    @parameterized.named_parameters((f.__name__, f, *rest) for f, *rest in SHAPES)
    def test_of_(self, function, arguments, wanted):
        options = arguments[-1] if isinstance(arguments[-1], dict) and 'dense' not in arguments[-1] else {}
        arguments = arguments[:-1] if options else arguments
        found = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, function(*arguments, **options)))
        self.assertEqual(shapes(found), wanted)

    @parameterized.named_parameters((activation.name, activation) for activation in ACTIVATIONS)
    def test_of_activation_(self, activation):
        found = jax.eval_shape(activation.apply, f32(5, 2, 4 * activation.pieces))
        self.assertEqual(found.shape, (5, 2, 4))

    def test_no_function_of_these_modules_is_left_out(self):
        rooms = (
            losses,
            pairs,
            triplets,
            metric_learning,
            penalties,
            calibration,
            activations,
            convolution,
            dropout,
            initializers,
            models,
            boxes,
            corruption,
            elastic,
            geometry,
            light,
            mixing,
            policy,
            sampling,
            views,
        )
        public = {name for module in rooms for name, _ in functions_of(module.__name__)}
        listed = [f for f, *_ in SHAPES] + list(NO_ARRAY)
        self.assertEqual({f'{f.__module__}.{f.__name__}' for f in listed}, public)
        values = {name for name, value in vars(activations).items() if isinstance(value, base.Activation)}
        names = {activation.name.replace(' ', '_') for activation in ACTIVATIONS}
        self.assertEqual(values, names - {'maxout_3'})
