"""What is minimised."""

from overfit import base
from overfit.data import sampling
from overfit.objectives import embeddings, losses
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


def _pairs(label: str, source: str, value: base.Loss, number: str) -> Technique:
    """A loss of pairs or triplets, with batches that hold four examples of a class."""
    return Technique(
        label,
        'loss',
        source,
        changes.only('pair_weight', number),
        lambda recipe: recipe._replace(loss=value, sampler=sampling.per_class(4)),
        applies=changes.to_pairs,
    )


contrastive = _pairs('contrastive loss', 'Hadsell 2006', embeddings.contrastive, 'margin')
triplet_all = _pairs('triplet loss (all)', 'Hermans 2017', embeddings.triplet_all, 'margin')
triplet_hard = _pairs('triplet loss (hard)', 'Hermans 2017', embeddings.triplet_hard, 'margin')
triplet_soft = _pairs('triplet loss (soft margin)', 'Hermans 2017', embeddings.triplet_soft, 'margin')
triplet_semi_hard = _pairs('triplet loss (semi-hard)', 'Schroff 2015', embeddings.triplet_semi_hard, 'margin')
supervised_contrastive = _pairs(
    'supervised contrastive loss', 'Khosla 2020', embeddings.supervised_contrastive, 'temperature'
)
