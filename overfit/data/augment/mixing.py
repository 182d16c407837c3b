"""Two examples mixed into one, with both labels: mixup of any inputs, CutMix of images.

Each example is the first of its pair, with a share of 0.5 or more; its partner is another example of the
same batch. Shares follow Beta(a, a) folded at 0.5, as the order within a pair says nothing.
"""

import chex
import jax
import jax.numpy as jnp

from overfit import base
from overfit.data import kinds
from overfit.data.augment import boxes

TINY = 1e-12  # guards a division; far below what a uniform draw of 24 bits can tell apart


def larger_share(key: jax.Array, batch: int, *, alpha: base.Number) -> jax.Array:
    """Draws the larger of `s` and `1 - s` with `s` from Beta(alpha, alpha), exactly and without a loop.

    With `U`, `V` uniform, `q = U^(1 / alpha)` and `c = cos(2 pi V)`, Bailey's `sqrt(2 alpha (1 / q - 1)) c`
    is Student's t with `2 alpha` degrees of freedom, and `(1 + t / sqrt(2 alpha + t^2)) / 2` is symmetric
    Beta. So the larger share is `(1 + sqrt((1 - q) c^2 / (q + (1 - q) c^2))) / 2`.

    Args:
        key: PRNG key.
        batch: number of shares.
        alpha: both parameters of the Beta distribution, >= 0; 0: every share is 1.

    Returns:
        `[batch]` float32, 0.5 to 1.

    Reference: Bailey, "Polar generation of random variates with the t-distribution", Mathematics of
    Computation 62, 1994; Devroye, "Random variate generation in one line of code", WSC 1996.

    >>> larger_share(jax.random.key(0), 3, alpha=0.0).tolist()
    [1.0, 1.0, 1.0]
    """
    u, v = jax.random.uniform(key, (2, batch))
    log_q = jnp.log(jnp.maximum(u, TINY)) / jnp.maximum(alpha, TINY)
    square = jnp.maximum(jnp.square(jnp.cos(2 * jnp.pi * v)), TINY)
    part = -jnp.expm1(log_q) * square
    return (1 + jnp.sqrt(part / (jnp.exp(log_q) + part))) / 2


def partners(key: jax.Array, batch: int) -> jax.Array:
    """Draws another example of the batch for each: all examples, moved on by the same random number.

    Batches are in random order already; so no example is its own partner, and nothing is sorted.

    Args:
        key: PRNG key.
        batch: number of examples.

    Returns:
        `[batch]` int32, each position once.

    >>> partners(jax.random.key(0), 2).tolist()
    [1, 0]
    """
    on = jax.random.randint(key, (), 1, max(batch, 2))
    return (jnp.arange(batch, dtype=jnp.int32) + on) % batch


def random_mixup(
    key: jax.Array, x: jax.Array, *, mixup: base.Number
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mixes each input with another one: `out = share * x + (1 - share) * x[partner]`.

    Args:
        key: PRNG key.
        x: `[B, ...]` float.
        mixup: both parameters of the Beta distribution of the share; 0: nothing is mixed.

    Returns:
        `[B, ...]`, then `[B]` int32 partners, and `[B]` float32 shares of the first, 0.5 to 1.

    Reference: Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization", ICLR 2018,
    section 1; a share for each pair in place of one for the batch.

    >>> x, partner, share = random_mixup(jax.random.key(0), jnp.array([[0.0], [1.0]]), mixup=1.0)
    >>> bool(jnp.allclose(x[:, 0], jnp.array([1 - share[0], share[1]])))
    True
    """
    chex.assert_type(x, float)
    drawn, paired = jax.random.split(key)
    partner = partners(paired, len(x))
    share = larger_share(drawn, len(x), alpha=mixup)
    part = share.reshape(-1, *[1] * (x.ndim - 1))
    return part * x + (1 - part) * x[partner], partner, share


def random_cutmix(
    key: jax.Array, x: jax.Array, *, cutmix: base.Number
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Covers a box of each image with the same box of another one.

    The box has `sqrt(1 - s)` of either side, with `s` from `larger_share`, and its centre anywhere in the
    image; what lies outside is cut off. Pixels at its edge are covered in part, so the share of the first
    label is exactly the share of the area that is still the first image's.

    Args:
        key: PRNG key.
        x: `[B, H, W, C]` float.
        cutmix: both parameters of the Beta distribution of the share; 0: nothing is covered.

    Returns:
        `[B, H, W, C]`, then `[B]` int32 partners, and `[B]` float32 shares of the first, 0.5 to 1.

    Reference: Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable
    features", ICCV 2019, equations 1 and 2; where their box covers more than half, the two images have
    changed places here.

    >>> images = jnp.stack([jnp.zeros((8, 8, 1)), jnp.ones((8, 8, 1))])
    >>> x, partner, share = random_cutmix(jax.random.key(0), images, cutmix=1.0)
    >>> bool(jnp.allclose(x.mean((1, 2, 3)), jnp.array([1 - share[0], share[1]])))
    True
    """
    chex.assert_rank(x, 4)
    chex.assert_type(x, float)
    drawn, paired, placed = jax.random.split(key, 3)
    partner = partners(paired, len(x))
    side = jnp.sqrt(1 - larger_share(drawn, len(x), alpha=cutmix))
    covered = boxes.random_boxes(placed, *x.shape[:3], side)
    part = covered[..., None]
    return x * (1 - part) + x[partner] * part, partner, 1 - jnp.mean(covered, axis=(1, 2))


def mixup(key: jax.Array, batch: base.Batch, hyper: base.Hyper, inputs: kinds.Standard) -> base.Batch:
    """Mixes any inputs by `random_mixup`, as a slot of a recipe.

    Args:
        key: PRNG key of the step.
        batch: `[B, ...]` raw values of any type, every example with one label.
        hyper: `mixup`.
        inputs: not looked at.

    Returns:
        The batch, its inputs float32, with second labels; the batch itself if the number is absent.

    Raises:
        ValueError: the labels of the batch are mixed already.

    >>> plain = kinds.Standard(mean=jnp.zeros(3), scale=jnp.ones(3), border=jnp.zeros(3))
    >>> batch = base.Batch(jnp.zeros((2, 3)), jnp.array([4, 5]))
    >>> mixup(jax.random.key(0), batch, base.Hyper(mixup=0.2), plain).mixed.y.tolist()
    [5, 4]
    """
    if hyper.mixup is None:
        return batch
    return _mixed(batch, random_mixup(key, batch.x.astype(jnp.float32), mixup=hyper.mixup))


def cutmix(key: jax.Array, batch: base.Batch, hyper: base.Hyper, inputs: kinds.Standard) -> base.Batch:
    """Mixes images by `random_cutmix`, as a slot of a recipe.

    Args:
        key: PRNG key of the step.
        batch: images `[B, H, W, C]`, raw values of any type, every example with one label.
        hyper: `cutmix`.
        inputs: not looked at.

    Returns:
        The batch, its images float32, with second labels; the batch itself if the number is absent.

    Raises:
        ValueError: the labels of the batch are mixed already.

    >>> plain = kinds.Standard(mean=jnp.zeros(1), scale=jnp.ones(1), border=jnp.zeros(1))
    >>> batch = base.Batch(jnp.zeros((2, 4, 4, 1)), jnp.array([4, 5]))
    >>> cutmix(jax.random.key(0), batch, base.Hyper(cutmix=1.0), plain).mixed.y.tolist()
    [5, 4]
    """
    if hyper.cutmix is None:
        return batch
    return _mixed(batch, random_cutmix(key, batch.x.astype(jnp.float32), cutmix=hyper.cutmix))


def _mixed(batch, found):
    if batch.mixed is not None:
        raise ValueError(
            'labels are mixed twice, but an example has at most two of them: keep one of the augmentations '
            'that mix labels'
        )
    x, partner, share = found
    weight = batch.weight
    if weight is not None:  # an example counts as much as its parts do
        weight = weight * weight[partner]
    return batch._replace(x=x, weight=weight, mixed=base.Mixed(batch.y[partner], share))
