"""Tables of mistakes from populations whose truth is known."""

import math

import numpy as np
from scipy import special


def mistakes(rng, errors, sets, examples, *, same_examples, repeats=None, folds=5):
    """Mistakes `[M, J, N]` of M arms whose population errors are exactly `errors`.

    A probit model: examples differ strongly in difficulty (a few are always wrong, most never), labelled sets
    in luck, and a part of the rest is shared by the arms (the same labelled set). `same_examples`: the share
    of the difficulty that the arms have in common; 1 is the baseline with other seeds. With `repeats` the
    table is cross-fitted, J = repeats x folds, the rest NaN.
    """

    def normal(*shape):
        return rng.standard_normal(shape, np.float32)

    arms = len(errors)
    difficulty = math.sqrt(same_examples) * normal(1, 1, examples)
    if same_examples < 1:
        difficulty = difficulty + math.sqrt(1 - same_examples) * normal(arms, 1, examples)
    luck = 0.15 * normal(1, sets, 1) + 0.1 * normal(arms, sets, 1)
    rest = math.sqrt(0.5) * (normal(1, sets, examples) + normal(arms, sets, examples))
    scale = math.sqrt(2.5**2 + 0.15**2 + 0.1**2 + 1)
    wrong = 2.5 * difficulty + luck + rest + scale * special.ndtri(errors)[:, None, None] > 0
    wrong = wrong.astype(np.float32)
    return wrong if repeats is None else np.where(tested(rng, repeats, folds, examples), wrong, np.nan)


def tested(rng, repeats, folds, examples):
    """Which labelled set tests which example, `[repeats * folds, N]` bool: each repeat splits all of them."""
    fold = np.stack([rng.permutation(examples) % folds for _ in range(repeats)])
    return (fold[:, None] == np.arange(folds)[None, :, None]).reshape(repeats * folds, examples)


def one_more(table: np.ndarray) -> float:
    """What an example unlike those seen adds to the variance of the mean of differences, by a loop."""
    examples = table.shape[1]
    means = [np.nanmean(table[:, n]) for n in range(examples)]
    unlike = sum(abs(mean - np.median(means)) > 1e-9 for mean in means)
    return 1 / (1 + 100 * unlike) / (examples + 2) ** 2
