"""Simulated users: each has a few examples of a large set and no test set; the rest of the set is the truth.

A user's examples go the way that anybody's own data go: `load.from_arrays`, labelled sets, procedures,
tables of mistakes, intervals. The examples that nobody has are appended to what every labelled set tests, so
that the same tables tell what would have been true; intervals are made of the user's own part of a table.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.data import load, splits
from overfit.study import decide, labelled_sets, ledger, measure, procedures, requests, stats
from overfit.study.arms import Technique
from overfit.study.course import Course
from overfit.study.procedures import Outcome
from overfit.study.progress import Progress
from overfit.study.protocol import seed_of
from overfit.study.stats import Difference, Interval
from overfit.study.tables import Tables

LEAST = labelled_sets.OUTER_FOLDS  # of a class: every outer fold tests one
CONTROL = ', tuned again'
# Of the rest all test the model that is handed over, which is one; those of labelled sets are averaged over.
SOME = 1000


class Asked(NamedTuple):
    """One user in one test mode, before anything is trained.

    Attributes:
        data: the user's, as loaded.
        everything: the user's test set, then the rest.
        own: how many of `everything` the user has.
        sets: labelled sets that test the rest too.
        places: where each stands.
    """

    data: splits.Splits
    everything: splits.Holdout
    own: int
    sets: tuple[labelled_sets.LabelledSet, ...]
    places: labelled_sets.Places


class Mistakes(NamedTuple):
    """Mistakes on `Asked.everything`, the baseline first.

    Attributes:
        tables: `[J, own + rest]` of each procedure, NaN where the user does not test.
        controls: likewise of the baseline, tuned again.
        final: `[1, own + rest]` of the model that each procedure hands over.
    """

    tables: Mapping[str, np.ndarray]
    controls: Mapping[str, np.ndarray]
    final: Mapping[str, np.ndarray]


class Seen(NamedTuple):
    """What a user reads, and what is true; percent and percentage points, the baseline first.

    Attributes:
        labels: of the procedures, controls last.
        differences: of all but the baseline.
        verdicts: likewise.
        detectable: as `results.json` has it.
        errors: expected error of each procedure, as the ledger has it.
        of_models: error of the model that each procedure hands over, as the user would state it; not of
            controls, which hand over none.
        at_size: true error of the models of the labelled sets, mean over them.
        final: true error of the models that are handed over.
    """

    labels: tuple[str, ...]
    differences: tuple[Difference, ...]
    verdicts: tuple[str, ...]
    detectable: float
    errors: tuple[Interval, ...]
    of_models: tuple[Interval, ...]
    at_size: np.ndarray
    final: np.ndarray


def draw(big: base.Examples, size: int, rest: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws a user's examples at random, anew while a class is too rare to be cross-fitted.

    Args:
        big: the large set.
        size: the user's examples.
        rest: of the others that tell the truth.
        seed: of the user.

    Returns:
        Rows of the user's examples, and of the rest.

    Raises:
        ValueError: the set is too small, or some class stays too rare.
    """
    if size + rest > len(big.y):
        raise ValueError(
            f'train_size={size} and {rest:,} others are more than the {len(big.y):,} examples: give fewer'
        )
    rng = np.random.default_rng(seed)
    for _ in range(1000):
        rows = rng.permutation(len(big.y))[: size + rest]
        if np.bincount(big.y[rows[:size]], minlength=len(big.classes)).min() >= LEAST:
            return rows[:size], rows[size:]
    raise ValueError(f'train_size={size} holds too few of the rarest class: give more')


def ask(
    big: base.Examples, own: np.ndarray, rest: np.ndarray, mode: str, sets: int, controls: int, *, seed: int
) -> Asked:
    """Loads a user's examples, and draws the labelled sets.

    Args:
        big: the large set.
        own: rows of the user's examples.
        rest: rows of the others.
        mode: `cross-fitted` or `holdout`.
        sets: labelled sets.
        controls: how often the baseline is tuned again.
        seed: of the study.
    """
    data = load.from_arrays(big.x[own], big.y[own], test=mode, kind=big.kind)
    count = len(data.test)
    # The labels of the user's own test examples are copied into a test set again: no procedure gets them.
    y = np.concatenate([data.test.reveal(), big.y[rest]])
    everything = splits.Holdout(np.concatenate([data.test.x, big.x[rest]]), y)
    found, places = labelled_sets.lay_out(data, None, sets, controls, (), folds=1, seed=seed)
    more = count + np.arange(len(rest))
    found = tuple(
        one._replace(tested=np.concatenate([one.tested, more if place == places.final else more[:SOME]]))
        for place, one in enumerate(found)
    )
    return Asked(data, everything, count, found, places)


def with_functions(
    asked: Asked, run: Callable[[base.Examples, np.ndarray, int], Mapping[str, np.ndarray]]
) -> Mistakes:
    """Mistakes of procedures that are plain functions.

    Args:
        asked: the user.
        run: `(labelled, x_test, seed) -> {name: classes}`, all procedures on one labelled set, the baseline
            first.
    """
    pool, places = asked.data.train, asked.places
    found: dict[int, dict[str, Outcome]] = {}
    for place in dict.fromkeys([*places.tuned, *(p for again in places.controls for p in again)]):
        one = asked.sets[place]
        labelled = pool._replace(x=pool.x[one.labelled], y=pool.y[one.labelled], groups=None)
        predicted = run(labelled, asked.everything.x[one.tested], one.seed)
        empty = np.zeros((len(one.tested), 0), np.float16)
        found[place] = {
            name: Outcome(None, classes[None], empty, (), 0, 0) for name, classes in predicted.items()
        }
    names = list(found[places.final])
    baseline = names[0]
    return Mistakes(
        {name: _table(asked, places.measured, [found[p][name] for p in places.measured]) for name in names},
        {
            f'{baseline}{CONTROL} ({number})': _table(asked, again, [found[p][baseline] for p in again])
            for number, again in enumerate(places.controls, 1)
        },
        {name: _final(asked, found[places.final][name]) for name in names},
    )


def with_nets(
    asked: Asked,
    techniques: Sequence[Technique] | None,
    request: requests.Request,
    *,
    squeezed: bool = False,
) -> Mistakes:
    """Mistakes of the arms of a study.

    Args:
        asked: the user.
        techniques: to compare; `None`: the standard ones.
        request: the rest of what is asked; labelled sets are those of `asked`.
        squeezed: combine techniques too; the combination is one more arm.
    """
    count = len(asked.places.measured)
    request = request._replace(techniques=techniques, labelled_sets=count)
    design = requests.prepare(asked.data, request).design
    plan = design.plan._replace(fewer=())
    design = design._replace(sets=asked.sets, places=asked.places, plan=plan)
    course = Course(asked.data.train, asked.sets, plan.protocol, asked.everything.x)
    progress = Progress(plan.seconds, quiet=True)
    try:
        compared = decide.check(course, decide.compare(course, design, progress), design, progress)
        outcomes = {a.label: of_arm for a, of_arm in zip(design.arms, compared.outcomes, strict=True)}
        last = compared.tuned[asked.places.tuned.index(asked.places.final)]
        final = {a.label: one for a, one in zip(design.arms, last, strict=True)}
        if squeezed:
            combined = decide.combine(course, compared, design, progress)
            outcomes['squeezed'], final['squeezed'] = combined.outcomes, combined.final
    finally:
        progress.close()
    handed_over = procedures.outcomes(course, list(final.values()))
    baseline = design.arms[0].label
    return Mistakes(
        {label: _table(asked, asked.places.measured, of_arm) for label, of_arm in outcomes.items()},
        {
            f'{baseline}{CONTROL} ({number})': _table(asked, again, of_control)
            for number, (again, of_control) in enumerate(
                zip(asked.places.controls, compared.controls, strict=True), 1
            )
        },
        {label: _final(asked, one) for label, one in zip(final, handed_over, strict=True)},
    )


def read(asked: Asked, mistakes: Mistakes) -> Seen:
    """What the user reads off the tables, and what the rest of the examples says.

    Args:
        asked: the user.
        mistakes: of all procedures.
    """
    own = asked.own

    def part(tables):
        return {label: table[:, :own] for label, table in tables.items()}

    arms, controls = part(mistakes.tables), part(mistakes.controls)
    squeezed = arms.pop('squeezed', None)
    size = len(asked.sets[0].labelled)
    figures = ledger.figures(Tables(arms, controls, {}, {}, squeezed, {}, size, asked.data.test.groups))
    differences = [*figures.differences, *(one for _, one in figures.controls)]
    errors = [*figures.errors, *(one for one, _ in figures.controls)]
    labels = [*arms, *controls]
    if squeezed is not None:
        labels.insert(len(arms), 'squeezed')
        errors.insert(len(arms), figures.squeezed[0])
        differences.insert(len(arms) - 1, figures.squeezed[1])
    groups = asked.data.test.groups
    if asked.data.cross_fitted:
        of_models = [
            stats.interval(table[:, :own], groups, one_model=True) for table in mistakes.tables.values()
        ]
    else:  # as `squeeze.with_best`: of the one model, not of all labelled sets
        wrong = [table[0, :own] for table in mistakes.final.values()]
        of_models = [Interval(100 * one.mean(), *stats.wilson(one, groups), 1) for one in wrong]
    tables = mistakes.tables | mistakes.controls
    return Seen(
        tuple(labels),
        tuple(differences),
        tuple(stats.verdict(one, figures.margin) for one in differences),
        figures.detectable,
        tuple(errors),
        tuple(of_models),
        np.array([100 * np.nanmean(tables[label][:, own : own + SOME]) for label in labels]),
        np.array([100 * mistakes.final[label][:, own:].mean() for label in mistakes.tables]),
    )


def study_seed(seed: int, user: int) -> int:
    """The seed of a user's draw and study."""
    return seed_of(seed, 'user', user)


def _table(asked, places, outcomes):
    return measure.mistakes(outcomes, [asked.sets[place] for place in places], asked.everything)


def _final(asked, outcome):
    """Of the models that may be handed over the first."""
    one = outcome._replace(classes=outcome.classes[:1])
    return _table(asked, [asked.places.final], [one])
