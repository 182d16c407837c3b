"""What techniques are added to, and what a textbook would put together at once."""

from collections.abc import Sequence
from typing import NamedTuple

import flax.linen as nn

from overfit import base
from overfit.data import kinds
from overfit.nn import models
from overfit.objectives import losses
from overfit.study import spaces, techniques
from overfit.study.arms import Arm, Baseline, Technique, arm_of
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
# About as good as convolutions on digits of 8 and 16 pixels (on training images, single nets: 3.2 and 3.0 %
# with 200 labels; USPS with 100 5.0 and 5.5 %), in a fifth to a half of their time.
TEXTBOOK_GRADIENTS = (
    techniques.oriented_gradients,
    techniques.affine_elastic,
    techniques.adamw,
    techniques.cosine,
    techniques.dropout,
    techniques.label_smoothing,
    techniques.longer,
)
# Whitened patches take half as long again as plain convolutions, and err less (likewise, both with elastic
# distortion, 2.4 and 3.0 %; USPS 4.5 and 5.5 %).
TEXTBOOK_WHITENING = (
    techniques.patch_whitening,
    techniques.batch_norm,
    techniques.affine_elastic,
    techniques.adamw,
    techniques.cosine,
    techniques.dropout,
    techniques.label_smoothing,
    techniques.longer,
)
TEXTBOOK_LABEL = 'the textbook recipe'
GRADIENTS_LABEL = 'the textbook recipe on oriented gradients'
WHITENING_LABEL = 'the textbook recipe on whitened patches'
LABELS = (TEXTBOOK_LABEL, GRADIENTS_LABEL, WHITENING_LABEL)  # of all textbooks' rows
TEXTBOOK_SPACE = {
    'learning_rate': spaces.Range(1e-3, 1e-2, 'log'),
    'dropout': spaces.Range(0.1, 0.5, 'linear'),
    'label_smoothing': spaces.Range(0.03, 0.2, 'log'),
    'weight_decay': spaces.Range(1e-3, 0.3, 'log'),
    'shift': spaces.Range(0.04, 0.16, 'linear'),
    'rotate': spaces.Range(0.05, 0.35, 'linear'),
    'zoom': spaces.Range(0.02, 0.2, 'log'),
    'elastic': spaces.Range(0.01, 0.04, 'log'),
    'elastic_smoothness': spaces.Range(0.1, 0.25, 'log'),
}


class Textbook(NamedTuple):
    """Techniques that go together well.

    Attributes:
        label: of its row in the table.
        techniques: all of them at once.
    """

    label: str
    techniques: Sequence[Technique]


def textbooks(kind: kinds.Kind) -> tuple[Textbook, ...]:
    """What textbooks would put together for a kind of data; the first is what most would."""
    if kind == kinds.image:
        return (
            Textbook(TEXTBOOK_LABEL, TEXTBOOK_IMAGES),
            Textbook(GRADIENTS_LABEL, TEXTBOOK_GRADIENTS),
            Textbook(WHITENING_LABEL, TEXTBOOK_WHITENING),
        )
    return (Textbook(TEXTBOOK_LABEL, TEXTBOOK),)


def mlp(classes: int) -> nn.Module:
    """The baseline's net for any kind of data: two hidden layers of 128 ReLUs."""
    return models.MLP(classes, widths=(128, 128))


def cnn(classes: int) -> nn.Module:
    """The baseline's net for images: convolutions by the size of the images, a hidden layer of 128."""
    return models.CNN(classes)


def baseline(model: nn.Module, kind: kinds.Kind) -> Baseline:
    """What techniques are added to: softmax, the module's own initialisation, plain SGD, batches of 32.

    That is what one writes first. (With He's initialisation, whose logits begin large, the tuned net errs
    on 8.3 instead of 7.9 % of digits@200, and on USPS@100 six nets in a hundred diverge in place of one.)

    Args:
        model: any linen module that returns `base.Outputs`.
        kind: of the data, which prepares the inputs.
    """
    recipe = base.Recipe(
        model,
        losses.softmax,
        optimizers.by_hyper(optimizers.sgd),
        start.own,
        prepare=kinds.prepare_slot(kind),
    )
    return Baseline(recipe, {'learning_rate': spaces.Range(1e-2, 1.0, 'log')}, 'tuned baseline (SGD)')


def together(textbook: Textbook, baseline: Baseline) -> Arm:
    """The textbook's techniques in one arm, its numbers searched where they usually lie."""
    arm = arm_of(textbook.techniques, baseline)
    space = {
        name: TEXTBOOK_SPACE.get(name, r) if isinstance(r, spaces.Range) else r
        for name, r in arm.space.items()
    }
    return arm._replace(space=space, label=textbook.label)
