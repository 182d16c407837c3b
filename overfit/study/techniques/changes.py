"""What techniques change in a recipe, and to which baselines and kinds of data they apply."""

from collections.abc import Callable
from typing import Any

from overfit import base
from overfit.data import kinds
from overfit.nn import concat, first, models
from overfit.objectives import embeddings, losses
from overfit.study import spaces
from overfit.train import optimizers, start

Change = Callable[[base.Recipe], base.Recipe]
only = spaces.default  # the default range of each number named


def model(**fields: Any) -> Change:
    """Gives the model other values of its fields."""
    return lambda recipe: recipe._replace(model=recipe.model.clone(**fields))


def wider(recipe: base.Recipe) -> base.Recipe:
    """Twice as many units in every hidden layer."""
    return recipe._replace(model=recipe.model.clone(widths=tuple(2 * w for w in recipe.model.widths)))


def deeper(recipe: base.Recipe) -> base.Recipe:
    """Two more hidden layers, as wide as the last."""
    widths = recipe.model.widths
    return recipe._replace(model=recipe.model.clone(widths=widths + widths[-1:] * 2))


def convolution(recipe: base.Recipe) -> base.Recipe:
    """The same net with convolutions before its last hidden layer."""
    net = recipe.model
    return recipe._replace(
        model=models.CNN(
            net.classes, activation=net.activation, batch_norm=net.batch_norm, widths=net.widths[-1:]
        )
    )


def gradients(recipe: base.Recipe) -> base.Recipe:
    """The same net on histograms of oriented gradients."""
    return recipe._replace(model=recipe.model.clone(first=first.gradients))


def harmonic(recipe: base.Recipe) -> base.Recipe:
    """The convolutional net on harmonic filters."""
    recipe = recipe if isinstance(recipe.model, models.CNN) else convolution(recipe)
    return recipe._replace(model=recipe.model.clone(first=first.harmonic))


def whitening(recipe: base.Recipe) -> base.Recipe:
    """The convolutional net on patches that are whitened."""
    recipe = recipe if isinstance(recipe.model, models.CNN) else convolution(recipe)
    return recipe._replace(model=recipe.model.clone(first=first.whitening))


def two_resolutions(recipe: base.Recipe) -> base.Recipe:
    """Two of the same net, on the images and on them at half the resolution, concatenated."""
    net = recipe.model
    towers = (net, net.clone(first=first.half))
    return recipe._replace(model=concat.Concat(net.classes, towers))


def augment(function: base.Augment) -> Change:
    """Adds an augmentation, once."""

    def change(recipe):
        known = function in recipe.augment
        return recipe if known else recipe._replace(augment=(*recipe.augment, function))

    return change


def views(function: base.Views) -> Change:
    """Probabilities averaged over views of each input."""
    return lambda recipe: recipe._replace(views=function)


def batch(size: int) -> Change:
    """Batches of another size."""
    return lambda recipe: recipe._replace(batch_size=size)


def loss(value: base.Loss) -> Change:
    """Another loss."""
    return lambda recipe: recipe._replace(loss=value)


def rate(low: float, high: float) -> dict[str, spaces.Range]:
    """Another range of learning rates."""
    return {'learning_rate': spaces.Range(low, high, 'log')}


def optimizer(of_numbers: Callable) -> Change:
    """Another optimizer, of plain numbers as those in `train.optimizers`."""
    return lambda recipe: recipe._replace(optimizer=optimizers.by_hyper(of_numbers))


def gradient(value: base.Gradient) -> Change:
    """Another way to take the gradient."""
    return lambda recipe: recipe._replace(gradient=value)


def average(value: base.Average) -> Change:
    """Averaged weights in place of the trained ones."""
    return lambda recipe: recipe._replace(average=value)


def initializer(draw: base.Initializer) -> Change:
    """Kernels drawn by another initializer."""
    return lambda recipe: recipe._replace(start=start.drawn(draw))


def to_images(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """Images alone."""
    return kind == kinds.image


def to_vectors(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """Vectors alone."""
    return kind == kinds.vector


def to_images_and_vectors(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """Inputs of which a mean makes sense, as it does not of token ids."""
    return kind in (kinds.image, kinds.vector)


def to_layers(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """Our own nets have the fields that are changed; a stranger's module need not."""
    return isinstance(recipe.model, models.MLP | models.CNN) and bool(recipe.model.widths)


def to_dense_nets_on_images(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """A net without convolutions, where these make sense."""
    return isinstance(recipe.model, models.MLP) and bool(recipe.model.widths) and kind == kinds.image


def to_plain_nets_on_images(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """Our own nets without a fixed first layer, on images."""
    return to_layers(recipe, kind) and recipe.model.first is None and kind == kinds.image


def to_drawn_starts(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """Nets whose initial weights are not given."""
    return recipe.start.given is None


def to_sgd(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """Baselines that are trained by plain SGD."""
    return recipe.optimizer == optimizers.by_hyper(optimizers.sgd)


def to_cross_entropy(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """Losses that know smoothed labels."""
    return recipe.loss in (losses.softmax, losses.center, *embeddings.BESIDE)


def to_pairs(recipe: base.Recipe, kind: kinds.Kind) -> bool:
    """Batches that hold four examples of two classes or more, in an order that nobody has chosen."""
    return recipe.batch_size > 4 and recipe.sampler is None
