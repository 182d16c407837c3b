"""The wrappings of a per-member function over devices; the only file that knows how devices are mapped.

For a loop of one's own, a step of a whole population, or of one batch that all devices share:

>>> import jax, numpy as np
>>> from overfit import base, keys
>>> from overfit.data import kinds
>>> from overfit.nn import initializers, models
>>> from overfit.objectives import losses
>>> from overfit.train import optimizers, start, step
>>> x, y = np.eye(4, 3, dtype=np.float32), np.array([0, 1, 2, 0], np.int32)
>>> sgd, he = optimizers.by_hyper(optimizers.sgd), start.drawn(initializers.he)
>>> recipe = base.Recipe(models.MLP(3, widths=(8,)), losses.softmax, sgd, he)
>>> hyper = base.Hyper(learning_rate=np.float32([0.1, 0.3]))  # of two members
>>> def begin(seed, hyper):
...     return step.init_state(keys.key(seed), x, kinds.vector.measure(x), hyper, recipe)
>>> states = jax.vmap(begin)(np.arange(2, dtype=np.uint32), hyper)
>>> batches = base.Batch(np.stack([x, x]), np.stack([y, y]))
>>> states, metrics = train_members(recipe)(states, batches, hyper)
>>> metrics.loss.shape
(2,)
>>> alone, one = begin(np.uint32(0), base.Hyper(learning_rate=0.1)), base.Hyper(learning_rate=0.1)
>>> size = 4 * len(jax.local_devices())
>>> large = base.Batch(np.tile(x, (size // 4, 1)), np.tile(y, size // 4))
>>> alone, metrics = train_sharded_batch(recipe)(alone, large, one)
>>> int(alone.step)
1
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from overfit import base
from overfit.train import step

Step = Callable[[base.State, base.Batch, base.Hyper], tuple[base.State, step.Metrics]]


def over_devices(function: Callable, *, donate: tuple[int, ...] = ()) -> Callable:
    """Maps a function over the leading axis of all its arguments, one slice a device."""
    # The axis must be named as in `_sharding`, or a program that takes its own results compiles twice.
    return jax.pmap(function, axis_name='device', donate_argnums=donate)


def shard(tree: Any, count: int) -> Any:
    """Places arrays `[count, ...]` on the first `count` devices, one slice each."""
    return jax.device_put(tree, _sharding(count))


def replicate(tree: Any, count: int) -> Any:
    """Places a copy of each array on each of the first `count` devices, as `[count, ...]`."""
    return shard(jax.tree.map(lambda a: np.broadcast_to(a, (count, *np.shape(a))), tree), count)


def _sharding(count):
    return NamedSharding(Mesh(np.array(jax.local_devices()[:count]), ('device',)), PartitionSpec('device'))


def train_members(recipe: base.Recipe) -> Step:
    """Returns a step for `[M, ...]` states, batches and hypers: `vmap` over members, compiled."""
    return jax.jit(jax.vmap(lambda state, batch, hyper: step.train_step(state, batch, hyper, recipe)))


def train_sharded_members(recipe: base.Recipe) -> Step:
    """Returns a step for `[devices, M, ...]`: a population spread over devices."""
    return over_devices(jax.vmap(lambda state, batch, hyper: step.train_step(state, batch, hyper, recipe)))


def train_sharded_batch(recipe: base.Recipe) -> Step:
    """Returns a step `(state, batch, hyper)` that spreads one large batch over all devices.

    `state` and `hyper` are of one member; the batch's first axis must be a multiple of the number of
    devices. Gradients, batch statistics and centers are those of the whole batch. The model must have a
    field `axis_name`, as ours have, for its batch statistics.
    """
    devices = jax.local_devices()
    mapped = jax.pmap(
        lambda state, batch, hyper: step.train_step(state, batch, hyper, recipe, 'batch'),
        axis_name='batch',
        in_axes=(None, 0, None),
        out_axes=None,
    )

    def train_step(state, batch, hyper):
        size = len(batch.y)
        if size % len(devices):
            raise ValueError(
                f'a batch of {size} cannot be shared evenly by {len(devices)} devices: '
                f'use a multiple of {len(devices)}'
            )
        split = jax.tree.map(lambda a: jnp.reshape(a, (len(devices), -1, *a.shape[1:])), batch)
        return mapped(state, split, hyper)

    return train_step
