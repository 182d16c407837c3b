"""What the size of a batch changes: time of a step, gradient noise, steps to a target error."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple


def step_seconds(
    examples: Any, recipe: Any, sizes: Sequence[int], *, repeats: int = 9, steps: int = 20
) -> Any:
    """Seconds of a training step of one net, alone, by batch size; the sizes take turns.

    Args:
        examples: to train on.
        recipe: of the net.
        sizes: of batches.
        repeats: how often each is timed.
        steps: timed at once.

    Returns:
        `[repeats, sizes]` seconds.
    """
    import jax
    import numpy as np

    from overfit import base, keys
    from overfit.train import step

    hyper = base.Hyper(learning_rate=np.float32(0.01))
    inputs = jax.tree.map(np.asarray, examples.kind.measure(examples.x))

    def several(state, batches):
        return jax.lax.scan(lambda s, b: (step.train_step(s, b, hyper, recipe)[0], None), state, batches)[0]

    run = jax.jit(several)
    state = jax.jit(lambda: step.init_state(keys.key(0), examples.x[:1], inputs, hyper, recipe))()
    rng, batches = np.random.default_rng(0), {}
    for size in sizes:
        rows = rng.integers(0, len(examples.y), (steps, size))
        batches[size] = jax.device_put(base.Batch(examples.x[rows], examples.y[rows]))
        jax.block_until_ready(run(state, batches[size]).params)
    found = np.zeros((repeats, len(sizes)))
    for row in found:
        for place, size in enumerate(sizes):
            began = time.perf_counter()
            jax.block_until_ready(run(state, batches[size]).params)
            row[place] = (time.perf_counter() - began) / steps
    return found


def apart(sizes: Sequence[int], seconds: Any, size: int) -> Any:
    """How far the step time at one size lies from a straight line through the others', percent.

    Args:
        sizes: of batches, `size` among them.
        seconds: `[repeats, sizes]`.
        size: the one that is looked at.

    Returns:
        Interval over repeats; below 0 that size is faster than its neighbours let expect.
    """
    import numpy as np

    from experiments.question import intervals

    sizes = np.asarray(sizes)
    others = sizes != size
    lines = [np.polyval(np.polyfit(sizes[others], row[others], 1), size) for row in np.asarray(seconds)]
    measured = np.asarray(seconds)[:, ~others][:, 0]
    return intervals.over_sets(100 * (measured / np.array(lines) - 1))


class NoiseCurve(NamedTuple):
    """The gradient noise scale while nets train.

    Attributes:
        epochs: `[T]`, of training at which it was measured.
        scales: `[seeds, T]`, examples; infinite where noise hides the gradient.
    """

    epochs: Any
    scales: Any


def noise_curve(
    examples: Any,
    recipe: Any,
    *,
    rate: float,
    seeds: Sequence[int],
    epochs: Sequence[float],
    count: int,
) -> NoiseCurve:
    """Trains nets and measures the noise scale on the way.

    Args:
        examples: to train on; their gradients are measured too.
        recipe: of the nets.
        rate: learning rate.
        seeds: a net each.
        epochs: at which it is measured, rising.
        count: examples whose gradients are taken, drawn at random.
    """
    import functools

    import jax
    import jax.numpy as jnp
    import numpy as np

    from overfit import base, keys
    from overfit.data import sampling
    from overfit.train import noise_scale, step

    hyper = base.Hyper(learning_rate=jnp.float32(rate))
    inputs = jax.tree.map(jnp.asarray, examples.kind.measure(examples.x))
    x, y = jnp.asarray(examples.x), jnp.asarray(examples.y)
    some = np.random.default_rng(0).permutation(len(y))[:count]
    sampler = recipe.sampler or sampling.epochs

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0,))
    def begin(seed):
        return step.init_state(keys.key(seed), x[:1], inputs, hyper, recipe)

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, None))
    def train(state, steps):
        def one(_, state):
            rows = sampler(state.key, state.step, y, jnp.uint32(len(y)), recipe.batch_size)
            return step.train_step(state, base.Batch(x[rows], y[rows]), hyper, recipe)[0]

        return jax.lax.fori_loop(0, steps, one, state)

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0,))
    def measure(state):
        return noise_scale.of_net(state, base.Batch(x[some], y[some]), hyper, recipe).scale

    states, done, found = begin(jnp.asarray(seeds, jnp.uint32)), 0, []
    for epoch in epochs:
        until = round(epoch * len(examples.y) / recipe.batch_size)
        states, done = train(states, jnp.int32(until - done)), until
        found.append(np.asarray(measure(states)))
    return NoiseCurve(np.asarray(epochs), np.stack(found, axis=1))


class StepsToTarget(NamedTuple):
    """Steps until a net errs no more than a target on held-out examples.

    Attributes:
        sizes: `[K]`, of batches.
        rates: `[R]`, learning rates that were tried.
        steps: `[K, R, seeds]`, infinite where the target was not reached.
        tuned: `[K, seeds]`, at the rate that was best for the other seeds.
    """

    sizes: Any
    rates: Any
    steps: Any
    tuned: Any


def steps_to_target(
    examples: Any,
    recipe: Any,
    sizes: Sequence[int],
    *,
    rates: Sequence[float],
    seeds: Sequence[int],
    target: float,
    epochs: float,
    least: int,
    eval_every: int = 5,
) -> StepsToTarget:
    """Trains nets with every batch size at every learning rate, until long after they need be.

    Args:
        examples: of which three tenths are held out, others for each seed.
        recipe: of the nets; its batch size is replaced.
        sizes: of batches.
        rates: learning rates.
        seeds: nets of each.
        target: validation error, a fraction.
        epochs: of training, at most.
        least: steps of training, where so many epochs have fewer.
        eval_every: steps between evaluations.
    """
    import numpy as np

    from overfit import base
    from overfit.train.engine import population

    count = len(examples.y)
    orders = [np.random.default_rng(seed).permutation(count) for seed in seeds]
    held = round(0.3 * count)
    steps = np.full((len(sizes), len(rates), len(seeds)), np.inf)
    for place, size in enumerate(sizes):
        most = float(max(least, np.ceil(epochs * (count - held) / size)))
        members = [
            population.Member(
                recipe._replace(batch_size=size),
                base.Hyper(learning_rate=rate, steps=most),
                seed,
                np.sort(order[held:]),
                np.sort(order[:held]),
            )
            for rate in rates
            for seed, order in zip(seeds, orders, strict=True)
        ]
        trained = population.train(members, examples, eval_every=eval_every, keep_variables=False)
        for number, one in enumerate(trained):
            reached = one.curve[one.curve[:, population.ERROR] <= target, population.STEP]
            if len(reached):
                steps[place].reshape(-1)[number] = reached[0]
    return StepsToTarget(np.asarray(sizes), np.asarray(rates), steps, retuned(steps))


def retuned(steps: Any) -> Any:
    """Steps of each seed at the learning rate that needs the fewest on the other seeds.

    Args:
        steps: `[K, R, seeds]`, infinite where the target was not reached.

    Returns:
        `[K, seeds]`.
    """
    import numpy as np

    steps = np.asarray(steps, np.float64)
    found = np.empty((steps.shape[0], steps.shape[2]))
    for seed in range(steps.shape[2]):
        best = np.delete(steps, seed, axis=2).mean(-1).argmin(1)
        found[:, seed] = steps[np.arange(len(steps)), best, seed]
    return found


def slope(sizes: Sequence[int], tuned: Any) -> Any:
    """Slope of the logarithm of the steps over that of the batch size: -1 where twice the batch halves them.

    Args:
        sizes: `[K]`, of batches, 2 or more.
        tuned: `[K, seeds]` steps.

    Returns:
        Interval over seeds; seeds that missed the target at one of the sizes do not count. `None`: fewer
        than 2 count.
    """
    import numpy as np

    from experiments.question import intervals

    reached = np.asarray(tuned)[:, np.isfinite(tuned).all(0)]
    if reached.shape[1] < 2:
        return None
    return intervals.over_sets(np.polyfit(np.log(sizes), np.log(reached), 1)[0])
