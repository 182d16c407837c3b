"""Every technique that a comparison can add to the baseline: a row of the ledger each."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from overfit import base
from overfit.data import augment
from overfit.nn import activations, initializers, models
from overfit.objectives import losses
from overfit.study import spaces
from overfit.train import optimizers


class Technique(NamedTuple):
    """One change to a recipe.

    Attributes:
        label: the row's name in the table.
        group: techniques of one group exclude each other in a combination.
        source: where it comes from.
        space: fields of `Hyper` that it adds, searched (a range) or fixed (a number).
        change: the recipe with it.
        kind: of data that it is for; `None`: any.
        members: nets whose probabilities are averaged.
        refit: train on all labels, for the number of steps that validation chose.
        restore_best: keep the best weights rather than the last.
        stretch: times the steps of the others.
    """

    label: str
    group: str
    source: str
    space: Mapping[str, spaces.Range | float] = {}
    change: Callable[[base.Recipe], base.Recipe] = lambda recipe: recipe
    kind: str | None = None
    members: int = 1
    refit: bool = False
    restore_best: bool = True
    stretch: float = 1.0


def _model(**fields):
    return lambda recipe: recipe._replace(model=recipe.model.clone(**fields))


def _wider(recipe):
    return recipe._replace(model=recipe.model.clone(widths=tuple(2 * w for w in recipe.model.widths)))


def _deeper(recipe):
    widths = recipe.model.widths
    return recipe._replace(model=recipe.model.clone(widths=widths + widths[-1:] * 2))


def _convolution(recipe):
    """The same net with convolutions before its last hidden layer."""
    model = recipe.model
    return recipe._replace(
        model=models.CNN(
            model.classes, activation=model.activation, batch_norm=model.batch_norm, widths=model.widths[-1:]
        )
    )


def _augment(*functions):
    order = (augment.geometric, augment.lighting, augment.noise)
    return lambda recipe: recipe._replace(
        augment=tuple(f for f in order if f in recipe.augment or f in functions)
    )


def _batch(size):
    return lambda recipe: recipe._replace(batch_size=size)


def _rate(low, high):
    return {'learning_rate': spaces.Range(low, high, 'log')}


def _optimizer(optimizer):
    return lambda recipe: recipe._replace(optimizer=optimizer)


def _initializer(initializer):
    return lambda recipe: recipe._replace(initializer=initializer)


_only = spaces.default
_images = _augment(augment.geometric, augment.lighting)

TECHNIQUES = {
    # model and capacity
    'convolution': Technique(
        'convolutions before the hidden layer', 'model', 'LeCun 1998', change=_convolution, kind='image'
    ),
    'batch_norm': Technique(
        'batch normalisation', 'normalisation', 'Ioffe & Szegedy 2015', change=_model(batch_norm=True)
    ),
    'wider': Technique('twice as wide', 'width', 'folklore', change=_wider),
    'deeper': Technique('two layers deeper', 'depth', 'folklore', change=_deeper),
    # activations, initialisation
    'sigmoid': Technique(
        'sigmoid instead of ReLU',
        'activation',
        'Rumelhart 1986',
        _rate(3e-2, 10.0),
        _model(activation=activations.sigmoid),
    ),
    'tanh': Technique(
        'tanh instead of ReLU', 'activation', 'LeCun 1998', change=_model(activation=activations.tanh)
    ),
    'maxout': Technique(
        'maxout of 2 instead of ReLU',
        'activation',
        'Goodfellow 2013',
        change=_model(activation=activations.maxout(2)),
    ),
    'uniform_fan_in': Technique(
        'uniform initialisation by fan-in',
        'initializer',
        'LeCun 1998',
        change=_initializer(initializers.uniform_fan_in),
    ),
    'glorot': Technique(
        'Glorot initialisation',
        'initializer',
        'Glorot & Bengio 2010',
        change=_initializer(initializers.glorot),
    ),
    'normal': Technique(
        'normal initialisation, s.d. 0.01',
        'initializer',
        'Krizhevsky 2012',
        change=_initializer(initializers.normal),
    ),
    'init_scale': Technique(
        'scale of the initial weights', 'init_scale', 'Glorot & Bengio 2010', _only('init_log2_scale')
    ),
    # noise and penalties
    'dropout': Technique('dropout', 'dropout', 'Srivastava 2014', _only('dropout')),
    'input_dropout': Technique(
        'dropout, inputs too', 'dropout', 'Srivastava 2014', _only('dropout', 'input_dropout')
    ),
    'l1': Technique('L1 penalty', 'l1', 'Tibshirani 1996', _only('l1')),
    'l2': Technique('L2 penalty', 'l2', 'Krogh & Hertz 1991', _only('l2')),
    'weight_decay': Technique(
        'decoupled weight decay', 'weight_decay', 'Loshchilov & Hutter 2019', _only('weight_decay')
    ),
    'max_norm': Technique('max-norm', 'max_norm', 'Srivastava 2014', _only('max_norm')),
    'noise': Technique(
        'Gaussian noise on the inputs',
        'noise',
        'Bishop 1995',
        _only('noise'),
        _augment(augment.noise),
        'vector',
    ),
    # losses
    'label_smoothing': Technique('label smoothing', 'smoothing', 'Szegedy 2016', _only('label_smoothing')),
    'center': Technique(
        'center loss',
        'loss',
        'Wen 2016',
        _only('center_weight') | {'center_rate': 0.5},
        lambda recipe: recipe._replace(loss=losses.center),
    ),
    # optimizers and schedules
    'momentum': Technique(
        'SGD with momentum',
        'optimizer',
        'Polyak 1964',
        _rate(1e-3, 0.3) | {'momentum': 0.9},
    ),
    'adagrad': Technique(
        'Adagrad', 'optimizer', 'Duchi 2011', _rate(3e-3, 0.3), _optimizer(optimizers.adagrad)
    ),
    'rmsprop': Technique(
        'RMSProp', 'optimizer', 'Hinton 2012', _rate(1e-4, 1e-2), _optimizer(optimizers.rmsprop)
    ),
    'adamw': Technique(
        'AdamW',
        'optimizer',
        'Loshchilov & Hutter 2019',
        _rate(3e-4, 3e-2) | {'momentum': 0.9},
        _optimizer(optimizers.adamw),
    ),
    'warmup': Technique('warm-up', 'warmup', 'Goyal 2017', _only('warmup')),
    'cosine': Technique('cosine decay', 'schedule', 'Loshchilov & Hutter 2017', {'cosine': 1.0}),
    'exponential': Technique('exponential decay', 'schedule', 'folklore', _only('exponential')),
    'inverse_time': Technique('1/t decay', 'schedule', 'Robbins & Monro 1951', _only('inverse_time')),
    'step_decay': Technique('decay in steps', 'schedule', 'Krizhevsky 2012', _only('step_decay')),
    'batch_16': Technique('batch of 16', 'batch', 'folklore', change=_batch(16)),
    'batch_64': Technique('batch of 64', 'batch', 'folklore', change=_batch(64)),
    # augmentation
    'shift': Technique(
        'augmentation: shift', 'augmentation', 'Simard 2003', _only('shift'), _images, 'image'
    ),
    'shift_rotate': Technique(
        'augmentation: shift, rotate, zoom',
        'augmentation',
        'Simard 2003',
        _only('shift', 'rotate', 'zoom'),
        _images,
        'image',
    ),
    'flip': Technique(
        'augmentation: left-right flip', 'flip', 'Krizhevsky 2012', {'flip': 0.5}, _images, 'image'
    ),
    'lighting': Technique(
        'augmentation: brightness, contrast',
        'lighting',
        'Howard 2013',
        _only('brightness', 'contrast'),
        _images,
        'image',
    ),
    # use of the labels
    'longer': Technique('twice the steps', 'steps', 'Srivastava 2014', stretch=2.0),
    'last_weights': Technique(
        'no early stopping: last weights', 'stopping', 'Prechelt 1998', restore_best=False
    ),
    'refit': Technique('no validation set: refit on all labels', 'stopping', 'folklore', refit=True),
    'ensemble': Technique('average of 5 nets', 'members', 'Lakshminarayanan 2017', members=5),
}

# What a textbook would put together at once for a kind of data: the combination starts here, where this
# does better on validation than the best single technique. Ranges are where its numbers usually lie.
TEXTBOOK = {
    'image': (
        'convolution',
        'batch_norm',
        'shift_rotate',
        'adamw',
        'cosine',
        'dropout',
        'label_smoothing',
        'longer',
    ),
    'vector': ('adamw', 'cosine', 'dropout', 'label_smoothing', 'weight_decay', 'longer'),
}
TEXTBOOK_SPACE = {
    'learning_rate': spaces.Range(1e-3, 1e-2, 'log'),
    'dropout': spaces.Range(0.1, 0.5, 'linear'),
    'label_smoothing': spaces.Range(0.03, 0.2, 'log'),
    'weight_decay': spaces.Range(1e-3, 0.3, 'log'),
    'shift': spaces.Range(0.04, 0.16, 'linear'),
    'rotate': spaces.Range(0.05, 0.35, 'linear'),
    'zoom': spaces.Range(0.02, 0.2, 'log'),
}

BASELINE = Technique('tuned baseline (SGD)', 'baseline', 'Robbins & Monro 1951', _rate(1e-2, 1.0))


def baseline_recipe(classes: int, model: str = 'mlp') -> base.Recipe:
    """Returns the recipe that techniques are added to: ReLU, He initialisation, SGD, batches of 32.

    Args:
        classes: number of classes.
        model: `'mlp'` (two hidden layers of 128) or `'cnn'`.
    """
    net = models.MLP(classes, widths=(128, 128)) if model == 'mlp' else models.CNN(classes)
    return base.Recipe(net, losses.softmax, optimizers.sgd, initializers.he)


def applicable(kind: str, model: str) -> dict[str, Technique]:
    """Returns the techniques that make sense for a kind of data and a baseline model."""
    return {
        key: t
        for key, t in TECHNIQUES.items()
        if t.kind in (None, kind) and not (key == 'convolution' and model == 'cnn')
    }
