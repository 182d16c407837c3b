"""How a net begins."""

from overfit.nn import initializers
from overfit.study.arms import Technique
from overfit.study.techniques import changes

he = Technique(
    'He initialisation',
    'initializer',
    'He 2015',
    change=changes.initializer(initializers.he),
    applies=changes.to_drawn_starts,
)
uniform_fan_in = Technique(
    'uniform initialisation by fan-in',
    'initializer',
    'LeCun 1998',
    change=changes.initializer(initializers.uniform_fan_in),
    applies=changes.to_drawn_starts,
)
glorot = Technique(
    'Glorot initialisation',
    'initializer',
    'Glorot & Bengio 2010',
    change=changes.initializer(initializers.glorot),
    applies=changes.to_drawn_starts,
)
normal = Technique(
    'normal initialisation, s.d. 0.01',
    'initializer',
    'Krizhevsky 2012',
    change=changes.initializer(initializers.normal),
    applies=changes.to_drawn_starts,
)
init_scale = Technique(
    'scale of the initial weights',
    'init_scale',
    'Glorot & Bengio 2010',
    changes.only('init_log2_scale'),
    applies=changes.to_drawn_starts,
)
lecun = Technique(
    'LeCun initialisation',
    'initializer',
    'LeCun 1998',
    change=changes.initializer(initializers.lecun),
    applies=changes.to_drawn_starts,
)
orthogonal = Technique(
    'orthogonal initialisation',
    'initializer',
    'Saxe 2014',
    change=changes.initializer(initializers.orthogonal),
    applies=changes.to_drawn_starts,
)
uniform = Technique(
    'uniform initialisation, 1 / 2 width',
    'initializer',
    'Mikolov 2013',
    change=changes.initializer(initializers.uniform),
    applies=changes.to_drawn_starts,
)
