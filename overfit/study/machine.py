"""Support vector machines that share one table of distances between the labelled examples."""

from typing import Any, NamedTuple

import numpy as np


class Machine(NamedTuple):
    """Support vector machines of all widths on the same labelled examples: their distances are taken once.

    Attributes:
        x: `[n, F]` examples as vectors, about their mean.
        y: `[n]` classes.
        mean: `[F]`.
        squared: `[n, n]` squared distances over their mean.
        scale: that mean.
    """

    x: np.ndarray
    y: np.ndarray
    mean: np.ndarray
    squared: np.ndarray
    scale: float

    def fit(self, setting: tuple[float, float], rows: np.ndarray) -> Any:
        """Trains on rows; `setting` is (width, C)."""
        from sklearn.svm import SVC

        width, c = setting
        kernel = np.exp(-width * self.squared[np.ix_(rows, rows)])
        # Votes of the pairs of classes tie often where there are few examples: then the margins decide.
        return SVC(C=c, kernel='precomputed', break_ties=True).fit(kernel, self.y[rows])

    def mistakes(self, setting: tuple[float, float], rows: np.ndarray, validate: np.ndarray) -> int:
        """Mistakes on the rows `validate` after training on `rows`."""
        predicted = self.fit(setting, rows).predict(
            np.exp(-setting[0] * self.squared[np.ix_(validate, rows)])
        )
        return int((predicted != self.y[validate]).sum())

    def predict(self, setting: tuple[float, float], x: np.ndarray) -> np.ndarray:
        """Classes of `[m, F]` after training on all rows."""
        model = self.fit(setting, np.arange(len(self.y)))
        width = setting[0] / self.scale
        parts = np.array_split(x, max(1, len(x) * len(self.x) // 2**22))  # 32 MB of kernel each
        kernels = (np.exp(-width * _squared_distances(part - self.mean, self.x)) for part in parts)
        return np.concatenate([model.predict(kernel) for kernel in kernels])


def of(x: np.ndarray, y: np.ndarray) -> Machine:
    """Takes the distances between labelled examples `[n, F]` of classes `[n]`."""
    mean = x.mean(0)
    x = x - mean
    squared = _squared_distances(x, x)
    scale = float(squared.mean()) or 1.0
    squared /= scale
    return Machine(x, y, mean, squared, scale)


def _squared_distances(a, b):
    """`[n, m]` squared distances between rows."""
    squared = a @ b.T
    squared *= -2
    squared += np.square(a).sum(1)[:, None]
    squared += np.square(b).sum(1)
    return np.maximum(squared, 0, out=squared)
