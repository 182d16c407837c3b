"""How weights move: optimizers, schedules, batches."""

from overfit.study.arms import Technique
from overfit.study.techniques import changes
from overfit.train import optimizers

momentum = Technique(
    'SGD with momentum',
    'optimizer',
    'Polyak 1964',
    changes.rate(1e-3, 0.3) | {'momentum': 0.9},
    applies=changes.to_sgd,
    own_rate=True,
)
adagrad = Technique(
    'Adagrad',
    'optimizer',
    'Duchi 2011',
    changes.rate(3e-3, 0.3),
    changes.optimizer(optimizers.adagrad),
    own_rate=True,
)
rmsprop = Technique(
    'RMSProp',
    'optimizer',
    'Hinton 2012',
    changes.rate(1e-4, 1e-2),
    changes.optimizer(optimizers.rmsprop),
    own_rate=True,
)
adamw = Technique(
    'AdamW',
    'optimizer',
    'Loshchilov & Hutter 2019',
    changes.rate(3e-4, 3e-2) | {'momentum': 0.9},
    changes.optimizer(optimizers.adamw),
    own_rate=True,
)
warmup = Technique('warm-up', 'warmup', 'Goyal 2017', changes.only('warmup'))
cosine = Technique('cosine decay', 'schedule', 'Loshchilov & Hutter 2017', {'cosine': 1.0})
exponential = Technique('exponential decay', 'schedule', 'folklore', changes.only('exponential'))
inverse_time = Technique('1/t decay', 'schedule', 'Robbins & Monro 1951', changes.only('inverse_time'))
step_decay = Technique('decay in steps', 'schedule', 'Krizhevsky 2012', changes.only('step_decay'))
# As many epochs as with the batches of 32 that the baseline has.
batch_16 = Technique(
    'batch of 16, as many epochs', 'batch', 'folklore', change=changes.batch(16), stretch=2.0
)
batch_64 = Technique(
    'batch of 64, as many epochs', 'batch', 'folklore', change=changes.batch(64), stretch=0.5
)
nesterov = Technique(
    "SGD with Nesterov's momentum",
    'optimizer',
    'Sutskever 2013',
    changes.rate(1e-3, 0.3) | {'momentum': 0.9},
    changes.optimizer(optimizers.nesterov),
    own_rate=True,
)
