"""Measures what was decided: predictions meet the test labels here, and nowhere before."""

from collections.abc import Sequence

import numpy as np

from overfit.data import splits
from overfit.study.labelled_sets import LabelledSet
from overfit.study.procedures import Outcome
from overfit.train import checkpoint, predict


def mistakes(outcomes: Sequence[Outcome], sets: Sequence[LabelledSet], holdout: splits.Holdout) -> np.ndarray:
    """How often the models of an arm are wrong.

    Args:
        outcomes: of the arm's procedure, one a labelled set.
        sets: those labelled sets.
        holdout: the test set.

    Returns:
        `[J, N]` float32, the share of an outcome's models that get a test example wrong; NaN where the
        labelled set does not test it.
    """
    table = np.full((len(sets), len(holdout)), np.nan, np.float32)
    for row, outcome, one in zip(table, outcomes, sets, strict=True):
        predicted = np.zeros((len(outcome.classes), len(holdout)), np.int64)
        predicted[:, one.tested] = outcome.classes
        row[one.tested] = holdout.wrong(predicted)[:, one.tested].mean(0)
    return table


def probabilities(outcomes: Sequence[Outcome], sets: Sequence[LabelledSet], count: int) -> np.ndarray:
    """Mean probability of each class over all nets of all labelled sets that test an example.

    An error counted from it is that of the average of these nets. It is lower, as a rule, than the arm's
    error in the results, which is the mean over its models (`mistakes`).

    Args:
        outcomes: of the arm's procedure, one a labelled set.
        sets: those labelled sets.
        count: test examples.

    Returns:
        `[count, classes]` float32; 0 where no labelled set tests an example.
    """
    total = np.zeros((count, outcomes[0].probabilities.shape[-1]), np.float32)
    times = np.zeros((count, 1), np.float32)
    for outcome, one in zip(outcomes, sets, strict=True):
        total[one.tested] += outcome.probabilities
        times[one.tested] += 1
    return total / np.maximum(times, 1)


def said_by(model: checkpoint.Predictor, holdout: splits.Holdout) -> np.ndarray:
    """What a model says of the test examples, to the bit as its user will hear it.

    The outcomes of a procedure are the mean of the models that it may hand over, in 16 bits.

    Args:
        model: trained on none of them.
        holdout: the test set.

    Returns:
        `[N, classes]` float32 probabilities.
    """
    return np.exp(predict.predict(model.recipe, model.nets, holdout.x)).mean(0)
