"""Classical methods on few examples: each tunes itself by folds, learns, and predicts, without a warning.

Of settings that validate equally well the first is taken: each list begins with what one would try untuned.
"""

import functools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from overfit.data import augment, gradients
from overfit.nn import histograms
from overfit.study import machine

# An SVM's (width, C): the kernel is exp(-width * d² / mean d²), so a width means the same everywhere.
SVM_GRID = tuple((width, c) for width in (1.0, 0.3, 3.0, 0.1, 10.0) for c in (10.0, 1.0, 100.0))
GRADIENTS_GRID = ((1.0, 10.0), (2.0, 10.0))  # C = 10 separates the labelled examples: more changes nothing
LOGISTIC_GRID = (10.0, 1.0, 100.0, 0.1, 1000.0)  # C, of inputs whose mean squared length is 1
TREES_GRID = (1, 3)  # of how many columns a node may choose: multiples of the square root of their number
BOOSTING_GRID = (4, 16)  # leaves of a tree
SLACK = 0.5  # standard deviations: of settings so near the fewest mistakes the first is taken (0.2 points)
# A forest sets the filters of warnings while it grows, and these belong to all threads.
ONE_FOREST = threading.Lock()
MOST_COPIES, MOST_ROWS, MOST_ROWS_TUNED = 20, 6000, 1500  # rows: of originals and copies together


class Distortion(NamedTuple):
    """How much the copies of an image may differ from it; each copy draws its own amounts, at most these.

    Attributes:
        shift: fraction of the side.
        rotate: radians.
        zoom: relative change of size.
        shear: pixels to the side for a pixel down.
        stretch: relative change of the ratio of height to width.
    """

    shift: float
    rotate: float
    zoom: float
    shear: float = 0.0
    stretch: float = 0.0


# With shear and stretch for digits, which lean (MNIST@100 2.2, then 3.4 % on the last 4,000 images, USPS 6.2
# and 6.5), without for coloured numerals (25.0, then 23.0), gentle ones for clothes (23.7, 23.4, 22.5).
DISTORTIONS = (
    Distortion(0.07, 0.2, 0.15, shear=0.3, stretch=0.2),
    Distortion(0.07, 0.2, 0.15),
    Distortion(0.04, 0.1, 0.1),
)


class Task(NamedTuple):
    """One labelled set, as the references see it: there is no test label in it.

    Attributes:
        x: `[n, ...]` labelled examples, raw.
        y: `[n]` their classes.
        inputs: the kind's statistics of them.
        train: `[n, F]` them as vectors.
        test: `[m, F]` the tested examples as vectors.
        describe_test: `(signed) -> [m, F]`, gradient histograms of the tested images.
        folds: rows that train and rows that validate, of each fold.
        seed: of what is random.
        kept: what one reference leaves for another.
    """

    x: np.ndarray
    y: np.ndarray
    inputs: Any
    train: np.ndarray
    test: np.ndarray
    describe_test: Callable[[bool], np.ndarray]
    folds: list[tuple[np.ndarray, np.ndarray]]
    seed: int
    kept: dict[str, Any]


def describe(x: np.ndarray, signed: bool) -> np.ndarray:
    """Gradient histograms of images at a coarse and a fine scale.

    Args:
        x: `[N, H, W, C]` images.
        signed: with the sign of the gradients, in 12 directions; else in 9.
    """
    return gradients.describe(
        x, histograms.cells_for(*x.shape[1:3]), orientations=12 if signed else 9, signed=signed
    )


def _best(settings, mistakes, folds):
    """The setting with the fewest mistakes on the validation examples of all folds, of equals the first.

    Args:
        settings: the first is taken where there are no folds.
        mistakes: `(setting, train, validate) -> number`.
        folds: rows that train and validate.
    """
    if len(settings) == 1 or not folds:
        return settings[0]
    counts = [sum(mistakes(setting, *fold) for fold in folds) for setting in settings]
    most = min(counts) + SLACK * min(counts) ** 0.5
    return next(one for one, count in zip(settings, counts, strict=True) if count <= most)


def majority(task: Task) -> np.ndarray:
    """The class of most labelled examples, for everything."""
    return np.full(len(task.test), np.bincount(task.y).argmax())


def logistic(task: Task) -> np.ndarray:
    """Multinomial logistic regression with an L2 penalty, in coordinates that span the labelled examples."""
    from sklearn.linear_model import LogisticRegression

    train, test = _coordinates(task.train, task.test)
    # At 1e-2 no step is taken on 1,000 images of clothes; at 1e-4 it takes 11 to 73, 1e-5 is no better.
    make = functools.partial(LogisticRegression, max_iter=2000, tol=1e-4)

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
    if train.shape[1] > len(train) and train.any():
        squared, axes = np.linalg.eigh((train @ train.T).astype(np.float64))
        kept = squared > squared[-1] * 1e-6
        axes = (train.T @ axes[:, kept]) / np.sqrt(squared[kept])
        train, test = train @ axes, test @ axes
    length = np.sqrt(np.square(train).sum(1).mean()) or 1.0
    return train.astype(np.float64) / length, test.astype(np.float64) / length


def svm(task: Task) -> np.ndarray:
    """A support vector machine with a radial kernel on the examples as vectors."""
    tuned = machine.of(task.train, task.y)
    return tuned.predict(_best(SVM_GRID, tuned.mistakes, task.folds), task.test)


def trees(task: Task) -> np.ndarray:
    """Extremely randomised trees: 1.5 to 2.3 points better than a random forest on digits and USPS."""
    from sklearn.ensemble import ExtraTreesClassifier

    columns = task.train.shape[1]

    def predict(multiple, rows, count, x):
        most = min(columns, max(1, round(multiple * columns**0.5)))
        model = ExtraTreesClassifier(count, max_features=most, random_state=task.seed)
        with ONE_FOREST:
            return model.fit(task.train[rows], task.y[rows]).predict(x)

    def mistakes(multiple, rows, validate):
        return (predict(multiple, rows, 50, task.train[validate]) != task.y[validate]).sum()

    best = _best(TREES_GRID, mistakes, task.folds)
    return predict(best, np.arange(len(task.y)), 200, task.test)


def boosting(task: Task) -> np.ndarray:
    """Boosted trees on binned columns; the folds choose their size and their number."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    # Each round grows a tree a class. At 20 examples a leaf, the usual number, 30 examples grow nothing.
    rounds = int(np.clip(400 // len(np.unique(task.y)), 15, 60))

    def fit(leaves, rows, count):
        model = HistGradientBoostingClassifier(
            max_iter=count,
            learning_rate=0.2,
            max_leaf_nodes=leaves,
            min_samples_leaf=5,
            max_features=0.3,
            early_stopping=False,
            random_state=task.seed,
        )
        return model.fit(task.train[rows], task.y[rows])

    def staged(leaves, rows, validate):
        stages = fit(leaves, rows, rounds).staged_predict(task.train[validate])
        return np.array([(classes != task.y[validate]).sum() for classes in stages])

    leaves, count = BOOSTING_GRID[0], rounds
    # Its threads spin as they wait for one another: on two busy cores a fit took 60 times as long with them.
    with threadpool_limits(1, user_api='openmp'):
        if task.folds:
            wrong = {one: sum(staged(one, *fold) for fold in task.folds) for one in BOOSTING_GRID}
            leaves = _best(BOOSTING_GRID, lambda one, *_: wrong[one].min() / len(task.folds), task.folds)
            # Of equally good numbers of rounds the largest: the others are there by luck.
            count = rounds - int(wrong[leaves][::-1].argmin())
        return fit(leaves, np.arange(len(task.y)), count).predict(task.test)


def gradient_svm(task: Task) -> np.ndarray:
    """An RBF SVM on histograms of oriented gradients; sign and width are tuned."""
    signed, setting, tuned = _tuned_gradients(task)
    return tuned.predict(setting, task.describe_test(signed))


def _tuned_gradients(task):
    """Sign, setting and machine of the gradient histograms, tuned once for both references that use them."""
    if not task.kept:
        machines = {signed: machine.of(describe(task.x, signed), task.y) for signed in (True, False)}
        settings = [(signed, setting) for setting in GRADIENTS_GRID for signed in machines]
        signed, setting = _best(
            settings, lambda one, *fold: machines[one[0]].mistakes(one[1], *fold), task.folds
        )
        task.kept['gradients'] = signed, setting, machines[signed]
    return task.kept['gradients']


def gradient_svm_copies(task: Task) -> np.ndarray:
    """The same with distorted copies of each labelled image, all in the fold of their original.

    Sign and width are those tuned without copies; the strength of the distortions is tuned, with fewer
    copies.
    """
    signed, setting, _ = _tuned_gradients(task)
    n = len(task.y)
    tuned, final = copies_of(n)

    def with_copies(distortion, copies):
        x, y = add_copies(task.x, task.y, task.inputs.border, distortion, copies, task.seed)
        return machine.of(describe(x, signed), y)

    @functools.lru_cache(maxsize=1)  # one at a time: up to 6,000 rows, 144 MB of distances
    def fewer(distortion):
        return with_copies(distortion, tuned)

    def mistakes(distortion, rows, validate):
        copied = fewer(distortion)
        chosen = np.zeros(n, bool)
        chosen[rows] = True
        return copied.mistakes(setting, np.flatnonzero(np.tile(chosen, len(copied.y) // n)), validate)

    best = _best(DISTORTIONS, mistakes, task.folds)
    return with_copies(best, final).predict(setting, task.describe_test(signed))


def copies_of(train_size: int) -> tuple[int, int]:
    """How many copies of an image to tune and to train with: fewer of each, the more images there are."""
    final = min(MOST_COPIES, max(0, MOST_ROWS // train_size - 1))
    return min(final, max(2, MOST_ROWS_TUNED // train_size - 1)), final


def add_copies(
    x: np.ndarray, y: np.ndarray, border: np.ndarray, distortion: Distortion, copies: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Adds distorted copies of images; row `r` shows image `r % n`.

    Args:
        x: `[n, H, W, C]` images.
        y: `[n]` classes.
        border: `[C]` what lies beyond an image's border.
        distortion: the largest changes.
        copies: of each image.
        seed: of the changes.

    Returns:
        `[n * (1 + copies), H, W, C]` float32, the originals first, and the classes.
    """
    if copies < 1:
        return x.astype(np.float32), y
    images = np.tile(x.astype(np.float32), (copies, 1, 1, 1))
    shift, rotate, zoom, shear, stretch = distortion
    maps = augment.draw_affine(jax.random.key(seed), *images.shape[:3], shift=shift, rotate=rotate, zoom=zoom)
    lean, ratio = np.random.default_rng(seed).uniform(-1, 1, (2, len(images), 1))
    ratio = np.exp(ratio * np.log1p(stretch) / 2)
    # First a pixel's row moves its column, then the map that is drawn: columns of the product of the two.
    down, right, moved = np.moveaxis(np.asarray(maps), 2, 0)
    maps = np.stack([(down + shear * lean * right) * ratio, right / ratio, moved], axis=2)
    changed = _warp(images, maps.astype(np.float32), border)
    return np.concatenate([x, np.asarray(changed)]).astype(np.float32), np.tile(y, 1 + copies)


_warp = jax.jit(augment.affine)
