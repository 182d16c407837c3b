"""Compares techniques on a baseline by the study's own procedures, tuned alike, with intervals.

splits, size = comparison.data()
compared = comparison.compare(splits, size, [technique, ...], baseline=baseline)
print(comparison.table(compared.results))
"""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from absl import flags

from experiments import squeeze
from experiments.shared_flags import DATA, LABELLED_SETS, SEED, as_flags, train_size_of

LABELLED_SETS_HERE = 20  # where nothing else is said: half as wide intervals as the main job has


class Comparison(NamedTuple):
    """What a comparison found.

    Attributes:
        study: what was run: `study.design.arms` are the baseline and an arm a technique.
        compared: `compared.outcomes[arm][labelled set]` have settings, predictions and curves.
        tables: mistakes; `list(tables.arms.values())` is `[J, N]` by arm, the baseline first.
        results: rows with intervals, differences and verdicts: `results.baseline`, `results.arms`.
    """

    study: Any
    compared: Any
    tables: Any
    results: Any


def data() -> tuple[Any, int | None]:
    """The data that the flags name, and how many labelled examples of them are used (`None`: all)."""
    from overfit.data import load

    splits = load.load(
        DATA.value,
        label=squeeze.LABEL.value,
        group=squeeze.GROUP.value,
        test=squeeze.TEST.value,
        image_size=squeeze.IMAGE_SIZE.value,
    )
    print(as_flags(load.describe(splits)), flush=True)
    return splits, train_size_of(len(splits.train.y))


def compare(
    splits: Any,
    size: int | None,
    techniques: Sequence[Any],
    *,
    baseline: Any = None,
    labelled_sets: int | None = None,
    trials: int | None = None,
    validation: float | None = None,
    stretch: float = 1.0,
    repeats: int = 1,
    quiet: bool = False,
) -> Comparison:
    """Tunes a baseline and each technique on every labelled set, and measures them.

    Args:
        splits: the data set.
        size: labelled examples of a labelled set; `None`: all.
        techniques: `overfit.Technique` values, each a row. A setting of one's own is a technique with plain
            numbers: `Technique('rate 0.3', space={'dropout': 0.3})`.
        baseline: what they are added to; `None`: the one that `--model` names.
        labelled_sets: `None`: `--labelled_sets`, else 20 (cross-fitted: 20 too).
        trials: settings tried of each; `None`: `--trials`, else the standard number.
        validation: fraction held out; `None`: `--validation`.
        stretch: training steps, as a multiple of the standard number, for all.
        repeats: so many labelled sets in succession hold the same examples, and draw all else anew; the
            test set must stand apart.
        quiet: show no progress.
    """
    from overfit.study import decide, requests
    from overfit.study import squeeze as study_lib
    from overfit.study.course import Course
    from overfit.study.progress import Progress

    request = requests.Request(
        train_size=size,
        validation=squeeze.VALIDATION.value if validation is None else validation,
        techniques=techniques,
        baseline=baseline or squeeze.baseline_of(splits.train),
        textbook=(),
        trials=trials or squeeze.TRIALS.value,
        labelled_sets=labelled_sets or LABELLED_SETS.value or LABELLED_SETS_HERE,
        minutes=squeeze.BUDGET_MINUTES.value,
        seed=SEED.value,
    )
    study = requests.prepare(splits, request)
    design = study.design
    protocol = design.plan.protocol
    protocol = protocol._replace(steps=max(1, round(stretch * protocol.steps)))
    plan = design.plan._replace(fewer=(), protocol=protocol)
    design = design._replace(plan=plan, places=design.places._replace(sizes={}, controls=()))
    if repeats > 1 and splits.cross_fitted:
        raise ValueError('cross-fitted data have no labelled set twice: test them apart, with test=holdout')
    if repeats > 1:
        again = [design.sets[n // repeats].again(n % repeats) for n in range(len(design.sets))]
        design = design._replace(sets=tuple(again))
    study = study._replace(design=design)
    seconds = {'tuning': plan.seconds['tuning']}
    with contextlib.closing(Progress(seconds, compiling=plan.compiling, quiet=quiet)) as progress:
        course = Course(splits.train, design.sets, protocol, splits.test.x)
        compared = decide.compare(course, design, progress)
        tables = study_lib.tables_of(study, compared)
        results = study_lib.describe(study, compared, tables, progress, {})
    return Comparison(study, compared, tables, results)


def table(results: Any) -> str:
    """The rows as text: error, difference from the baseline, verdict, cost; the best first.

    Args:
        results: `overfit.study.results.Results`.
    """
    from overfit.report import spelling

    rows = sorted(results.arms, key=lambda row: row.test_error.mean)
    width = max(len(row.technique) for row in (results.baseline, *rows))
    data = results.data
    tested = f'{data.test:,} {"others" if results.test_mode != "cross-fitted" else "in turn"}'
    lines = [
        f'{data.name} · {data.train:,} labelled {data.noun}, tested on {tested} · '
        f'{results.labelled_sets} labelled sets',
        f'{"":{width}}  test error %  difference             cost  verdict',
    ]
    for row in (results.baseline, *rows):
        error = f'{row.test_error.mean:5.1f} ± {spelling.half(row.test_error):3.1f}'
        more = ''
        if row.difference is not None:
            mean, bounds = spelling.signed(row.difference.mean), spelling.bounds(row.difference, 1)
            more = f'  {mean:>5} {bounds:15}  × {row.cost:<5.1f}  {row.verdict}'
        lines.append(f'{row.technique:{width}}  {error:>12}{more}'.rstrip())
    lines.append(
        '± and [ ]: 95 % intervals for other labelled sets, tuning, splits, initial weights and test '
        f'{data.noun}; [ ] hold for all rows at once'
    )
    return '\n'.join(lines)


def record(results: Any) -> dict[str, Any]:
    """The rows as plain values for a JSON file.

    Args:
        results: `overfit.study.results.Results`.
    """

    def of(row):
        plain = {'label': row.technique, 'error': rounded(row.test_error), 'cost': round(row.cost, 2)}
        plain |= {'numbers': {name: float(f'{value:.4g}') for name, value in row.hyper.items()}}
        plain |= {'diverged': row.diverged}
        if row.difference is not None:
            plain |= {'difference': rounded(row.difference), 'verdict': row.verdict}
        return plain

    data = results.data
    return {
        'data': {'name': data.name, 'train': data.train, 'test': data.test, 'classes': data.classes},
        'labelled_sets': results.labelled_sets,
        'test_mode': results.test_mode,
        'baseline': of(results.baseline),
        'rows': [of(row) for row in results.arms],
    }


def rounded(value: Any) -> dict[str, float]:
    """An interval or difference as plain values."""
    return {name: round(one, 4) for name, one in value._asdict().items() if one is not None}


def alone(flag: flags.FlagHolder, default: Any) -> Any:
    """The value of a flag of the main job where it was given, else another default."""
    return flag.value if flag.present else default
