"""What the labels are used for: stopping, refitting, averages of nets."""

from overfit import base
from overfit.data import bootstrap
from overfit.study.arms import Technique

longer = Technique('twice the steps', 'steps', 'Srivastava 2014', stretch=2.0)
last_weights = Technique('no early stopping: last weights', 'stopping', 'Prechelt 1998', restore_best=False)
refit = Technique('no validation set: refit on all labels', 'stopping', 'folklore', refit=True)


def ensemble(nets: int) -> Technique:
    """Averages the probabilities of several nets of other seeds (Lakshminarayanan 2017).

    Each leaves out another fold, so of as many nets as folds it is the average of the kept fold models.
    """
    return Technique(f'average of {nets} nets', 'nets', 'Lakshminarayanan 2017', nets=nets)


patience = Technique(
    'early end: 5 evaluations without improvement', 'patience', 'Prechelt 1998', {'patience': 5.0}
)


def _resampled(recipe: base.Recipe) -> base.Recipe:
    return recipe._replace(sampler=bootstrap.resampled)


bags = Technique(
    'bagging: average of 5 nets, each of a bootstrap sample',
    'nets',
    'Breiman 1996',
    change=_resampled,
    nets=5,
)
