"""Wrong values in a recipe's slots get one sentence before anything is compiled; right ones pass."""

import contextlib

import chex
import jax
import jax.numpy as jnp
import optax
from absl.testing import parameterized

from overfit.data import augment, kinds
from overfit.objectives import losses
from overfit.study import arms, baselines, techniques
from overfit.train import check, predictions, start
from tests import problems
from tests.train import families_test
from tests.train import strangers as own

PLAIN = problems.recipe()
CENTER = {'center_weight', 'center_rate'}

# What is wrong, the slot that holds it, the arm's numbers, and the sentence.
REFUSED = {
    'model without outputs': (
        {'model': own.without_outputs},
        (),
        r'the model Own returns an array, but must return base.Outputs\(features, logits\)',
    ),
    'model of other classes': (
        {'model': own.of_five_classes},
        (),
        'the model Own gives 5 logits, but the examples have 3 classes',
    ),
    'model without dropout': (
        {'model': own.without_dropout},
        (),
        r'the model Own cannot be called as model\(x, train=..., dropout=..., input_dropout=...\) with x of '
        r'shape \(1, 4\) or \(8, 4\) and type float32: TypeError: .*dropout',
    ),
    'model of flat features': (
        {'model': own.of_flat_features},
        (),
        r'the model Own gives features of shape \[1\] for one example, but must give \[1, F\]',
    ),
    'model that asks a traced rate': (
        {'model': own.of_constant_dropout},
        ('dropout',),
        r'the model Own cannot be called as .*TracerBoolConversionError',
    ),
    'loss that is a mean': (
        {'loss': own.loss(own.mean_loss)},
        (),
        r'the loss mean_loss gives \[\] for a batch of 8, but has to return one value for each .*, \[8\]',
    ),
    'loss without values': (
        {'loss': own.loss(own.valueless_loss)},
        (),
        'the loss valueless_loss gives None for a batch',
    ),
    'loss without state': (
        {'loss': own.loss(own.stateless_loss)},
        (),
        r'the loss stateless_loss returns an array, but has to return a pair \(values, state\)',
    ),
    'loss whose state grows': (
        {'loss': own.loss(own.growing_loss, lambda classes, features: jnp.zeros(2))},
        (),
        'the loss growing_loss changes the form of its state, but has to return a state of the same shapes',
    ),
    'loss whose state changes its type': (
        {'loss': own.loss(own.counting_loss, lambda classes, features: jnp.int32(0))},
        (),
        'the loss counting_loss changes the form of its state',
    ),
    'loss that asks a traced number': (
        {'loss': own.loss(own.asking_loss)},
        ('gap',),
        'the loss asking_loss fails when .*: TracerBoolConversionError',
    ),
    'loss that multiplies by an absent number': (
        {'loss': own.loss(own.multiplying_loss)},
        (),
        'the loss multiplying_loss fails when .*: TypeError',
    ),
    'loss that needs an own number': (
        {'loss': own.loss(own.asking_loss)},
        (),
        "the loss asking_loss fails when .*: KeyError: 'gap'",
    ),
    'augmentation that halves the batch': (
        {'augment': (own.halved,)},
        (),
        r'the augmentation halved makes inputs \[4, 4\] and labels \[4\] of a batch of inputs \[8, 4\] and '
        r'labels \[8\], but has to return a batch of the same shapes',
    ),
    'augmentation that returns an array': (
        {'augment': (augment.noise, own.bare)},
        (),
        'the augmentation bare returns an array, but has to return a base.Batch',
    ),
    'augmentation of other arguments': (
        {'augment': (own.of_three_arguments,)},
        (),
        r'the augmentation of_three_arguments fails when it is called as \(key, batch, hyper, inputs\): '
        'TypeError: .*3 positional arguments',
    ),
    'augmentation that multiplies by an absent number': (
        {'augment': (own.zoomed,)},
        ('shift',),
        'the augmentation zoomed fails when .*: TypeError',
    ),
    'sampler of floats': (
        {'sampler': own.random_floats},
        (),
        r'the sampler random_floats gives float32 \[8\], but has to return whole numbers \[8\]',
    ),
    'sampler of too few': (
        {'sampler': own.too_few},
        (),
        r'the sampler too_few gives int32 \[7\], but has to return',
    ),
    'sampler of a pair': (
        {'sampler': own.pair},
        (),
        'the sampler pair gives a tuple, but has to return whole numbers',
    ),
    'optimizer that returns None': (
        {'optimizer': own.no_optimizer},
        (),
        'the optimizer no_optimizer returns None, but has to return an optax.GradientTransformation',
    ),
    'optimizer as optax has it': (
        {'optimizer': optax.sgd},
        (),
        r'the optimizer sgd fails when it is called as \(hyper, learning_rate\): TypeError',
    ),
    'optimizer whose state changes': (
        {'optimizer': own.rounding},
        (),
        'the optimizer rounding changes the form of its state, but has to return a state of the same shapes',
    ),
    'gradient of another tree': (
        {'gradient': own.flat_gradient},
        (),
        r'the gradient flat_gradient returns another tree than the weights, but has to return \(\(loss, aux',
    ),
    'gradient alone': ({'gradient': own.bare_gradient}, (), 'the gradient bare_gradient '),
    'average whose state grows': (
        {'average': own.average(update=lambda average, params, progress, hyper: (average, params))},
        (),
        'the average mine changes the form of its state',
    ),
    'average of no weights': (
        {'average': own.average(weights=lambda average, params: ())},
        (),
        'the average mine gives another tree than the weights',
    ),
    'own number that nothing reads': (
        {'loss': own.loss(own.margin_loss)},
        ('gap', 'gapp'),
        r"the number gapp is given, but nothing in the recipe reads hyper.own\['gapp'\]: mend its",
    ),
    'given weights that do not fit': (
        {'start': own.GIVEN},
        (),
        r'the given weights do not fit the MLP: .*of shape \(9, 3\) has shape \(8, 3\) there',
    ),
    'predict of too few columns': (
        {'predict': own.two_columns},
        (),
        r'the predict two_columns gives \[8, 2\], but has to return log-probabilities \[8, 3\]',
    ),
    'centers that the loss does not have': (
        {'predict': predictions.nearest_center},
        (),
        r'the predict nearest_center fails when it is called as \(outputs, loss_state\): .*rank',
    ),
    'trained marks nothing': (
        {'trained': own.nothing},
        (),
        r"trained=nothing marks no variable of the MLP, so nothing .* paths such as \('Dense_0', 'bias'\) "
        r"and \('logits', 'kernel'\)",
    ),
    'trained fails': (
        {'trained': own.wrong_path},
        (),
        'the trained wrong_path fails when .*: IndexError',
    ),
}


@contextlib.contextmanager
def compiling():
    """The compilations within."""
    events = []

    def listen(event, seconds, **_):
        if 'backend_compile' in event:
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield events
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


class RefusedTest(chex.TestCase):
    @parameterized.named_parameters(*[(name.replace(' ', '_'), *row) for name, row in REFUSED.items()])
    def test_it_is_refused_in_one_sentence_and_nothing_is_compiled(self, slots, numbers, message):
        recipe = PLAIN._replace(**slots)
        with compiling() as events, self.assertRaisesRegex(ValueError, message) as caught:
            check.recipes([(recipe, ('learning_rate', *numbers))], problems.VECTORS)
        self.assertEmpty(events)
        self.assertNotIn('\n', str(caught.exception))
        # Behind an arm that shares all other slots it is refused too.
        with self.assertRaisesRegex(ValueError, message):
            arms_of = [(PLAIN, ('learning_rate',)), (recipe, ('learning_rate', *numbers))]
            check.recipes(arms_of, problems.VECTORS)

    def test_a_second_start_and_a_second_rule_are_looked_at(self):
        center = PLAIN._replace(loss=losses.center)
        for recipe in (
            center._replace(start=own.GIVEN),
            center._replace(predict=own.two_columns),
        ):
            with self.assertRaises(ValueError):
                check.recipes([(center, ()), (recipe, ())], problems.VECTORS)

    def test_a_number_that_only_another_arm_reads(self):
        known = PLAIN._replace(loss=own.loss(own.margin_loss))
        check.recipes([(known, ('gap',)), (PLAIN, ())], problems.VECTORS)
        for second in ((PLAIN, ('gap',)), (known, ('gap', 'rim'))):
            with self.assertRaisesRegex(ValueError, 'is given, but nothing in the recipe reads'):
                check.recipes([(known, ('gap',)), second], problems.VECTORS)


class AcceptedTest(chex.TestCase):
    @parameterized.named_parameters(
        *[
            (f'{family}_{name}', recipe, numbers)
            for family, name, recipe, numbers, _ in families_test.FAMILIES
        ]
    )
    def test_every_family(self, recipe, numbers):
        # The families give every loss the numbers of all losses; a study gives it those that it reads.
        names = set(numbers) - (CENTER if recipe.loss == losses.softmax else set())
        check.recipes([(recipe, names), (recipe, ())], problems.examples_for(recipe))

    @parameterized.named_parameters(
        ('own number of a loss', {'loss': own.loss(own.margin_loss)}, ('gap',)),
        ('own number that a loss may lack', {'loss': own.loss(own.margin_loss)}, ()),
        (
            'hyper through a transformation',
            {'loss': own.loss(own.checkpointed_loss)},
            ('gap',),
        ),
        ('own number read in the update', {'optimizer': own.lazy}, ('pace',)),
        ('frozen layers', {'trained': lambda path: path[0] == 'logits'}, ('momentum', 'weight_decay')),
        ('average', {'average': own.average()}, ()),
        ('average by the number of steps', {'average': own.average(update=own.per_step)}, ()),
        ('given weights of a layer', {'start': start.given({'params': {}})}, ()),
        ('module with a rate that is absent', {'model': own.of_constant_dropout}, ()),
        ('nearest center', {'loss': losses.center, 'predict': predictions.nearest_center}, ('center_rate',)),
    )
    def test_strangers(self, slots, names):
        check.recipes([(PLAIN._replace(**slots), names)], problems.VECTORS)

    def test_a_kind_of_ones_own(self):
        kind = kinds.Kind('wide', measure=lambda x: (), prepare=own.wide)
        recipe = problems.recipe(prepare=own.wide, widths=(5,))
        check.recipes([(recipe, ())], problems.VECTORS._replace(kind=kind))
        with self.assertRaisesRegex(
            ValueError, 'prepares its inputs with standardise, but .* kind wide, which wide prepares'
        ):
            check.recipes([(problems.recipe(), ())], problems.VECTORS._replace(kind=kind))

    @parameterized.product(kind=['image', 'vector'])
    def test_the_standard_arms_without_compiling(self, kind):
        examples = {'image': problems.IMAGES, 'vector': problems.VECTORS}[kind]
        baseline = baselines.baseline(baselines.mlp(3), examples.kind)
        known = [
            arms.arm_of([technique], baseline)
            for technique in techniques.STANDARD
            if technique.applies(baseline.recipe, examples.kind)
        ]
        self.assertGreater(len(known), 30)
        textbooks = [arms.arm_of(book.techniques, baseline) for book in baselines.textbooks(examples.kind)]
        with compiling() as events:
            check.recipes([(arm.recipe, arm.space) for arm in (*known, *textbooks)], examples)
        self.assertEmpty(events)
