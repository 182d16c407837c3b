"""What is minimised."""

from overfit.objectives import losses
from overfit.study.arms import Technique
from overfit.study.techniques import changes

label_smoothing = Technique(
    'label smoothing',
    'smoothing',
    'Szegedy 2016',
    changes.only('label_smoothing'),
    applies=changes.to_cross_entropy,
)
center = Technique(
    'center loss',
    'loss',
    'Wen 2016',
    changes.only('center_weight') | {'center_rate': 0.5},
    changes.loss(losses.center),
)
