"""What a step of a large net takes its time for, on one core: what bounds its share of the peak."""

import functools
import os
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import columns, matmul, workers, workloads
from overfit import keys
from overfit.nn import convolution
from overfit.objectives import penalties
from overfit.train import layout, step

WORKLOADS = ('W3', 'W3-5x5', 'W4')  # smaller products take no longer than calling them
STEPS = 40


def rows(*, repeats: int, said: Callable[[str], None]) -> list[dict]:
    """Rows of the workload `parts`, each net in a fresh process."""
    found = []
    for name in WORKLOADS:
        said(f'parts: a step of {name} on one core')
        found += rows_of(name, workloads.make(name).flops_per_step, workers.alone(_measured, name, repeats))
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
            'milliseconds': workers.spread([1e3 * seconds for seconds in rounds[part]]),
            'step_share': float(np.median(np.divide(rounds[part], rounds['step']))),
            'peak_share': None
            if part == 'update'
            else float(np.median(flops_per_step / 1e9 / np.multiply(rounds[part], rounds['peak']))),
        }
        for part in ('step', 'products', 'update')
    ]


def _measured(name, repeats):
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    columns.configure(1)
    workload = workloads.make(name)
    width = layout.choose(workload.recipe, workload.examples, workload.members).width
    taken = {
        'step': step_alone(workload, width),
        'products': products(workload, width),
        'update': update(workload, width),
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


def step_alone(workload: workloads.Workload, width: int) -> Callable[[], float]:
    """Seconds of a whole member-step, when called: `width` members, trained like any population."""
    net = columns.Population(workload._replace(members=width), layout.Layout(1, 1, width))
    steps = net.settle(STEPS)
    return lambda: _seconds(lambda: net.run(steps)) / (steps * width)


def products(workload: workloads.Workload, width: int) -> Callable[[], float]:
    """Seconds of the matrix products and convolutions of a member-step, each by itself, when called."""
    rng, tasks = np.random.default_rng(0), []
    for number, shapes in enumerate(layers(workload)):
        arrays = [rng.normal(size=(width, *shape)).astype(np.float32) for shape in shapes]
        product = convolution.convolve if len(shapes[1]) == 4 else jnp.matmul
        by = (1,) if number == 0 else (0, 1)  # nothing asks for the gradient by the images
        for task in (lambda x, w, slope, f=product: f(x, w), functools.partial(_slopes, product, by)):
            tasks.append((_again_and_again(jax.vmap(task)), [jnp.asarray(a) for a in arrays]))

    def all_of_them():
        for function, arguments in tasks:
            function(*arguments).block_until_ready()

    return lambda: _seconds(all_of_them) / (STEPS * width)


def _slopes(product, by, x, kernel, slope):
    slopes = jax.vjp(product, x, kernel)[1](slope)
    return [slopes[number] for number in by]


def _again_and_again(function):
    # Within one program, as in a training step: what is computed before does not leave the caches.
    @jax.jit
    def many(x, kernel, slope):
        def one(_, zero):
            results = jax.lax.optimization_barrier(function(x + zero, kernel, slope + zero))
            return 0 * sum(a.ravel()[0] for a in jax.tree.leaves(results))

        return jax.lax.fori_loop(0, STEPS, one, jnp.float32(0))

    return many


def layers(workload: workloads.Workload) -> list[tuple[tuple[int, ...], ...]]:
    """Shapes of each layer's inputs, kernel and outputs, a batch at a time."""
    model, found = workload.recipe.model, []
    batch, *image = workload.recipe.batch_size, *workload.examples.x.shape[1:]
    for out in getattr(model, 'channels', ()):
        height, width, depth = image
        kernel = (model.kernel, model.kernel, depth, out)
        found.append(((batch, *image), kernel, (batch, height, width, out)))
        image = [height // 2, width // 2, out]
    inputs = int(np.prod(image))
    for out in (*model.widths, model.classes):
        found.append(((batch, inputs), (inputs, out), (batch, out)))
        inputs = out
    return found


def update(workload: workloads.Workload, width: int) -> Callable[[], float]:
    """Seconds of a member's update, max-norm included, when called."""
    recipe, hyper = workload.recipe, workload.hyper
    moments = step.moments_of(workload.examples.x, workload.examples.kind)
    shape = workload.examples.x.shape[1:]

    def begin(seed):
        state = step.init_state(keys.key(seed), recipe, hyper, moments, shape)
        return state.params, state.opt_state

    def one(params, opt_state, slopes, hyper):
        updates, opt_state = recipe.optimizer(hyper, hyper.learning_rate).update(slopes, opt_state, params)
        return penalties.max_norm(optax.apply_updates(params, updates), hyper.max_norm), opt_state

    many = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, None)), donate_argnums=(0, 1))
    hyper = jax.tree.map(jnp.float32, hyper)
    slopes, _ = jax.vmap(begin)(jnp.arange(width, dtype=jnp.uint32))

    def some():
        carry = jax.vmap(begin)(jnp.arange(width, dtype=jnp.uint32))

        def steps(carry):
            for _ in range(STEPS):
                carry = many(*carry, slopes, hyper)
            jax.block_until_ready(carry)

        return _seconds(lambda: steps(carry)) / (STEPS * width)

    return some


def _seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin
