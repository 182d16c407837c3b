"""Losses of pairs and triplets as `base.Loss` values: beside the cross-entropy, or alone.

`hyper.pair_weight` is the weight of the term, `hyper.margin` or `hyper.temperature` is what it asks for. All
terms see features on the unit sphere, so that a margin means the same to each of them and no net gains by
longer features (as Musgrave, Belongie and Lim, "A metric learning reality check", ECCV 2020, section 3).

A loss alone trains an embedding: the logits get no gradient, so judge such a net by its features (see
`overfit.objectives.metric_learning`).
"""

import jax.numpy as jnp

from overfit import base
from overfit.objectives import losses, pairs, triplets


def _contrastive(features, labels, hyper, options):
    return pairs.contrastive(pairs.normalised(features), labels, hyper.margin, **options)


def _supervised_contrastive(features, labels, hyper, options):
    return pairs.supervised_contrastive(features, labels, hyper.temperature, **options)


def _all(features, labels, hyper, options):
    return triplets.batch_all(pairs.normalised(features), labels, hyper.margin, **options)


def _hard(features, labels, hyper, options):
    return triplets.batch_hard(pairs.normalised(features), labels, hyper.margin, **options)


def _soft(features, labels, hyper, options):
    return triplets.batch_hard(pairs.normalised(features), labels, hyper.margin, soft=True, **options)


def _semi_hard(features, labels, hyper, options):
    return triplets.semi_hard(features, labels, hyper.margin, **options)


def _loss(term, name, *, alone=False):
    """The loss of a term; both the weight and the term are absent from the program where it has no weight."""

    def apply(key, state, outputs, batch, hyper, axis_name):
        del key  # nothing is drawn
        values = jnp.zeros(batch.y.shape)
        if not alone:
            values = losses.cross_entropy(outputs.logits, batch.y, label_smoothing=hyper.label_smoothing)
        if hyper.pair_weight is not None:
            options = {'weight': batch.weight, 'axis_name': axis_name}
            values = values + hyper.pair_weight * term(outputs.features, batch.y, hyper, options)
        return values, state

    return base.Loss(lambda classes, features: (), apply, f'{name} alone' if alone else name)


# Cross-entropy, smoothed by `hyper.label_smoothing`, plus `hyper.pair_weight` times the term.
contrastive = _loss(_contrastive, 'contrastive')
supervised_contrastive = _loss(_supervised_contrastive, 'supervised contrastive')
triplet_all = _loss(_all, 'triplets (all)')
triplet_hard = _loss(_hard, 'triplets (hard)')
triplet_soft = _loss(_soft, 'triplets (soft margin)')
triplet_semi_hard = _loss(_semi_hard, 'triplets (semi-hard)')
BESIDE = (contrastive, supervised_contrastive, triplet_all, triplet_hard, triplet_soft, triplet_semi_hard)

# `hyper.pair_weight` times the term, and nothing else.
contrastive_alone = _loss(_contrastive, 'contrastive', alone=True)
supervised_contrastive_alone = _loss(_supervised_contrastive, 'supervised contrastive', alone=True)
triplet_all_alone = _loss(_all, 'triplets (all)', alone=True)
triplet_hard_alone = _loss(_hard, 'triplets (hard)', alone=True)
triplet_soft_alone = _loss(_soft, 'triplets (soft margin)', alone=True)
triplet_semi_hard_alone = _loss(_semi_hard, 'triplets (semi-hard)', alone=True)
ALONE = (
    contrastive_alone,
    supervised_contrastive_alone,
    triplet_all_alone,
    triplet_hard_alone,
    triplet_soft_alone,
    triplet_semi_hard_alone,
)
