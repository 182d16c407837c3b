"""Kinds of data: all that images and vectors differ in, each a value that travels with its examples."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.data import accept as accept_lib


class Standard(NamedTuple):
    """How raw numbers become a model's inputs: `(x - mean) / scale`; from training examples only.

    Attributes:
        mean: `[C]` float32, over all axes but the last (a channel of an image, a column of a table).
        scale: `[C]` float32, standard deviation likewise, for images one value for all channels; never 0.
        border: `[C]` float32, raw value that stands outside an image's border.
    """

    mean: base.Array
    scale: base.Array
    border: base.Array


def standardise(x: base.Array, inputs: Standard) -> base.Array:
    """Returns `(x - mean) / scale` in float32.

    Args:
        x: `[B, ..., C]`, any numeric type.
        inputs: `[C]` each.

    >>> standardise(np.array([[3.0], [5.0]]), Standard(np.ones(1), np.full(1, 2.0), np.zeros(1))).tolist()
    [[1.0], [2.0]]
    """
    shape = (1,) * (x.ndim - 1) + (-1,)
    return (x.astype(jnp.float32) - inputs.mean.reshape(shape)) / inputs.scale.reshape(shape)


def measure_images(x: np.ndarray) -> Standard:
    """Measures a mean for each channel, one scale for all, and the border's median.

    Args:
        x: `[N, H, W, C]`, the training examples only.

    Returns:
        `[C]` float32 each; what varies less than float32 can tell apart gets scale 1.
    """
    mean = x.mean((0, 1, 2), dtype=np.float64)
    scale = np.full_like(mean, np.sqrt(np.square(x - mean).mean()))
    edges = [x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]]
    border = np.median(np.concatenate([edge.reshape(-1, x.shape[-1]) for edge in edges]), axis=0)
    return _standard(mean, scale, border)


def measure_columns(x: np.ndarray) -> Standard:
    """Measures a mean and a scale for each column.

    Args:
        x: `[N, ..., C]`, the training examples only.

    Returns:
        `[C]` float32 each; what varies less than float32 can tell apart gets scale 1.
    """
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes, dtype=np.float64)
    return _standard(mean, x.std(axes, dtype=np.float64), mean)


def _standard(mean, scale, border):
    scale = np.where(scale > 8 * np.finfo(np.float32).eps * np.abs(mean), scale, 1.0)
    return Standard(*(np.asarray(a, np.float32) for a in (mean, scale, border)))


class Shown(NamedTuple):
    """One example for a reader's eyes.

    Attributes:
        pixels: `[H, W, C]`, a picture; `None`: there is none.
        text: in its place.
    """

    pixels: np.ndarray | None = None
    text: str = ''


def show_image(x: np.ndarray) -> Shown:
    """Shows one image `[H, W, C]`."""
    return Shown(pixels=x)


def show_numbers(x: np.ndarray) -> Shown:
    """Shows the first numbers of one example."""
    text = ', '.join(f'{value:.4g}' for value in x.ravel()[:8])
    return Shown(text=text + ', …' * (x.size > 8))


class Kind(NamedTuple):
    """A kind of data. Only the name and how it is measured must be given.

    Attributes:
        name: in results and saved models.
        measure: `(x) -> inputs`, statistics of training examples `[N, ...]`: a pytree of arrays that
            augmentations and `prepare` receive.
        prepare: `(x, inputs) -> model's inputs`, traced, of raw examples `[B, ...]`.
        show: one example `[...]` for the report.
        noun: what examples are called, in the plural.
        accept: `(given, reading, shape) -> x`, what a saved model does with what it is given: `x` is
            `[N, *shape]` as in training, `reading` is `Examples.reading`; raises `ValueError` in one sentence
            for what cannot be of the kind.
        remember: `(x, reading) -> reading`, adds to what the reader did what `accept` has to know of the
            training examples `x`; plain enough for JSON.
        featurise: `(x, inputs) -> [N, F]` float32, for models that take vectors (the references); `None`: the
            prepared inputs, flattened.
    """

    name: str
    measure: Callable[[np.ndarray], Any] = measure_columns
    prepare: base.Prepare = standardise
    show: Callable[[np.ndarray], Shown] = show_numbers
    noun: str = 'examples'
    accept: Callable[[Any, Mapping[str, Any], Sequence[int]], np.ndarray] = accept_lib.anything
    remember: Callable[[np.ndarray, Mapping[str, Any]], Mapping[str, Any]] = accept_lib.remember_type
    featurise: Callable[[np.ndarray, Any], np.ndarray] | None = None

    def features(self, x: np.ndarray, inputs: Any) -> np.ndarray:
        """Examples as vectors, `[N, F]` float32; see `featurise`."""
        make = self.prepare if self.featurise is None else self.featurise
        return np.asarray(make(x, inputs), np.float32).reshape(len(x), -1)


image = Kind(
    'image',
    measure=measure_images,
    show=show_image,
    noun='images',
    accept=accept_lib.images,
    remember=accept_lib.remember_images,
)
vector = Kind('vector', accept=accept_lib.vectors, remember=accept_lib.remember_vectors)


def prepare_slot(kind: Kind) -> base.Prepare | None:
    """What a recipe for a kind has in its slot `prepare`: `None` stands for `standardise`."""
    return None if kind.prepare is standardise else kind.prepare


KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (image, vector)}  # by the name in saved models
