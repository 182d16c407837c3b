"""What the procedure of an arm hands over on a labelled set, and what that predicts."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overfit.study.course import Course, Run
from overfit.study.protocol import fold_count
from overfit.study.search import Tuned


class Outcome(NamedTuple):
    """What the procedure of an arm did on one labelled set.

    The nets of the folds are what the procedure may hand over, one as well as another; so each of them
    predicts, and the error of the procedure is their mean.

    Attributes:
        tuned: the setting that was chosen.
        classes: `[models, m]` int16, predicted class of every example that tests the labelled set.
        probabilities: `[m, classes]` float16, mean over the nets.
        curves: `[evaluations, 5]` of each net, see `population.Trained`.
        member_steps: training steps of the nets that were trained for this alone.
        diverged: nets among those that predict whose loss became infinite.
    """

    tuned: Tuned
    classes: np.ndarray
    probabilities: np.ndarray
    curves: tuple[np.ndarray, ...]
    member_steps: int
    diverged: int


def models_of(tuned: Tuned, course: Course) -> list[list[Run]]:
    """The models that a procedure may hand over, each a list of nets whose probabilities are averaged.

    Of a plain arm they are the nets of the folds, which the search has trained. An average of several nets
    is one model; what is refitted to the whole labelled set takes as many more steps as it has more examples.

    Args:
        tuned: arm and setting.
        course: its labelled sets.
    """
    arm, plain = tuned.arm, tuned.runs[0]
    if arm.nets == 1 and not arm.refit:
        return [[run] for run in tuned.runs]
    count = arm.nets if arm.nets > 1 else len(tuned.runs)
    if arm.refit:
        folds = fold_count(course.protocol.validation)
        stretch = folds / (folds - 1)
        hyper = tuned.hyper.with_numbers(steps=stretch * tuned.hyper.steps)
        plain = plain._replace(hyper=hyper, stop_at=stretch * tuned.refit_step)
    nets = [plain._replace(net=n) for n in range(count)]
    return [nets] if arm.nets > 1 else [[net] for net in nets]


def outcomes(course: Course, tuned: Sequence[Tuned]) -> list[Outcome]:
    """Trains what the search has not, and predicts.

    Args:
        course: labelled sets.
        tuned: arms and settings, each on its labelled set.

    Returns:
        One `Outcome` each, in order.
    """
    models = [models_of(one, course) for one in tuned]
    runs = [[run for nets in of_one for run in nets] for of_one in models]
    new = [[run for run in of_one if not course.knows(run)] for of_one in runs]
    course.train(run for of_one in new for run in of_one)
    course.predict(run for of_one in runs for run in of_one)
    course.forget(run for of_one in new for run in of_one)
    found = []
    for one, of_models, of_one, of_new in zip(tuned, models, runs, new, strict=True):
        results = course.results(of_one)
        classes, probabilities = _predicted(course, one.place, of_models)
        found.append(
            Outcome(
                one,
                classes,
                probabilities,
                tuple(result.curve for result in results),
                sum(result.steps for result in course.results(of_new)),
                sum(result.diverged for result in results),
            )
        )
    return found


def _predicted(course, place, models):
    if not len(course.sets[place].tested):
        classes = len(course.pool.classes)
        return np.zeros((len(models), 0), np.int16), np.zeros((0, classes), np.float16)
    means = np.stack([course.probabilities(nets).mean(0, dtype=np.float32) for nets in models])
    return means.argmax(-1).astype(np.int16), means.mean(0).astype(np.float16)
