"""From a data set to a ledger of what helps, and the best model: the whole study, in its order."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.data import load
from overfit.data import splits as splits_lib
from overfit.report import page
from overfit.study import combine, measure, references, search, stats, techniques
from overfit.study import ledger as ledger_lib
from overfit.study import plan as plan_lib
from overfit.study.progress import Progress
from overfit.train import checkpoint
from overfit.train.engine import population


class Request(NamedTuple):
    """What a user asks of a study; the flags of `experiments.squeeze`.

    Attributes:
        train_size: labelled examples to pretend; `None`: all of the pool.
        validation: fraction of them held out, 0.1 .. 0.3.
        techniques: keys of `techniques.TECHNIQUES`; `None`: all that apply.
        model: `'mlp'` or `'cnn'`, the baseline's.
        budget_minutes: for everything; `None`: the standard effort, or less where that takes long.
        trials: settings an arm; `None`: as the budget allows.
        replicates: fresh paired replicates; likewise.
        seed: of everything.
    """

    train_size: int | None = None
    validation: float = 0.2
    techniques: Sequence[str] | None = None
    model: str = 'mlp'
    budget_minutes: float | None = None
    trials: int | None = None
    replicates: int | None = None
    seed: int = 0


class Study(NamedTuple):
    """A request, checked against its data.

    Attributes:
        splits: the data set.
        baseline: recipe that techniques are added to.
        arms: the baseline, then one a technique.
        labelled: `[n]` indices of the labelled examples that the search and the final model use.
        plan: what will run.
    """

    splits: splits_lib.Splits
    baseline: base.Recipe
    arms: tuple[search.Arm, ...]
    labelled: np.ndarray
    plan: plan_lib.Plan


def prepare(splits: splits_lib.Splits, request: Request) -> Study:
    """Checks a request and plans the study.

    Args:
        splits: the data set.
        request: what is asked.

    Returns:
        The study, nothing of it run.

    Raises:
        ValueError: a request that the data cannot serve; the message names the flag.
    """
    if not 0.1 <= request.validation <= 0.3:
        raise ValueError(f'--validation={request.validation} is not a fraction from 0.1 to 0.3')
    pool = splits.train
    if request.model == 'cnn' and pool.kind != 'image':
        raise ValueError(f'--model=cnn needs images, and {splits.name} holds vectors: use --model=mlp')
    size = len(pool.y) if request.train_size is None else request.train_size
    possible = techniques.applicable(pool.kind, request.model)
    chosen = list(possible) if request.techniques is None else list(dict.fromkeys(request.techniques))
    if not chosen:
        raise ValueError(f'--techniques is empty; choose among {", ".join(possible)}')
    for key in chosen:
        if key not in possible:
            raise ValueError(f'--techniques={key} does not apply here; these do: {", ".join(possible)}')
    if size > population.MOST_EXAMPLES:
        raise ValueError(
            f'--train_size={size:,} is more than the {population.MOST_EXAMPLES:,} that a replicate may have: '
            'this is for small data, use a smaller --train_size'
        )
    baseline = techniques.baseline_recipe(len(pool.classes), request.model)
    arms = tuple(search.arm_of(keys, baseline) for keys in [(), *[(key,) for key in chosen]])
    labelled = splits_lib.subset(pool.y, size, seed=request.seed)
    check_folds(pool, labelled, request.validation)
    plan = plan_lib.make(
        pool,
        arms,
        train_size=size,
        validation=request.validation,
        budget_minutes=request.budget_minutes,
        seed=request.seed,
        trials=request.trials,
        replicates=request.replicates,
    )
    return Study(splits, baseline, arms, labelled, plan)


def check_folds(pool: base.Examples, labelled: np.ndarray, validation: float) -> None:
    """Refuses labelled sets in which a class is too small to be in every fold."""
    folds = search.fold_count(validation)
    counts = np.bincount(pool.y[labelled], minlength=len(pool.classes))
    rarest = int(counts.argmin())
    if counts[rarest] < folds:
        raise ValueError(
            f'class {pool.classes[rarest]} has {counts[rarest]} examples, fewer than the {folds} folds of '
            f'--validation={validation:g}: use a larger --train_size, or --validation=0.3 (3 folds)'
        )


def run(study: Study, workdir: pathlib.Path, about: dict, progress: Progress) -> dict:
    """Runs a study and writes `results.json`, `page.html` and `best/` into its folder.

    Args:
        study: from `prepare`.
        workdir: an existing folder.
        about: `command`, `versions`, `git` and `machine`, for the record.
        progress: told of every phase.

    Returns:
        What `results.json` holds.
    """
    pool, holdout = study.splits.train, study.splits.test
    protocol, level, steps = study.plan.protocol, study.plan.level, study.plan.member_steps

    with progress.phase('tuning', steps['tuning']) as advance:
        tuned = search.search(
            study.arms,
            pool,
            study.labelled,
            protocol,
            progress=advance,
            said=lambda t: say_tuned(progress, t),
        )
    baseline = tuned[0]
    others = [size for size in study.plan.sizes if size != protocol.train_size]
    sizes = [protocol.train_size] * len(tuned) + others
    of_sizes = [at_size(baseline, size / protocol.train_size) for size in others]
    with progress.phase('measuring', steps['measuring']) as advance:
        measured = measure.measure(
            [*tuned, *of_sizes], pool, holdout, protocol, sizes=sizes, progress=advance
        )
    curve = {protocol.train_size: measured[0].wrong}
    curve |= {size: one.wrong for size, one in zip(others, measured[len(tuned) :], strict=True)}
    measured = measured[: len(tuned)]
    ledger = ledger_lib.Ledger(curve, protocol.train_size, measured[0].wrong, pool.x.shape[1:])
    arms = ledger.rows(tuned[1:], measured[1:])
    validated = round(protocol.train_size * min(1, protocol.folds * protocol.validation))
    results = {
        **about,
        'seed': protocol.seed,
        'data': {
            'name': study.splits.name,
            'kind': pool.kind,
            'train': protocol.train_size,
            'test': len(holdout),
            'classes': len(pool.classes),
            'sha256': study.splits.sha256,
        },
        'plan': list(study.plan.cut),
        'baseline': ledger.plain(baseline, measured[0]),
        'arms': arms,
        'size_curve': [
            {'size': size, 'test_error': stats.interval(curve[size])._asdict()} for size in sorted(curve)
        ],
        'search_optimism': optimism(tuned, measured, validated),
    }
    page.write_json(results, workdir / 'partial.json')  # stays where the run ends early
    progress.say(partial_table(arms))
    with progress.phase('combining', steps['combining']) as advance:
        combined = combine.combine(
            tuned[1:],
            baseline,
            study.baseline,
            pool,
            study.labelled,
            protocol,
            combine.Effort(level.tries, level.try_trials),
            progress=advance,
            said=progress.say,
        )
    finished = finish(combined, level.nets, [key for arm in study.arms for key in arm.keys])
    with progress.phase('final', steps['final']) as advance:
        last = measure.measure([finished], pool, holdout, protocol, progress=advance)[0]
        nets = train_final(finished, pool, study.labelled, protocol, advance)
    best = save_best(workdir / 'best', finished, nets, pool, about, protocol)
    probabilities = best.predict_proba(holdout.x)
    wrong = holdout.wrong(probabilities.argmax(-1))
    with progress.phase('references', study.plan.reference_replicates, ' replicates') as advance:
        compared = references.measure(
            pool, holdout, protocol, replicates=study.plan.reference_replicates, progress=advance
        )

    results |= {
        'squeezed': ledger.row(finished, last),
        'best': {
            'path': 'best',
            'test_error': 100 * float(wrong.mean()),
            'wrong': int(wrong.sum()),
            'members': len(nets),
        },
        'references': compared,
        'seconds': {
            'total': progress.elapsed,
            'compile': progress.compile_seconds,
            'train': progress.train_seconds,
        },
    }
    page.write_json(results, workdir / 'results.json')
    (workdir / 'partial.json').unlink()
    material = page.Material(
        curves={'baseline': learning_curve(measured[0]), 'squeezed': learning_curve(last)},
        confusion=page.confusion(holdout.reveal(), probabilities),
        classes=pool.classes,
        mistakes=page.mistakes(holdout, probabilities),
        summary=load.describe(study.splits),
        notes=study.splits.notes,
    )
    page.write_html(results, material, workdir / 'report.html')
    return results


def at_size(tuned: search.Tuned, factor: float) -> search.Tuned:
    """The same setting for more labels: as many epochs, so more steps; for fewer labels as many steps."""
    return tuned._replace(hyper=tuned.hyper._replace(steps=max(1.0, factor) * tuned.hyper.steps))


def finish(combined: search.Tuned, nets: int, allowed: Sequence[str]) -> search.Tuned:
    """Puts the last two techniques on a combination: refit on all labels, average several nets.

    Neither can be judged on held-out examples (nothing is held out any more), so they are not chosen by
    the search but taken wherever they are among the techniques allowed; the ledger has a row for each,
    and the whole is measured as it is.
    """
    refit, several = 'refit' in allowed, 'ensemble' in allowed and nets > 1
    keys = combined.arm.keys + ('refit',) * refit + ('ensemble',) * several
    return combined._replace(
        arm=combined.arm._replace(keys=keys, members=nets if several else 1, refit=refit)
    )


def train_final(finished, pool, labelled, protocol, advance) -> list[population.Trained]:
    """Trains the chosen recipe on all labelled examples."""
    drawn = measure.Replicate(labelled, search.seed_of(protocol.seed, 'final'))
    return population.train(
        measure.members_of(finished, drawn, pool.y, protocol),
        pool,
        eval_every=protocol.eval_every,
        capacity=protocol.capacity,
        progress=advance,
    )


def save_best(path, finished, nets, pool, about, protocol) -> checkpoint.Predictor:
    """Saves the final nets and loads them again, so that what is tested is what is handed over."""
    note = {
        'recipe': finished.arm.label,
        'hyper': ledger_lib.present(finished.hyper),
        'train_size': protocol.train_size,
        'command': about['command'],
    }
    checkpoint.save(path, finished.arm.recipe.model, nets, pool, note)
    return checkpoint.load(path)


def optimism(
    tuned: Sequence[search.Tuned], measured: Sequence[measure.Measured], validated: int
) -> dict | None:
    """Optimism of the search, over arms that were measured as they were searched; `None` without any."""
    known = [
        (t, m)
        for t, m in zip(tuned, measured, strict=True)
        if np.isfinite(t.error) and t.arm.members == 1 and not t.arm.refit
    ]
    if not known:
        return None
    errors, wrong = [t.error for t, _ in known], np.mean([m.wrong for _, m in known], axis=0)
    return stats.search_optimism(100 * np.array(errors), wrong, validated)._asdict()


def say_tuned(progress: Progress, tuned: search.Tuned) -> None:
    """The first results of a run, arm by arm."""
    progress.say(f'{tuned.arm.label}: validation error {combine.percent(tuned)}')


def partial_table(rows: Sequence[dict]) -> str:
    """The rows that differ from the baseline, as soon as they are known."""
    lines = [
        f'  {row["verdict"]}: {row["technique"]} {row["difference"]["mean"]:+.1f} points'
        for row in sorted(rows, key=lambda row: row['difference']['mean'])
        if row['verdict'] != 'no evidence'
    ]
    return '\n'.join(['measured on fresh replicates, against the tuned baseline:', *lines])


def learning_curve(measured: measure.Measured) -> dict[str, np.ndarray]:
    """Training and validation error in percent, `[R, S]`, at `[S]` steps."""
    return {
        'steps': np.nanmax(measured.curve[:, :, 0], axis=0),
        'train_error': 100 * measured.curve[:, :, 2],
        'validation_error': 100 * measured.curve[:, :, 4],
    }


def describe_plan(study: Study) -> str:
    """What will run, in words: members, programs, minutes, memory, and what was cut."""
    plan, protocol = study.plan, study.plan.protocol
    steps = sum(plan.member_steps.values())
    lines = [
        f'{len(study.arms)} arms × {protocol.trials} trials × {protocol.folds} folds, '
        f'then {protocol.replicates} fresh replicates; {protocol.steps} steps each',
        f'{plan.members:,} nets, {steps / 1e6:.1f} million training steps, {plan.programs} programs; '
        f'about {sum(plan.seconds.values()) / 60:.1f} min and {plan.megabytes / 1024:.1f} GiB',
    ]
    if 2 * protocol.train_size > len(study.splits.train.y):
        lines.append(
            'replicates share most of their labelled examples: intervals hold for other splits, initial '
            'weights and test examples, less so for other labelled examples'
        )
    if plan.cut:
        lines.append(f'to fit the budget: {"; ".join(plan.cut)}')
    return '\n'.join(lines)
