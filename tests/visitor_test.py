"""What a stranger writes: techniques, nets, kinds of data of their own, from outside the package.

Each exercise stands in one function of at most 20 lines, and uses nothing but public names. It is run as an
arm of a whole study on tiny data; the model is saved and loaded. Here they are examples of how to extend the
package, too.
"""

import inspect
import pathlib
import tempfile
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import overfit
from overfit import base
from overfit.data import kinds
from overfit.nn import convolution, models
from overfit.nn.dropout import dropout as drop
from overfit.objectives import losses
from overfit.study import baselines
from overfit.train import checkpoint, predictions, start
from overfit.train.engine import population
from tests import problems

VECTORS, PICTURES = problems.blobs(90, spread=0.8), problems.pictures(90)
MOST_LINES = 20


# (a) Labels that are mixed with the inputs.


def mixup():
    """Zhang et al. 2018, with shares uniform in [1 - strength / 2, 1]."""

    def mix(key, batch, hyper, inputs):
        one, two = jax.random.split(key)
        order = jax.random.permutation(one, len(batch.y))
        share = 1 - hyper.own['mixup'] / 2 * jax.random.uniform(two, batch.y.shape)
        x = batch.x.astype(jnp.float32)
        part = share.reshape(-1, *[1] * (x.ndim - 1))
        return batch._replace(x=part * x + (1 - part) * x[order], mixed=base.Mixed(batch.y[order], share))

    return overfit.Technique(
        'mixup',
        space={'mixup': overfit.Range(0.2, 1.0, 'linear')},
        change=lambda recipe: recipe._replace(augment=(*recipe.augment, mix)),
    )


def cutmix():
    """Yun et al. 2019: the left part of another image, at most half of it."""

    def paste(key, batch, hyper, inputs):
        one, two = jax.random.split(key)
        order, width = jax.random.permutation(one, len(batch.y)), batch.x.shape[2]
        columns = jnp.round(jax.random.uniform(two, batch.y.shape) * hyper.own['cut'] * width / 2)
        inside = jnp.arange(width)[None, :] < columns[:, None]
        x = jnp.where(inside[:, None, :, None], batch.x[order], batch.x)
        return batch._replace(x=x, mixed=base.Mixed(batch.y[order], 1 - columns / width))

    return overfit.Technique(
        'CutMix',
        space={'cut': 1.0},
        change=lambda recipe: recipe._replace(augment=(*recipe.augment, paste)),
        applies=lambda recipe, kind: kind == kinds.image,
    )


# (b) A loss of pairs, its sampler, and a loss that draws.


def triplet():
    """Batch-hard triplets (Hermans et al. 2017); predicts by the nearest class center of the embedding."""

    def hardest(key, centers, outputs, batch, hyper, axis_name):
        features = outputs.features
        apart = jnp.square(features[:, None] - features[None]).sum(-1)
        same = batch.y[:, None] == batch.y[None]
        positive = jnp.where(same, apart, 0).max(1)
        negative = jnp.where(same, 1e6, apart).min(1)
        centers = losses.center_update(centers, features, batch.y, 0.5)
        return jax.nn.softplus(hyper.own['margin'] + positive - negative), centers

    loss = base.Loss(lambda classes, features: jnp.zeros((classes, features)), hardest, 'triplet')
    return overfit.Technique(
        'triplet loss',
        space={'margin': 1.0, 'learning_rate': overfit.Range(3e-3, 0.1, 'log')},
        change=lambda r: r._replace(loss=loss, sampler=four_of_a_class, predict=predictions.nearest_center),
    )


def four_of_a_class(key, step, y, count, batch_size):
    """Random examples, each with three others of its class (itself again where there are too few)."""
    one, two = jax.random.split(jax.random.fold_in(key, step))
    first = jax.random.randint(one, (batch_size // 4,), 0, count)
    mates = (y[first][:, None] == y[None]) & (jnp.arange(len(y)) < count)[None]
    score = jnp.where(mates, jax.random.uniform(two, mates.shape), -1)
    score, place = jax.lax.top_k(score, 4)
    return jnp.where(score < 0, first[:, None], place).reshape(batch_size)


def drawing_loss():
    """Cross-entropy of noisy logits: a loss that draws random numbers."""

    def noisy(key, state, outputs, batch, hyper, axis_name):
        noise = hyper.own['logit_noise'] * jax.random.normal(key, outputs.logits.shape)
        return losses.cross_entropy(outputs.logits + noise, batch.y), state

    loss = base.Loss(lambda classes, features: (), noisy, 'noisy softmax')
    return overfit.Technique(
        'noise on the logits',
        space={'logit_noise': overfit.Range(0.1, 1.0, 'log')},
        change=lambda recipe: recipe._replace(loss=loss),
    )


# (c) Token ids, an embedding, word dropout, a fast convolution.


def sentences(count):
    """Twelve words of sixteen; the class is which of three words occurs."""
    rng, y = np.random.default_rng(0), np.arange(count) % 3
    x = rng.integers(5, 16, (count, 12))
    x[np.arange(count), rng.integers(0, 12, count)] = 2 + y
    return x.astype(np.int32), y


def text():
    """Sentences as they are; what scikit-learn gets is how often each word occurs."""

    def counts(x, inputs):
        return (x[:, :, None] == np.arange(16)).sum(1).astype(np.float32)

    return kinds.Kind(
        'text',
        measure=lambda x: (),
        prepare=as_they_are,
        featurise=counts,
        show=lambda x: kinds.Shown(text=' '.join(f'word{n}' for n in x)),
        noun='sentences',
    )


def as_they_are(x, inputs):
    return x


class TextCNN(nn.Module):
    """Kim 2014, with one width of filters."""

    classes: int

    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        x = nn.Embed(16, 8, name='words')(x)
        kernel = self.param('kernel', nn.initializers.he_normal(), (3, 8, 12))
        x = jax.nn.relu(convolution.convolve_1d(x, kernel)).max(1)
        if train and dropout is not None:
            x = drop(self.make_rng('dropout'), x, dropout)
        return base.Outputs(x, nn.Dense(self.classes)(x))


def word_dropout():
    def forget(key, batch, hyper, inputs):
        lost = jax.random.uniform(key, batch.x.shape) < hyper.own['word_dropout']
        return batch._replace(x=jnp.where(lost, 0, batch.x))

    return overfit.Technique(
        'word dropout',
        space={'word_dropout': overfit.Range(0.05, 0.3, 'linear')},
        change=lambda recipe: recipe._replace(augment=(*recipe.augment, forget)),
    )


# (e) A module of one's own, whose initial values are its own; (h) two towers at two resolutions.


class Gated(nn.Module):
    """A net with parameters that start neither at 0 nor by He."""

    classes: int
    width: int = 12

    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        gate = self.param('gate', nn.initializers.constant(0.7), (self.width,))
        x = nn.PReLU()(nn.Dense(self.width)(x.reshape(len(x), -1))) * gate[None]
        return base.Outputs(x, nn.Dense(self.classes, kernel_init=nn.initializers.zeros)(x))


class Towers(nn.Module):
    """Two convolutional nets on two resolutions of the same images, their bottlenecks concatenated."""

    classes: int

    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        views = x, nn.avg_pool(x, (2, 2), (2, 2))
        towers = models.CNN(4, channels=(4,), widths=(8,)), models.CNN(4, channels=(6,), widths=(8,))
        ends = [
            tower(view, train=train, dropout=dropout).features
            for tower, view in zip(towers, views, strict=True)
        ]
        joined = jnp.concatenate(ends, axis=1)
        return base.Outputs(joined, nn.Dense(self.classes)(joined))


# (f) From given weights, with layers frozen.


def fine_tuning(variables, inputs):
    """The hidden layer of another net, kept as it is; a new last layer."""
    hidden = {'params': {'Dense_0': variables['params']['Dense_0']}}

    def change(recipe):
        begins = start.given(hidden, rest=recipe.start, inputs=inputs)
        return recipe._replace(start=begins, trained=lambda path: path[0] != 'Dense_0')

    return overfit.Technique('from given weights', change=change)


# (g) Averages of weights, and a gradient taken nearby.


def ema():
    """Exponential moving average of the weights."""

    def update(average, params, progress, hyper):
        keep = hyper.own['ema']
        return jax.tree.map(lambda a, p: keep * a + (1 - keep) * p, average, params)

    average = base.Average(lambda params: params, update, lambda average, params: average, name='EMA')
    return overfit.Technique(
        'average of weights (EMA)',
        space={'ema': 0.9},
        change=lambda recipe: recipe._replace(average=average),
    )


def swa():
    """Izmailov et al. 2018: the mean of the last half's weights; batch statistics measured anew."""

    def update(average, params, progress, hyper):
        mean, count = average
        count = count + (progress > 0.5)
        share = jnp.where(progress > 0.5, 1 / jnp.maximum(count, 1), 0)
        return jax.tree.map(lambda a, p: a + share * (p - a), mean, params), count

    def weights(average, params):
        return jax.tree.map(lambda a, p: jnp.where(average[1] > 0, a, p), average[0], params)

    average = base.Average(lambda params: (params, jnp.float32(0)), update, weights, refresh=5, name='SWA')
    return overfit.Technique('SWA', change=lambda recipe: recipe._replace(average=average))


def sam():
    """Foret et al. 2021: the gradient at the worst point within a small ball."""

    def gradient(objective, params, hyper, axis_name):
        _, slope = jax.value_and_grad(objective, has_aux=True)(params)
        radius = hyper.own['radius'] / (optax.tree.norm(slope) + 1e-12)
        worst = jax.tree.map(lambda p, s: p + radius * s, params, slope)
        return jax.value_and_grad(objective, has_aux=True)(worst)

    return overfit.Technique(
        'SAM',
        space={'radius': overfit.Range(0.01, 0.2, 'log')},
        change=lambda recipe: recipe._replace(gradient=gradient),
    )


# (i) A kind of data of one's own.


def sounds(count):
    """Tones of three pitches in noise, as 16-bit samples."""
    rng, y = np.random.default_rng(0), np.arange(count) % 3
    time = np.arange(128)
    waves = np.sin(time * np.array([0.2, 0.5, 1.1])[y][:, None] + rng.uniform(0, 6, (count, 1)))
    return (4000 * waves + 2000 * rng.normal(size=(count, 128))).astype(np.int16), y


def audio():
    """Waves, prepared as logarithms of the energy in windows of 32 samples, standardised."""

    def spectrum(x, inputs):
        windows = x.astype(jnp.float32).reshape(len(x), -1, 32) / 32768
        energy = jnp.log(jnp.square(jnp.abs(jnp.fft.rfft(windows))) + 1e-6)
        return (energy - inputs['mean']) / inputs['scale']

    def measure(x):
        energy = np.asarray(spectrum(x, {'mean': 0.0, 'scale': 1.0}))
        return {'mean': np.float32(energy.mean()), 'scale': np.float32(energy.std() + 1e-6)}

    return kinds.Kind('audio', measure=measure, prepare=spectrum, noun='recordings')


def gain():
    def louder(key, batch, hyper, inputs):
        factor = 1 + hyper.own['gain'] * jax.random.uniform(key, (len(batch.y), 1), minval=-1.0)
        return batch._replace(x=batch.x.astype(jnp.float32) * factor)

    return overfit.Technique(
        'augmentation: gain',
        space={'gain': overfit.Range(0.1, 0.8, 'linear')},
        change=lambda recipe: recipe._replace(augment=(*recipe.augment, louder)),
    )


def study(x, y, techniques, **options):
    """A whole study on tiny data."""
    options = {'trials': 2, 'replicates': 3, 'minutes': 0.1} | options
    return overfit.squeeze(x, y, techniques=techniques, **options)


class VisitorTest(chex.TestCase):
    def check(self, result, x, names, *, below=50.0, **loading):
        """Every arm ran as what it is, learnt something, and the model is what is loaded again."""
        self.assertEqual([row.technique for row in result.arms], names)
        for row in (result.results.baseline, *result.arms, result.results.squeezed):
            self.assertLess(row.test_error.mean, below, row.technique)
            self.assertEqual(row.diverged, 0, row.technique)
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        result.save(folder)
        loaded = overfit.load(folder / 'best', **loading)
        np.testing.assert_array_equal(loaded.predict_proba(x), result.model.predict_proba(x))
        self.assertGreater(np.ptp(loaded.predict_proba(x), axis=0).max(), 0.1)
        return loaded

    def test_a_and_e_mixed_labels_and_numbers_of_ones_own(self):
        result = study(PICTURES.x, PICTURES.y, [mixup(), cutmix(), overfit.techniques.dropout])
        self.check(result, PICTURES.x, ['mixup', 'CutMix', 'dropout'])
        self.assertBetween(result.arms[0].hyper['mixup'], 0.2, 1.0)
        self.assertIn('mix', result.arms[0].recipe)

    def test_b_triplets_their_sampler_and_a_loss_that_draws(self):
        result = study(VECTORS.x, VECTORS.y, [triplet(), drawing_loss()])
        self.check(result, VECTORS.x, ['triplet loss', 'noise on the logits'])
        self.assertIn('predict nearest_center', result.arms[0].recipe)
        self.assertIn('sampler four_of_a_class', result.arms[0].recipe)

    def test_b_a_net_without_logits_of_its_own_is_saved(self):
        recipe = triplet().change(problems.recipe(batch_size=16))
        hyper = base.Hyper.of(learning_rate=0.1, steps=60.0, margin=1.0)
        member = population.Member(recipe, hyper, 1, np.arange(60), np.arange(60, 90))
        [net] = population.train([member], VECTORS, eval_every=20)
        self.assertLess(net.error, 0.3)
        model = checkpoint.Predictor.of(recipe, [net], VECTORS)
        folder = self.enterContext(tempfile.TemporaryDirectory())
        model.save(folder)
        np.testing.assert_array_equal(overfit.load(folder).predict(VECTORS.x), model.predict(VECTORS.x))

    def test_c_text(self):
        x, y = sentences(120)
        result = study(x, y, [word_dropout(), overfit.techniques.dropout], kind=text(), baseline=TextCNN(3))
        table = np.asarray(result.model.nets[0].variables['params']['words']['embedding'])
        self.assertGreater(table.std(), 0.1)
        names = ['word dropout', 'dropout']
        recipe = baselines.baseline(TextCNN(3), text()).recipe
        self.check(result, x, names, below=60.0, kind=text(), recipe=recipe)
        self.assertIn('84 labelled sentences', result.table)

    def test_e_a_module_of_ones_own(self):
        result = study(
            VECTORS.x, VECTORS.y, [overfit.techniques.l2, overfit.techniques.adamw], baseline=Gated(3)
        )
        recipe = baselines.baseline(Gated(3), kinds.vector).recipe
        self.check(result, VECTORS.x, ['L2 penalty', 'AdamW'], recipe=recipe)
        self.assertIn('Gated classes 3, width 12', result.results.baseline.recipe)
        with self.assertRaisesRegex(ValueError, 'Gated, which is not part of overfit'):
            folder = self.enterContext(tempfile.TemporaryDirectory())
            result.model.save(folder)
            overfit.load(folder)

    def test_f_given_weights_and_frozen_layers(self):
        other = problems.blobs(90, spread=0.4, seed=3)
        baseline = baselines.baseline(models.MLP(3, widths=(16,)), kinds.vector)
        member = population.Member(
            baseline.recipe, base.Hyper(learning_rate=0.1, steps=100.0), 1, np.arange(90), np.arange(0)
        )
        [source] = population.train([member], other, eval_every=50)
        result = study(
            VECTORS.x, VECTORS.y, [fine_tuning(source.variables, source.inputs)], baseline=baseline
        )
        self.check(result, VECTORS.x, ['from given weights'])
        self.assertIn('given, else he', result.arms[0].recipe)
        arm = fine_tuning(source.variables, source.inputs).change(baseline.recipe)
        tuned = member._replace(recipe=arm, train=np.arange(60), validation=np.arange(60, 90))
        [net] = population.train([tuned], VECTORS, eval_every=50)
        chex.assert_trees_all_equal(net.variables['params']['Dense_0'], source.variables['params']['Dense_0'])
        chex.assert_trees_all_equal(net.inputs, source.inputs)
        heads = [one.variables['params']['logits']['kernel'] for one in (net, source)]
        self.assertGreater(np.abs(np.subtract(*heads)).max(), 0.1)

    def test_g_averages_of_weights_and_sam(self):
        normed = baselines.baseline(models.MLP(3, widths=(16,), batch_norm=True), kinds.vector)
        result = study(VECTORS.x, VECTORS.y, [ema(), swa(), sam()], baseline=normed)
        self.check(result, VECTORS.x, ['average of weights (EMA)', 'SWA', 'SAM'])

    def test_h_two_towers(self):
        result = study(PICTURES.x, PICTURES.y, [overfit.techniques.shift], baseline=Towers(3))
        recipe = baselines.baseline(Towers(3), kinds.image).recipe
        self.check(result, PICTURES.x, ['augmentation: shift'], recipe=recipe)

    def test_i_audio(self):
        x, y = sounds(90)
        result = study(x, y, [gain(), overfit.techniques.label_smoothing], kind=audio())
        self.check(result, x, ['augmentation: gain', 'label smoothing'], kind=audio())
        self.assertIn('labelled recordings', result.table)

    def test_every_exercise_is_short(self):
        exercises = [
            mixup,
            cutmix,
            triplet,
            four_of_a_class,
            drawing_loss,
            text,
            TextCNN,
            word_dropout,
            Gated,
        ]
        exercises += [Towers, fine_tuning, ema, swa, sam, audio, gain]
        for one in exercises:
            self.assertLessEqual(len(inspect.getsource(one).splitlines()), MOST_LINES, one.__name__)


class NoFeatures(nn.Module):
    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        return nn.Dense(3)(x)


def _with(**slots: Any):
    return overfit.Technique('mine', change=lambda recipe: recipe._replace(**slots))


class WrongVisitorTest(chex.TestCase):
    """One sentence, before anything is compiled."""

    def refuse(self, message, techniques, **options):
        compiled = []

        def listen(event, seconds, **_):
            if event == '/jax/core/compile/backend_compile_duration':
                compiled.append(seconds)

        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            with self.assertRaisesRegex(ValueError, message) as caught:
                study(VECTORS.x, VECTORS.y, techniques, **options)
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)
        self.assertNotIn('\n', str(caught.exception))
        self.assertLess(sum(compiled), 1.0)

    def test_a_module_without_features(self):
        self.refuse(
            'model NoFeatures returns a .*, but must return base.Outputs', [_with()], baseline=NoFeatures()
        )

    def test_a_module_for_other_classes(self):
        self.refuse('gives 7 logits, but the examples have 3 classes', [_with()], baseline=Gated(7))

    def test_a_loss_that_averages(self):
        def mean(key, state, outputs, batch, hyper, axis_name):
            return losses.cross_entropy(outputs.logits, batch.y).mean(), state

        loss = base.Loss(lambda *_: (), mean, 'mean')
        self.refuse(
            r'loss mean gives \[\] for a batch of 32, but has to return one value', [_with(loss=loss)]
        )

    def test_an_augmentation_that_drops_examples(self):
        def halve(key, batch, hyper, inputs):
            return batch._replace(x=batch.x[::2], y=batch.y[::2])

        self.refuse(r'augmentation halve makes inputs \[16, 4\]', [_with(augment=(halve,))])

    def test_a_number_that_nothing_reads(self):
        technique = overfit.Technique('mine', space={'dropuot': 0.5})
        self.refuse("number dropuot is given, but no loss.*reads hyper.own\\['dropuot'\\]", [technique])

    def test_words_in_place_of_values(self):
        self.refuse('techniques holds a str: give overfit.Technique values', ['dropout'])

    def test_weights_that_do_not_fit(self):
        weights = {'params': {'Dense_0': {'kernel': np.zeros((5, 8), np.float32)}}}
        self.refuse('given weights do not fit the MLP', [_with(start=start.given(weights))])

    def test_an_optimizer_that_is_none(self):
        optimizer = lambda hyper, rate: 'adam'  # noqa: E731
        self.refuse('optimizer .* returns a str, but has to return an optax', [_with(optimizer=optimizer)])
