"""From a data set to a ledger of what helps, and the best model: the whole study, in its order."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from overfit.data import load, splits
from overfit.study import decide as decide_lib
from overfit.study import material as material_lib
from overfit.study import measure, references, search, stats
from overfit.study.ledger import Ledger
from overfit.study.material import Material
from overfit.study.progress import Progress
from overfit.study.protocol import seed_of
from overfit.study.requests import Design, Study
from overfit.study.results import Best, DataInfo, Reference, Results, Seconds, SizePoint
from overfit.train import checkpoint
from overfit.train.engine import population


class Outcome(NamedTuple):
    """What a study leaves.

    Attributes:
        results: every number.
        material: what the report shows besides.
        model: the best model, in use.
    """

    results: Results
    material: Material
    model: checkpoint.Predictor


def run(
    study: Study,
    progress: Progress,
    *,
    about: Mapping[str, Any] | None = None,
    keep: Callable[[Results], None] = lambda results: None,
) -> Outcome:
    """Runs a study: decides on validation examples, then measures, then trains the best model.

    Args:
        study: from `requests.prepare`.
        progress: told of every phase.
        about: `command`, `versions`, `git` and `machine`, for the record.
        keep: called with partial results as soon as the arms are measured, so that they outlive a run that
            ends early.

    Returns:
        Results, report material and the model.
    """
    design, pool, holdout = study.design, study.splits.train, study.splits.test
    decided = decide_lib.decide(pool, design, progress)
    arms, curve = measure_arms(decided, design, study.splits, progress)
    ledger = Ledger(curve, design.plan.protocol.train_size, arms[0].wrong, pool.x.shape[1:])
    results = describe(study, decided, arms, ledger, progress, about or {})
    keep(results)
    progress.say(first_rows(results))
    with progress.phase('final', design.plan.member_steps['final'], trains=True) as advance:
        [squeezed] = measure.measure(
            [decided.squeezed], pool, holdout, design.plan.protocol, progress=advance
        )
        model = train_final(decided.squeezed, design, study.splits, advance)
    probabilities = measure.average(model.recipe, model.nets, holdout.x, len(model.nets))[0]
    wrong = holdout.wrong(probabilities.argmax(-1))
    results = results._replace(
        squeezed=ledger.row(decided.squeezed, squeezed),
        best=Best(None, 100 * float(wrong.mean()), len(model.nets), int(wrong.sum())),
    )
    keep(results)
    count = design.plan.reference_replicates
    with progress.phase('references', count, unit=' replicates') as advance:
        compared = references.measure(pool, holdout, design.plan.protocol, replicates=count, progress=advance)
    results = results._replace(
        references=tuple(Reference(name, stats.interval(table)) for name, table in compared.items()),
        seconds=Seconds(progress.elapsed, progress.compile_seconds, progress.train_seconds),
    )
    material = Material(
        curves={'baseline': learning_curve(arms[0]), 'squeezed': learning_curve(squeezed)},
        confusion=material_lib.confusion(holdout.reveal(), probabilities),
        classes=pool.classes,
        mistakes=material_lib.mistakes(holdout, probabilities, pool.kind.show),
        summary=load.describe(study.splits),
        notes=study.splits.notes,
    )
    return Outcome(results, material, model)


def measure_arms(
    decided: decide_lib.Decided, design: Design, data: splits.Splits, progress: Progress
) -> tuple[list[measure.Measured], dict[int, np.ndarray]]:
    """Measures every arm at its setting, and the baseline at other numbers of labels.

    Returns:
        What each arm did, the baseline first; and the baseline's mistakes `[R, N]` by number of labels.
    """
    plan, protocol = design.plan, design.plan.protocol
    tuned, baseline = list(decided.tuned), decided.tuned[0]
    others = [size for size in plan.sizes if size != protocol.train_size]
    sizes = [protocol.train_size] * len(tuned) + others
    of_sizes = [at_size(baseline, size / protocol.train_size) for size in others]
    with progress.phase('measuring', plan.member_steps['measuring'], trains=True) as advance:
        measured = measure.measure(
            [*tuned, *of_sizes], data.train, data.test, protocol, sizes=sizes, progress=advance
        )
    curve = {protocol.train_size: measured[0].wrong}
    curve |= {size: one.wrong for size, one in zip(others, measured[len(tuned) :], strict=True)}
    return measured[: len(tuned)], curve


def describe(
    study: Study,
    decided: decide_lib.Decided,
    arms: list[measure.Measured],
    ledger: Ledger,
    progress: Progress,
    about: Mapping[str, Any],
) -> Results:
    """The results as far as the arms go; what is trained after them is still absent."""
    plan, protocol, data = study.design.plan, study.design.plan.protocol, study.splits
    validated = round(protocol.train_size * min(1, protocol.folds * protocol.validation))
    return Results(
        command=about.get('command'),
        versions=about.get('versions', {}),
        git=about.get('git'),
        machine=about.get('machine'),
        seed=protocol.seed,
        seconds=Seconds(progress.elapsed, progress.compile_seconds, progress.train_seconds),
        data=DataInfo(
            name=data.name,
            kind=data.train.kind.name,
            train=protocol.train_size,
            test=len(data.test),
            classes=len(data.train.classes),
            sha256=data.sha256,
            noun=data.train.kind.noun,
        ),
        plan=plan.cut,
        baseline=ledger.plain(decided.tuned[0], arms[0]),
        arms=ledger.rows(decided.tuned[1:], arms[1:]),
        size_curve=tuple(
            SizePoint(size, stats.interval(ledger.curve[size])) for size in sorted(ledger.curve)
        ),
        search_optimism=optimism(decided.tuned, arms, validated),
    )


def at_size(tuned: search.Tuned, factor: float) -> search.Tuned:
    """The same setting for more labels: as many epochs, so more steps; for fewer labels as many steps."""
    return tuned._replace(hyper=tuned.hyper.with_numbers(steps=max(1.0, factor) * tuned.hyper.steps))


def train_final(
    squeezed: search.Tuned,
    design: Design,
    data: splits.Splits,
    advance: Callable[[int, int], None] | None = None,
) -> checkpoint.Predictor:
    """Trains the combination on all labelled examples; returns it as a model in use."""
    protocol, pool = design.plan.protocol, data.train
    replicate = measure.Replicate(design.labelled, seed_of(protocol.seed, 'final'))
    nets = population.train(
        measure.members_of(squeezed, replicate, pool.y, protocol),
        pool,
        eval_every=protocol.eval_every,
        capacity=protocol.capacity,
        progress=advance,
    )
    return checkpoint.Predictor.of(squeezed.arm.recipe, nets, pool)


def optimism(
    tuned: tuple[search.Tuned, ...], arms: list[measure.Measured], validated: int
) -> stats.Interval | None:
    """Optimism of the search, over arms that were measured as they were searched; `None` without any."""
    known = [
        (t, m)
        for t, m in zip(tuned, arms, strict=True)
        if np.isfinite(t.error) and t.arm.nets == 1 and not t.arm.refit
    ]
    if not known:
        return None
    errors, wrong = [t.error for t, _ in known], np.mean([m.wrong for _, m in known], axis=0)
    return stats.search_optimism(100 * np.array(errors), wrong, validated)


def first_rows(results: Results) -> str:
    """The rows that differ from the baseline, as soon as they are known."""
    rows = sorted(results.arms, key=lambda row: row.difference.mean)
    lines = [
        f'  {row.verdict}: {row.technique} {row.difference.mean:+.1f} points'
        for row in rows
        if row.verdict != 'no evidence'
    ]
    title = 'measured on fresh replicates, against the tuned baseline'
    return '\n'.join([f'{title}:', *lines]) if lines else f'{title}: no row has evidence'


def learning_curve(measured: measure.Measured) -> material_lib.Curve:
    """Training and validation error in percent."""
    curve = measured.curve
    return material_lib.Curve(
        steps=np.nanmax(curve[:, :, population.STEP], axis=0),
        train_error=100 * curve[:, :, population.TRAIN_ERROR],
        validation_error=100 * curve[:, :, population.ERROR],
    )
