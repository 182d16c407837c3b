"""Networks: every one returns its features beside its logits, and takes its dropout rates as numbers."""

import chex
import flax.linen as nn
import jax

from overfit import base
from overfit.nn import activations, convolution
from overfit.nn import dropout as dropout_lib


def _drop(
    module: nn.Module, x: jax.Array, train: bool, rate: base.Number, kind: dropout_lib.Dropping | None = None
) -> jax.Array:
    if not train or rate is None:
        return x
    return (kind or dropout_lib.units).apply(module.make_rng('dropout'), x, rate)


def _dense(
    module: nn.Module,
    x: jax.Array,
    width: int,
    use_bias: bool,
    train: bool,
    rate: base.Number,
    kind: dropout_lib.Dropping,
) -> jax.Array:
    """A dense layer, of which weights are dropped where the kind says so."""
    product = None
    if train and rate is not None and kind.of_weights:
        key = module.make_rng('dropout')

        def product(x, kernel, *arguments, **options):
            return jax.lax.dot_general(x, kind.apply(key, kernel, rate), *arguments, **options)

    return nn.Dense(width, use_bias=use_bias, dot_general=product)(x)


def _first(module: nn.Module, x: jax.Array) -> jax.Array:
    """The fixed layer; what it fits to the inputs is a variable of the collection `'fixed'`, never trained.

    A net of a population is initialised on its own training inputs, see `train.start.fitted`.
    """
    first = module.first
    if first is None:
        return x
    if first.fit is None:
        return first.apply(x)
    return first.apply(x, module.variable('fixed', 'first', first.fit, x).value)


def _batch_norm(train: bool, axis_name: str | None) -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, axis_name=axis_name)


class MLP(nn.Module):
    """A perceptron: for every width dense, [batch normalisation], activation, dropout; then the logits.

    Attributes:
        classes: logits.
        widths: hidden units of each layer; `()` is logistic regression, its features are the inputs.
        activation: see `overfit.nn.activations`.
        batch_norm: normalise pre-activations (Ioffe and Szegedy, ICML 2015, alg. 1), momentum 0.9; the
            dense layers then have no bias.
        axis_name: axis over which statistics of the batch are averaged, where the batch is sharded.
        first: a fixed layer before all others, see `overfit.nn.first`; `None`: there is none.
        dropping: kind of dropout in the hidden layers, see `overfit.nn.dropout`; inputs have the plain one.
    """

    classes: int
    widths: tuple[int, ...] = (128, 128)
    activation: base.Activation = activations.relu
    batch_norm: bool = False
    axis_name: str | None = None
    first: base.First | None = None
    dropping: dropout_lib.Dropping = dropout_lib.units

    @nn.compact
    def __call__(
        self, x: jax.Array, *, train: bool, dropout: base.Number = None, input_dropout: base.Number = None
    ) -> base.Outputs:
        """Classifies.

        Args:
            x: `[B, ...]` floats.
            train: drop units (with the stream `'dropout'`) and normalise by the batch's statistics.
            dropout: probability that a hidden unit is dropped, in `[0, 1)`.
            input_dropout: probability that an input (of the layers that are trained) is dropped, in `[0, 1)`.

        Returns:
            Features `[B, F]`, of the last hidden layer after dropout, and logits `[B, classes]`.
        """
        chex.assert_type(x, float)
        x = _first(self, x)
        x = _drop(self, x.reshape(x.shape[0], -1), train, input_dropout)
        for width in self.widths:
            out = width * self.activation.pieces
            x = _dense(self, x, out, not self.batch_norm, train, dropout, self.dropping)
            if self.batch_norm:
                x = _batch_norm(train, self.axis_name)(x)
            x = self.activation.apply(x)
            if not self.dropping.of_weights:
                x = _drop(self, x, train, dropout, self.dropping)
        return base.Outputs(x, nn.Dense(self.classes, name='logits')(x))


class ConvBlock(nn.Module):
    """Convolution, [batch normalisation], 2×2 max-pooling, bias, activation.

    An activation that never falls commutes with the maximum, so this is the usual order (activation,
    then pooling) at a quarter of the work; any other is applied before pooling. Pooling drops an odd last
    row or column, before the statistics of the batch are taken, and does not happen where a side is shorter
    than 2. Pixels that tie for the maximum share its gradient.

    Attributes:
        channels: output channels.
        size: side of the kernel, pixels.
        activation: see `overfit.nn.activations`.
        batch_norm: as for `MLP`; in place of the bias.
        axis_name: as for `MLP`.
    """

    channels: int
    size: int
    activation: base.Activation
    batch_norm: bool
    axis_name: str | None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H // 2, W // 2, channels]`."""
        batch, height, width, inputs = x.shape
        out = self.channels * self.activation.pieces
        shape = (self.size, self.size, inputs, out)
        kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
        pool = 2 if min(height, width) >= 2 else 1
        rows, columns = height // pool, width // pool

        x = convolution.convolve(x, kernel)[:, : rows * pool, : columns * pool]
        if self.batch_norm:
            x = _batch_norm(train, self.axis_name)(x)
        if self.activation.monotone and pool == 2:
            x = convolution.max_pool(x)
        if not self.batch_norm:
            x = x + self.param('bias', nn.initializers.zeros, (out,))[None, None, None, :]
        x = self.activation.apply(x)
        return x if self.activation.monotone or pool == 1 else convolution.max_pool(x)


def channels_for(height: int, width: int) -> tuple[int, ...]:
    """Channels of a `CNN`'s blocks: as many as bring the larger side to about 4 pixels.

    On 200 MNIST images `(16, 32, 64)` errs a third less than `(32, 64)`, at half its cost. From 40 pixels on
    there is a further block of 64 channels, from 80 pixels on another, so that up to 128 pixels the dense
    layers see at most 4×4 places, as those of small images do.

    Args:
        height: pixels.
        width: pixels.

    Returns:
        Channels of each block, from the first.

    >>> channels_for(28, 28), channels_for(64, 48)
    ((16, 32, 64), (16, 32, 64, 64))
    """
    side = max(height, width)
    if side < 20:
        return (32, 64)
    blocks = 3 + sum(side >= least for least in (40, 80))
    return (16, 32, 64, 64, 64)[:blocks]


class CNN(nn.Module):
    """A convolutional net: a `ConvBlock` for each of `channels`, dense layers, then the logits.

    Dropout acts on the inputs, on the dense layers and, where asked for, on the blocks; batch normalisation
    on the convolutions.

    Attributes:
        classes: logits.
        channels: output channels of each block; each halves the sides of the image. `None`: by the size
            of the images, see `channels_for`.
        kernel: side of the kernels, pixels.
        widths: hidden units of each dense layer.
        activation: see `overfit.nn.activations`.
        batch_norm: as for `MLP`.
        axis_name: as for `MLP`.
        first: a fixed layer `[B, H, W, C] -> [B, H, W, D]` before all others; `None`: there is none.
        dropping: kind of dropout in the dense layers, as for `MLP`.
        block_dropping: kind of dropout after every block, of the same rate; `None`: none.
    """

    classes: int
    channels: tuple[int, ...] | None = None
    kernel: int = 3
    widths: tuple[int, ...] = (128,)
    activation: base.Activation = activations.relu
    batch_norm: bool = False
    axis_name: str | None = None
    first: base.First | None = None
    dropping: dropout_lib.Dropping = dropout_lib.units
    block_dropping: dropout_lib.Dropping | None = None

    @nn.compact
    def __call__(
        self, x: jax.Array, *, train: bool, dropout: base.Number = None, input_dropout: base.Number = None
    ) -> base.Outputs:
        """Classifies.

        Args:
            x: `[B, H, W, C]` floats.
            train: drop units (with the stream `'dropout'`) and normalise by the batch's statistics.
            dropout: probability that a unit of a dense hidden layer is dropped, in `[0, 1)`; that of the
                blocks, where they drop.
            input_dropout: probability that a value of a pixel is dropped, in `[0, 1)`.

        Returns:
            Features `[B, F]`, of the last hidden layer after dropout, and logits `[B, classes]`.

        Raises:
            ValueError: if `x` is not a batch of images.
        """
        if x.ndim != 4:
            raise ValueError(
                f'A CNN needs images [B, H, W, C], but was given {x.shape}; an MLP takes any shape.'
            )
        chex.assert_type(x, float)
        x = _first(self, x)
        x = _drop(self, x, train, input_dropout)
        size = self.kernel if self.first is None else self.first.kernel or self.kernel
        for channels in self.channels or channels_for(*x.shape[1:3]):
            x = ConvBlock(channels, size, self.activation, self.batch_norm, self.axis_name)(x, train=train)
            size = self.kernel
            if self.block_dropping is not None:
                x = _drop(self, x, train, dropout, self.block_dropping)
        x = x.reshape(x.shape[0], -1)
        for width in self.widths:
            out = width * self.activation.pieces
            x = self.activation.apply(_dense(self, x, out, True, train, dropout, self.dropping))
            if not self.dropping.of_weights:
                x = _drop(self, x, train, dropout, self.dropping)
        return base.Outputs(x, nn.Dense(self.classes, name='logits')(x))
