"""Which tricks against overfitting help on your small data set, with intervals, and the best model."""

__version__ = '0.1.0'


def load(path):
    """Loads a model that `experiments.squeeze` saved; see `overfit.train.checkpoint.load`."""
    from overfit.train import checkpoint

    return checkpoint.load(path)
