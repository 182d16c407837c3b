"""The squeezed model against the hand-written net, on the labelled sets and test examples of one study."""

import os
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats as scipy_stats

from experiments.speed.handwritten import BY_HAND, Row
from overfit.study import requests, stats, tables
from overfit.study import results as results_lib
from overfit.train import checkpoint


class Squeezed(NamedTuple):
    """What `experiments.squeeze` left.

    Attributes:
        results: of the study.
        mistakes: `[J, N]`, of the squeezed model.
    """

    results: results_lib.Results
    mistakes: np.ndarray


def read_squeezed(path: str | os.PathLike, study: requests.Study) -> Squeezed:
    """Reads `results.json` of `experiments.squeeze`, and the tables beside it.

    Args:
        path: of the file.
        study: what is to be compared with it.

    Returns:
        What the files hold.

    Raises:
        ValueError: no results there, results without a squeezed model, or on other data, labels or seed.
    """
    try:
        results = results_lib.read(path)
    except ValueError as error:
        raise ValueError(f'--squeezed={error}') from error
    if results.squeezed is None:
        raise ValueError(f'--squeezed={path} holds no squeezed model: give the results.json of a whole run')
    for flag, there, here in (
        ('data', results.data.sha256, study.splits.sha256),
        ('train_size', results.data.train, study.design.plan.protocol.train_size),
        ('labelled_sets', results.labelled_sets, len(study.design.places.measured)),
        ('seed', results.seed, study.seed),
    ):
        if there != here:
            raise ValueError(
                f'--squeezed={path} comes from another --{flag} ({there}, here {here}): give both the same'
            )
    beside = pathlib.Path(path).parent / 'tables.npz'
    if not beside.is_file():
        raise ValueError(f'--squeezed={path}: there is no {beside.name} beside it: give a whole folder')
    return Squeezed(results, tables.read(beside).squeezed)


def against_squeezed(
    squeezed: Squeezed, best: checkpoint.Predictor, study: requests.Study, rows: Sequence[Row]
) -> dict:
    """Compares a squeezed model with the hand-written net on the same labels.

    Args:
        squeezed: from `read_squeezed`.
        best: the model of the same run.
        study: as measured.
        rows: from `handwritten.measure`, the hand-written net among them.

    Returns:
        `labelled_sets`: intervals of both test errors over the labelled sets, and of the difference, squeezed
        less by hand. `best`: errors of the model in `best/` and of the net trained on the same labels, the
        test examples that only one of them gets wrong, and McNemar's exact p-value; `None` where all labels
        trained the model, so that none is left to test it.
    """
    [row] = [row for row in rows if row.column == BY_HAND]
    holdout, groups, final = study.splits.test, study.splits.test.groups, study.design.places.final
    found = {
        'labelled_sets': {
            'squeezed': squeezed.results.squeezed.test_error._asdict(),
            BY_HAND: stats.interval(row.wrong, groups)._asdict(),
            'difference': stats.difference(squeezed.mistakes, row.wrong, groups)._asdict(),
        },
        'best': None,
    }
    if not len(study.design.sets[final].tested):
        return found
    ours, theirs = holdout.wrong(best.predict_proba(holdout.x).argmax(-1)), row.wrong[final] > 0
    only_best, only_by_hand = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    best = {
        'squeezed': 100 * float(ours.mean()),
        BY_HAND: float(row.test_error[final]),
        'wrong_only_squeezed': only_best,
        'wrong_only_by_hand': only_by_hand,
        'p': mcnemar(only_best, only_by_hand),
    }
    return found | {'best': best}


def verdict(compared: dict) -> str:
    """What `against_squeezed` found, in a line or two."""
    means, best = compared['labelled_sets'], compared['best']
    intervals = [
        f'{name} {i["mean"]:.2f} % [{i["low"]:.2f}, {i["high"]:.2f}]'
        for name, i in means.items()
        if name != 'difference'
    ]
    gap = means['difference']
    text = (
        f'{gap["n"]} labelled sets: {", ".join(intervals)}: {gap["mean"]:+.2f} points '
        f'[{gap["low"]:+.2f}, {gap["high"]:+.2f}]'
    )
    if best is None:
        return text
    return (
        f'{text}\nthe same labels: best/ {best["squeezed"]:.2f} %, {BY_HAND} {best[BY_HAND]:.2f} %; only one '
        f'wrong: {best["wrong_only_squeezed"]} and {best["wrong_only_by_hand"]}, McNemar p = {best["p"]:.3f}'
    )


def mcnemar(only_one: int, only_other: int) -> float:
    """Exact two-sided p-value that two classifiers err equally often, from the examples only one gets wrong.

    Reference: McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    if only_one + only_other == 0:
        return 1.0
    return float(scipy_stats.binomtest(only_one, only_one + only_other).pvalue)
