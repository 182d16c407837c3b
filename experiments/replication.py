"""Do verdicts replicate? The whole study again and again on one data set, with nothing new but the seed.

    python -m experiments.replication --data=digits --runs=10 --json=replication.json
    python -m experiments.replication --techniques=l2,dropout,center,refit --runs=4 --whole

Takes the flags of `experiments.squeeze` that say what is studied; seeds count from `--seed`. Without
`--whole` a run ends where the arms and controls are measured: nothing is combined, no other sizes, no
references. All runs share one process, and its compiled programs.
"""

import contextlib
import io
import itertools
import os
import sys
import time
from collections.abc import Sequence

import numpy as np
from absl import app, flags, logging

from experiments import provenance, result_file, squeeze
from experiments.shared_flags import SEED, as_flags, refuse

RUNS = flags.DEFINE_integer('runs', 10, 'Runs, each with the next seed.', lower_bound=2)
WHOLE = flags.DEFINE_bool('whole', False, 'Combine techniques and measure references too.')


def compare(study):
    """Runs a study as far as arms and controls; returns its results."""
    from overfit.study import decide
    from overfit.study import squeeze as study_lib
    from overfit.study.course import Course
    from overfit.study.progress import Progress

    with contextlib.closing(Progress(study.design.plan.seconds, quiet=True)) as progress:
        if WHOLE.value:
            return study_lib.run(study, progress).results
        plan, places = study.design.plan._replace(fewer=()), study.design.places._replace(sizes={})
        design = study.design._replace(plan=plan, places=places)
        study = study._replace(design=design)
        course = Course(study.splits.train, design.sets, plan.protocol, study.splits.test.x)
        compared = decide.check(course, decide.compare(course, design, progress), design, progress)
        return study_lib.describe(study, compared, study_lib.tables_of(study, compared), progress, {})


def summary(runs: Sequence) -> dict:
    """How far runs of one study agree.

    Args:
        runs: `overfit.study.results.Results` of the same arms, two or more.

    Returns:
        Shares, counts, percent and percentage points; an interval of a run is asked to hold the mean over all
        other runs, and a row is an arm or a control.
    """
    from overfit.study import stats

    def of(attribute):
        return np.array(
            [[getattr(r.difference, attribute) for r in (*run.arms, *run.controls)] for run in runs]
        )

    arms = len(runs[0].arms)
    labels = [row.technique for row in (*runs[0].arms, *runs[0].controls)]
    mean, low, high = of('mean'), of('low_single'), of('high_single')
    half, wide = (high - low) / 2, (of('high') - of('low')) / 2
    others = (mean.sum(0) - mean) / (len(runs) - 1)
    held = (low <= others) & (others <= high)
    verdicts = np.array([[row.verdict for row in (*run.arms, *run.controls)] for run in runs])
    decided = np.isin(verdicts, stats.DECIDED)
    clash = (verdicts == stats.DECIDED[0]).any(0) & (verdicts == stats.DECIDED[1]).any(0)
    pairs = list(itertools.combinations(range(len(runs)), 2))
    same = [np.mean(verdicts[a, :arms] == verdicts[b, :arms]) for a, b in pairs]
    differ = [int((decided[a, :arms] != decided[b, :arms]).sum()) for a, b in pairs]
    apart = [int((np.abs(mean[a] - mean[b]) > np.hypot(half[a], half[b]))[:arms].sum()) for a, b in pairs]
    levels = np.array(
        [[getattr(run.baseline.test_error, a) for a in ('mean', 'low', 'high')] for run in runs]
    )
    level = levels[:, 0]
    rest = (level.sum() - level) / (len(runs) - 1)
    everything = [row for run in runs for row in (run.baseline, *run.arms, *run.controls)]
    found = {
        'runs': len(runs),
        'labelled_sets': runs[0].labelled_sets,
        'test_mode': runs[0].test_mode,
        'coverage': _share(held),
        'coverage_of_arms': _share(held[:, :arms]),
        'coverage_of_controls': _share(held[:, arms:]),
        'helps_in_one_and_hurts_in_another': [labels[n] for n in np.flatnonzero(clash)],
        'controls_with_a_verdict': _share(decided[:, arms:]),
        'runs_with_a_verdict_on_a_control': _share(decided[:, arms:].any(1)),
        'agreement_of_verdicts': round(float(np.mean(same)), 4),
        'decided_in_one_of_two_runs': {'mean': round(float(np.mean(differ)), 2), 'most': max(differ)},
        'apart_in_two_runs': {'mean': round(float(np.mean(apart)), 2), 'most': max(apart)},
        'half_width': round(float(half[:, :arms].mean()), 3),
        'half_width_simultaneous': round(float(wide[:, :arms].mean()), 3),
        'detectable': round(float(np.mean([run.detectable for run in runs])), 3),
        'baseline_error': {
            'mean': round(float(level.mean()), 3),
            'sd': round(float(level.std(ddof=1)), 3),
            'half_width': round(float((levels[:, 2] - levels[:, 1]).mean() / 2), 3),
            'coverage': _share((levels[:, 1] <= rest) & (rest <= levels[:, 2])),
        },
        'diverged': sum(row.diverged for row in everything),
        'diverged_in_search': sum(row.diverged_in_search for row in everything),
        'diverged_of_baseline': [run.baseline.diverged for run in runs],
        'rows': {
            label: {
                'difference': [round(float(value), 3) for value in mean[:, n]],
                'mean': round(float(mean[:, n].mean()), 3),
                'sd': round(float(mean[:, n].std(ddof=1)), 3),
                'half_width': round(float(half[:, n].mean()), 3),
                'coverage': _share(held[:, n]),
                'verdicts': {word: int((verdicts[:, n] == word).sum()) for word in stats.VERDICTS},
            }
            for n, label in enumerate(labels)
        },
    }
    if all(run.squeezed is not None for run in runs):
        errors = np.array([run.squeezed.test_error.mean for run in runs])
        found['squeezed'] = {
            'errors': [round(float(value), 3) for value in errors],
            'mean': round(float(errors.mean()), 3),
            'sd': round(float(errors.std(ddof=1)), 3),
            'techniques': [run.squeezed.technique for run in runs],
        }
    return found


def _share(held):
    return round(float(held.mean()), 4) if held.size else None


def table(found: dict) -> str:
    """The rows as text, the least difference first, and then the figures of all rows."""
    rows = sorted(found['rows'].items(), key=lambda pair: pair[1]['mean'])
    width = max(len(label) for label, _ in rows)
    lines = [f'{"":{width}}  difference   s.d.  ± single  covered  helps/hurts/no difference/undecided']
    for label, row in rows:
        counts = '/'.join(map(str, row['verdicts'].values()))
        figures = f'{row["mean"]:+10.2f} {row["sd"]:6.2f} {row["half_width"]:9.2f} {row["coverage"]:8.2f}'
        lines.append(f'{label:{width}}  {figures}  {counts}')
    lines += [f'{key.replace("_", " ")}: {value}' for key, value in found.items() if key != 'rows']
    return '\n'.join(lines)


def run() -> None:
    """Runs the study with one seed after another; prints and writes how far the runs agree."""
    about = result_file.about('replication')
    runs, seconds, first = [], [], SEED.value
    for seed in range(first, first + RUNS.value):
        begin = time.monotonic()
        flags.FLAGS['seed'].value = seed
        with contextlib.nullcontext() if seed == first else contextlib.redirect_stdout(io.StringIO()):
            study = squeeze.prepared()
        runs.append(compare(study))
        seconds.append(round(time.monotonic() - begin, 1))
        error = runs[-1].baseline.test_error.mean
        print(f'seed {seed}: baseline {error:.2f} %, {seconds[-1]:.0f} s', file=sys.stderr, flush=True)
        if len(runs) > 1:
            data = {'data': runs[0].data._asdict(), 'first_seed': first, 'seconds': seconds}
            result_file.write(about | data | summary(runs))
    print(table(summary(runs)))


def main(arguments: list[str]) -> None:
    """Runs what the flags describe; wrong input ends in one sentence."""
    if len(arguments) > 1:
        raise app.UsageError(f'unexpected argument {arguments[1]!r}: flags start with --, as --runs=4')
    logging.set_verbosity(logging.WARNING)
    import jax

    jax.config.update('jax_num_cpu_devices', provenance.cores())
    squeeze.keep_programs()
    try:
        refuse(squeeze.WORKDIR, squeeze.DRY_RUN)
        result_file.check()
        run()
    except ValueError as error:
        if os.environ.get('OVERFIT_DEBUG'):
            raise
        print(f'replication: {as_flags(str(error))}', file=sys.stderr)
        sys.exit(1)


if __name__ == '__main__':
    app.run(main)
