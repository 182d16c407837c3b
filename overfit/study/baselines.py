"""What techniques are added to, and what a textbook would put together at once."""

import flax.linen as nn

from overfit import base
from overfit.data import kinds
from overfit.nn import initializers, models
from overfit.objectives import losses
from overfit.study import spaces, techniques
from overfit.study.arms import Baseline, Technique
from overfit.train import optimizers, start

# What a textbook would put together at once: the combination starts here, where this does better on
# validation than the best single technique. Ranges are where its numbers usually lie.
TEXTBOOK = (
    techniques.adamw,
    techniques.cosine,
    techniques.dropout,
    techniques.label_smoothing,
    techniques.weight_decay,
    techniques.longer,
)
TEXTBOOK_IMAGES = (
    techniques.convolution,
    techniques.batch_norm,
    techniques.shift_rotate,
    techniques.adamw,
    techniques.cosine,
    techniques.dropout,
    techniques.label_smoothing,
    techniques.longer,
)
TEXTBOOK_SPACE = {
    'learning_rate': spaces.Range(1e-3, 1e-2, 'log'),
    'dropout': spaces.Range(0.1, 0.5, 'linear'),
    'label_smoothing': spaces.Range(0.03, 0.2, 'log'),
    'weight_decay': spaces.Range(1e-3, 0.3, 'log'),
    'shift': spaces.Range(0.04, 0.16, 'linear'),
    'rotate': spaces.Range(0.05, 0.35, 'linear'),
    'zoom': spaces.Range(0.02, 0.2, 'log'),
}


def textbook(kind: kinds.Kind) -> tuple[Technique, ...]:
    """What a textbook would put together for a kind of data."""
    return TEXTBOOK_IMAGES if kind == kinds.image else TEXTBOOK


def mlp(classes: int) -> nn.Module:
    """The baseline's net for any kind of data: two hidden layers of 128 ReLUs."""
    return models.MLP(classes, widths=(128, 128))


def cnn(classes: int) -> nn.Module:
    """The baseline's net for images: convolutions by the size of the images, a hidden layer of 128."""
    return models.CNN(classes)


def baseline(model: nn.Module, kind: kinds.Kind, *, begins: base.Start | None = None) -> Baseline:
    """What techniques are added to: softmax, He initialisation, plain SGD, batches of 32.

    Args:
        model: any linen module that returns `base.Outputs`.
        kind: of the data, which prepares the inputs.
        begins: the start; `None`: kernels by He. A module with layers of other kinds (attention) should
            begin as it says itself: `start.own`.
    """
    recipe = base.Recipe(
        model,
        losses.softmax,
        optimizers.by_hyper(optimizers.sgd),
        begins or start.drawn(initializers.he),
        prepare=kinds.prepare_slot(kind),
    )
    return Baseline(recipe, {'learning_rate': spaces.Range(1e-2, 1.0, 'log')}, 'tuned baseline (SGD)')
