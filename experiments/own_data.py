"""Do the intervals for own data without a test set hold? Simulated users, whose truth is known.

    python -m experiments.own_data --data=mnist --users=200 --json=own_mnist.json
    python -m experiments.own_data --data=mnist --nets --users=12 --techniques=dropout,center,refit

Every user draws `--train_size` examples of a large set, as data of their own, and compares procedures on
them, cross-fitted and with 30 % held out. The other examples tell what was true: the expected difference
between two procedures over all users, and the error of the model that each user is handed over. Procedures
are scikit-learn's, tuned anew on every labelled set, or, with `--nets`, the arms of a study.
"""

import functools
import os
import sys
import time
from collections.abc import Mapping

import numpy as np
from absl import app, flags, logging

from experiments import provenance, result_file, squeeze
from experiments.shared_flags import DATA, LABELLED_SETS, SEED, TRAIN_SIZE, as_flags, refuse

MODES = ('cross-fitted', 'holdout')
FOLDS, WIDTH, TREES = 3, 30, 30  # of the scikit-learn procedures: small, for there are many users

USERS = flags.DEFINE_integer('users', 200, 'Simulated users.', lower_bound=2)
FIRST = flags.DEFINE_integer(
    'first', 0, 'Number of the first user, to go on or share the work.', lower_bound=0
)
REST = flags.DEFINE_integer('rest', 5000, 'Other examples that tell a user the truth.', lower_bound=50)
CONTROLS = flags.DEFINE_integer('controls', 1, 'How often the baseline is tuned again.', lower_bound=0)
NETS = flags.DEFINE_bool('nets', False, 'Compare nets, not scikit-learn models.')
TRY_COMBINATION = flags.DEFINE_bool('combine', False, 'With --nets: combine techniques too.')
UNUSED = (
    squeeze.LABEL,
    squeeze.GROUP,
    squeeze.TEST,
    squeeze.VALIDATION,
    squeeze.IMAGE_SIZE,
    squeeze.WORKDIR,
    squeeze.DRY_RUN,
)


def scikit(labelled, x_test: np.ndarray, seed: int) -> Mapping[str, np.ndarray]:
    """Procedures of scikit-learn, each tuned by cross-validation on the labelled examples alone.

    Args:
        labelled: `base.Examples`.
        x_test: `[m, ...]` raw examples.
        seed: of folds and trees.

    Returns:
        Predicted classes `[m]` by the procedure's name, the baseline first.
    """
    from sklearn.decomposition import PCA
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    from overfit.data import splits

    inputs, y = labelled.kind.measure(labelled.x), labelled.y
    x, x_test = (labelled.kind.features(one, inputs) for one in (labelled.x, x_test))
    if x.shape[1] > WIDTH:  # principal components of the labelled examples: all procedures are fast on them
        axes = PCA(WIDTH, svd_solver='full').fit(x)
        x, x_test = axes.transform(x), axes.transform(x_test)
    length = np.sqrt(np.square(x).sum(1).mean())
    x, x_test = x / length, x_test / length
    folds = splits.folds(y, FOLDS, seed=seed)
    logistic = functools.partial(LogisticRegression, tol=1e-2, max_iter=200)
    trees = functools.partial(ExtraTreesClassifier, TREES, random_state=seed % 2**31)
    candidates = {
        'logistic regression': [logistic(C=c) for c in (1.0, 10.0, 100.0)],
        'ridge': [RidgeClassifier(alpha) for alpha in (0.1, 1.0, 10.0)],
        'RBF SVM': [SVC(C=c, gamma=g) for c in (3.0, 30.0) for g in (1.0, 3.0)],
        'nearest neighbours': [KNeighborsClassifier(k, algorithm='brute') for k in (1, 3, 7)],
        'naive Bayes': [GaussianNB(var_smoothing=v) for v in (1e-3, 1e-1)],
        'extra trees': [trees()],
    }
    found = {}
    for name, models in candidates.items():
        best = models[0]
        if len(models) > 1:
            wrong = [sum((m.fit(x[a], y[a]).predict(x[b]) != y[b]).sum() for a, b in folds) for m in models]
            best = models[int(np.argmin(wrong))]
        found[name] = best.fit(x, y).predict(x_test).astype(np.int64)
    return found


def large() -> tuple:
    """The large set, its test examples among the others, and its name."""
    from overfit.data import load

    data = load.load(DATA.value)
    big = data.train
    if not data.cross_fitted:
        both = [np.concatenate(pair) for pair in ((big.x, data.test.x), (big.y, data.test.reveal()))]
        big = big._replace(x=both[0], y=both[1], groups=None)
    return big, data.name, data.sha256


def simulate(big, user: int) -> dict:
    """What one user sees, by test mode."""
    from experiments import simulated_users
    from overfit.study import requests

    seed = simulated_users.study_seed(SEED.value, user)
    own, rest = simulated_users.draw(big, TRAIN_SIZE.value or 300, REST.value, seed=seed)
    found = {}
    for mode in MODES:
        sets = LABELLED_SETS.value or 10
        asked = simulated_users.ask(big, own, rest, mode, sets, CONTROLS.value, seed=seed)
        if NETS.value:
            baseline = squeeze.baseline_of(asked.data.train)
            techniques = squeeze.techniques_of(baseline, big.kind)
            request = requests.Request(
                baseline=baseline,
                minutes=squeeze.BUDGET_MINUTES.value,
                trials=squeeze.TRIALS.value,
                seed=seed,
            )
            mistakes = simulated_users.with_nets(asked, techniques, request, squeezed=TRY_COMBINATION.value)
        else:
            mistakes = simulated_users.with_functions(asked, scikit)
        found[mode] = simulated_users.read(asked, mistakes)
    return found


def run() -> None:
    """Simulates the users; prints and writes what they saw."""
    from experiments import coverage

    big, name, sha256 = large()
    about = result_file.about('own_data') | {
        'data': {'name': name, 'sha256': sha256, 'examples': len(big.y), 'kind': big.kind.name},
        'train_size': TRAIN_SIZE.value or 300,
        'seed': SEED.value,
    }
    seen, begin = {mode: [] for mode in MODES}, time.monotonic()
    for user in range(FIRST.value, FIRST.value + USERS.value):
        for mode, one in simulate(big, user).items():
            seen[mode].append(one)
        done = len(seen[MODES[0]])
        seconds = time.monotonic() - begin
        print(f'user {user} ({done}/{USERS.value}) after {seconds:.0f} s', file=sys.stderr, flush=True)
        if done > 1 and (done % 10 == 0 or done == USERS.value):
            summaries = {mode: coverage.summary(of_mode) for mode, of_mode in seen.items()}
            result_file.write(about | {'seconds_a_user': round(seconds / done, 2), 'modes': summaries})
    print(coverage.table({mode: coverage.summary(of_mode) for mode, of_mode in seen.items()}))


def main(arguments: list[str]) -> None:
    """Runs what the flags describe; wrong input ends in one sentence."""
    if len(arguments) > 1:
        raise app.UsageError(f'unexpected argument {arguments[1]!r}: flags start with --, as --users=20')
    logging.set_verbosity(logging.WARNING)
    import jax
    from sklearn import config_context
    from threadpoolctl import threadpool_limits

    jax.config.update('jax_num_cpu_devices', provenance.cores())
    squeeze.keep_programs()
    try:
        refuse(*UNUSED)
        result_file.check()
        if NETS.value:
            run()
        else:
            # Small matrices: threads would only wait for each other, and checks take longer than fits.
            with threadpool_limits(1), config_context(assume_finite=True, skip_parameter_validation=True):
                run()
    except ValueError as error:
        if os.environ.get('OVERFIT_DEBUG'):
            raise
        print(f'own_data: {as_flags(str(error))}', file=sys.stderr)
        sys.exit(1)


if __name__ == '__main__':
    app.run(main)
