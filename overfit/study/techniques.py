"""The techniques that the package knows: each a value, a row of the ledger."""

from overfit.data import augment, kinds
from overfit.nn import activations, initializers, models
from overfit.objectives import losses
from overfit.study import spaces
from overfit.study.arms import Technique
from overfit.train import optimizers, start


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


def _augment(function):
    def change(recipe):
        known = function in recipe.augment
        return recipe if known else recipe._replace(augment=(*recipe.augment, function))

    return change


def _batch(size):
    return lambda recipe: recipe._replace(batch_size=size)


def _rate(low, high):
    return {'learning_rate': spaces.Range(low, high, 'log')}


def _optimizer(optimizer):
    return lambda recipe: recipe._replace(optimizer=optimizers.by_hyper(optimizer))


def _initializer(initializer):
    return lambda recipe: recipe._replace(start=start.drawn(initializer))


def _images(recipe, kind):
    return kind == kinds.image


def _vectors(recipe, kind):
    return kind == kinds.vector


def _layered(recipe, kind):
    """Our own nets have the fields that are changed; a stranger's module need not."""
    return isinstance(recipe.model, models.MLP | models.CNN) and bool(recipe.model.widths)


def _flat(recipe, kind):
    return isinstance(recipe.model, models.MLP) and bool(recipe.model.widths) and kind == kinds.image


def _draws(recipe, kind):
    return recipe.start.given is None


def _by_sgd(recipe, kind):
    return recipe.optimizer == optimizers.by_hyper(optimizers.sgd)


def _smooths(recipe, kind):
    return recipe.loss in (losses.softmax, losses.center)


_only = spaces.default

# model and capacity
convolution = Technique(
    'convolutions before the hidden layer', 'model', 'LeCun 1998', change=_convolution, applies=_flat, order=0
)
batch_norm = Technique(
    'batch normalisation',
    'normalisation',
    'Ioffe & Szegedy 2015',
    change=_model(batch_norm=True),
    applies=_layered,
)
wider = Technique('twice as wide', 'width', 'folklore', change=_wider, applies=_layered)
deeper = Technique('two layers deeper', 'depth', 'folklore', change=_deeper, applies=_layered)
# activations, initialisation
sigmoid = Technique(
    'sigmoid instead of ReLU',
    'activation',
    'Rumelhart 1986',
    _rate(3e-2, 10.0),
    _model(activation=activations.sigmoid),
    _layered,
)
tanh = Technique(
    'tanh instead of ReLU',
    'activation',
    'LeCun 1998',
    change=_model(activation=activations.tanh),
    applies=_layered,
)
maxout = Technique(
    'maxout of 2 instead of ReLU',
    'activation',
    'Goodfellow 2013',
    change=_model(activation=activations.maxout(2)),
    applies=_layered,
)
he = Technique(
    'He initialisation',
    'initializer',
    'He 2015',
    change=_initializer(initializers.he),
    applies=_draws,
)
uniform_fan_in = Technique(
    'uniform initialisation by fan-in',
    'initializer',
    'LeCun 1998',
    change=_initializer(initializers.uniform_fan_in),
    applies=_draws,
)
glorot = Technique(
    'Glorot initialisation',
    'initializer',
    'Glorot & Bengio 2010',
    change=_initializer(initializers.glorot),
    applies=_draws,
)
normal = Technique(
    'normal initialisation, s.d. 0.01',
    'initializer',
    'Krizhevsky 2012',
    change=_initializer(initializers.normal),
    applies=_draws,
)
init_scale = Technique(
    'scale of the initial weights',
    'init_scale',
    'Glorot & Bengio 2010',
    _only('init_log2_scale'),
    applies=_draws,
)
# noise and penalties
dropout = Technique('dropout', 'dropout', 'Srivastava 2014', _only('dropout'))
input_dropout = Technique(
    'dropout, inputs too', 'dropout', 'Srivastava 2014', _only('dropout', 'input_dropout')
)
l1 = Technique('L1 penalty', 'l1', 'Tibshirani 1996', _only('l1'))
l2 = Technique('L2 penalty', 'l2', 'Krogh & Hertz 1991', _only('l2'))
weight_decay = Technique(
    'decoupled weight decay', 'weight_decay', 'Loshchilov & Hutter 2019', _only('weight_decay')
)
max_norm = Technique('max-norm', 'max_norm', 'Srivastava 2014', _only('max_norm'))
noise = Technique(
    'Gaussian noise on the inputs',
    'noise',
    'Bishop 1995',
    _only('noise'),
    _augment(augment.noise),
    _vectors,
    order=73,
)
# losses
label_smoothing = Technique(
    'label smoothing', 'smoothing', 'Szegedy 2016', _only('label_smoothing'), applies=_smooths
)
center = Technique(
    'center loss',
    'loss',
    'Wen 2016',
    _only('center_weight') | {'center_rate': 0.5},
    lambda recipe: recipe._replace(loss=losses.center),
)
# optimizers and schedules
momentum = Technique(
    'SGD with momentum',
    'optimizer',
    'Polyak 1964',
    _rate(1e-3, 0.3) | {'momentum': 0.9},
    applies=_by_sgd,
    own_rate=True,
)
adagrad = Technique(
    'Adagrad', 'optimizer', 'Duchi 2011', _rate(3e-3, 0.3), _optimizer(optimizers.adagrad), own_rate=True
)
rmsprop = Technique(
    'RMSProp', 'optimizer', 'Hinton 2012', _rate(1e-4, 1e-2), _optimizer(optimizers.rmsprop), own_rate=True
)
adamw = Technique(
    'AdamW',
    'optimizer',
    'Loshchilov & Hutter 2019',
    _rate(3e-4, 3e-2) | {'momentum': 0.9},
    _optimizer(optimizers.adamw),
    own_rate=True,
)
warmup = Technique('warm-up', 'warmup', 'Goyal 2017', _only('warmup'))
cosine = Technique('cosine decay', 'schedule', 'Loshchilov & Hutter 2017', {'cosine': 1.0})
exponential = Technique('exponential decay', 'schedule', 'folklore', _only('exponential'))
inverse_time = Technique('1/t decay', 'schedule', 'Robbins & Monro 1951', _only('inverse_time'))
step_decay = Technique('decay in steps', 'schedule', 'Krizhevsky 2012', _only('step_decay'))
# As many epochs as with the batches of 32 that the baseline has.
batch_16 = Technique('batch of 16, as many epochs', 'batch', 'folklore', change=_batch(16), stretch=2.0)
batch_64 = Technique('batch of 64, as many epochs', 'batch', 'folklore', change=_batch(64), stretch=0.5)
# augmentation
shift = Technique(
    'augmentation: shift',
    'augmentation',
    'Simard 2003',
    _only('shift'),
    _augment(augment.geometric),
    _images,
    order=71,
)
shift_rotate = Technique(
    'augmentation: shift, rotate, zoom',
    'augmentation',
    'Simard 2003',
    _only('shift', 'rotate', 'zoom'),
    _augment(augment.geometric),
    _images,
    order=71,
)
flip = Technique(
    'augmentation: left-right flip',
    'flip',
    'Krizhevsky 2012',
    {'flip': 0.5},
    _augment(augment.geometric),
    _images,
    order=71,
)
lighting = Technique(
    'augmentation: brightness, contrast',
    'lighting',
    'Howard 2013',
    _only('brightness', 'contrast'),
    _augment(augment.lighting),
    _images,
    order=72,
)
# use of the labels
longer = Technique('twice the steps', 'steps', 'Srivastava 2014', stretch=2.0)
last_weights = Technique('no early stopping: last weights', 'stopping', 'Prechelt 1998', restore_best=False)
refit = Technique('no validation set: refit on all labels', 'stopping', 'folklore', refit=True)


def ensemble(nets: int) -> Technique:
    """Averages the probabilities of several nets of other seeds (Lakshminarayanan 2017)."""
    return Technique(f'average of {nets} nets', 'nets', 'Lakshminarayanan 2017', nets=nets)


# not in the standard comparison: what it would say twice, or what saves time rather than errors
nesterov = Technique(
    "SGD with Nesterov's momentum",
    'optimizer',
    'Sutskever 2013',
    _rate(1e-3, 0.3) | {'momentum': 0.9},
    _optimizer(optimizers.nesterov),
    own_rate=True,
)
patience = Technique(
    'early end: 5 evaluations without improvement', 'patience', 'Prechelt 1998', {'patience': 5.0}
)


STANDARD = (
    convolution,
    batch_norm,
    wider,
    deeper,
    sigmoid,
    tanh,
    maxout,
    he,
    uniform_fan_in,
    glorot,
    normal,
    init_scale,
    dropout,
    input_dropout,
    l1,
    l2,
    weight_decay,
    max_norm,
    noise,
    label_smoothing,
    center,
    momentum,
    adagrad,
    rmsprop,
    adamw,
    warmup,
    cosine,
    exponential,
    inverse_time,
    step_decay,
    batch_16,
    batch_64,
    shift,
    shift_rotate,
    flip,
    lighting,
    longer,
    last_weights,
    refit,
    ensemble(5),
)  # what is compared where nothing else is asked for
