"""W7, how the rate grows with the nets trained at once, and what it saves that nets stop early."""

import functools
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from experiments.speed import jax_columns, processes, workloads

MEMBERS = (1, 4, 16, 64, 256, 1024, 4096)
STEPS = 50  # of each net, so that 4,096 take seconds
STOPPING_MEMBERS, STOPPED, AT = 512, 0.5, 0.25
STOPPING_STEPS, EVALUATIONS = 600, 20  # as in a study of 200 examples
VARIANTS = {
    'all_run': {'stop': False},
    'compact': {},
    'not_compact': {'compact': False},
}


def rows_by_members(
    *,
    repeats: int,
    gpu: bool,
    tell: Callable[[str], None],
    sizes: Sequence[int] = MEMBERS,
    steps: int = STEPS,
) -> list[dict]:
    """Measures W7: populations of W1's net, each in a fresh process.

    Args:
        repeats: rounds.
        gpu: whether there is one.
        tell: told of the progress.
        sizes: nets of each population.
        steps: of each net.

    Returns:
        A row for each size, which is its column.
    """
    rows = []
    for size in sizes:
        build = functools.partial(jax_columns.build_in_fresh_process, 'W1', 'overfit', gpu, size)
        rows += processes.measure_in_turns(
            'W7', {str(size): build}, repeats=repeats, seconds=0, steps=steps, tested=False, tell=tell
        )
    return [row | {'steps': steps} for row in rows]


def rows_of_stopping(*, repeats: int, gpu: bool) -> list[dict]:
    """Measures what it saves that half of the nets run out of patience after a quarter of their steps."""
    return rows_of_seconds(processes.call_in_fresh_process(measure_stopping, repeats, gpu))


def rows_of_seconds(seconds: Mapping[str, list[float]]) -> list[dict]:
    """Makes rows of the seconds of every round, by column of `VARIANTS`.

    `saved_share` is the part of the steps not needed that was saved as time, median over rounds: 1 where time
    falls as steps do.
    """
    stopped, all_run = STOPPED * (1 - AT), np.asarray(seconds['all_run'])
    return [
        {
            'workload': 'stopping',
            'column': column,
            'members': STOPPING_MEMBERS,
            'steps': STOPPING_STEPS,
            'seconds': processes.spread(values),
            'rounds': list(values),
            'stopped_share': stopped if column != 'all_run' else 0.0,
            'saved_share': None
            if column == 'all_run'
            else float(np.median((all_run - values) / (all_run * stopped))),
        }
        for column, values in seconds.items()
    ]


def measure_stopping(repeats: int, gpu: bool) -> dict[str, list[float]]:
    """Seconds of every round by column of `VARIANTS`, measured in turns in a fresh process."""
    jax_columns.configure()
    workload = workloads.make('W1', gpu)._replace(members=STOPPING_MEMBERS)
    population = jax_columns.Population(workload, evaluations=EVALUATIONS)
    population.run_some_idle(population.settle(STOPPING_STEPS), STOPPED)
    seconds = {column: [] for column in VARIANTS}
    for _ in range(repeats):
        for column, variant in VARIANTS.items():
            begin = time.perf_counter()
            population.run_some_idle(STOPPING_STEPS, STOPPED, **variant)
            seconds[column].append(time.perf_counter() - begin)
    return seconds
