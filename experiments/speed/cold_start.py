"""W6: the whole study, with nothing compiled and again, against the same nets in a plain loop."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from experiments.speed import jax_columns, processes
from overfit import base, keys
from overfit.data import load
from overfit.study import procedures, race, requests, search
from overfit.study import results as results_lib
from overfit.study.course import Course, Run
from overfit.study.protocol import seed_of
from overfit.train import step
from overfit.train.engine import population

ROOT = pathlib.Path(__file__).parents[2]
# In the line that `overfit.study.decide` prints for every tuned arm, and in no line before: the first result.
FIRST_RESULT = 'validation error'
TRAIN_SIZE = 200  # labelled digits, the default of `experiments.squeeze`
SAMPLE = 0.02


class Sampled(NamedTuple):
    """Nets of a study that were trained in a plain loop.

    Attributes:
        structures: programs that the loop needs for all nets of the study.
        compiled: programs that it needed for the sample.
        compile_s: seconds of making them.
        steps: that the sampled nets trained for.
        step_s: seconds that those took.
    """

    structures: int
    compiled: int
    compile_s: float
    steps: int
    step_s: float


def rows(arguments: Sequence[str] = (), *, tell: Callable[[str], None] = lambda text: None) -> list[dict]:
    """Runs `experiments.squeeze` twice, the second time with its compiled programs, and the plain loop.

    Args:
        arguments: further flags of `experiments.squeeze`.
        tell: told of the progress.

    Returns:
        Rows `cold`, `warm` and `plain_loop`.
    """
    studies = []
    with tempfile.TemporaryDirectory() as folder:
        for column in ('cold', 'warm'):
            studies.append(_run_study(column, pathlib.Path(folder), arguments))
            tell(f'W6: {column} took {studies[-1]["seconds"]:.0f} s')
    sampled = processes.call_in_fresh_process(sample)
    tell(f'W6: plain_loop: {sampled.steps:,} steps in {sampled.step_s:.0f} s')
    return [*studies, plain_loop_row(sampled, studies[0]['member_steps'])]


def _run_study(column, folder, arguments):
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
                if first is None and FIRST_RESULT in line:
                    first = time.monotonic() - begin
        seconds = time.monotonic() - begin
        if run.returncode:
            stderr.seek(0)
            last = (stderr.read().strip().splitlines() or ['nothing'])[-1]
            raise processes.Failed(f'experiments.squeeze ended with {run.returncode}: {last}')
    return study_row(column, seconds, first, results_lib.read(workdir / 'results.json'))


def study_row(column: str, seconds: float, first: float | None, results: results_lib.Results) -> dict:
    """Makes the row of a run of `experiments.squeeze`.

    Args:
        column: its name.
        seconds: from the start of the process to its end.
        first: seconds to the first result; `None`: none was printed.
        results: of the run; the steps counted are those of tuning and measuring its arms and controls (what
            two arms share for each of them), not those of the combination's tries and of other sizes.
    """
    arms = [results.baseline, *results.arms, *results.controls, results.squeezed]
    steps = sum(arm.member_steps for arm in arms)
    return {
        'workload': 'W6',
        'column': column,
        'seconds': seconds,
        'first_result_s': first,
        'compile_s': results.seconds.compile,
        'compile_share': results.seconds.compile / results.seconds.total,
        'member_steps': steps,
        'member_steps_per_s': steps / seconds,
    }


def plain_loop_row(sampled: Sampled, steps: int) -> dict:
    """Makes the row of the plain loop: every program compiled once, every step as long as the sampled ones.

    Args:
        sampled: from `sample`.
        steps: of all nets of the study.
    """
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
    study = requests.prepare(load.load('digits'), requests.Request(train_size=TRAIN_SIZE))
    members = members_of_study(study)
    count = max(1, round(SAMPLE * len(members)))
    chosen = np.random.default_rng(0).choice(len(members), count, replace=False)
    sampled = train_one_by_one([members[n] for n in chosen], study.splits.train)
    return sampled._replace(structures=len({_structure(member) for member in members}))


def members_of_study(study: requests.Study) -> list[population.Member]:
    """Lists the nets that tune the arms on all labelled sets, and those that measure them besides.

    In each race the first settings go on to all folds, and the first one is measured: whichever do, a net
    takes the same time in a plain loop. Nets that arms have in common are there once, as in a study.
    """
    design = study.design
    protocol, places = design.plan.protocol, design.places
    course = Course(study.splits.train, design.sets, protocol, study.splits.test.x)
    first, going_on = race.heat(protocol.trials, protocol.folds)
    runs = {}  # in order, each once
    for arm in design.arms:
        for place in places.tuned:
            settings = search.settings(arm, course, place)
            raced = [
                [
                    Run(arm.recipe, hyper, place, fold, arm.restore_best)
                    for fold in range(protocol.folds if number < going_on else first)
                ]
                for number, hyper in enumerate(settings)
            ]
            runs |= dict.fromkeys(run for of_setting in raced for run in of_setting)
            if place in places.measured:
                models = procedures.models_of(_tuned(arm, place, raced[0]), course)
                runs |= dict.fromkeys(run for nets in models for run in nets)
    return [_member(run, course) for run in runs]


def _tuned(arm, place, runs):
    """An arm with a setting that no search has chosen; a refit takes all of its steps."""
    return search.Tuned(
        arm,
        place,
        runs[0].hyper,
        tuple(runs),
        fold_scores=(0.0,) * len(runs),
        error=0.0,
        refit_step=int(runs[0].hyper.steps),
        trials=1,
        member_steps=0,
        diverged=0,
    )


def _member(run, course):
    """The net of a run; a fold is represented by a split of the same size."""
    one, validation = course.sets[run.place], course.protocol.validation
    held = 0 if run.stop_at is not None else round(validation * len(one.labelled))
    train, rest = np.split(one.labelled, [len(one.labelled) - held])
    seed = seed_of(one.seed, 'net', run.net)
    return population.Member(run.recipe, run.hyper, seed, train, rest, run.restore_best, run.stop_at)


def train_one_by_one(members: Sequence[population.Member], pool: base.Examples) -> Sampled:
    """Trains nets one after another, a compiled step at a time; held-out examples are never evaluated."""
    train_step = jax.jit(step.train_step, static_argnames=('recipe', 'axis_name'))
    init = jax.jit(step.init_state, static_argnames='recipe')

    def run(member, steps):
        recipe = member.recipe
        examples = pool._replace(x=pool.x[member.train], y=pool.y[member.train])
        inputs, hyper = pool.kind.measure(examples.x), jax.tree.map(np.float32, member.hyper)
        state = init(keys.key(member.seed), examples.x[:1], inputs, hyper, recipe=recipe)
        batches = jax_columns.shuffled_batches(examples, recipe.batch_size, member.seed)
        # Recipes that differ in their start alone share the step's program, as they do in a population.
        shared = population.structure(recipe)
        for _ in range(steps):
            state, _ = train_step(state, next(batches), hyper, recipe=shared)
        jax.block_until_ready(state)

    one_of_each = {_structure(member): member for member in members}
    begin = time.perf_counter()
    for member in one_of_each.values():
        run(member, 1)
    compiled = time.perf_counter()
    for member in members:
        run(member, int(member.limit))
    ended = time.perf_counter()
    steps = sum(int(member.limit) for member in members)
    return Sampled(len(one_of_each), len(one_of_each), compiled - begin, steps, ended - compiled)


def _structure(member):
    """What decides whether two nets share the programs of a plain loop, which draw their weights too."""
    return member.recipe, frozenset(member.hyper.numbers())
