"""W6: the whole study, with nothing compiled and again, against the same nets in a plain loop."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from experiments.speed import jax_columns, processes
from overfit import base, keys
from overfit.data import load, splits
from overfit.study import measure, search, spaces
from overfit.study import squeeze as study_lib
from overfit.train import step
from overfit.train.engine import population

ROOT = pathlib.Path(__file__).parents[2]
FIRST_RESULT = ('validation error', 'points')
TRAIN_SIZE, SAMPLE, FOLDS = 200, 0.02, 2


class Sampled(NamedTuple):
    """Nets of a study that were trained in a plain loop.

    Attributes:
        structures: programs that the loop needs for all nets of the study.
        compiled: programs that it needed for the sample.
        compile_s: seconds of making them.
        steps: done.
        step_s: seconds that they took.
    """

    structures: int
    compiled: int
    compile_s: float
    steps: int
    step_s: float


def rows(arguments: Sequence[str] = (), *, said=lambda text: None) -> list[dict]:
    """Runs `experiments.squeeze` twice, the second time with its compiled programs, and the plain loop.

    Args:
        arguments: further flags of `experiments.squeeze`.
        said: told of the progress.

    Returns:
        Rows `cold`, `warm` and `plain_loop`.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for column in ('cold', 'warm'):
            found.append(_run(column, pathlib.Path(folder), arguments))
            said(f'W6: {column} took {found[-1]["seconds"]:.0f} s')
    sampled = processes.alone(sample)
    said(f'W6: plain_loop: {sampled.steps:,} steps in {sampled.step_s:.0f} s')
    return [*found, extrapolated(sampled, found[0]['member_steps'])]


def _run(column, folder, arguments):
    workdir = folder / column
    command = [sys.executable, '-m', 'experiments.squeeze', f'--workdir={workdir}', *arguments]
    environment = {k: v for k, v in os.environ.items() if k != 'JAX_COMPILATION_CACHE_DIR'}
    environment |= {'PYTHONUNBUFFERED': '1', 'XDG_CACHE_HOME': str(folder / 'cache')}
    first, begin = None, time.monotonic()
    with open(folder / 'stderr', 'w+', encoding='utf-8') as stderr:
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as run:
            for line in run.stdout:
                if first is None and any(words in line for words in FIRST_RESULT):
                    first = time.monotonic() - begin
        seconds = time.monotonic() - begin
        if run.returncode:
            stderr.seek(0)
            last = (stderr.read().strip().splitlines() or ['nothing'])[-1]
            raise processes.Failed(f'experiments.squeeze ended with {run.returncode}: {last}')
    return study_row(column, seconds, first, json.loads((workdir / 'results.json').read_text()))


def study_row(column: str, seconds: float, first: float | None, results: dict) -> dict:
    """The row of a run of `experiments.squeeze`.

    Args:
        column: its name.
        seconds: from the start of the process to its end.
        first: seconds to the first result; `None`: it said none.
        results: its `results.json`; the steps counted are those of tuning and measuring its rows.
    """
    arms = [results['baseline'], *results['arms'], results['squeezed']]
    steps = sum(arm['member_steps'] for arm in arms)
    return {
        'workload': 'W6',
        'column': column,
        'seconds': seconds,
        'first_result_s': first,
        'compile_s': results['seconds']['compile'],
        'compile_share': results['seconds']['compile'] / results['seconds']['total'],
        'member_steps': steps,
        'member_steps_per_s': steps / seconds,
    }


def extrapolated(sampled: Sampled, steps: int) -> dict:
    """The row of the plain loop: every program compiled once, every step as long as the sampled ones."""
    compile_s = sampled.compile_s / sampled.compiled * sampled.structures
    seconds = compile_s + sampled.step_s * steps / sampled.steps
    return {
        'workload': 'W6',
        'column': 'plain_loop',
        'seconds': seconds,
        'first_result_s': None,
        'compile_s': compile_s,
        'compile_share': compile_s / seconds,
        'member_steps': steps,
        'member_steps_per_s': steps / seconds,
        'extrapolated_from': SAMPLE,
    }


def sample() -> Sampled:
    """Trains a random share of a study's nets, in a fresh process."""
    jax_columns.configure()
    request = study_lib.Request(train_size=TRAIN_SIZE)
    study = study_lib.prepare(load.load('digits'), request)
    members = members_of(study)
    count = max(1, round(SAMPLE * len(members)))
    chosen = np.random.default_rng(0).choice(len(members), count, replace=False)
    return train([members[n] for n in chosen], study.splits.train)._replace(
        structures=len({_structure(member) for member in members})
    )


def members_of(study: study_lib.Study) -> list[population.Member]:
    """The nets that tune the arms, every setting on the first folds, and those that measure them."""
    protocol, pool, labelled = study.plan.protocol, study.splits.train, study.labelled
    folds = splits.folds(pool.y[labelled], search.fold_count(protocol.validation), seed=protocol.seed)
    fresh = [measure.replicate(pool, protocol.train_size, protocol, n) for n in range(protocol.replicates)]
    members = []
    for arm in study.arms:
        steps = float(arm.stretch * protocol.steps)
        drawn = spaces.trials(arm.space, protocol.trials, seed=protocol.seed)
        hypers = [base.Hyper(**values, steps=steps) for values in drawn]
        for hyper in hypers:
            for number, (train_rows, held) in enumerate(folds[:FOLDS]):
                seed = search.seed_of(protocol.seed, 'search', number)
                rows_of = labelled[train_rows], labelled[held]
                members.append(population.Member(arm.recipe, hyper, seed, *rows_of, arm.restore_best))
        tuned = search.Tuned(arm, hypers[0], (0.0,), 0.0, int(steps), 1, 0, 0)
        for drawn in fresh:
            members += measure.members_of(tuned, drawn, pool.y, protocol)
    return members


def train(members: Sequence[population.Member], pool: base.Examples) -> Sampled:
    """Trains nets one after another, a compiled step at a time; what is held out is not looked at."""
    train_step = jax.jit(step.train_step, static_argnames=('recipe', 'axis_name'))
    init = jax.jit(step.init_state, static_argnames=('recipe', 'shape'))

    def run(member, steps):
        moments = step.moments_of(pool.x[member.train], pool.kind)
        hyper = jax.tree.map(np.float32, member.hyper)
        state = init(keys.key(member.seed), member.recipe, hyper, moments, pool.x.shape[1:])
        examples = pool._replace(x=pool.x[member.train], y=pool.y[member.train])
        batches = jax_columns.drawn(examples, member.recipe.batch_size, member.seed)
        for _ in range(steps):
            state, _ = train_step(state, next(batches), hyper, member.recipe._replace(initializer=None))
        jax.block_until_ready(state)

    first = {_structure(member): member for member in members}
    begin = time.perf_counter()
    for member in first.values():
        run(member, 1)
    compiled = time.perf_counter()
    for member in members:
        run(member, int(member.limit))
    ended = time.perf_counter()
    steps = sum(int(member.limit) for member in members)
    return Sampled(len(first), len(first), compiled - begin, steps, ended - compiled)


def _structure(member):
    present = tuple(value is not None for value in member.hyper)
    return member.recipe, present
