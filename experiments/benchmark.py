"""Measures `overfit` against what people use instead, side by side in one run.

    python -m experiments.benchmark
    python -m experiments.benchmark --workload=W1,W3 --json=speed.json
    python -m experiments.benchmark --workload=by_hand --squeezed=runs/digits/results.json --json=result.json

Speed: the same training step in PyTorch, in a plain loop, and as a population. PyTorch's columns need
`pip install -e ".[bench]"`. Accuracy (`by_hand`): the net that a practitioner writes by hand in PyTorch, and
an RBF SVM, on the labelled sets on which `experiments.squeeze` with the same `--data`, `--train_size`,
`--labelled_sets` and `--seed` measures its arms.
"""

import contextlib
import functools
import importlib.util
import os
import pathlib
import shlex
import statistics
import sys
from collections.abc import Callable

from absl import app, flags, logging

from experiments import result_file
from experiments.shared_flags import DATA, LABELLED_SETS, SEED, TRAIN_SIZE, as_flags

# The processes of the columns import this file too: what is large is imported where it is needed.

BY_HAND = 'by_hand'
WORKLOADS = ('W1', 'W2', 'W3', 'W3-5x5', 'W4', 'parts', 'W5', 'W6', 'W7', 'stopping')

WORKLOAD = flags.DEFINE_list('workload', list(WORKLOADS), f'What to measure; {BY_HAND}: accuracy.')
REPEATS = flags.DEFINE_integer('repeats', 5, 'Rounds in which columns take turns.', lower_bound=1)
SECONDS = flags.DEFINE_float('seconds', 2, 'That a column takes in a round.', lower_bound=0.01)
SQUEEZED = flags.DEFINE_string(
    'squeezed', None, f'{BY_HAND}: results.json of experiments.squeeze on the same data, to compare with.'
)
ACCURACY_FLAGS = (DATA, TRAIN_SIZE, LABELLED_SETS, SEED, SQUEEZED)
SPEED_FLAGS = (REPEATS, SECONDS)


def chosen_workloads() -> list[str]:
    """The workloads asked for, each once.

    Raises:
        ValueError: one that does not exist, or flags that are of another one.
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
    others, owner = (
        (SPEED_FLAGS, 'speed') if names == [BY_HAND] else (ACCURACY_FLAGS, f'--workload={BY_HAND}')
    )
    for flag in others:
        if flag.present:
            raise ValueError(f'--{flag.name} is of {owner}: leave it out for --workload={",".join(names)}')
    result_file.check()
    return names


def train_size() -> int:
    """Labelled examples of the accuracy comparison."""
    return TRAIN_SIZE.value or 200


def labelled_sets() -> int:
    """Labelled sets of the accuracy comparison: as many as the standard study has."""
    from overfit.study import levels

    return LABELLED_SETS.value or levels.STANDARD.sets


def command(names: list[str]) -> str:
    """The command that measures this again, wherever the data lies."""
    options = {'workload': ','.join(names)}
    if names == [BY_HAND]:
        data = pathlib.Path(DATA.value).name
        options |= {'data': data, 'train_size': train_size(), 'labelled_sets': labelled_sets()}
        options |= {'seed': SEED.value}
    else:
        options |= {'repeats': REPEATS.value, 'seconds': f'{SECONDS.value:g}'}
    return shlex.join(['python', '-m', 'experiments.benchmark', *(f'--{k}={v}' for k, v in options.items())])


def say(text: str) -> None:
    """Prints what is going on to stderr; the result goes to stdout."""
    print(text, file=sys.stderr, flush=True)


def about(names: list[str], torch: bool) -> dict:
    """Where a result comes from: machine, versions, commit, command."""
    from experiments import provenance

    return {
        'machine': provenance.machine(),
        'versions': provenance.versions(*['torch'] * torch),
        'git': provenance.git_hash(),
        'command': command(names),
    }


def accuracy() -> None:
    """Measures the test error of a practitioner's net; prints and writes it."""
    import overfit
    from experiments.speed import against, handwritten
    from overfit.data import load
    from overfit.study import requests

    study = requests.prepare(
        load.load(DATA.value),
        requests.Request(train_size=train_size(), labelled_sets=labelled_sets(), seed=SEED.value),
    )
    if SQUEEZED.value:
        squeezed = against.read_squeezed(SQUEEZED.value, study)
        best = overfit.load(pathlib.Path(SQUEEZED.value).parent / 'best')
    contestants = {handwritten.BY_HAND: handwritten.by_hand, handwritten.SVM: handwritten.svm}
    rows = handwritten.measure(study, contestants, tell=say)
    print(handwritten.table(rows))
    result = about([BY_HAND], torch=True) | {'seed': SEED.value, 'rows': [row.as_json() for row in rows]}
    if SQUEEZED.value:
        result['against_squeezed'] = against.against_squeezed(squeezed, best, study, rows)
        print(against.verdict(result['against_squeezed']))
    result_file.write(result)


def speed(names: list[str]) -> None:
    """Measures how fast the columns are; prints and writes after every workload."""
    from experiments.speed import jax_columns, matmul, processes, tables

    torch = importlib.util.find_spec('torch') is not None
    if not torch:
        say('PyTorch is not installed (pip install -e ".[bench]"): its columns are left out')
    gpu, device = processes.call_in_fresh_process(jax_columns.device)
    say(f'measuring the peak of float32 matrix products on the {device}')
    with contextlib.closing(matmul.Peak(gpu, torch)) as peak:
        result = about(names, torch) | {'matmul_peak_gflops': peak(), 'device': device, 'rows': []}
        result_file.write(result)
        for name in names:
            rows, shown = measure(name, gpu, torch, peak)
            result['rows'] += rows
            peaks = peak.history[1:] or peak.history  # the first one is of a cold machine
            result['matmul_peak_gflops'] = statistics.median(peaks)
            result_file.write(result)
            if name in tables.SENTENCES:
                shown = [*shown, tables.sentence(name, rows)]
            print('\n'.join(shown) + '\n', flush=True)


def measure(name: str, gpu: bool, torch: bool, peak: Callable[[], float]) -> tuple[list[dict], list[str]]:
    """Measures a workload; returns its rows, and tables of them."""
    from experiments.speed import cold_start, parts, scaling, tables

    if name == 'parts':
        if gpu:
            say('parts: of one CPU core only; left out')
            return [], []
        rows = parts.rows(repeats=REPEATS.value, tell=say)
        return rows, [tables.parts_table(rows)]
    if name == 'W5':
        pairs = [side_by_side(net, gpu, False, peak, losses=True) for net in ('W1', 'W3')]
        return [row for rows, _ in pairs for row in rows], [table for _, table in pairs]
    if name == 'W6':
        return cold_start.rows(tell=say), []
    if name == 'W7':
        return scaling.rows_by_members(repeats=REPEATS.value, gpu=gpu, tell=say), []
    if name == 'stopping':
        return scaling.rows_of_stopping(repeats=REPEATS.value, gpu=gpu), []
    rows, table = side_by_side(name, gpu, torch, peak)
    return rows, [table]


def side_by_side(
    name: str, gpu: bool, torch: bool, peak: Callable[[], float], *, losses: bool = False
) -> tuple[list[dict], str]:
    """Measures the columns of a workload, or a population with each of two losses."""
    from experiments.speed import jax_columns, processes, tables, torch_process, torch_task, workloads

    workload = workloads.make(name, gpu)
    columns = {}
    if torch:
        task = workloads.torch_task_of(workload, gpu)
        columns |= {
            column: functools.partial(torch_process.build, task, column) for column in torch_task.COLUMNS
        }
    for column in jax_columns.LOSSES if losses else jax_columns.COLUMNS:
        columns[column] = functools.partial(jax_columns.build_in_fresh_process, name, column, gpu)
    label = f'W5 on {name}' if losses else name
    rows = processes.measure_in_turns(
        label,
        columns,
        repeats=REPEATS.value,
        seconds=SECONDS.value,
        flops_per_step=workload.flops_per_step,
        peak=peak,
        optional=torch_task.COLUMNS,
        tell=say,
    )
    title = f'{label}: {workloads.DESCRIPTIONS[name]}; {workload.members:,} members'
    return rows, tables.console_table(rows, title)


def main(arguments: list[str]) -> None:
    """Runs what the flags describe; wrong input ends in one sentence."""
    if len(arguments) > 1:
        raise app.UsageError(f'unexpected argument {arguments[1]!r}: flags start with --, as --repeats=3')
    from experiments.speed import processes

    logging.set_verbosity(logging.WARNING)
    try:
        names = chosen_workloads()
        accuracy() if names == [BY_HAND] else speed(names)
    except (ValueError, processes.Failed) as error:
        if os.environ.get('OVERFIT_DEBUG'):
            raise
        print(f'benchmark: {as_flags(str(error))}', file=sys.stderr)
        sys.exit(1)


if __name__ == '__main__':
    app.run(main)
