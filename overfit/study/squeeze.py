"""From a data set to a ledger of what helps, and the best model: the whole study, in its order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from overfit.data import load
from overfit.data.read.wording import counted
from overfit.study import costs, decide, measure, optimism, references, stats
from overfit.study import ledger as ledger_lib
from overfit.study import material as material_lib
from overfit.study.course import Course
from overfit.study.ledger import Facts, Figures
from overfit.study.material import Material
from overfit.study.procedures import Outcome
from overfit.study.progress import Progress
from overfit.study.protocol import fold_count
from overfit.study.requests import Study
from overfit.study.results import Best, DataInfo, Reference, Results, Row, Seconds, SizePoint
from overfit.study.tables import Tables
from overfit.train import checkpoint
from overfit.train.engine import population


class Found(NamedTuple):
    """What a study leaves.

    Attributes:
        results: every number.
        material: what the report shows besides.
        model: the best model, in use.
        tables: mistakes of all that was measured.
        probabilities: `[N, classes]` by label of the arm: what its nets say of every test example.
    """

    results: Results
    material: Material
    model: checkpoint.Predictor
    tables: Tables
    probabilities: Mapping[str, np.ndarray]


def run(
    study: Study,
    progress: Progress,
    *,
    about: Mapping[str, Any] | None = None,
    keep: Callable[[Results], None] = lambda results: None,
) -> Found:
    """Runs a study: compares the arms, combines techniques and trains the best model, then the references.

    Args:
        study: from `requests.prepare`.
        progress: told of every phase.
        about: `command`, `versions`, `git` and `machine`, for the record.
        keep: called with partial results as soon as the arms are measured, so that they outlive a run that
            ends early.
    """
    design, pool, holdout = study.design, study.splits.train, study.splits.test
    sets = [design.sets[place] for place in design.places.measured]
    course = Course(pool, design.sets, design.plan.protocol, holdout.x)

    compared = decide.compare(course, design, progress)
    keep(describe(study, compared, tables_of(study, compared), progress, about or {}))
    compared = decide.check(course, compared, design, progress)
    tables = tables_of(study, compared)
    results = describe(study, compared, tables, progress, about or {})
    keep(results)
    progress.say(first_rows(results))

    # What was measured goes no further: `combine` knows validation errors alone.
    combined = decide.combine(course, compared, design, progress)
    tables = tables._replace(squeezed=measure.mistakes(combined.outcomes, sets, holdout))
    model = checkpoint.Predictor.of(combined.final.arm.recipe, combined.nets, pool)
    # Cross-fitted, the model was trained on the test examples.
    own = None if study.splits.cross_fitted else measure.said_by(model, holdout)
    results = with_best(study, combined, tables, own, results)
    keep(results)

    plan = design.plan
    total = plan.reference_sets * len(plan.references)
    with progress.phase('references', total, unit=' references') as advance:
        found = references.measure(
            pool,
            holdout,
            sets[: plan.reference_sets],
            folds=fold_count(plan.protocol.validation),
            names=plan.references,
            progress=advance,
        )
    tables = tables._replace(references={name: padded(table, len(sets)) for name, table in found.items()})
    figures = ledger_lib.figures(tables)
    results = results._replace(
        references=tuple(Reference(name, *both) for name, both in figures.references.items()),
        seconds=Seconds(progress.elapsed, progress.compile_seconds, progress.train_seconds),
    )
    outcomes = {arm.label: of_arm for arm, of_arm in zip(design.arms, compared.outcomes, strict=True)}
    outcomes['squeezed'] = combined.outcomes
    probabilities = {
        label: measure.probabilities(of_arm, sets, len(holdout)) for label, of_arm in outcomes.items()
    }
    of_best = probabilities['squeezed'] if own is None else own
    material = Material(
        curves={label: learning_curve(outcomes[label]) for label in (design.arms[0].label, 'squeezed')},
        confusion=material_lib.confusion(holdout.reveal(), of_best),
        classes=pool.classes,
        mistakes=material_lib.mistakes(holdout, of_best, pool.kind.show),
        summary=load.describe(study.splits),
        notes=study.splits.notes,
    )
    return Found(results, material, model, tables, probabilities)


def tables_of(study: Study, compared: decide.Compared) -> Tables:
    """The mistakes of what was compared."""
    design, holdout = study.design, study.splits.test
    sets = [design.sets[place] for place in design.places.measured]

    def table(outcomes):
        return measure.mistakes(outcomes, sets, holdout)

    return Tables(
        arms={arm.label: table(of_arm) for arm, of_arm in zip(design.arms, compared.outcomes, strict=True)},
        controls={
            f'{design.arms[0].label}, tuned again ({number})': table(of_control)
            for number, of_control in enumerate(compared.controls, 1)
        },
        sizes={size: table(of_size) for size, of_size in compared.sizes.items()},
        fewer={
            label: {size: table(of_size) for size, of_size in by_size.items()}
            for label, by_size in compared.fewer.items()
        },
        squeezed=None,
        references={},
        train_size=design.plan.protocol.train_size,
        columns=holdout.groups,
    )


def describe(
    study: Study, compared: decide.Compared, tables: Tables, progress: Progress, about: Mapping[str, Any]
) -> Results:
    """The results as far as the arms go; what is trained after them is still absent."""
    design, data = study.design, study.splits
    plan, protocol = design.plan, design.plan.protocol
    figures = ledger_lib.figures(tables)
    facts = [facts_of(study, outcomes) for outcomes in compared.outcomes]
    controls = [
        facts_of(study, outcomes, label)
        for label, outcomes in zip(tables.controls, compared.controls, strict=True)
    ]
    return Results(
        command=about.get('command'),
        versions=about.get('versions', {}),
        git=about.get('git'),
        machine=about.get('machine'),
        seed=study.seed,
        seconds=Seconds(progress.elapsed, progress.compile_seconds, progress.train_seconds),
        data=DataInfo(
            name=data.name,
            kind=data.train.kind.name,
            train=protocol.train_size,
            test=len(data.test),
            classes=len(data.train.classes),
            labelled=len(data.train.y),
            sha256=data.sha256,
            noun=data.train.kind.noun,
        ),
        plan=plan.cut,
        baseline=ledger_lib.plain(facts[0], figures.errors[0]),
        arms=rows(facts[1:], figures),
        size_curve=tuple(SizePoint(size, error) for size, error in figures.sizes.items()),
        search_optimism=optimism.measure(design, compared, tables, len(data.train.y)),
        labelled_sets=len(design.places.measured),
        test_mode=data.test_mode,
        margin=figures.margin,
        detectable=figures.detectable,
        controls=tuple(
            ledger_lib.row(one, error, difference, figures.margin)
            for one, (error, difference) in zip(controls, figures.controls, strict=True)
        ),
    )


def rows(facts: Sequence[Facts], figures: Figures) -> tuple[Row, ...]:
    """The rows of all arms."""
    return tuple(
        ledger_lib.row(
            one,
            figures.errors[1 + n],
            figures.differences[n],
            figures.margin,
            labels=figures.worths[n],
            near_best=figures.near_best[n],
        )
        for n, one in enumerate(facts)
    )


def facts_of(study: Study, outcomes: Sequence[Outcome], label: str | None = None) -> Facts:
    """What is known of an arm beside its mistakes.

    Args:
        study: what was run.
        outcomes: of the arm, one a labelled set.
        label: its name; `None`: the arm's own.
    """
    design, pool = study.design, study.splits.train
    tuned = [outcome.tuned for outcome in outcomes]
    arm = tuned[0].arm
    measured = sum(outcome.diverged for outcome in outcomes)
    return Facts(
        label or arm.label,
        ledger_lib.describe(arm.recipe, pool.x.shape[1:]),
        ledger_lib.setting([one.hyper.numbers() for one in tuned]),
        tuned[0].trials,
        sum(o.tuned.member_steps + o.member_steps for o in outcomes),
        measured,
        sum(one.diverged for one in tuned),
        costs.relative(arm, design.arms[0], fold_count(design.plan.protocol.validation), pool),
    )


def with_best(
    study: Study,
    combined: decide.Combined,
    tables: Tables,
    own: np.ndarray | None,
    results: Results,
) -> Results:
    """The results with the squeezed model's row and the best model's error.

    Args:
        study: what was run.
        combined: what the combination came to.
        tables: with that of the squeezed model.
        own: what the best model says of test examples, see `measure.said_by`; `None`: it knows them.
        results: without these.
    """
    design, holdout = study.design, study.splits.test
    figures = ledger_lib.figures(tables)
    error, difference, worth = figures.squeezed
    facts = facts_of(study, combined.outcomes)._replace(
        label=combined.final.arm.label,
        recipe=ledger_lib.describe(combined.final.arm.recipe, study.splits.train.x.shape[1:]),
        hyper=combined.final.hyper.numbers(),
    )
    nets, size = len(combined.nets), len(design.sets[design.places.final].labelled)
    alone = stats.interval(tables.squeezed, tables.columns, one_model=True)
    best = Best(None, error.mean, nets, None, alone.low, alone.high, size)
    if own is not None:
        wrong = holdout.wrong(own.argmax(-1))
        found = stats.wilson(wrong, tables.columns)
        best = Best(None, 100 * float(wrong.mean()), nets, int(wrong.sum()), *found, size)
    return results._replace(
        squeezed=ledger_lib.row(facts, error, difference, figures.margin, labels=worth), best=best
    )


def padded(table: np.ndarray, rows: int) -> np.ndarray:
    """A table with rows of NaN for the labelled sets on which nothing was measured."""
    return np.pad(table, ((0, rows - len(table)), (0, 0)), constant_values=np.nan)


def first_rows(results: Results) -> str:
    """The rows that differ from the baseline, as soon as they are known."""
    found = sorted(results.arms, key=lambda row: row.difference.mean)
    lines = [
        f'  {row.verdict}: {row.technique} {row.difference.mean:+.1f} points'
        for row in found
        if row.verdict in stats.DECIDED
    ]
    title = f'measured on {counted(results.labelled_sets, "labelled set")}, against the tuned baseline'
    return '\n'.join([f'{title}:', *lines]) if lines else f'{title}: no row differs surely'


def learning_curve(outcomes: Sequence[Outcome]) -> material_lib.Curve:
    """Training and validation error in percent; NaN after the end of a shorter net."""
    curves = [curve for outcome in outcomes for curve in outcome.curves]
    longest = max(len(curve) for curve in curves)
    curve = np.stack([np.pad(c, ((0, longest - len(c)), (0, 0)), constant_values=np.nan) for c in curves])
    return material_lib.Curve(
        steps=np.nanmax(curve[:, :, population.STEP], axis=0),
        train_error=100 * curve[:, :, population.TRAIN_ERROR],
        validation_error=100 * curve[:, :, population.ERROR],
    )
