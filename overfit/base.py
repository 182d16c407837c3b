"""The types that every room shares: what a batch, a model's output, a recipe and a hyperparameter are.

A number is traced, a shape or a function is static, absent is `None`. `Hyper` holds the numbers: an
axis along which a population varies without recompiling. `Recipe` holds what shapes the compiled
program. Members with the same recipe and the same fields of `Hyper` train together.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

Array = jax.Array | np.ndarray
Number = float | jax.Array | None
Params = Any


class Batch(NamedTuple):
    """Labelled examples.

    Attributes:
        x: `[B, ...]`, inputs as stored (`uint8` 0..255 for images) or as floats.
        y: `[B]` int32, class of each, in `[0, classes)`.
        weight: `[B]` float32 of 0 or 1; 0 marks padding. `None`: every example counts.
    """

    x: Array
    y: Array
    weight: Array | None = None


class Outputs(NamedTuple):
    """What a model returns, so that any loss can reach the bottleneck.

    Attributes:
        features: `[B, F]` float32, input of the last layer.
        logits: `[B, classes]` float32.
    """

    features: Array
    logits: Array


class Moments(NamedTuple):
    """How raw inputs become a model's inputs: `(x - mean) / scale`; from training examples only.

    Attributes:
        mean: `[C]` float32, over all axes but the last (a channel of an image, a column of a table).
        scale: `[C]` float32, standard deviation likewise, for images one value for all channels; never 0.
        fill: `[C]` float32, raw value that stands outside an image's border.
    """

    mean: Array
    scale: Array
    fill: Array


class Field(NamedTuple):
    """Documentation and search range of one field of `Hyper`.

    Attributes:
        about: what the number is, its unit, and what 0 means.
        low: lower end of the default search range.
        high: upper end.
        scale: `'log'` or `'linear'`: the scale on which trials spread evenly.
    """

    about: str
    low: float
    high: float
    scale: str


FIELDS = {
    'learning_rate': Field('step size of the optimizer', 3e-3, 1.0, 'log'),
    'steps': Field('training steps; what the schedules count against', 200, 2000, 'log'),
    'momentum': Field('SGD: heavy-ball momentum; Adam family: beta 1', 0.5, 0.99, 'linear'),
    'warmup': Field('fraction of the steps in which the rate rises linearly', 0.02, 0.3, 'linear'),
    'cosine': Field('share of the rate that a half cosine takes away by the end', 0.5, 1.0, 'linear'),
    'exponential': Field('rate falls as exp(-exponential * progress)', 1.0, 6.0, 'linear'),
    'inverse_time': Field('rate falls as 1 / (1 + inverse_time * progress)', 1.0, 30.0, 'log'),
    'step_decay': Field('share of the rate taken away at each third of the steps', 0.3, 0.9, 'linear'),
    'weight_decay': Field(
        'decoupled decay: weights shrink by learning_rate * weight_decay a step', 1e-4, 0.3, 'log'
    ),
    'l1': Field('factor of sum |w| in the loss', 1e-6, 1e-2, 'log'),
    'l2': Field('factor of sum w^2 / 2 in the loss', 1e-5, 1e-1, 'log'),
    'max_norm': Field("bound on the 2-norm of a unit's incoming weights; 0 is no bound", 0.5, 4.0, 'log'),
    'dropout': Field('probability that a hidden unit is dropped', 0.1, 0.6, 'linear'),
    'input_dropout': Field('probability that an input is dropped', 0.05, 0.3, 'linear'),
    'label_smoothing': Field('probability mass spread over all classes', 0.02, 0.3, 'log'),
    'center_weight': Field('factor of the center loss', 1e-3, 1.0, 'log'),
    'center_rate': Field('share of the way that centers move to their class a step', 0.1, 0.9, 'linear'),
    'init_log2_scale': Field('initial weights are multiplied by 2 to this power', -3.0, 1.0, 'linear'),
    'shift': Field("largest shift, as a fraction of the image's side", 0.03, 0.2, 'linear'),
    'zoom': Field('largest relative change of size (a crop where it enlarges)', 0.03, 0.3, 'linear'),
    'rotate': Field('largest rotation, radians', 0.05, 0.4, 'linear'),
    'flip': Field('probability of a left-right mirror image', 0.2, 0.5, 'linear'),
    'brightness': Field(
        "largest change of brightness, in standard deviations of the set's pixels", 0.1, 1.0, 'linear'
    ),
    'contrast': Field('largest relative change of contrast', 0.1, 0.7, 'linear'),
    'noise': Field('standard deviation of Gaussian noise on standardised inputs', 0.02, 0.5, 'log'),
    'patience': Field('evaluations without improvement before a member stops; 0 never', 4, 20, 'log'),
}


class Hyper(NamedTuple):
    """The numbers of one member; `FIELDS` documents each, with its unit and search range.

    For every field `None` means absent: the same result as 0, and nothing in the compiled program.
    """

    learning_rate: Number = None
    steps: Number = None
    momentum: Number = None
    warmup: Number = None
    cosine: Number = None
    exponential: Number = None
    inverse_time: Number = None
    step_decay: Number = None
    weight_decay: Number = None
    l1: Number = None
    l2: Number = None
    max_norm: Number = None
    dropout: Number = None
    input_dropout: Number = None
    label_smoothing: Number = None
    center_weight: Number = None
    center_rate: Number = None
    init_log2_scale: Number = None
    shift: Number = None
    zoom: Number = None
    rotate: Number = None
    flip: Number = None
    brightness: Number = None
    contrast: Number = None
    noise: Number = None
    patience: Number = None


class Loss(NamedTuple):
    """A loss as a pair of pure functions; a stateless one carries `()`.

    Attributes:
        init: `(classes, features) -> state`.
        apply: `(state, outputs, batch, hyper, axis_name) -> (value, state)`; `value` is the mean over
            the batch (weighted by `batch.weight` where present), a scalar.
    """

    init: Callable[[int, int], Any]
    apply: Callable[..., tuple[Array, Any]]


class Activation(NamedTuple):
    """A nonlinearity.

    Attributes:
        apply: `[..., pieces * width] -> [..., width]`.
        pieces: pre-activations a unit needs (1, or k for maxout).
    """

    apply: Callable[[Array], Array]
    pieces: int = 1


Initializer = Callable[..., Array]  # (key, shape, dtype) -> array, as flax's
Optimizer = Callable[
    [Hyper, Any], optax.GradientTransformation
]  # (hyper, learning rate now) -> transformation
Augment = Callable[..., Array]  # (key, x, hyper, moments) -> x, all `[B, ...]`


class Recipe(NamedTuple):
    """What shapes a member's program; hashable. Equal recipes share one compilation.

    Attributes:
        model: a linen module, `(x, train, dropout, input_dropout) -> Outputs`.
        loss: see `Loss`.
        optimizer: see `overfit.train.optimizers`.
        initializer: draws every kernel.
        augment: applied in order to each training batch.
        batch_size: examples a step.
    """

    model: Any
    loss: Loss
    optimizer: Optimizer
    initializer: Initializer
    augment: tuple[Augment, ...] = ()
    batch_size: int = 32


class State(NamedTuple):
    """All that one member carries from step to step.

    Attributes:
        step: int32 scalar, steps done.
        key: PRNG key of the member; randomness of a step is `fold_in(key, step)`.
        params: trainable weights.
        batch_stats: running statistics of batch normalisation, `{}` without.
        opt_state: the optimizer's.
        loss_state: the loss's (centers).
        moments: standardisation of the inputs.
    """

    step: Array
    key: Array
    params: Params
    batch_stats: Params
    opt_state: Any
    loss_state: Any
    moments: Moments


class Examples(NamedTuple):
    """Labelled examples on the host, with what is known of them.

    Attributes:
        x: `[N, ...]`, `uint8` for images, float32 otherwise.
        y: `[N]` int32.
        classes: names, in the order of the labels.
        kind: `'image'` (`x` is `[N, H, W, C]`) or `'vector'` (`[N, F]`).
        whole: the labels were whole numbers, not names; `classes` then spells them.
        columns: how the columns of a table became `x` (`data.table.Column`s); empty for other data.
    """

    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    kind: str
    whole: bool = False
    columns: tuple = ()
