"""What the report shows and `results.json` does not hold: curves, confusions, the mistakes themselves."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import chex
import numpy as np

from overfit.data import kinds, splits


class Curve(NamedTuple):
    """How R nets of one arm learn; NaN where a net was not evaluated.

    Attributes:
        steps: `[S]`, training steps.
        train_error: `[R, S]`, percent.
        validation_error: `[R, S]`, percent.
    """

    steps: np.ndarray
    train_error: np.ndarray
    validation_error: np.ndarray


class Mistake(NamedTuple):
    """A test example that the best model gets wrong.

    Attributes:
        truth: its class.
        prediction: the class that the model says.
        confidence: the model's probability of that class.
        index: row of the test set.
        pixels: `[H, W, C]`, a picture of the example; `None`: there is none.
        text: what is shown in its place.
    """

    truth: int
    prediction: int
    confidence: float
    index: int
    pixels: np.ndarray | None = None
    text: str = ''


class Material(NamedTuple):
    """What `report.html` shows and `results.json` does not hold.

    Attributes:
        curves: by the name under which they are drawn, as `'baseline'` and `'squeezed'`.
        confusion: `[K, K]` counts of the best model on the test set; rows are the truth.
        classes: K names.
        mistakes: of the best model, those of the greatest confidence first; the first 24 are shown.
        summary: what was understood of the data, in words.
        notes: further sentences for the reader.
    """

    curves: Mapping[str, Curve]
    confusion: np.ndarray
    classes: Sequence[str]
    mistakes: Sequence[Mistake]
    summary: str = ''
    notes: Sequence[str] = ()


def confusion(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts how often each class is taken for each other.

    Args:
        y: `[N]`, the true classes.
        probabilities: `[N, K]`, a model's.

    Returns:
        `[K, K]` counts, rows the truth, columns the prediction.

    >>> confusion(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])).tolist()
    [[1, 0], [1, 1]]
    """
    chex.assert_rank([y, probabilities], [1, 2])
    chex.assert_equal_shape_prefix([y, probabilities], 1)
    classes = probabilities.shape[-1]
    cells = np.bincount(y * classes + probabilities.argmax(-1), minlength=classes**2)
    return cells.reshape(classes, classes)


def mistakes(
    holdout: splits.Holdout,
    probabilities: np.ndarray,
    show: Callable[[np.ndarray], kinds.Shown],
    *,
    most: int = 24,
) -> list[Mistake]:
    """Lists the test examples that are wrong with the greatest confidence.

    Args:
        holdout: the test set.
        probabilities: `[N, K]`, a model's.
        show: how one example is shown, see `overfit.data.kinds.Kind.show`.
        most: how many at the most.

    Returns:
        The most confidently wrong first.
    """
    chex.assert_shape(probabilities, (len(holdout), None))
    y, prediction, confidence = holdout.reveal(), probabilities.argmax(-1), probabilities.max(-1)
    order = sorted(np.flatnonzero(prediction != y), key=lambda n: -confidence[n])
    return [
        Mistake(int(y[n]), int(prediction[n]), float(confidence[n]), int(n), *show(np.asarray(holdout.x[n])))
        for n in order[:most]
    ]
