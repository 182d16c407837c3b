"""W7, how the rate grows with the members, and what it saves that members stop early."""

import functools
import time

import numpy as np

from experiments.speed import jax_columns, processes, workloads

MEMBERS = (1, 4, 16, 64, 256, 1024, 4096)
STEPS = 50  # of each member, so that 4,096 take seconds
STOPPING_MEMBERS, STOPPED, AT = 512, 0.5, 0.25
STOPPING_STEPS, EVALUATIONS = 600, 20  # as in a study of 200 examples
VARIANTS = {
    'all_run': {'stop': False},
    'compact': {},
    'not_compact': {'compact': False},
}


def by_members(*, repeats: int, gpu: bool, said, sizes=MEMBERS, steps: int = STEPS) -> list[dict]:
    """Rows of W7: populations of W1's net, each in a fresh process; the column is the size."""
    rows = []
    for size in sizes:
        build = functools.partial(jax_columns.named, 'W1', 'overfit', gpu, size)
        rows += processes.measure(
            'W7', {str(size): build}, repeats=repeats, seconds=0, steps=steps, tested=False, said=said
        )
    return [row | {'steps': steps} for row in rows]


def stopping(*, repeats: int, gpu: bool) -> list[dict]:
    """Rows of the workload `stopping`: what it saves that half of the members lose patience at a quarter."""
    return stopping_rows(processes.alone(_seconds, repeats, gpu))


def stopping_rows(taken: dict[str, list[float]]) -> list[dict]:
    """Rows from the seconds of every round.

    `saved_share` is the part of the steps not needed that was saved as time, median over rounds: 1 where time
    falls as steps do.
    """
    stopped, all_run = STOPPED * (1 - AT), np.asarray(taken['all_run'])
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
        for column, values in taken.items()
    ]


def _seconds(repeats, gpu):
    jax_columns.configure()
    workload = workloads.make('W1', gpu)._replace(members=STOPPING_MEMBERS)
    net = jax_columns.Population(workload, evaluations=EVALUATIONS)
    net.run_some_idle(net.settle(STOPPING_STEPS), STOPPED)
    taken = {column: [] for column in VARIANTS}
    for _ in range(repeats):
        for column, variant in VARIANTS.items():
            begin = time.perf_counter()
            net.run_some_idle(STOPPING_STEPS, STOPPED, **variant)
            taken[column].append(time.perf_counter() - begin)
    return taken
