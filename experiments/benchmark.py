"""Measures `overfit` against what people use instead, side by side in one run.

    python -m experiments.benchmark
    python -m experiments.benchmark --workload=W1,W3 --json=speed.json
    python -m experiments.benchmark --workload=by_hand --squeezed=runs/digits/results.json --json=result.json

Speed: the same training step in PyTorch, in a plain loop, and as a population. PyTorch's columns need
`pip install -e ".[bench]"`. Accuracy (`by_hand`): the net that a practitioner writes by hand in PyTorch, and
an RBF SVM, on the labelled subsets on which `experiments.squeeze` with the same `--data`, `--train_size` and
`--seed` measures its arms.
"""

import contextlib
import functools
import importlib.util
import json
import os
import pathlib
import shlex
import statistics
import sys
from collections.abc import Callable

from absl import app, flags, logging

from experiments.shared_flags import DATA, SEED, SEEDS, TRAIN_SIZE

# Processes of columns import this file too: what is large is imported where it is needed.

BY_HAND = 'by_hand'
WORKLOADS = ('W1', 'W2', 'W3', 'W3-5x5', 'W4', 'parts', 'W5', 'W6', 'W7', 'stopping')

WORKLOAD = flags.DEFINE_list('workload', list(WORKLOADS), f'What to measure; {BY_HAND}: accuracy.')
REPEATS = flags.DEFINE_integer('repeats', 5, 'Rounds in which columns take turns.', lower_bound=1)
SECONDS = flags.DEFINE_float('seconds', 2, 'That a column takes a round.', lower_bound=0.01)
JSON = flags.DEFINE_string('json', None, 'File to write the result to.')
SQUEEZED = flags.DEFINE_string(
    'squeezed', None, f'{BY_HAND}: results.json of experiments.squeeze on the same data, to compare with.'
)
OF_ACCURACY = (DATA, TRAIN_SIZE, SEEDS, SEED, SQUEEZED)
OF_SPEED = (REPEATS, SECONDS)


def chosen() -> list[str]:
    """The workloads asked for, each once.

    Raises:
        ValueError: one that does not exist, or flags that do not go with them.
    """
    names = list(dict.fromkeys(WORKLOAD.value))
    exist = f'these exist: {", ".join((*WORKLOADS, BY_HAND))}'
    for name in names:
        if name not in (*WORKLOADS, BY_HAND):
            raise ValueError(f'--workload={name}: there is no such workload; {exist}')
    if not names:
        raise ValueError(f'--workload is empty; {exist}')
    if BY_HAND in names and len(names) > 1:
        raise ValueError(f'--workload={BY_HAND} is measured alone: leave out the others')
    wrong, words = (OF_SPEED, 'speed') if names == [BY_HAND] else (OF_ACCURACY, f'--workload={BY_HAND}')
    for flag in wrong:
        if flag.present:
            raise ValueError(f'--{flag.name} is of {words}: leave it out for --workload={",".join(names)}')
    if JSON.value and not pathlib.Path(JSON.value).absolute().parent.is_dir():
        raise ValueError(f'--json={JSON.value}: there is no such folder; make it first')
    return names


def train_size() -> int:
    """Labelled examples of the accuracy comparison."""
    return TRAIN_SIZE.value or 200


def seeds() -> int:
    """Replicates of the accuracy comparison."""
    return SEEDS.value or 5


def command(names: list[str]) -> str:
    """The command that measures this again, wherever the data lies."""
    options = {'workload': ','.join(names)}
    if names == [BY_HAND]:
        data = pathlib.Path(DATA.value).name
        options |= {'data': data, 'train_size': train_size(), 'seeds': seeds(), 'seed': SEED.value}
    else:
        options |= {'repeats': REPEATS.value, 'seconds': f'{SECONDS.value:g}'}
    return shlex.join(['python', '-m', 'experiments.benchmark', *(f'--{k}={v}' for k, v in options.items())])


def say(text: str) -> None:
    """Shows what is going on, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def about(names: list[str], torch: bool) -> dict:
    """Where a result comes from."""
    from experiments import provenance

    return {
        'machine': provenance.machine(),
        'versions': provenance.versions(*['torch'] * torch),
        'git': provenance.git_hash(),
        'command': command(names),
    }


def write(result: dict) -> None:
    """Writes the result, where it is asked for."""
    if JSON.value:
        pathlib.Path(JSON.value).write_text(json.dumps(result, indent=1) + '\n')


def accuracy() -> None:
    """Measures, prints, writes what a practitioner's net errs."""
    import overfit
    from experiments.speed import handwritten
    from overfit.data import load
    from overfit.study import squeeze as study_lib

    study = study_lib.prepare(
        load.load(DATA.value, seed=SEED.value),
        study_lib.Request(train_size=train_size(), replicates=seeds(), seed=SEED.value),
    )
    if SQUEEZED.value:
        squeezed = handwritten.read_squeezed(SQUEEZED.value, study)
        best = overfit.load(pathlib.Path(SQUEEZED.value).parent / 'best')
    contestants = {handwritten.BY_HAND: handwritten.by_hand, handwritten.SVM: handwritten.svm}
    rows = handwritten.measure(study, contestants, said=say)
    print(handwritten.table(rows))
    result = about([BY_HAND], torch=True) | {'seed': SEED.value, 'rows': [row.as_json() for row in rows]}
    if SQUEEZED.value:
        result['against_squeezed'] = handwritten.against_squeezed(squeezed, best, study, rows)
        print(handwritten.verdict(result['against_squeezed']))
    write(result)


def speed(names: list[str]) -> None:
    """Measures how fast the columns are; prints and writes after every workload."""
    from experiments.speed import jax_columns, matmul, processes
    from experiments.speed import tables as speed_lib

    torch = importlib.util.find_spec('torch') is not None
    if not torch:
        say('PyTorch is not installed (pip install -e ".[bench]"): its columns are left out')
    gpu, device = processes.alone(jax_columns.device)
    say(f'measuring the peak of float32 matrix products on the {device}')
    with contextlib.closing(matmul.Peak(gpu, torch)) as peak:
        result = about(names, torch) | {'matmul_peak_gflops': peak(), 'device': device, 'rows': []}
        write(result)
        for name in names:
            rows, tables = measured(name, gpu, torch, peak)
            result['rows'] += rows
            result['matmul_peak_gflops'] = statistics.median(peak.taken[1:] or peak.taken)  # the first: cold
            write(result)
            line = speed_lib.line(name, rows) if name in speed_lib.LINES else ''
            print('\n'.join([*tables, *([line] if line else [])]) + '\n', flush=True)


def measured(name: str, gpu: bool, torch: bool, peak: Callable[[], float]) -> tuple[list[dict], list[str]]:
    """Measures a workload; returns its rows, and tables of them."""
    from experiments.speed import cold_start, parts, scaling
    from experiments.speed import tables as speed_lib

    if name == 'parts':
        if gpu:
            say('parts: of one CPU core only; left out')
            return [], []
        rows = parts.rows(repeats=REPEATS.value, said=say)
        return rows, [speed_lib.parts_table(rows)]
    if name == 'W5':
        found = [side_by_side(on, gpu, False, peak, losses=True) for on in ('W1', 'W3')]
        return [row for rows, _ in found for row in rows], [table for _, table in found]
    if name == 'W6':
        return cold_start.rows(said=say), []
    if name == 'W7':
        return scaling.by_members(repeats=REPEATS.value, gpu=gpu, said=say), []
    if name == 'stopping':
        return scaling.stopping(repeats=REPEATS.value, gpu=gpu), []
    rows, table = side_by_side(name, gpu, torch, peak)
    return rows, [table]


def side_by_side(
    name: str, gpu: bool, torch: bool, peak: Callable[[], float], *, losses: bool = False
) -> tuple[list[dict], str]:
    """Measures the columns of a workload, or a population with each of two losses."""
    from experiments.speed import jax_columns, processes, torch_task, workloads
    from experiments.speed import tables as speed_lib

    workload = workloads.make(name, gpu)
    made = {}
    if torch:
        shown = workloads.task_of(workload, gpu)
        made |= {column: functools.partial(torch_task.build, shown, column) for column in torch_task.COLUMNS}
    ours = jax_columns.LOSSES if losses else jax_columns.COLUMNS
    made |= {column: functools.partial(jax_columns.named, name, column, gpu) for column in ours}
    label = f'W5 on {name}' if losses else name
    rows = processes.measure(
        label,
        made,
        repeats=REPEATS.value,
        seconds=SECONDS.value,
        flops_per_step=workload.flops_per_step,
        peak=peak,
        optional=torch_task.COLUMNS,
        said=say,
    )
    return rows, speed_lib.table(rows, f'{label}: {workloads.ABOUT[name]}; {workload.members:,} members')


def main(arguments: list[str]) -> None:
    """Runs what the flags describe; wrong input ends in one sentence."""
    if len(arguments) > 1:
        raise app.UsageError(f'unexpected argument {arguments[1]!r}: flags start with --, as --repeats=3')
    from experiments.speed import processes

    logging.set_verbosity(logging.WARNING)
    try:
        names = chosen()
        accuracy() if names == [BY_HAND] else speed(names)
    except (ValueError, processes.Failed) as error:
        if os.environ.get('OVERFIT_DEBUG'):
            raise
        print(f'benchmark: {error}', file=sys.stderr)
        sys.exit(1)


if __name__ == '__main__':
    app.run(main)
