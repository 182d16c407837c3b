"""What keeps weights small or units noisy."""

from overfit.nn import dropout as dropout_lib
from overfit.nn import models
from overfit.study.arms import Technique
from overfit.study.techniques import changes

dropout = Technique('dropout', 'dropout', 'Srivastava 2014', changes.only('dropout'))
input_dropout = Technique(
    'dropout, inputs too', 'dropout', 'Srivastava 2014', changes.only('dropout', 'input_dropout')
)
gaussian_dropout = Technique(
    'Gaussian dropout',
    'dropout',
    'Srivastava 2014',
    changes.only('dropout'),
    changes.model(dropping=dropout_lib.gaussian),
    changes.to_layers,
)
drop_connect = Technique(
    'DropConnect',
    'dropout',
    'Wan 2013',
    changes.only('dropout'),
    changes.model(dropping=dropout_lib.connections),
    changes.to_layers,
)
spatial_dropout = Technique(
    'dropout, whole channels too',
    'dropout',
    'Tompson 2015',
    changes.only('dropout'),
    changes.model(block_dropping=dropout_lib.channels),
    lambda recipe, kind: isinstance(recipe.model, models.CNN),
)
l1 = Technique('L1 penalty', 'l1', 'Tibshirani 1996', changes.only('l1'))
l1_proximal = Technique('L1, exact zeros', 'l1', 'Duchi & Singer 2009', changes.only('l1_proximal'))
l2 = Technique('L2 penalty', 'l2', 'Krogh & Hertz 1991', changes.only('l2'))
weight_decay = Technique(
    'decoupled weight decay', 'weight_decay', 'Loshchilov & Hutter 2019', changes.only('weight_decay')
)
max_norm = Technique('max-norm', 'max_norm', 'Srivastava 2014', changes.only('max_norm'))
