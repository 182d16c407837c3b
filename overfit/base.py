"""The types that every room shares: a batch, a model's output, the numbers of a net, the slots of a recipe.

A number is traced, a shape or a function is static, absent is `None`. `Hyper` holds the numbers: an
axis along which a population varies without recompiling. `Recipe` holds what shapes the compiled
program: a slot for every place of a train step at which a technique can act. Nets with the same recipe
and the same numbers given (whatever their values) train together.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from flax import core

Array = jax.Array | np.ndarray
Number = float | jax.Array | None
Key = jax.Array
Params = Any
Variables = Mapping[str, Params]


class Mixed(NamedTuple):
    """A second label of every example, where two examples were mixed into one (mixup, CutMix).

    Attributes:
        y: `[B]` int32, class of the other example.
        share: `[B]` float32, share of the first label `Batch.y`, 0.5 to 1; the rest is the second's.
    """

    y: Array
    share: Array


class Batch(NamedTuple):
    """Labelled examples.

    Attributes:
        x: `[B, ...]`, inputs as stored (`uint8` 0..255 for images, whole numbers for tokens) or as floats.
        y: `[B]` int32, class of each, in `[0, classes)`.
        weight: `[B]` float32 of 0 or 1; 0 marks padding. `None`: every example counts.
        mixed: second labels; `None`: every example has one label.
        soft: `[B, classes]` float32, a teacher's probabilities; `None`: there is no teacher.
    """

    x: Array
    y: Array
    weight: Array | None = None
    mixed: Mixed | None = None
    soft: Array | None = None


class Outputs(NamedTuple):
    """What a model returns, so that any loss can reach the bottleneck.

    Attributes:
        features: `[B, F]` floats, input of the last layer.
        logits: `[B, classes]` floats.
    """

    features: Array
    logits: Array


class Hyper(NamedTuple):
    """The numbers of one net.

    For every field `None` means absent: the same result as 0, and nothing in the compiled program.

    Attributes:
        learning_rate: step size of the optimizer.
        steps: training steps; what the schedules count against.
        momentum: SGD: heavy-ball momentum; Adam family: beta 1; in [0, 1).
        warmup: fraction of the steps in which the rate rises linearly.
        cosine: share of the rate that a half cosine takes away by the end.
        exponential: the rate falls as `exp(-exponential * progress)`.
        inverse_time: the rate falls as `1 / (1 + inverse_time * progress)`.
        step_decay: share of the rate taken away at each third of the steps.
        weight_decay: decoupled decay: weights shrink by `learning_rate * weight_decay` a step.
        l1: factor of `sum |w|` in the loss.
        l1_proximal: weights move towards 0 by `learning_rate * l1_proximal` a step, and stay there.
        l2: factor of `sum w^2 / 2` in the loss.
        max_norm: bound on the 2-norm of a unit's incoming weights; 0 is no bound.
        dropout: probability that a hidden unit is dropped, in [0, 1).
        input_dropout: probability that an input is dropped, in [0, 1).
        label_smoothing: probability mass spread over all classes, in [0, 1].
        distillation: weight of what a teacher says of an example, in [0, 1]; the rest is its label's.
        center_weight: factor of the center loss.
        center_rate: share of the way that centers move to their class a step, in [0, 1].
        pair_weight: factor of a loss of pairs or triplets beside the cross-entropy.
        margin: how much farther than its own class a triplet's other class must lie, or how far a pair's.
        temperature: what similarities are divided by in the supervised contrastive loss.
        init_log2_scale: initial kernels are multiplied by 2 to this power.
        shift: largest shift, as a fraction of the image's side.
        zoom: largest relative change of size (a crop where it enlarges).
        rotate: largest rotation, radians.
        shear: largest shear, pixels to the side for a pixel down.
        elastic: standard deviation of the displacements of an elastic field, as a fraction of the side.
        elastic_smoothness: scale over which an elastic field changes, as a fraction of the side.
        flip: probability of a left-right mirror image.
        brightness: largest change of brightness, in standard deviations of the set's pixels.
        contrast: largest relative change of contrast.
        colour: standard deviation of the lighting along the principal colours.
        cutout: side of the square that is cut out, as a fraction of the image's.
        mixup: both parameters of the Beta distribution of the share of an example in a mixture.
        cutmix: likewise, of the area of an image in which it is kept.
        policy: largest strength of one random change for each image, 1 for the policy's own.
        noise: standard deviation of Gaussian noise on standardised inputs.
        sam_radius: distance at which sharpness-aware minimisation takes the gradient.
        ema_decay: share of the running average of weights that stays at a step, in [0, 1).
        swa_start: share of the steps after which weights are averaged, in [0, 1).
        patience: evaluations without improvement before a net stops; 0 never.
        own: numbers of techniques that are not part of this package, by name.
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
    l1_proximal: Number = None
    l2: Number = None
    max_norm: Number = None
    dropout: Number = None
    input_dropout: Number = None
    label_smoothing: Number = None
    distillation: Number = None
    center_weight: Number = None
    center_rate: Number = None
    pair_weight: Number = None
    margin: Number = None
    temperature: Number = None
    init_log2_scale: Number = None
    shift: Number = None
    zoom: Number = None
    rotate: Number = None
    shear: Number = None
    elastic: Number = None
    elastic_smoothness: Number = None
    flip: Number = None
    brightness: Number = None
    contrast: Number = None
    colour: Number = None
    cutout: Number = None
    mixup: Number = None
    cutmix: Number = None
    policy: Number = None
    noise: Number = None
    sam_radius: Number = None
    ema_decay: Number = None
    swa_start: Number = None
    patience: Number = None
    own: Mapping[str, Number] = core.FrozenDict()

    @classmethod
    def of(cls, **numbers: Number) -> 'Hyper':
        """Makes a hyper of numbers by name; names that are no field go to `own`.

        >>> Hyper.of(learning_rate=0.1, ring=0.3).own['ring']
        0.3
        """
        return cls().with_numbers(**numbers)

    def with_numbers(self, **numbers: Number) -> 'Hyper':
        """The same numbers but for those given, whether fields or own; `None` makes one absent."""
        known = {name: value for name, value in numbers.items() if name in NAMES}
        own = {**self.own, **{name: value for name, value in numbers.items() if name not in NAMES}}
        own = {name: own[name] for name in sorted(own) if own[name] is not None}
        return self._replace(**known, own=core.FrozenDict(own))

    def numbers(self) -> dict[str, Number]:
        """The numbers that are given, fields and own alike, by name."""
        fields = {name: getattr(self, name) for name in NAMES}
        return {name: value for name, value in (fields | dict(self.own)).items() if value is not None}


NAMES = Hyper._fields[:-1]  # of the numbers that the package knows


class Activation(NamedTuple):
    """A nonlinearity.

    Attributes:
        name: in tables and in saved models.
        apply: `[..., pieces * width] -> [..., width]`.
        pieces: pre-activations a unit needs (1, or k for maxout).
        monotone: whether it never falls where an input rises, so that it may be applied after max-pooling.
    """

    name: str
    apply: Callable[[Array], Array]
    pieces: int = 1
    monotone: bool = True


class First(NamedTuple):
    """A first layer that is fixed, as a filter bank: nothing in it is trained.

    Attributes:
        name: in tables and in saved models.
        apply: of prepared inputs, `[B, ...] -> [B, ...]`; where there is `fit`, `(x, fitted) -> x`.
        fit: `(x) -> fitted`, arrays made of the prepared training inputs `[N, ...]`, without their labels,
            when a net begins; their shapes do not hang on N. `None`: the layer needs nothing to be known.
        kernel: side of the kernels of a convolution that follows, pixels: 1 where what the layer finds at a
            pixel is to be mixed alone; `None`: the net's own.
    """

    name: str
    apply: Callable[..., Array]
    fit: Callable[[Array], Any] | None = None
    kernel: int | None = None


class Loss(NamedTuple):
    """A loss as a pair of pure functions; a stateless one carries `()`.

    The train step calls `apply` once for each batch (twice where labels are mixed, once for each label),
    averages the values over the examples that count, and keeps the state. In evaluation only `init`'s
    state, as training left it, is seen, by the recipe's `predict`.

    Attributes:
        init: `(classes, features) -> state`, both whole numbers.
        apply: `(key, state, outputs, batch, hyper, axis_name) -> (values, state)`: `values` `[B]`, one for
            each example, lower is better. A loss that draws uses `key`. Where the batch lies in shards over
            `axis_name` (else `None`), a loss of pairs gathers features and labels with
            `jax.lax.all_gather`, and a state sums with `psum`, so that the result is that of the whole batch.
        name: in tables.
    """

    init: Callable[[int, int], Any]
    apply: Callable[[Key, Any, Outputs, Batch, Hyper, str | None], tuple[Array, Any]]
    name: str = 'own loss'


class Given(NamedTuple):
    """Weights that are known beforehand, hashed by identity so that a recipe can hold them.

    Attributes:
        variables: tree of arrays, whole or a part of the model's.
        inputs: statistics of the inputs with which those weights were trained; `None`: those of the net's
            own training examples are taken.
    """

    variables: Variables
    inputs: Any = None

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class Start(NamedTuple):
    """How a net begins.

    Attributes:
        draw: `(key, model, example, log2_scale, given) -> variables`, all collections that the model has:
            `example` is the shape and type of one prepared input (`[1, ...]`), `log2_scale` multiplies what
            is drawn by 2 to this power, `given` are the variables of the next field, or `None`.
        given: arrays, arguments of the compiled program rather than constants in it.
        name: in tables.
    """

    draw: Callable[..., Variables]
    given: Given | None = None
    name: str = 'own start'


class Average(NamedTuple):
    """Weights that are evaluated, kept and saved in place of those that are trained (EMA, SWA).

    Attributes:
        init: `(params) -> average`.
        update: `(average, params, progress, hyper) -> average`, after every step; `progress` is the share
            of `hyper.steps` done, in (0, 1].
        weights: `(average, params) -> params`, what is evaluated.
        refresh: training batches over which batch statistics are measured anew for these weights, 0: the
            trained net's own are taken.
        name: in tables.
    """

    init: Callable[[Params], Any]
    update: Callable[[Any, Params, Array, Hyper], Any]
    weights: Callable[[Any, Params], Params]
    refresh: int = 0
    name: str = 'own average'


Initializer = Callable[..., Array]  # (key, shape, dtype) -> array, as flax's
Optimizer = Callable[[Hyper, Number], optax.GradientTransformation]  # (hyper, learning rate of the step)
Augment = Callable[[Key, Batch, Hyper, Any], Batch]  # (key, batch, hyper, inputs), the same batch size
# (key of the net, step, labels `[room]`, count, batch size) -> `[batch size]` positions below `count`
Sampler = Callable[[Key, Array, Array, Array, int], Array]
# (objective: params -> (loss, aux), params, hyper, axis_name) -> ((loss, aux), gradient)
Gradient = Callable[[Callable[[Params], tuple[Array, Any]], Params, Hyper, str | None], Any]
Predict = Callable[[Outputs, Any], Array]  # (outputs, loss state) -> `[B, classes]` log-probabilities
Prepare = Callable[[Array, Any], Array]  # (x `[B, ...]` raw, inputs) -> the model's inputs
Views = Callable[[Array, Any], Array]  # (x `[B, ...]` raw, inputs) -> `[V, B, ...]` raw, V >= 1
Trained = Callable[[tuple[str, ...]], bool]  # (path of a variable within its collection) -> is it trained?


class Recipe(NamedTuple):
    """What shapes a net's program: a value for every place of a train step; hashable.

    Equal recipes share one compilation; those that differ in `start` alone share it too.

    Attributes:
        model: a linen module, `(x, *, train, dropout, input_dropout) -> Outputs`; a field `axis_name`, where
            it has one, is set to the axis over which a batch is sharded.
        loss: see `Loss`.
        optimizer: `(hyper, learning_rate) -> optax.GradientTransformation`, see `overfit.train.optimizers`.
        start: initial variables, see `overfit.train.start`.
        augment: applied in order to each training batch before its inputs are prepared.
        batch_size: examples a step.
        sampler: which examples make a batch; `None`: `data.sampling.epochs`, each once an epoch.
        gradient: how the objective's gradient is taken; `None`: at the weights (SAM takes it nearby).
        average: weights evaluated in place of the trained ones; `None`: the trained ones.
        trained: which variables are trained; the others receive no update, decay, penalty or bound, and
            their running statistics stay. `None`: all are.
        predict: what predicts; `None`: the logits' softmax.
        prepare: how raw inputs become the model's; `None`: `data.kinds.standardise`.
        views: of what an input is shown to a trained net, whose probabilities are averaged over them, in
            validation too; `None`: the input itself.
    """

    model: Any
    loss: Loss
    optimizer: Optimizer
    start: Start
    augment: tuple[Augment, ...] = ()
    batch_size: int = 32
    sampler: Sampler | None = None
    gradient: Gradient | None = None
    average: Average | None = None
    trained: Trained | None = None
    predict: Predict | None = None
    prepare: Prepare | None = None
    views: Views | None = None


class State(NamedTuple):
    """All that one net carries from step to step.

    Attributes:
        step: int32 scalar, steps done.
        key: PRNG key of the net; randomness of a step is `fold_in(key, step)`.
        params: weights.
        collections: the model's other variables, by collection (`batch_stats`: running statistics of batch
            normalisation), `{}` without.
        opt_state: the optimizer's.
        loss_state: the loss's (centers).
        average: see `Average`; `None` without.
        inputs: statistics of the inputs, as the kind of the data measures them.
    """

    step: Array
    key: Array
    params: Params
    collections: Mapping[str, Params]
    opt_state: Any
    loss_state: Any
    average: Any
    inputs: Any


class Examples(NamedTuple):
    """Labelled examples on the host, with what is known of them.

    Attributes:
        x: `[N, ...]`, `uint8` for images of whole values 0..255, else a plain type.
        y: `[N]` int32.
        classes: names, in the order of the labels.
        kind: see `overfit.data.kinds.Kind`.
        label_type: what the labels were before `classes` held them as text: `int`, `bool` or `str`.
        reading: what the reader did that a saved model must do again with what it is given, plain enough
            for JSON; whoever made the kind says what is in it.
        groups: `[N]` int32, one code for the examples of the same patient, speaker or writer; `None`: every
            example is its own.
        soft: `[N, classes]` float32, what a teacher says of each; `None`: there is none.
    """

    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...]
    kind: Any
    label_type: str = 'str'
    reading: Mapping[str, Any] = core.FrozenDict()
    groups: np.ndarray | None = None
    soft: np.ndarray | None = None
