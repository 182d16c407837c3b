"""What a step of a net takes its time for, on one core: what bounds its share of the peak."""

import functools
import os
import time
from collections.abc import Callable

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


def rows(*, repeats: int, said: Callable[[str], None]) -> list[dict]:
    """Rows of the workload `parts`, each net in a fresh process."""
    found = []
    for name in workloads.MADE:
        said(f'parts: a step of {name} on one core')
        found += rows_of(name, workloads.make(name).flops_per_step, processes.alone(_measured, name, repeats))
    return found


def rows_of(name: str, flops_per_step: int, rounds: dict[str, list[float]]) -> list[dict]:
    """Rows from what every round took.

    Args:
        name: of the workload.
        flops_per_step: of a member.
        rounds: seconds of a member-step by part (`'step'`, the whole; `'products'`; `'update'`), and
            GFLOP/s of the core (`'peak'`).
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


def _measured(name, repeats):
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    jax_columns.configure(1)
    workload = workloads.make(name)
    width = layout.choose(workload.recipe, workload.examples, workload.members).width
    steps = max(20, round(FLOPS / (width * workload.flops_per_step)))
    taken = {
        'step': step_alone(workload, width, steps),
        'products': products(workload, width, steps),
        'update': update(workload, width, steps),
        'peak': functools.partial(matmul.jax_gflops, False),
    }
    return _in_turns(taken, repeats)


def _in_turns(taken, repeats):
    rounds = {part: [] for part in taken}
    for take in taken.values():
        take()  # compiles
    for _ in range(repeats):
        for part, take in taken.items():
            rounds[part].append(take())
    return rounds


def step_alone(workload: workloads.Workload, width: int, steps: int) -> Callable[[], float]:
    """Seconds of a whole member-step, when called: `width` members, trained like any population."""
    net = jax_columns.Population(workload._replace(members=width), layout.Layout(1, 1, width))
    steps = net.settle(steps)
    return lambda: _seconds(net.run, steps) / (steps * width)


def products(workload: workloads.Workload, width: int, steps: int) -> Callable[[], float]:
    """Seconds of the matrix products and convolutions of a member-step, each by itself, when called."""
    tasks = product_tasks(workload, width, steps)

    def all_of_them():
        for function, arguments in tasks:
            function(*arguments).block_until_ready()

    return lambda: _seconds(all_of_them) / (steps * width)


def product_tasks(workload: workloads.Workload, width: int, steps: int) -> list[tuple[Callable, list]]:
    """Programs that do one product of a step `steps` times for `width` members, and their arguments."""
    rng, tasks = np.random.default_rng(0), []
    for number, shapes in enumerate(workload.layers):
        arrays = [rng.normal(size=(width, *shape)).astype(np.float32) for shape in shapes]
        x, kernel, slope = (jnp.asarray(a) for a in arrays)
        product = convolution.convolve if len(shapes[1]) == 4 else jnp.matmul
        tasks.append((_repeated(product, steps), [x, kernel]))
        tasks.append((_repeated(functools.partial(_by_kernel, product, shapes[1]), steps), [x, slope]))
        if number > 0:  # nothing asks for the gradient by the images
            tasks.append(
                (_repeated(functools.partial(_by_inputs, product, shapes[0]), steps), [kernel, slope])
            )
    return tasks


def _by_kernel(product, shape, x, slope):
    return jax.vjp(lambda kernel: product(x, kernel), jnp.zeros(shape))[1](slope)[0]


def _by_inputs(product, shape, kernel, slope):
    return jax.vjp(lambda x: product(x, kernel), jnp.zeros(shape))[1](slope)[0]


def _repeated(function, steps):
    # Within one program, as in a training step: what is computed before does not leave the caches. Every turn
    # depends on the last, by way of the smaller argument, so that none is left out.
    @jax.jit
    def repeated(first, second):
        def one(_, zero):
            both = (first + zero, second) if first.size < second.size else (first, second + zero)
            return 0 * jax.lax.optimization_barrier(jax.vmap(function)(*both)).ravel()[0]

        return jax.lax.fori_loop(0, steps, one, jnp.float32(0))

    return repeated


def update(workload: workloads.Workload, width: int, steps: int) -> Callable[[], float]:
    """Seconds of a member's update, max-norm included, when called."""
    recipe, hyper = workload.recipe, jax.tree.map(np.float32, workload.hyper)
    moments = step.moments_of(workload.examples.x, workload.examples.kind)
    shape = workload.examples.x.shape[1:]

    def begin(seed):
        state = step.init_state(keys.key(seed), recipe, hyper, moments, shape)
        return state.params, state.opt_state

    def one(params, opt_state, slopes):
        updates, opt_state = recipe.optimizer(hyper, hyper.learning_rate).update(slopes, opt_state, params)
        return penalties.max_norm(optax.apply_updates(params, updates), hyper.max_norm), opt_state

    @functools.partial(jax.jit, donate_argnums=0)
    def repeated(carry, slopes):
        return jax.lax.fori_loop(0, steps, lambda _, carry: jax.vmap(one)(*carry, slopes), carry)

    begun = jax.jit(jax.vmap(begin))
    slopes, _ = begun(np.arange(width, dtype=np.uint32))

    def some():
        carry = jax.block_until_ready(begun(np.arange(width, dtype=np.uint32)))
        return _seconds(lambda: jax.block_until_ready(repeated(carry, slopes))) / (steps * width)

    return some


def _seconds(function, *arguments):
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin
