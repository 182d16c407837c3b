"""The techniques that the package knows: each a value, a row of the ledger; a file a family.

`STANDARD` is what is compared where nothing else is asked for, `ALL` every technique there is.
"""

from overfit.study.arms import Technique
from overfit.study.techniques.augmentation import (
    flip,
    lighting,
    noise,
    shift,
    shift_rotate,
)
from overfit.study.techniques.labels import (
    bags,
    ensemble,
    last_weights,
    longer,
    patience,
    refit,
)
from overfit.study.techniques.nets import (
    batch_norm,
    convolution,
    deeper,
    gelu,
    harmonic,
    leaky_relu,
    maxout,
    oriented_gradients,
    patch_whitening,
    sigmoid,
    tanh,
    two_resolutions,
    wider,
)
from overfit.study.techniques.objectives import (
    center,
    label_smoothing,
)
from overfit.study.techniques.regularisers import (
    dropout,
    input_dropout,
    l1,
    l2,
    max_norm,
    weight_decay,
)
from overfit.study.techniques.starts import (
    glorot,
    he,
    init_scale,
    lecun,
    normal,
    orthogonal,
    uniform,
    uniform_fan_in,
)
from overfit.study.techniques.steps import (
    adagrad,
    adamw,
    batch_16,
    batch_24,
    batch_50,
    batch_64,
    cosine,
    d_adaptation,
    ema,
    exponential,
    inverse_time,
    lion,
    momentum,
    muon,
    nesterov,
    prodigy,
    rate_001,
    rmsprop,
    sam,
    schedule_free,
    schedule_free_adamw,
    step_decay,
    swa,
    warmup,
    yellowfin,
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

ALL = STANDARD + tuple(
    value for value in vars().values() if isinstance(value, Technique) and value not in STANDARD
)
