"""What a user asks of a study, checked against the data and planned before anything runs."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overfit.data import splits as splits_lib
from overfit.data.read.wording import counted
from overfit.study import arms as arms_lib
from overfit.study import baselines, combine, costs, labelled_sets, spaces, too_few
from overfit.study import plan as plan_lib
from overfit.study import techniques as standard
from overfit.study.arms import Arm, Baseline, Technique, arm_of
from overfit.study.labelled_sets import LabelledSet, Places
from overfit.train import check
from overfit.train.engine import population


class Request(NamedTuple):
    """What a user asks of a study.

    Attributes:
        train_size: labelled examples to pretend; `None`: all of the pool, or of what an outer fold leaves.
        validation: fraction of them held out, 0.1 to 0.3.
        techniques: to compare; `None`: all of `techniques.STANDARD` that apply, or of `techniques.ALL` where
            `minutes` are given and pay for the standard effort with all of them.
        baseline: what they are added to; `None`: a plain net of two hidden layers.
        textbook: techniques from whose combination the search may start; `None`: by the kind of the data.
        minutes: for everything; `None`: the standard effort, or less where that takes long.
        trials: settings tried of an arm on a labelled set; `None`: as the budget allows.
        labelled_sets: 3 or more; cross-fitted, a multiple of 5; `None`: likewise.
        seed: of everything.
    """

    train_size: int | None = None
    validation: float = 0.2
    techniques: Sequence[Technique] | None = None
    baseline: Baseline | None = None
    textbook: Sequence[Technique] | None = None
    minutes: float | None = None
    trials: int | None = None
    labelled_sets: int | None = None
    seed: int = 0


class Design(NamedTuple):
    """What is compared and how; it knows nothing of a test set.

    Attributes:
        baseline: recipe and space that techniques are added to.
        arms: the baseline, then one a technique, then the textbooks' combinations where there are any.
        sets: all labelled sets.
        places: where each of them stands.
        plan: what will run.
    """

    baseline: Baseline
    arms: tuple[Arm, ...]
    sets: tuple[LabelledSet, ...]
    places: Places
    plan: plan_lib.Plan


class Study(NamedTuple):
    """A request, checked against its data.

    Attributes:
        splits: the data set.
        design: what will be compared.
        seed: of everything.
    """

    splits: splits_lib.Splits
    design: Design
    seed: int


def prepare(splits: splits_lib.Splits, request: Request) -> Study:
    """Checks a request and plans the study.

    Args:
        splits: the data set.
        request: what is asked.

    Returns:
        The study, nothing of it run.

    Raises:
        ValueError: a request that the data cannot serve, or a technique or baseline that cannot train; the
            message names the argument.
    """
    check_numbers(request)
    pool, cross_fitted = splits.train, splits.cross_fitted
    _check_sets(request.labelled_sets, cross_fitted)
    wanted = len(pool.y) if request.train_size is None else request.train_size
    if wanted > population.MOST_EXAMPLES:
        raise ValueError(
            f'train_size={wanted:,} is more than the {population.MOST_EXAMPLES:,} that a labelled set may '
            'have: this is for small data, give a smaller one'
        )
    tests = _independent(splits)
    drawn = too_few.draw(
        splits, request.train_size, request.labelled_sets, request.validation, seed=request.seed
    )
    size = labelled_sets.usual_size(drawn)
    baseline = request.baseline or baselines.baseline(baselines.mlp(len(pool.classes)), pool.kind)
    spaces.check(baseline.space, baseline.label)
    known = {}  # what was checked before is not checked again
    check.recipes([(baseline.recipe, baseline.space)], pool, known=known)

    def planned(wanted, most=None):
        """Arms of the techniques wanted and of so many textbooks at most, and their plan."""
        chosen = _techniques(wanted, baseline, pool, known)
        arms = [arm_of(one, baseline) for one in [(), *[(technique,) for technique in chosen]]]
        books = _textbooks(request.textbook, chosen, pool.kind)[:most]
        together = [baselines.together(book, baseline) for book in books]
        arms += [arm for arm in together if combine.go_together(arm.techniques, baseline, pool)]
        costliest = max(
            together or [arms[0]], key=lambda arm: arm.stretch * costs.seconds_a_step(arm.recipe, pool)
        )
        task = plan_lib.Task(pool, arms, costliest, size, tests, cross_fitted, request.validation)
        asked = {name: getattr(request, name) for name in ('minutes', 'trials', 'labelled_sets')}
        return tuple(arms), plan_lib.make(task, **asked)

    if request.techniques is not None:
        arms, plan = planned(request.techniques)
    else:
        arms, plan = planned(_applying(standard.STANDARD, baseline, pool, known), most=1)
        if request.minutes is not None:
            more, plan_of_more = planned(_applying(standard.ALL, baseline, pool, known))
            if not plan_of_more.cut:  # no less than the standard effort for each
                arms, plan = more, plan_of_more
    sets, places = labelled_sets.lay_out(
        splits,
        request.train_size,
        plan.level.sets,
        plan.level.controls,
        [other for other in plan.sizes if other != size],
        folds=plan.protocol.folds,
        seed=request.seed,
    )
    return Study(splits, Design(baseline, arms, sets, places, plan), request.seed)


def _textbooks(wanted, chosen, kind):
    """The textbooks as far as their techniques are compared, each once, of two techniques or more.

    A further textbook says something new only with the technique that it begins with.
    """
    books = baselines.textbooks(kind)
    if wanted is not None:
        books = (baselines.Textbook(baselines.TEXTBOOK_LABEL, wanted),)
    found = {}
    for book in books:
        known = tuple(technique for technique in book.techniques if technique in chosen)
        labels = frozenset(technique.label for technique in known)
        begins = book == books[0] or book.techniques[0] in known
        if begins and len(known) > 1 and labels not in found:
            found[labels] = book._replace(techniques=known)
    return list(found.values())


def _check_sets(wanted, cross_fitted):
    if wanted is not None and cross_fitted and wanted % labelled_sets.OUTER_FOLDS:
        raise ValueError(
            f'labelled_sets={wanted} is no multiple of {labelled_sets.OUTER_FOLDS}, as many as a round of '
            f'cross-fitting has: give {labelled_sets.OUTER_FOLDS} or {2 * labelled_sets.OUTER_FOLDS}'
        )


def check_numbers(request: Request) -> None:
    """Refuses numbers of a request that are of another type or make no sense.

    Args:
        request: anybody's.

    Raises:
        ValueError: the message names the field.
    """
    for name in ('train_size', 'trials', 'labelled_sets', 'seed'):
        value = getattr(request, name)
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole and not (value is None and name != 'seed'):
            raise ValueError(f'{name}={value!r} is no whole number: give one')
    for name in ('validation', 'minutes'):
        value = getattr(request, name)
        if not isinstance(value, int | float | np.floating) and not (value is None and name == 'minutes'):
            raise ValueError(f'{name}={value!r} is no number: give one')
    if request.seed < 0:
        raise ValueError(f'seed={request.seed} is below 0: give 0 or more')
    if not 0.1 <= request.validation <= 0.3:
        raise ValueError(f'validation={request.validation} is out of range: give a fraction from 0.1 to 0.3')
    if request.minutes is not None and not request.minutes > 0:
        raise ValueError(f'minutes={request.minutes} leaves no time: give more than 0, or leave it out')
    if request.trials is not None and request.trials < 1:
        raise ValueError(f'trials={request.trials} tries nothing: give 1 or more, or leave it out')
    if request.labelled_sets is not None and request.labelled_sets < 3:
        raise ValueError(
            f'labelled_sets={request.labelled_sets} are too few for an interval: give 3 or more, '
            f'cross-fitted a multiple of {labelled_sets.OUTER_FOLDS}, or leave it out'
        )


def _techniques(wanted, baseline, pool, known):
    """The techniques to compare, each once."""
    if isinstance(wanted, Technique):
        raise ValueError(f'techniques is the technique "{wanted.label}" alone: give a list of them')
    chosen = []
    for technique in wanted:
        if not isinstance(technique, Technique):
            raise ValueError(
                f'techniques holds a {type(technique).__name__}: give overfit.Technique values, for instance '
                'overfit.techniques.dropout'
            )
        arms_lib.check(technique, baseline)
        if not technique.applies(baseline.recipe, pool.kind):
            raise ValueError(
                f'the technique "{technique.label}" does not apply to this baseline on data of the kind '
                f'{pool.kind.name}: leave it out of techniques'
            )
        if technique not in chosen:
            chosen.append(technique)
    if not chosen:
        raise ValueError('techniques is empty: name at least one, or leave it out for all that apply')
    labels = [technique.label for technique in chosen]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f'two techniques have the label "{label}": give each its own')
        if label in ('squeezed', *baselines.LABELS):  # arms of every study, told apart by their labels
            raise ValueError(f'a technique has the label "{label}" of another row: give it one of its own')
    arms = [arm_of([technique], baseline) for technique in chosen]
    check.recipes([(arm.recipe, arm.space) for arm in arms], pool, known=known)
    return chosen


def _applying(techniques, baseline, pool, known):
    """Those that apply to the baseline, and train with it."""
    applying = [t for t in techniques if t.applies(baseline.recipe, pool.kind)]
    return [t for t in applying if _trains(t, baseline, pool, known)]


def _trains(technique, baseline, pool, known):
    """Whether a technique does something to a baseline, which may be a stranger's."""
    arm = arm_of([technique], baseline)
    try:
        check.recipes([(arm.recipe, arm.space)], pool, known=known)
    except ValueError:
        return False
    return True


def _independent(splits):
    """How many test examples are independent of one another: groups count once."""
    groups = splits.test.groups
    tests = len(splits.test) if groups is None else len(np.unique(groups))
    if tests < 2:
        things = 'example' if groups is None else 'group of examples'
        raise ValueError(
            f'the test set has {tests} {things}, which shows nothing of others: give a larger one, or none '
            "and test='cross-fitted'"
        )
    return tests


def describe(study: Study) -> str:
    """What will run, in words: nets, programs, minutes, memory, and what was cut."""
    design, plan, protocol = study.design, study.design.plan, study.design.plan.protocol
    steps = sum(plan.member_steps.values())
    lines = [
        f'{counted(len(design.arms), "arm")}, each tuned anew on each of '
        f'{counted(plan.level.sets, "labelled set")} of {protocol.train_size:,}: '
        f'{counted(protocol.trials, "setting")} × {counted(protocol.folds, "fold")}, '
        f'{protocol.steps} steps each',
        f'{counted(plan.nets, "net")}, {steps / 1e6:.1f} million training steps, '
        f'{counted(plan.programs, "program")}; '
        f'about {sum(plan.seconds.values()) / 60:.1f} min and {plan.megabytes / 1024:.1f} GiB',
        _power(plan, study.splits.test, len(design.arms) - 1),
    ]
    if plan.cut:
        lines.append(f'to save time: {"; ".join(plan.cut)}')
    return '\n'.join(lines)


def _power(plan, holdout, comparisons):
    """What differences the comparison can find."""
    least, hopeless = plan.detectable, 50 * plan_lib.GUESSED_ERROR
    text = (
        f'differences of about {least:.1f} points and more can be found (four times in five, where the '
        f'baseline errs on {100 * plan_lib.GUESSED_ERROR:.0f} %)'
    )
    if least <= hopeless:
        return text
    tests, few = counted(len(holdout), 'test example'), 'name fewer techniques or ' * (comparisons > 1)
    if holdout.groups is not None:
        tests += f' of {counted(len(np.unique(holdout.groups)), "group")}'
    return (
        f'{text}: {counted(comparisons, "comparison")} need{"s" * (comparisons == 1)} more than '
        f'{counted(plan.level.sets, "labelled set")} and {tests}; {few}give more minutes'
    )
