"""The columns in JAX: one net in a loop, one net at a time on the device, and whole populations."""

import os
from collections.abc import Iterator

import jax
import numpy as np

from experiments import provenance
from experiments.speed import workloads
from experiments.speed.workloads import Workload
from overfit import base, keys
from overfit.objectives import losses
from overfit.train import predict, step
from overfit.train.engine import layout as layouts
from overfit.train.engine import population

COLUMNS = ('own_loop', 'own_scan', 'overfit')
LOSSES = ('softmax', 'center')
TESTED_NETS = 3  # trained one after another for the test error
LEAST_GAP = 10  # steps between evaluations; a study has 25


def configure(devices: int | None = None) -> None:
    """Sets up a fresh process: that many CPU devices (by default one a core), nothing compiled before."""
    os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
    jax.config.update('jax_enable_compilation_cache', False)
    if 'xla_force_host_platform_device_count' not in os.environ.get('XLA_FLAGS', ''):
        jax.config.update('jax_num_cpu_devices', devices or provenance.cores())


def device() -> tuple[bool, str]:
    """Whether JAX computes on a GPU, and the device's name."""
    gpu = jax.default_backend() != 'cpu'
    return gpu, jax.local_devices()[0].device_kind if gpu else 'cpu'


def build_in_fresh_process(
    name: str, column: str, gpu: bool, members: int | None = None
) -> 'Loop | Population':
    """Sets up the process and makes a column of a workload.

    Args:
        name: of the workload, one of `workloads.MAKERS`.
        column: one of `COLUMNS` or `LOSSES`.
        gpu: whether there is one.
        members: nets to train at once; `None`: those of the workload.
    """
    configure(None if column in ('overfit', *LOSSES) else 1)
    workload = workloads.make(name, gpu)
    return build(workload._replace(members=members or workload.members), column)


def build(workload: Workload, column: str) -> 'Loop | Population':
    """Makes one of `COLUMNS`, or a population with one of `LOSSES`."""
    if column == 'own_loop':
        return Loop(workload)
    if column == 'own_scan':
        one_net = layouts.Layout(devices=1, lanes=1, width=1)
        return Population(workload._replace(members=1), one_net, tested=TESTED_NETS)
    if column == 'center':
        workload = workload._replace(
            recipe=workload.recipe._replace(loss=losses.center),
            hyper=workload.hyper._replace(center_weight=0.01, center_rate=0.5),
        )
    return Population(workload)


def peak_memory_mb() -> float | None:
    """Of the GPU, MB; `None` on a CPU."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    peak = statistics.get('peak_bytes_in_use')
    return peak / 2**20 if peak and jax.default_backend() != 'cpu' else None


class Loop:
    """`train_step`, compiled, called from a Python loop; batches are put together on the host."""

    compiles, members, threads = True, 1, None

    def __init__(self, workload: Workload):
        self.workload, self._seed = workload, 0
        examples, recipe = workload.examples, workload.recipe
        inputs = examples.kind.measure(examples.x)
        self._hyper = jax.tree.map(np.float32, workload.hyper)
        self._init = jax.jit(
            lambda seed: step.init_state(keys.key(seed), examples.x[:1], inputs, workload.hyper, recipe)
        )
        self._step = jax.jit(step.train_step, static_argnames=('recipe', 'axis_name'))
        self._log_probabilities = jax.jit(step.log_probabilities, static_argnames='recipe')

    def settle(self, steps: int) -> int:
        """Takes any number of steps, at least one."""
        return max(1, steps)

    def run(self, steps: int) -> base.State:
        """Trains a fresh net."""
        self._seed += 1
        examples, recipe = self.workload.examples, self.workload.recipe
        batches = shuffled_batches(examples, recipe.batch_size, self._seed)
        state = self._init(np.uint32(self._seed))
        for _ in range(steps):
            state, _ = self._step(state, next(batches), self._hyper, recipe)
        return jax.block_until_ready(state)

    def test_error(self) -> float:
        """Percent, mean over `TESTED_NETS` nets."""
        workload, wrong = self.workload, []
        for _ in range(TESTED_NETS):
            state = self.run(workload.steps)
            variables = step.evaluated(state, workload.recipe)
            predicted = self._log_probabilities(
                variables, state.loss_state, state.inputs, workload.x_test, recipe=workload.recipe
            )
            wrong.append(np.asarray(predicted).argmax(-1) != workload.y_test)
        return 100 * float(np.mean(wrong))

    peak_memory_mb = staticmethod(peak_memory_mb)


def shuffled_batches(examples: base.Examples, batch_size: int, seed: int) -> Iterator[base.Batch]:
    """Yields batches without end, by a fresh permutation an epoch; what does not fill one is left out."""
    rng, count = np.random.default_rng(seed), len(examples.y)
    size = min(batch_size, count)
    while True:
        order = rng.permutation(count)
        for begin in range(0, count - size + 1, size):
            rows = order[begin : begin + size]
            yield base.Batch(examples.x[rows], examples.y[rows])


class Population:
    """`population.train`.

    Args:
        workload: what to train, and how many nets.
        layout: on the devices; `None`: as `population.train` chooses.
        tested: nets of which the test error is the mean; `None`: all.
        evaluations: in a run, at most.
    """

    compiles, threads = True, None

    def __init__(
        self,
        workload: Workload,
        layout: layouts.Layout | None = None,
        *,
        tested: int | None = None,
        evaluations: int = 10,
    ):
        self.workload, self.members = workload, workload.members
        self._layout, self._tested = layout, tested or workload.members
        self._evaluations, self._eval_every, self._seed = evaluations, 1, 0

    def settle(self, steps: int) -> int:
        """Rounds steps to a multiple of the evaluations, which are at least `LEAST_GAP` steps apart."""
        evaluations = min(self._evaluations, max(1, steps // LEAST_GAP))
        self._eval_every = max(1, round(steps / evaluations))
        return evaluations * self._eval_every

    def run(self, steps: int) -> None:
        """Trains fresh nets."""
        self._train(self._fresh(self.members, steps), self._eval_every)

    def run_some_idle(self, steps: int, share: float, *, stop: bool = True, compact: bool = True) -> None:
        """Trains fresh nets, some of which learn nothing and so run out of patience, which nobody foresees.

        Args:
            steps: of the others; the idle ones end after a quarter of the evaluations.
            share: of idle nets, in [0, 1].
            stop: whether they have patience; else they train to the end too.
            compact: see `population.train`.
        """
        evaluations = steps // self._eval_every
        if evaluations % 4 or evaluations < 8:
            raise ValueError(f'{evaluations} evaluations have no quarter for patience to end at')
        members = self._fresh(self.members, steps)
        idle = set(np.random.default_rng(0).permutation(len(members))[: round(share * len(members))].tolist())
        for number, member in enumerate(members):
            hyper = member.hyper._replace(patience=0.0)
            if number in idle:
                patience = evaluations / 4 - 1 if stop else 0.0
                hyper = hyper._replace(learning_rate=0.0, patience=patience)
            fifth = len(member.train) // 5
            members[number] = member._replace(
                hyper=hyper, train=member.train[fifth:], validation=member.train[:fifth]
            )
        self._train(members, self._eval_every, compact=compact)

    def test_error(self) -> float:
        """Percent, mean over nets."""
        members = self._fresh(self._tested, self.workload.steps)
        nets = self._train(members, self.workload.steps, keep_variables=True)
        predicted = predict.predict(self.workload.recipe, nets, self.workload.x_test)
        return 100 * float(np.mean(predicted.argmax(-1) != self.workload.y_test))

    def _fresh(self, count, steps):
        self._seed += count
        rows, recipe = np.arange(len(self.workload.examples.y)), self.workload.recipe
        hyper = self.workload.hyper._replace(steps=float(steps))
        return [population.Member(recipe, hyper, self._seed + n, rows, rows[:0]) for n in range(count)]

    def _train(self, members, eval_every, *, keep_variables=False, compact=True):
        return population.train(
            members,
            self.workload.examples,
            eval_every=eval_every,
            keep_variables=keep_variables,
            layout=self._layout,
            compact=compact,
        )

    peak_memory_mb = staticmethod(peak_memory_mb)
