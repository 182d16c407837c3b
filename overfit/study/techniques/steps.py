"""How weights move: optimizers, schedules, batches, averages."""

import functools

from overfit.study.arms import Technique
from overfit.study.techniques import changes
from overfit.train import automatic, optimizers
from overfit.train import average as averages
from overfit.train import muon as muon_lib
from overfit.train import sam as sam_lib
from overfit.train import schedule_free as schedule_free_lib

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
lion = Technique(
    'Lion',
    'optimizer',
    'Chen 2023',
    changes.rate(3e-5, 1e-2) | {'momentum': 0.9},
    changes.optimizer(optimizers.lion),
    own_rate=True,
)
muon = Technique(
    'Muon',
    'optimizer',
    'Jordan 2024',
    changes.rate(1e-3, 0.1) | {'momentum': 0.95},
    changes.optimizer(muon_lib.muon),
    own_rate=True,
)
# These find their rate themselves.
yellowfin = Technique(
    'YellowFin: momentum and rate by themselves',
    'optimizer',
    'Zhang & Mitliagkas 2019',
    {'learning_rate': 1.0},
    changes.optimizer(automatic.yellowfin),
    own_rate=True,
)
prodigy = Technique(
    'Prodigy: Adam without a rate',
    'optimizer',
    'Mishchenko & Defazio 2024',
    {'learning_rate': 1.0, 'momentum': 0.9},
    changes.optimizer(automatic.prodigy),
    own_rate=True,
)
d_adaptation = Technique(
    'D-Adaptation: Adam without a rate',
    'optimizer',
    'Defazio & Mishchenko 2023',
    {'learning_rate': 1.0, 'momentum': 0.9},
    changes.optimizer(automatic.d_adaptation),
    own_rate=True,
)
# It needs no schedule, and averages weights itself.
schedule_free = Technique(
    'schedule-free SGD',
    'optimizer',
    'Defazio 2024',
    changes.rate(3e-2, 10.0) | {'momentum': 0.9},
    schedule_free_lib.with_recipe,
    own_rate=True,
)
schedule_free_adamw = Technique(
    'schedule-free AdamW',
    'optimizer',
    'Defazio 2024',
    changes.rate(1e-3, 0.1) | {'momentum': 0.9},
    functools.partial(schedule_free_lib.with_recipe, adam=True),
    own_rate=True,
)
sam = Technique(
    'SAM: the slope at the worst point nearby',
    'sharpness',
    'Foret 2021',
    changes.only('sam_radius'),
    changes.gradient(sam_lib.sam),
)
ema = Technique(
    'moving average of the weights (EMA)',
    'average',
    'Polyak & Juditsky 1992',
    changes.only('ema_decay'),
    changes.average(averages.ema),
)
swa = Technique(
    'average of the last weights (SWA)',
    'average',
    'Izmailov 2018',
    changes.only('swa_start'),
    changes.average(averages.swa),
)
rate_001 = Technique('learning rate 0.01', 'rate', 'folklore', {'learning_rate': 0.01}, own_rate=True)
batch_24 = Technique(
    'batch of 24, as many epochs', 'batch', 'folklore', change=changes.batch(24), stretch=32 / 24
)
batch_50 = Technique(
    'batch of 50, as many epochs', 'batch', 'folklore', change=changes.batch(50), stretch=32 / 50
)
