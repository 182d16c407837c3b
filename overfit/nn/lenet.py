"""LeNet-5, the small convolutional net of many published protocols."""

import flax.linen as nn
import jax

from overfit import base
from overfit.nn import activations, convolution
from overfit.nn import dropout as dropout_lib


class LeNet5(nn.Module):
    """Two convolutions of 5×5 with pooling, then dense layers of 120 and 84 units, then the logits.

    As it is trained today: ReLU, 2×2 max-pooling, a softmax in place of radial units, full connections. The
    first convolution keeps the size of the images, the second shrinks them by 4 pixels: 61,706 weights for
    28×28 grey pixels and 10 classes.

    Attributes:
        classes: logits.
        activation: see `overfit.nn.activations`; of one piece.

    Reference: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86, 1998, section II.B.
    """

    classes: int
    activation: base.Activation = activations.relu

    @nn.compact
    def __call__(
        self, x: jax.Array, *, train: bool, dropout: base.Number = None, input_dropout: base.Number = None
    ) -> base.Outputs:
        """Classifies.

        Args:
            x: `[B, H, W, C]` floats, 12 pixels or more to a side.
            train: drop units, with the stream `'dropout'`.
            dropout: probability that a unit of a dense hidden layer is dropped, in `[0, 1)`.
            input_dropout: probability that a value of a pixel is dropped, in `[0, 1)`.

        Returns:
            Features `[B, 84]` and logits `[B, classes]`.

        Raises:
            ValueError: if `x` is not a batch of images of that size.
        """
        if x.ndim != 4 or min(x.shape[1:3]) < 12:
            raise ValueError(f'LeNet-5 needs images [B, H, W, C] of 12 pixels a side or more, not {x.shape}')

        def drop(x, rate):
            return x if not train or rate is None else dropout_lib.dropout(self.make_rng('dropout'), x, rate)

        x = drop(x, input_dropout)
        for number, (channels, border) in enumerate(((6, 0), (16, 2))):
            shape = (5, 5, x.shape[-1], channels)
            x = convolution.convolve(x, self.param(f'kernel_{number}', nn.initializers.lecun_normal(), shape))
            x = x[:, border : x.shape[1] - border, border : x.shape[2] - border]
            x = x + self.param(f'bias_{number}', nn.initializers.zeros, (channels,))[None, None, None, :]
            x = convolution.max_pool(x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2])
            x = self.activation.apply(x)
        x = x.reshape(x.shape[0], -1)
        for width in (120, 84):
            x = drop(self.activation.apply(nn.Dense(width)(x)), dropout)
        return base.Outputs(x, nn.Dense(self.classes, name='logits')(x))
