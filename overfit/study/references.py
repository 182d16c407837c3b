"""Reference rows: what scikit-learn's classics do with the same labelled examples."""

import concurrent.futures
from collections.abc import Callable

import jax
import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import measure as measure_lib
from overfit.study.protocol import Protocol, fold_count


def models(folds: int, features: int, seed: int) -> dict:
    """Returns the references by name, each tuned by cross-validation on its own training examples.

    Args:
        folds: of the cross-validation.
        features: of the (standardised) inputs; an RBF's width is counted against it.
        seed: of the folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    cv = StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32)
    widths = [factor / features for factor in (0.1, 0.3, 1.0, 3.0, 10.0)]
    return {
        'logistic regression': GridSearchCV(
            LogisticRegression(max_iter=1000, tol=1e-2), {'C': [1e-3, 1e-2, 1e-1, 1.0]}, cv=cv
        ),
        'RBF SVM': GridSearchCV(SVC(), {'C': [1, 10, 100], 'gamma': widths}, cv=cv),
        '1-NN': KNeighborsClassifier(1),
    }


def measure(
    pool: base.Examples,
    holdout: splits.Holdout,
    protocol: Protocol,
    *,
    replicates: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray]:
    """Trains and tests the references on the fresh replicates, on all labels of each.

    Args:
        pool: labelled examples.
        holdout: the test set.
        protocol: folds, train size, seed.
        replicates: how many of the fresh replicates.
        progress: called with (1, 1) after each.

    Returns:
        Mistakes `[replicates, N]` bool of each reference, by its name.
    """

    def on_replicate(number):
        replicate = measure_lib.replicate(pool, protocol.train_size, protocol, number)
        x, y = pool.x[replicate.labelled], pool.y[replicate.labelled]
        inputs = pool.kind.measure(x)
        train, test = pool.kind.features(x, inputs), pool.kind.features(holdout.x, inputs)
        contestants = models(fold_count(protocol.validation), train.shape[1], replicate.seed)
        return {name: holdout.wrong(model.fit(train, y).predict(test)) for name, model in contestants.items()}

    wrong = []
    # Threads are enough: most of the time is spent in scikit-learn's compiled parts.
    with concurrent.futures.ThreadPoolExecutor(len(jax.local_devices())) as threads:
        for one in threads.map(on_replicate, range(replicates)):
            wrong.append(one)
            if progress is not None:
                progress(1, 1)
    return {name: np.stack([one[name] for one in wrong]) for name in (wrong[0] if wrong else ())}
