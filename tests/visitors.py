"""What a stranger writes: techniques, nets, kinds of data of their own, from outside the package.

Each exercise is a function or a class of at most 20 lines that uses nothing but public names. `visitor_test`
runs each as an arm of a whole study. They are examples of how to extend the package, too.
"""

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
from overfit.train import predictions, start

# (a) Labels that are mixed with the inputs.


def mixup():
    """Zhang et al. 2018, with shares uniform in [1 - strength / 2, 1]."""

    def mix(key, batch, hyper, inputs):
        one, two = jax.random.split(key)
        order = jax.random.permutation(one, len(batch.y))
        share = 1 - hyper.own['mix'] / 2 * jax.random.uniform(two, batch.y.shape)
        x = batch.x.astype(jnp.float32)
        part = share.reshape(-1, *[1] * (x.ndim - 1))
        return batch._replace(x=part * x + (1 - part) * x[order], mixed=base.Mixed(batch.y[order], share))

    return overfit.Technique(
        'mixup',
        space={'mix': overfit.Range(0.2, 1.0, 'linear')},
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
        return jax.nn.softplus(hyper.own['gap'] + positive - negative), centers

    loss = base.Loss(lambda classes, features: jnp.zeros((classes, features)), hardest, 'triplet')
    return overfit.Technique(
        'triplet loss',
        space={'gap': 1.0, 'learning_rate': overfit.Range(3e-3, 0.1, 'log')},
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


# Cosines, then sines, of 0 to 16 turns in a window, `[32, 34]`. (A Fourier transform on each of two CPU
# devices can wait for ever in jaxlib 0.11.2; a product does not.)
ANGLES = 2 * np.pi / 32 * np.outer(np.arange(32), np.arange(17))
WAVES = np.concatenate([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def audio():
    """Waves, prepared as logarithms of the energy in windows of 32 samples, standardised."""

    def spectrum(x, inputs):
        windows = x.astype(jnp.float32).reshape(len(x), -1, 32) / 32768
        energy = jnp.log(jnp.square(windows @ WAVES).reshape(*windows.shape[:2], 2, -1).sum(2) + 1e-6)
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
