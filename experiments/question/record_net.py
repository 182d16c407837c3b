"""The nets of published records on MNIST, with the optimizer of their time, as recipes of ours.

Its momentum rises linearly by the epoch, its rate falls linearly by the epoch or exponentially by the step,
and the rate stands inside the sum: `v <- momentum v - rate gradient; w <- w + v`. Each layer has its own
bound on the norm of a unit's incoming weights.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

BATCH = 100


class Ramp(NamedTuple):
    """How a record's numbers change while it trains, and what bounds its weights.

    Attributes:
        momentum: at the first epoch.
        momentum_end: after `momentum_epochs`, and from then on.
        momentum_epochs: in which it rises linearly.
        rate_end: share of the learning rate that is left after `rate_epochs`; 1: it stays.
        rate_epochs: in which it falls linearly.
        shrink: factor by which the rate is divided after every step; 1: it is not.
        bounds: of the 2-norm of a unit's incoming weights, by layer.
    """

    momentum: float
    momentum_end: float
    momentum_epochs: int
    rate_end: float = 1.0
    rate_epochs: int = 1
    shrink: float = 1.0
    bounds: Mapping[str, float] = {}


class Record(NamedTuple):
    """A published protocol.

    Attributes:
        widths: hidden units of each layer.
        pieces: linear functions of a maxout unit; `None`: ReLU.
        numbers: of `Hyper`, by name: plain where published, a range where tuned.
        ramp: `None`: our SGD with momentum, its rate falling by a half cosine.
        first: initial weights of the first layer are uniform up to this size; `None`: by the fan-in.
        others: likewise of the other layers.
        source: paper.
        published: what it says.
        band: of the mean test error in percent at 440 epochs.
        band_short: likewise at 100 epochs; `None`: the same.
    """

    widths: tuple[int, ...]
    pieces: int | None
    numbers: dict[str, Any]
    ramp: Ramp | None
    first: float | None
    others: float | None
    source: str
    published: str
    band: tuple[float, float]
    band_short: tuple[float, float] | None = None


DROPPED = {'dropout': 0.5, 'input_dropout': 0.2}
SRIVASTAVA = 'Srivastava 2014'


def records() -> dict[str, Record]:
    """All of them by name."""
    from overfit.study import spaces

    tuned = {
        'learning_rate': spaces.Range(0.01, 0.3, 'log'),
        'momentum': spaces.Range(0.5, 0.95, 'linear'),
        'cosine': 1.0,
    }
    bound = {'max_norm': spaces.Range(1.5, 5.0, 'log')}
    l2, l1 = ({name: spaces.Range(1e-6, 1e-3, 'log')} for name in ('l2', 'l1'))
    dropout_ramp = Ramp(
        0.5, 0.699, 698, 0.0223, 560, bounds={'Dense_0': 4.378, 'Dense_1': 2.970, 'logits': 4.627}
    )
    maxout_ramp = Ramp(
        0.5, 0.7, 250, shrink=1.000004, bounds={'Dense_0': 1.9365, 'Dense_1': 1.9365, 'logits': 1.9365}
    )

    def ranked(numbers, error):
        """Of the table that ranks regularisers on one net."""
        band = (error - 0.2, error + 0.2)
        said = f'{error} %'
        return Record((1024, 1024, 2048), None, tuned | numbers, None, None, None, SRIVASTAVA, said, band)

    return {
        'dropout': Record(
            (898, 1532),
            None,
            {'learning_rate': 0.0973} | DROPPED,
            dropout_ramp,
            0.0089,
            0.0575,
            SRIVASTAVA,
            '1.05 % (an independent 3×1024 net: 1.12 %)',
            (1.0, 1.2),
            (0.0, 1.25),
        ),
        'plain': Record((898, 1532), None, tuned, None, None, None, SRIVASTAVA, 'about 1.6 %', (1.45, 1.75)),
        'l2': ranked(l2, 1.62),
        'l1_l2': ranked(l2 | l1, 1.60),
        'max_norm': ranked(bound, 1.35),
        'dropout_l2': ranked(l2 | DROPPED, 1.25),
        'dropout_max_norm': ranked(bound | DROPPED, 1.05),
        'maxout': Record(
            (240, 240),
            5,
            {'learning_rate': 0.1} | DROPPED,
            maxout_ramp,
            0.005,
            0.005,
            'Goodfellow 2013',
            '0.94 %',
            (0.95, 1.15),
        ),
    }


def ramped(ramp: Ramp, epoch: int) -> Any:
    """The optimizer of a record, for the slot of a recipe.

    Args:
        ramp: its numbers.
        epoch: steps of an epoch.

    Returns:
        `(hyper, learning_rate) -> optax.GradientTransformation`.
    """
    import jax
    import jax.numpy as jnp
    import optax

    from overfit.objectives import penalties

    def slot(hyper, learning_rate):
        def init(params):
            return jnp.int32(0), jax.tree.map(jnp.zeros_like, params)

        def update(gradient, state, params):
            count, velocity = state
            epochs = (count // epoch).astype(jnp.float32)
            risen = jnp.minimum(epochs / ramp.momentum_epochs, 1)
            momentum = ramp.momentum + (ramp.momentum_end - ramp.momentum) * risen
            fallen = 1 - (1 - ramp.rate_end) * jnp.minimum(epochs / ramp.rate_epochs, 1)
            rate = learning_rate * fallen * ramp.shrink ** -count.astype(jnp.float32)
            velocity = jax.tree.map(lambda v, g: momentum * v - rate * g, velocity, gradient)
            moved = jax.tree.map(jnp.add, params, velocity)
            bounded = {
                layer: penalties.max_norm(of_layer, ramp.bounds.get(layer))
                for layer, of_layer in moved.items()
            }
            return jax.tree.map(jnp.subtract, bounded, dict(params)), (count + 1, velocity)

        return optax.GradientTransformation(init, update)

    return slot


def recipe_of(record: Record, examples: Any, rows: int) -> Any:
    """The recipe of a record, for images whose pixels it sees from 0 to 1.

    Args:
        record: the protocol.
        examples: see `pixels`.
        rows: training examples, which say how long an epoch is.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    from overfit import base
    from overfit.nn import activations, models
    from overfit.objectives import losses
    from overfit.train import optimizers
    from overfit.train import start as start_lib

    inputs = int(np.prod(examples.x.shape[1:]))

    def uniform(key, shape, dtype=jnp.float32):
        size = record.first if shape[0] == inputs else record.others
        return jax.random.uniform(key, shape, dtype, -size, size)

    sgd = optimizers.by_hyper(optimizers.sgd)
    return base.Recipe(
        models.MLP(
            len(examples.classes),
            record.widths,
            activations.relu if record.pieces is None else activations.maxout(record.pieces),
        ),
        losses.softmax,
        sgd if record.ramp is None else ramped(record.ramp, max(1, rows // BATCH)),
        start_lib.own if record.first is None else start_lib.drawn(uniform),
        batch_size=BATCH,
        prepare=examples.kind.prepare,
    )


def pixels(examples: Any) -> Any:
    """The examples with pixels from 0 to 1 as the inputs of a net, as the records have them.

    Raises:
        ValueError: these are no images.
    """
    if examples.x.ndim != 4:
        raise ValueError(f'the records are of images, but the data are {examples.kind.noun}: give images')
    return examples._replace(kind=examples.kind._replace(name='pixels from 0 to 1', prepare=_unit))


def _unit(x, inputs):
    import jax.numpy as jnp

    del inputs
    return x.astype(jnp.float32) / 255
