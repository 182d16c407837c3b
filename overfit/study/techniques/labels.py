"""What the labels are used for: stopping, refitting, averages of nets."""

from overfit.study.arms import Technique

longer = Technique('twice the steps', 'steps', 'Srivastava 2014', stretch=2.0)
last_weights = Technique('no early stopping: last weights', 'stopping', 'Prechelt 1998', restore_best=False)
refit = Technique('no validation set: refit on all labels', 'stopping', 'folklore', refit=True)


def ensemble(nets: int) -> Technique:
    """Averages the probabilities of several nets of other seeds (Lakshminarayanan 2017)."""
    return Technique(f'average of {nets} nets', 'nets', 'Lakshminarayanan 2017', nets=nets)


patience = Technique(
    'early end: 5 evaluations without improvement', 'patience', 'Prechelt 1998', {'patience': 5.0}
)
