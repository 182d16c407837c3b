"""The wrappings of a per-member function over devices; the only file that knows how devices are mapped."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from overfit import base
from overfit.train import step


def over_devices(function, *, donate: tuple[int, ...] = ()):
    """Maps a function over the leading axis of all its arguments, one slice a device."""
    # The axis must be named as in `_sharding`, or a program that takes its own results compiles twice.
    return jax.pmap(function, axis_name='device', donate_argnums=donate)


def shard(tree, count: int):
    """Places arrays `[count, ...]` on the first `count` devices, one slice each."""
    return jax.device_put(tree, _sharding(count))


def replicate(tree, count: int):
    """Places a copy of each array on each of the first `count` devices, as `[count, ...]`."""
    return shard(jax.tree.map(lambda a: np.broadcast_to(a, (count, *np.shape(a))), tree), count)


def _sharding(count):
    return NamedSharding(Mesh(np.array(jax.local_devices()[:count]), ('device',)), PartitionSpec('device'))


def train_members(recipe: base.Recipe):
    """Returns a step for `[M, ...]` states, batches and hypers: `vmap` over members, compiled."""
    return jax.jit(jax.vmap(lambda state, batch, hyper: step.train_step(state, batch, hyper, recipe)))


def train_sharded_members(recipe: base.Recipe):
    """Returns a step for `[devices, M, ...]`: a population spread over devices."""
    return over_devices(jax.vmap(lambda state, batch, hyper: step.train_step(state, batch, hyper, recipe)))


def train_sharded_batch(recipe: base.Recipe):
    """Returns a step `(state, batch, hyper)` that spreads one large batch over all devices.

    `state` and `hyper` are of one member; the batch's first axis must be a multiple of the number of
    devices. Gradients, batch statistics and centers are those of the whole batch.
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
