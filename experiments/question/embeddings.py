"""What several questions ask of embeddings: a net with few features, losses alone, how good features are."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.data import sampling
from overfit.nn import convolution
from overfit.objectives import embeddings, losses, metric_learning, pairs
from overfit.study import spaces
from overfit.study.arms import Technique
from overfit.train import predict

FALSE_ACCEPTS = 0.01  # of TAR@FAR


class Convolution(nn.Module):
    """A convolution that keeps the size, bias, PReLU.

    Attributes:
        channels: of the output.
        size: side of the kernel, pixels.
    """

    channels: int
    size: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H, W, channels]`."""
        shape = (self.size, self.size, x.shape[-1], self.channels)
        kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
        bias = self.param('bias', nn.initializers.zeros, (self.channels,))
        return nn.PReLU()(convolution.convolve(x, kernel) + bias[None, None, None, :])


class LeNet(nn.Module):
    """LeNet++: stages of convolutions with a maximum after each, then very few features without a bound.

    Attributes:
        classes: logits.
        channels: of each stage.
        repeats: convolutions a stage.
        size: side of the kernels, pixels.
        features: of the embedding.

    Reference: Wen et al., "A discriminative feature learning approach for deep face recognition",
    ECCV 2016, table 1.
    """

    classes: int
    channels: tuple[int, ...] = (32, 64, 128)
    repeats: int = 2
    size: int = 5
    features: int = 2

    @nn.compact
    def __call__(
        self, x: jax.Array, *, train: bool, dropout: base.Number = None, input_dropout: base.Number = None
    ) -> base.Outputs:
        """Classifies images `[B, H, W, C]`; dropout has no place in it."""
        del train, dropout, input_dropout
        for channels in self.channels:
            for _ in range(self.repeats):
                x = Convolution(channels, self.size)(x)
            rows, columns = (side // 2 * 2 for side in x.shape[1:3])
            if rows and columns:
                x = convolution.max_pool(x[:, :rows, :columns])
        x = nn.Dense(self.features, name='embedding')(x.reshape(x.shape[0], -1))
        return base.Outputs(x, nn.Dense(self.classes, name='logits')(x))


def _features(outputs, loss_state):
    del loss_state
    return outputs.features


def features_of(recipe: base.Recipe, nets: Sequence[Any], x: np.ndarray) -> np.ndarray:
    """Features of examples.

    Args:
        recipe: that the nets were trained with.
        nets: `population.Trained` with variables.
        x: `[N, ...]` raw inputs.

    Returns:
        `[nets, N, F]`.
    """
    plain = [predict.Net(net.variables, (), net.inputs) for net in nets]
    return predict.predict(recipe._replace(predict=_features), plain, x)


class Quality(NamedTuple):
    """How good an embedding is, on the unit sphere; see `overfit.objectives.metric_learning`.

    Attributes:
        map_at_r: %.
        precision_at_1: %.
        equal_error_rate: %, of verification.
        true_accepts: %, at 1 % false ones.
        variance_ratio: within classes over between them.
        spread: share of the features' squared length that differs between examples.
        effective_rank: dimensions in use.
        collapsed: 1 where the alarm sounds, else 0.
    """

    map_at_r: float
    precision_at_1: float
    equal_error_rate: float
    true_accepts: float
    variance_ratio: float
    spread: float
    effective_rank: float
    collapsed: float


@functools.partial(jax.jit, static_argnames='most')
def _measured(features, labels, weight, most):
    unit = pairs.normalised(features)
    found = metric_learning.neighbours(unit, labels, weight=weight, most=most)
    two = metric_learning.all_pairs(unit, labels, weight=weight)
    allowed = jnp.array([FALSE_ACCEPTS])
    told = metric_learning.verification(two.scores, two.same, allowed, weight=two.weight)
    ratio = metric_learning.variance_ratio(unit, labels, len(labels), weight=weight)
    return found, told, ratio, metric_learning.collapse(unit, weight=weight)


@functools.partial(jax.jit, static_argnames='most')
def _neighbours(features, labels, weight, most):
    return metric_learning.neighbours(pairs.normalised(features), labels, weight=weight, most=most)


def _padded(features, labels, room):
    """Of one size, for one program; labels are counted from 0."""
    codes, short = np.unique(labels, return_inverse=True)[1], room - len(labels)
    weight = np.arange(room) < len(labels)
    features = np.pad(np.asarray(features, np.float32), ((0, short), (0, 0)))
    return features, np.pad(codes.astype(np.int32), (0, short)), weight.astype(np.float32)


def quality(features: np.ndarray, labels: np.ndarray, *, room: int, most: int) -> Quality:
    """Measures an embedding.

    Args:
        features: `[N, F]`.
        labels: `[N]` integers.
        room: N or more; calls of the same room share a program.
        most: examples of the largest class, or more.
    """
    found, told, ratio, folded = jax.device_get(_measured(*_padded(features, labels, room), most=most))
    return Quality(
        100 * float(found.map_at_r),
        100 * float(found.precision_at_1),
        100 * float(told.equal_error_rate),
        100 * float(told.true_accepts[0]),
        float(ratio),
        float(folded.spread),
        float(folded.effective_rank),
        float(folded.alarm),
    )


def map_at_r(features: np.ndarray, labels: np.ndarray, *, room: int, most: int) -> float:
    """MAP@R alone, a fraction; arguments as for `quality`."""
    return float(_neighbours(*_padded(features, labels, room), most=most).map_at_r)


def alone(labels: Sequence[str] | None = None) -> list[Technique]:
    """What is compared with softmax: center loss beside it, and each loss of pairs or triplets alone.

    Args:
        labels: of those that are wanted; `None`: all.

    Raises:
        ValueError: a label that none has.
    """

    def technique(label, source, value, number):
        space = {number: spaces.RANGES[number], 'pair_weight': 1.0}
        return Technique(
            label,
            'loss',
            source,
            space,
            lambda recipe: recipe._replace(loss=value, sampler=sampling.per_class(4)),
        )

    known = [
        Technique(
            'center loss',
            'loss',
            'Wen 2016',
            {'center_weight': spaces.RANGES['center_weight'], 'center_rate': 0.5},
            lambda recipe: recipe._replace(loss=losses.center),
        ),
        technique('contrastive', 'Hadsell 2006', embeddings.contrastive_alone, 'margin'),
        technique('triplets (all)', 'Hermans 2017', embeddings.triplet_all_alone, 'margin'),
        technique('triplets (hard)', 'Hermans 2017', embeddings.triplet_hard_alone, 'margin'),
        technique('triplets (soft margin)', 'Hermans 2017', embeddings.triplet_soft_alone, 'margin'),
        technique('triplets (semi-hard)', 'Schroff 2015', embeddings.triplet_semi_hard_alone, 'margin'),
        technique(
            'supervised contrastive', 'Khosla 2020', embeddings.supervised_contrastive_alone, 'temperature'
        ),
    ]
    unknown = set(labels or ()) - {one.label for one in known}
    if unknown:
        names = ', '.join(f'"{one.label}"' for one in known)
        raise ValueError(f'there is no loss called "{", ".join(sorted(unknown))}": give some of {names}')
    return [one for one in known if labels is None or one.label in labels]
