"""What a step of a net takes its time for, on one core: what bounds its share of the peak."""

import functools
import os
import time
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.speed import jax_columns, matmul, processes, workloads
from overfit import keys
from overfit.nn import convolution
from overfit.objectives import penalties
from overfit.train import step
from overfit.train.engine import layout

FLOPS = 10**11  # of a measurement: about a second


def rows(*, repeats: int, tell: Callable[[str], None]) -> list[dict]:
    """Measures the workload `parts`, each net in a fresh process; returns its rows."""
    measured = []
    for name in workloads.MAKERS:
        tell(f'parts: a step of {name} on one core')
        rounds = processes.call_in_fresh_process(measure_parts, name, repeats)
        measured += rows_of_rounds(name, workloads.make(name).flops_per_step, rounds)
    return measured


def rows_of_rounds(name: str, flops_per_step: int, rounds: Mapping[str, list[float]]) -> list[dict]:
    """Makes rows of what every round took.

    Args:
        name: of the workload.
        flops_per_step: of a net.
        rounds: from `measure_parts`.
    """
    return [
        {
            'workload': f'parts of {name}',
            'column': part,
            'milliseconds': processes.spread([1e3 * seconds for seconds in rounds[part]]),
            'rounds': rounds[part],
            'core_peaks': rounds['peak'],
            'peak_share': None
            if part == 'update'
            else float(np.median(flops_per_step / 1e9 / np.multiply(rounds[part], rounds['peak']))),
        }
        for part in ('step', 'products', 'update')
    ]


def measure_parts(name: str, repeats: int) -> dict[str, list[float]]:
    """Measures the parts of a net's step in turns, on one core of a fresh process.

    Args:
        name: of the workload.
        repeats: rounds.

    Returns:
        Of every round, seconds of a net's step by part (`'step'`, the whole; `'products'`; `'update'`), and
        GFLOP/s of the core (`'peak'`).
    """
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    jax_columns.configure(1)
    workload = workloads.make(name)
    width = layout.choose(workload.recipe, workload.examples, members=workload.members).width
    steps = max(20, round(FLOPS / (width * workload.flops_per_step)))
    timers = {
        'step': step_timer(workload, width, steps),
        'products': products_timer(workload, width, steps),
        'update': update_timer(workload, width, steps),
        'peak': functools.partial(matmul.jax_gflops, False),
    }
    return _in_turns(timers, repeats)


def _in_turns(timers, repeats):
    rounds = {part: [] for part in timers}
    for timer in timers.values():
        timer()  # compiles
    for _ in range(repeats):
        for part, timer in timers.items():
            rounds[part].append(timer())
    return rounds


def step_timer(workload: workloads.Workload, width: int, steps: int) -> Callable[[], float]:
    """Makes a function that measures the seconds of a net's whole step.

    Args:
        workload: what is trained, like any population.
        width: nets side by side.
        steps: of a measurement.
    """
    one_lane = layout.Layout(devices=1, lanes=1, width=width)
    population = jax_columns.Population(workload._replace(members=width), one_lane)
    steps = population.settle(steps)
    return lambda: _seconds(population.run, steps) / (steps * width)


def products_timer(workload: workloads.Workload, width: int, steps: int) -> Callable[[], float]:
    """Makes a function that measures the seconds of the products in a net's step, each by itself.

    Products are the matrix products and the convolutions. Arguments as of `step_timer`.
    """
    programs = product_programs(workload, width, steps)

    def run_all():
        for function, arguments in programs:
            function(*arguments).block_until_ready()

    return lambda: _seconds(run_all) / (steps * width)


def product_programs(
    workload: workloads.Workload, width: int, steps: int
) -> list[tuple[Callable[..., jax.Array], list[jax.Array]]]:
    """Programs that do one product of a step `steps` times for `width` nets, and their arguments."""
    rng, programs = np.random.default_rng(0), []
    for number, layer in enumerate(workload.layers):
        arrays = [rng.normal(size=(width, *shape)).astype(np.float32) for shape in layer]
        x, kernel, slope = (jnp.asarray(a) for a in arrays)
        product = convolution.convolve if layer.convolves else jnp.matmul
        by_kernel = functools.partial(_gradient_by_kernel, product, layer.kernel)
        by_inputs = functools.partial(_gradient_by_inputs, product, layer.inputs)
        programs.append((_repeated(product, steps), [x, kernel]))
        programs.append((_repeated(by_kernel, steps), [x, slope]))
        if number > 0:  # nothing asks for the gradient by the images
            programs.append((_repeated(by_inputs, steps), [kernel, slope]))
    return programs


def _gradient_by_kernel(product, shape, x, slope):
    return jax.vjp(lambda kernel: product(x, kernel), jnp.zeros(shape))[1](slope)[0]


def _gradient_by_inputs(product, shape, kernel, slope):
    return jax.vjp(lambda x: product(x, kernel), jnp.zeros(shape))[1](slope)[0]


def _repeated(function, steps):
    # Within one program, as in a training step, what was computed just before is still in the caches. Every
    # turn depends on the last one, by way of the smaller argument, so that the compiler leaves none out.
    @jax.jit
    def repeated(first, second):
        def one(_, zero):
            both = (first + zero, second) if first.size < second.size else (first, second + zero)
            return 0 * jax.lax.optimization_barrier(jax.vmap(function)(*both)).ravel()[0]

        return jax.lax.fori_loop(0, steps, one, jnp.float32(0))

    return repeated


def update_timer(workload: workloads.Workload, width: int, steps: int) -> Callable[[], float]:
    """Makes a function that measures the seconds of a net's update, max-norm included.

    Arguments as of `step_timer`.
    """
    recipe, hyper = workload.recipe, jax.tree.map(np.float32, workload.hyper)
    x = workload.examples.x
    inputs = workload.examples.kind.measure(x)

    def begin(seed):
        state = step.init_state(keys.key(seed), x[:1], inputs, hyper, recipe)
        return state.params, state.opt_state

    def update(params, opt_state, slopes):
        updates, opt_state = recipe.optimizer(hyper, hyper.learning_rate).update(slopes, opt_state, params)
        return penalties.max_norm(optax.apply_updates(params, updates), hyper.max_norm), opt_state

    @functools.partial(jax.jit, donate_argnums=0)
    def repeated(carry, slopes):
        return jax.lax.fori_loop(0, steps, lambda _, carry: jax.vmap(update)(*carry, slopes), carry)

    begin_all = jax.jit(jax.vmap(begin))
    slopes, _ = begin_all(np.arange(width, dtype=np.uint32))

    def timer():
        carry = jax.block_until_ready(begin_all(np.arange(width, dtype=np.uint32)))
        return _seconds(lambda: jax.block_until_ready(repeated(carry, slopes))) / (steps * width)

    return timer


def _seconds(function, *arguments):
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin
