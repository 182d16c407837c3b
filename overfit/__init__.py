"""Which tricks against overfitting help on your small data set, with intervals, and the best model.

    import overfit

    result = overfit.squeeze(x, y)  # a verdict, and the best model, in some minutes
    result.model.predict(more)
    overfit.load('best').predict(more)

What is needed for arms of your own is named here too: `Technique`, `Baseline`, `Range`, `Hyper`, `Recipe` and
`techniques`, the module of those that the package knows. Everything else has a room: `overfit.nn`,
`overfit.objectives`, `overfit.data`, `overfit.train`, `overfit.study`, `overfit.report`.
"""

import importlib

__version__ = '0.1.0'

# Loaded on first use: `import overfit` alone costs nothing.
_HOMES = {
    'squeeze': 'overfit.door',
    'Result': 'overfit.door',
    'load': 'overfit.train.checkpoint',
    'techniques': 'overfit.study.techniques',
    'Technique': 'overfit.study.arms',
    'Baseline': 'overfit.study.arms',
    'Range': 'overfit.study.spaces',
    'Hyper': 'overfit.base',
    'Recipe': 'overfit.base',
}
__all__ = ['__version__', *_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f'module overfit has no attribute {name!r}; it has {", ".join(__all__)}')
    home = importlib.import_module(_HOMES[name])
    return home if home.__name__.rsplit('.', 1)[1] == name else getattr(home, name)


def __dir__():
    return __all__
