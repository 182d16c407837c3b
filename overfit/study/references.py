"""Reference rows: what classical methods do with the same labelled examples, each tuned on them alone.

Every reference is tuned anew inside each labelled set, by the folds that a net's settings are tuned by.
"""

import concurrent.futures
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import jax
import numpy as np

from overfit import base
from overfit.data import kinds, splits
from overfit.study import classics, labelled_sets

HINDRANCE = 1.3  # threads hold one another up: 12 sets of USPS@100 took 18 s for 14, of digits@200 11 for 9
LEAST_SIDE = 12  # pixels: in smaller images there is no room for cells
MAJORITY, LOGISTIC, SVM = 'majority class', 'logistic regression', 'RBF SVM'
TREES, BOOSTING = 'extra trees', 'gradient boosting'
GRADIENTS, COPIES = 'gradient histograms + SVM', 'gradient histograms + SVM, distorted copies'
PREDICT: dict[str, Callable[[classics.Task], np.ndarray]] = {
    MAJORITY: classics.majority,
    LOGISTIC: classics.logistic,
    SVM: classics.svm,
    TREES: classics.trees,
    BOOSTING: classics.boosting,
    GRADIENTS: classics.gradient_svm,
    COPIES: classics.gradient_svm_copies,
}


class LabelledSet(Protocol):
    """What a labelled set has to have: rows of the pool, rows of the test set, and a seed of its own."""

    labelled: np.ndarray
    tested: np.ndarray
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


def seconds(
    kind: kinds.Kind,
    shape: Sequence[int],
    train_size: int,
    *,
    tested: int = 1000,
    classes: int = 10,
    folds: int = 3,
) -> dict[str, float]:
    """Estimates what each reference takes on one core for one labelled set, from sizes alone.

    Fitted to 10 classes and three folds (others are counted where they matter) on one core of a small server,
    quiet, for 40 to 2,000 images of 16 x 16 x 1 to 64 x 64 x 3, and vectors of 64 and 196; most are within a
    factor 1.5 of what was measured.

    Args:
        kind: of the examples.
        shape: of one example.
        train_size: labelled examples.
        tested: examples to predict.
        classes: of the examples.
        folds: of the cross-validation.

    Returns:
        Seconds by the reference's name.
    """
    n, numbers = train_size, float(np.prod(shape))
    coordinates = min(n, numbers)
    turning = 2e-10 * n**3 if numbers > n else 0.0  # to at most n coordinates
    describing = 7e-8 * numbers * tested
    histograms = 0.05 + 2e-5 * numbers + 5e-8 * n * numbers + 2e-7 * n**2
    tuned, final = (n * (1 + copies) for copies in classics.copies_of(n))
    copies = 4.8e-8 * (3 * tuned**2 + final**2) + 3.5e-8 * numbers * (3 * tuned + final)
    fits = 2 * folds + 1  # of the boosting: each of two sizes on each fold, then the better one
    boosted = fits * classes * float(np.clip(400 // classes, 15, 60))  # trees
    # A tree takes its time even where a table is small: 40 to 240 rows of 5 to 20 columns 0.15 to 0.25 ms.
    a_tree = max(1.2e-4 + 6e-7 * min(n, 200), 5e-5 * n**0.5 * (numbers / 196) ** 0.75)
    forests = (2 * folds * 50 + 200) / 500  # trees, of which three folds have 500
    estimate = {
        MAJORITY: 0.0,
        LOGISTIC: 0.03 + 1e-5 * numbers + 8e-8 * n * numbers + 1.8e-6 * n * coordinates + turning,
        SVM: 0.06 + 1e-5 * numbers + 4e-8 * n * numbers + 5e-7 * n**2 + 2e-8 * n * tested,
        TREES: forests * (0.3 + n * (4e-4 + 5.5e-5 * numbers**0.5)) + 3e-5 * tested,
        BOOSTING: boosted * a_tree,
        GRADIENTS: histograms + describing + 4.5e-8 * n * tested,
        COPIES: histograms + describing + copies + 4.5e-8 * final * tested,
    }
    return {name: estimate[name] for name in names(kind, shape)}


def abreast(estimates: Mapping[str, float], chosen: Sequence[str]) -> float:
    """Estimates the seconds between two labelled sets where one is at work on each core, see `measure`.

    Args:
        estimates: of each reference on one core, from `seconds`.
        chosen: names of those that run.
    """
    total = sum(estimates[name] for name in chosen)
    alone = estimates[TREES] if TREES in chosen else 0.0  # one forest grows at a time
    return max(alone, HINDRANCE * total / len(jax.local_devices()))


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

    Raises:
        ValueError: a name that is unknown, or does not suit the kind.
    """
    return _predict(pool, inputs_test, _describer(inputs_test), labelled, tested, folds, seed, names)


def _predict(pool, x_test, describe, labelled, tested, folds, seed, chosen):
    """`predict`, with the gradient histograms of all test examples given."""
    x, y, kind = pool.x[labelled], pool.y[labelled], pool.kind
    suitable = names(kind, pool.x.shape[1:])
    chosen = suitable if chosen is None else tuple(chosen)
    if unsuitable := [name for name in chosen if name not in suitable]:
        raise ValueError(
            f'names={list(chosen)}: there is no reference {unsuitable[0]!r} for these {kind.noun}: give '
            f'some of {list(suitable)}.'
        )
    if len(np.unique(y)) == 1:
        return {name: np.full(len(tested), y[0], np.int32) for name in chosen}
    inputs = kind.measure(x)
    task = classics.Task(
        x,
        y,
        inputs,
        kind.features(x, inputs),
        kind.features(x_test[tested], inputs),
        lambda signed: describe(signed)[tested],
        _folds(pool, labelled, folds, seed),
        seed % 2**31,
        {},
    )
    return {name: np.asarray(PREDICT[name](task), np.int32) for name in chosen}


def _folds(pool, labelled, folds, seed):
    """Inner folds of a labelled set; fewer for rare classes, none where a class is there but once."""
    if labelled_sets.most_folds(pool, labelled) < 2:
        return []
    return labelled_sets.inner_folds(pool, labelled, folds, seed=seed)


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
        progress: called after each labelled set: with the number of references, and 1.

    Returns:
        Mistakes `[J, N]` float32 of each reference by its name: 1, 0, or NaN where a set does not test an
        example.
    """
    # Loaded before threads are limited, as the limit is set for what is there.
    import sklearn.ensemble
    import sklearn.linear_model
    import sklearn.svm  # noqa: F401
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
    # Threads are enough, as most of the time is spent in compiled parts; the linear algebra of each keeps to
    # one core.
    with (
        threadpool_limits(1, user_api='blas'),
        concurrent.futures.ThreadPoolExecutor(len(jax.local_devices())) as threads,
    ):
        for one in threads.map(on_set, sets):
            tables.append(one)
            if progress is not None:
                progress(len(one), 1)
    return {name: np.stack([one[name] for one in tables]) for name in (tables[0] if tables else ())}


def _describer(x_test):
    """`(signed) -> gradient histograms of all test images`, made when first asked for and kept."""
    lock, kept = threading.Lock(), {}

    def describe(signed):
        with lock:
            if signed not in kept:
                kept[signed] = classics.describe(x_test, signed)
            return kept[signed]

    return describe
