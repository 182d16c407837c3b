"""Reference rows: what classical methods do with the same labelled examples, each tuned on them alone.

Every reference is tuned anew inside each labelled set, by the folds that a net's settings are tuned by; of
settings with equally many mistakes the first is taken, so each list begins with what one would try untuned.
"""

import concurrent.futures
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from overfit import base
from overfit.data import augment, gradients, kinds, splits

LEAST_SIDE = 12  # pixels: in smaller images there is no room for cells
MAJORITY, LOGISTIC, SVM = 'majority class', 'logistic regression', 'RBF SVM'
TREES, BOOSTING = 'extra trees', 'gradient boosting'
GRADIENTS, COPIES = 'gradient histograms + SVM', 'gradient histograms + SVM, distorted copies'

# An SVM's (width, C): the kernel is exp(-width * d² / mean d²), so a width means the same everywhere.
SVM_GRID = tuple((width, c) for width in (1.0, 0.3, 3.0, 0.1, 10.0) for c in (10.0, 1.0, 100.0))
GRADIENTS_GRID = tuple((width, c) for width in (1.0, 2.0, 0.5) for c in (10.0, 1.0))
LOGISTIC_GRID = (10.0, 1.0, 100.0, 0.1, 1000.0)  # C, of inputs whose mean squared length is 1
TREES_GRID = ('sqrt', 0.3)  # share of the columns that a node may choose from
# Distortions: the largest shift (of the side), turn (radians) and change of size.
DISTORTIONS = ((0.07, 0.2, 0.15), (0.04, 0.1, 0.1))
MOST_COPIES, MOST_ROWS, MOST_ROWS_TUNED = 20, 6000, 2100


class LabelledSet(Protocol):
    """What a labelled set has to have: rows of the pool, rows of the test set, and a seed of its own."""

    labelled: np.ndarray
    tested: np.ndarray
    seed: int


class Task(NamedTuple):
    """One labelled set, as the references see it: there is no test label in it.

    Attributes:
        x: `[n, ...]` labelled examples, raw.
        y: `[n]` their classes.
        inputs: the kind's statistics of them.
        train: `[n, F]` them as vectors.
        test: `[m, F]` the tested examples as vectors.
        describe_test: `(description) -> [m, F]`, gradient histograms of the tested images.
        folds: rows that train and rows that validate, of each fold.
        seed: of what is random.
    """

    x: np.ndarray
    y: np.ndarray
    inputs: Any
    train: np.ndarray
    test: np.ndarray
    describe_test: Callable[[tuple], np.ndarray]
    folds: list[tuple[np.ndarray, np.ndarray]]
    seed: int


def names(kind: kinds.Kind, shape: Sequence[int]) -> tuple[str, ...]:
    """Names of the references that suit a kind of data.

    Args:
        kind: of the examples.
        shape: of one example.
    """
    found = [MAJORITY, LOGISTIC, SVM, TREES]
    if kind == kinds.vector:
        found.append(BOOSTING)
    if kind == kinds.image and min(shape[:2]) >= LEAST_SIDE:
        found += [GRADIENTS, COPIES]
    return tuple(found)


def seconds(kind: kinds.Kind, shape: Sequence[int], train_size: int) -> dict[str, float]:
    """Estimates what each reference takes on one core for one labelled set, from sizes alone.

    Args:
        kind: of the examples.
        shape: of one example.
        train_size: labelled examples.

    Returns:
        Seconds by the reference's name.
    """
    n, values = train_size / 200, float(np.prod(shape)) / 64
    estimate = {
        MAJORITY: 0.0,
        LOGISTIC: 0.05 * n * values**0.5,
        SVM: 0.1 * n**2,
        TREES: 0.4 * n * values**0.3,
        BOOSTING: 1.0 * n**0.5 * values**0.5,
        GRADIENTS: 0.4 * n**2,
        COPIES: 3.0 * n**0.5,
    }
    return {name: estimate[name] for name in names(kind, shape)}


def predict(
    pool: base.Examples,
    inputs_test: np.ndarray,
    labelled: np.ndarray,
    tested: np.ndarray,
    *,
    folds: int,
    seed: int,
    names: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Tunes and trains the references on one labelled set, and lets them predict.

    Args:
        pool: labelled examples.
        inputs_test: `[N, ...]` raw examples of the test set.
        labelled: `[n]` rows of the pool that may be learned from.
        tested: `[m]` rows of the test set to predict.
        folds: of the cross-validation; fewer where a class has fewer examples.
        seed: of the folds, the trees and the copies.
        names: of the references; `None`: all that suit the kind.

    Returns:
        Predicted classes `[m]` int32 by the reference's name.
    """
    return _predict(pool, inputs_test, _describer(inputs_test), labelled, tested, folds, seed, names)


def _predict(pool, x_test, describe, labelled, tested, folds, seed, chosen):
    """`predict`, with the gradient histograms of all test examples given."""
    x, y, kind = pool.x[labelled], pool.y[labelled], pool.kind
    chosen = names(kind, pool.x.shape[1:]) if chosen is None else chosen
    if len(np.unique(y)) == 1:
        return {name: np.full(len(tested), y[0], np.int32) for name in chosen}
    inputs = kind.measure(x)
    task = Task(
        x,
        y,
        inputs,
        kind.features(x, inputs),
        kind.features(x_test[tested], inputs),
        lambda description: describe(description)[tested],
        _folds(pool, labelled, folds, seed),
        seed % 2**31,
    )
    found = {}
    if {GRADIENTS, COPIES} & set(chosen):
        found = _with_gradients(task, COPIES in chosen)
    for name in chosen:
        if name not in found:
            found[name] = PREDICT[name](task)
    return {name: np.asarray(found[name], np.int32) for name in chosen}


def _folds(pool, labelled, folds, seed):
    """Inner folds of a labelled set; fewer for rare classes, none where a class is there but once."""
    y = pool.y[labelled]
    count = min(folds, np.unique(y, return_counts=True)[1].min())
    if count < 2:
        return []
    groups = None if pool.groups is None else pool.groups[labelled]
    found = splits.folds(y, count, seed=seed, groups=groups)
    return [one for one in found if len(np.unique(y[one[0]])) > 1]


def measure(
    pool: base.Examples,
    holdout: splits.Holdout,
    sets: Sequence[LabelledSet],
    *,
    folds: int,
    names: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Tunes, trains and tests the references on labelled sets.

    Args:
        pool: labelled examples.
        holdout: the test set.
        sets: the labelled sets.
        folds: of each reference's cross-validation.
        names: of the references; `None`: all that suit the kind.
        progress: called with (1, 1) after each labelled set.

    Returns:
        Mistakes `[J, N]` float32 of each reference by its name: 1, 0, or NaN where a set does not test an
        example.
    """
    from threadpoolctl import threadpool_limits

    describe = _describer(holdout.x)

    def on_set(one):
        predicted = _predict(pool, holdout.x, describe, one.labelled, one.tested, folds, one.seed, names)
        found = {}
        for name, classes in predicted.items():
            everywhere = np.zeros(len(holdout), np.int32)
            everywhere[one.tested] = classes
            found[name] = np.full(len(holdout), np.nan, np.float32)
            found[name][one.tested] = holdout.wrong(everywhere)[one.tested]
        return found

    tables = []
    # Threads are enough, as most of the time is spent in compiled parts; each keeps to one core. OpenMP's
    # limit is a thread's own, that of the linear algebra everybody's.
    with (
        threadpool_limits(1),
        concurrent.futures.ThreadPoolExecutor(
            len(jax.local_devices()), initializer=threadpool_limits, initargs=(1,)
        ) as threads,
    ):
        for one in threads.map(on_set, sets):
            tables.append(one)
            if progress is not None:
                progress(1, 1)
    return {name: np.stack([one[name] for one in tables]) for name in (tables[0] if tables else ())}


def _describer(x_test):
    """`(description) -> histograms of all test images`, made when first asked for and kept."""
    lock, kept = threading.Lock(), {}

    def describe(description):
        with lock:
            if description not in kept:
                kept[description] = _describe(x_test, description)
            return kept[description]

    return describe


def _describe(x, description):
    cells, orientations, signed = description
    return gradients.describe(x, cells, orientations=orientations, signed=signed)


def _descriptions(shape):
    """Cells, orientations and sign that the histograms of images are tuned among."""
    height, width = shape[:2]
    short = min(height, width)
    found = []
    for pixels in (4.0, 5.6) if short >= 20 else (3.2, 4.0):
        side = np.clip(short / pixels, 3, 8) / short
        cells = (round(height * side), round(width * side))
        found += [(cells, 12, True), (cells, 9, False)]
    return found


def _best(settings, mistakes, folds):
    """The setting with the fewest mistakes on the validation examples of all folds, of equals the first.

    Args:
        settings: the first is taken where there are no folds.
        mistakes: `(setting, train, validate) -> number`.
        folds: rows that train and validate.
    """
    if len(settings) == 1 or not folds:
        return settings[0]
    return min(settings, key=lambda setting: sum(mistakes(setting, *fold) for fold in folds))


def _majority(task):
    return np.full(len(task.test), np.bincount(task.y).argmax())


def _logistic(task):
    """Multinomial logistic regression with an L2 penalty, in coordinates that span the labelled examples."""
    from sklearn.linear_model import LogisticRegression

    train, test = _coordinates(task.train, task.test)
    make = functools.partial(LogisticRegression, max_iter=1000, tol=1e-2)

    def mistakes(c, fit, validate):
        model = make(C=c).fit(train[fit], task.y[fit])
        return (model.predict(train[validate]) != task.y[validate]).sum()

    best = _best(LOGISTIC_GRID, mistakes, task.folds)
    return make(C=best).fit(train, task.y).predict(test)


def _coordinates(train, test):
    """Turns examples to the axes of the labelled ones, mean squared length 1; exact for what is invariant.

    A model that depends on the inputs only through their scalar products (L2-penalised logistic regression)
    is the same in these at most n coordinates as in the F given ones.
    """
    mean = train.mean(0, dtype=np.float64).astype(np.float32)
    train, test = train - mean, test - mean
    if train.shape[1] > len(train):
        squared, axes = np.linalg.eigh((train @ train.T).astype(np.float64))
        kept = squared > squared[-1] * 1e-6
        axes = (train.T @ axes[:, kept]) / np.sqrt(squared[kept])
        train, test = train @ axes, test @ axes
    length = np.sqrt(np.square(train).sum(1).mean()) or 1.0
    return train.astype(np.float64) / length, test.astype(np.float64) / length


def _squared_distances(a, b):
    """`[n, m]` squared distances between rows."""
    lengths_a, lengths_b = (np.square(one).sum(1, dtype=np.float64) for one in (a, b))
    return np.maximum(lengths_a[:, None] + lengths_b - 2.0 * (a @ b.T), 0.0)


class Machine(NamedTuple):
    """What support vector machines of all widths need of labelled examples: their distances, taken once.

    Attributes:
        x: `[n, F]` examples as vectors.
        y: `[n]` classes.
        squared: `[n, n]` squared distances over their mean.
        scale: the mean.
    """

    x: np.ndarray
    y: np.ndarray
    squared: np.ndarray
    scale: float

    def fit(self, setting: tuple[float, float], rows: np.ndarray) -> Any:
        """Trains on rows; `setting` is (width, C)."""
        from sklearn.svm import SVC

        width, c = setting
        kernel = np.exp(-width * self.squared[np.ix_(rows, rows)])
        # Voting between pairs of classes ties often where there are few examples: the margins decide then.
        return SVC(C=c, kernel='precomputed', break_ties=True, cache_size=1).fit(kernel, self.y[rows])

    def mistakes(self, setting: tuple[float, float], rows: np.ndarray, validate: np.ndarray) -> int:
        """Mistakes on the rows `validate` after training on `rows`."""
        model = self.fit(setting, rows)
        predicted = model.predict(np.exp(-setting[0] * self.squared[np.ix_(validate, rows)]))
        return int((predicted != self.y[validate]).sum())

    def predict(self, setting: tuple[float, float], x: np.ndarray) -> np.ndarray:
        """Classes of `[m, F]` after training on all rows."""
        model = self.fit(setting, np.arange(len(self.y)))
        parts = [
            model.predict(np.exp(-setting[0] / self.scale * _squared_distances(part, self.x)))
            for part in np.array_split(x, max(1, len(x) * len(self.x) // 2**21))
        ]
        return np.concatenate(parts)


def _machine(x, y):
    x = x - x.mean(0)
    squared = _squared_distances(x, x)
    scale = squared.mean() or 1.0
    return Machine(x, y, squared / scale, scale)


def _svm(task):
    machine = _machine(task.train, task.y)
    best = _best(SVM_GRID, machine.mistakes, task.folds)
    return machine.predict(best, task.test - task.train.mean(0))


def _trees(task):
    from sklearn.ensemble import ExtraTreesClassifier

    def fit(share, rows, trees):
        model = ExtraTreesClassifier(trees, max_features=share, random_state=task.seed)
        return model.fit(task.train[rows], task.y[rows])

    def mistakes(share, rows, validate):
        return (fit(share, rows, 50).predict(task.train[validate]) != task.y[validate]).sum()

    best = _best(TREES_GRID, mistakes, task.folds)
    return fit(best, np.arange(len(task.y)), 200).predict(task.test)


def _boosting(task):
    from sklearn.ensemble import HistGradientBoostingClassifier

    def fit(rows, rounds):
        model = HistGradientBoostingClassifier(
            max_iter=rounds, learning_rate=0.1, min_samples_leaf=5, early_stopping=False, random_state=0
        )
        return model.fit(task.train[rows], task.y[rows])

    rounds = 60
    if task.folds:
        wrong = np.zeros(rounds)
        for rows, validate in task.folds:
            model = fit(rows, rounds)
            wrong += [(p != task.y[validate]).sum() for p in model.staged_predict(task.train[validate])]
        rounds = len(wrong) - wrong[::-1].argmin()
    return fit(np.arange(len(task.y)), int(rounds)).predict(task.test)


def _with_gradients(task, with_copies):
    """Predictions on gradient histograms; the copies take over what was tuned without them."""
    described = {one: _machine(_describe(task.x, one), task.y) for one in _descriptions(task.x.shape[1:])}
    settings = [(one, setting) for setting in GRADIENTS_GRID for one in described]
    description, setting = _best(
        settings, lambda one, *fold: described[one[0]].mistakes(one[1], *fold), task.folds
    )
    machine, test = described[description], task.describe_test(description)
    mean = _describe(task.x, description).mean(0)
    found = {GRADIENTS: machine.predict(setting, test - mean)}
    if with_copies:
        n = len(task.y)

        def of_copies(distortion, most):
            x, y = with_distorted_copies(
                task.x, task.y, task.inputs.border, distortion, min(MOST_COPIES, most // n - 1), task.seed
            )
            vectors = _describe(x, description)
            return _machine(vectors, y), vectors.mean(0)

        fewer = {one: of_copies(one, MOST_ROWS_TUNED)[0] for one in DISTORTIONS}

        def mistakes(distortion, rows, validate):
            machine = fewer[distortion]
            rows = np.flatnonzero(np.isin(np.arange(len(machine.y)) % n, rows))
            return machine.mistakes(setting, rows, validate)

        machine, mean = of_copies(_best(DISTORTIONS, mistakes, task.folds), MOST_ROWS)
        found[COPIES] = machine.predict(setting, test - mean)
    return found


_warp = jax.jit(augment.random_affine)


def with_distorted_copies(
    x: np.ndarray,
    y: np.ndarray,
    border: np.ndarray,
    distortion: tuple[float, float, float],
    copies: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Adds shifted, turned and resized copies of images; row `r` shows image `r % n`.

    Args:
        x: `[n, H, W, C]` images.
        y: `[n]` classes.
        border: `[C]` what lies beyond an image's border.
        distortion: largest shift as a fraction of the side, largest turn in radians, largest change of size.
        copies: of each image.
        seed: of the distortions.

    Returns:
        `[n * (1 + copies), H, W, C]` float32, the originals first, and the classes.
    """
    if copies < 1:
        return x.astype(np.float32), y
    shift, rotate, zoom = distortion
    images = np.tile(x.astype(np.float32), (copies, 1, 1, 1))
    changed = _warp(jax.random.key(seed), images, border, shift=shift, rotate=rotate, zoom=zoom)
    return np.concatenate([x, np.asarray(changed)]).astype(np.float32), np.tile(y, 1 + copies)


PREDICT = {MAJORITY: _majority, LOGISTIC: _logistic, SVM: _svm, TREES: _trees, BOOSTING: _boosting}
