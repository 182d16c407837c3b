"""What keeps weights small or units noisy."""

from overfit.study.arms import Technique
from overfit.study.techniques import changes

dropout = Technique('dropout', 'dropout', 'Srivastava 2014', changes.only('dropout'))
input_dropout = Technique(
    'dropout, inputs too', 'dropout', 'Srivastava 2014', changes.only('dropout', 'input_dropout')
)
l1 = Technique('L1 penalty', 'l1', 'Tibshirani 1996', changes.only('l1'))
l2 = Technique('L2 penalty', 'l2', 'Krogh & Hertz 1991', changes.only('l2'))
weight_decay = Technique(
    'decoupled weight decay', 'weight_decay', 'Loshchilov & Hutter 2019', changes.only('weight_decay')
)
max_norm = Technique('max-norm', 'max_norm', 'Srivastava 2014', changes.only('max_norm'))
