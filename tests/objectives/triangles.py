"""Losses of pairs and triplets as naive loops in NumPy, and features to try them on."""

import itertools

import numpy as np

MARGIN, TEMPERATURE = 0.4, 0.3
# Two of a class, three of another, one alone, two of padding whose classes are those of others.
LABELS = np.int32([0, 1, 0, 2, 1, 1, 1, 2])
WEIGHT = np.float32([1, 1, 1, 1, 1, 0, 1, 0])


def features(seed: int = 0) -> np.ndarray:
    """`[8, 3]` float32, no two alike."""
    return np.random.default_rng(seed).normal(size=(8, 3)).astype(np.float32)


def unit(x: np.ndarray) -> np.ndarray:
    """Rows on the unit sphere, in double precision."""
    return x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)


def _met(y, w):
    """All ordered pairs that count: (one, other, whether alike)."""
    return [
        (i, j, y[i] == y[j])
        for i, j in itertools.permutations(range(len(y)), 2)
        if w is None or (w[i] and w[j])
    ]


def _triplets(y, w):
    """All triplets that count: (anchor, alike, unlike)."""
    met = _met(y, w)
    return [(a, p, n) for a, p, same in met if same for b, n, also in met if b == a and not also]


def _average(values):
    return np.mean(values) if values else 0.0


def contrastive(x, y, w, margin=MARGIN):
    """Mean over the batch."""
    distance = {(i, j): np.linalg.norm(x[i].astype(np.float64) - x[j]) for i, j, _ in _met(y, w)}
    pull = [distance[i, j] ** 2 / 2 for i, j, same in _met(y, w) if same]
    push = [max(0, margin - distance[i, j]) ** 2 / 2 for i, j, same in _met(y, w) if not same]
    return _average(pull) + _average(push)


def supervised_contrastive(x, y, w, temperature=TEMPERATURE):
    """Mean over the batch."""
    z = unit(x)
    values = []
    for i in range(len(y)):
        others = [(j, same) for a, j, same in _met(y, w) if a == i]
        alike = [j for j, same in others if same]
        if alike:
            total = sum(np.exp(z[i] @ z[j] / temperature) for j, _ in others)
            values.append(-np.mean([np.log(np.exp(z[i] @ z[p] / temperature) / total) for p in alike]))
    return _average(values)


def batch_all(x, y, w, margin=MARGIN, soft=False):
    """Mean over the batch."""
    x = x.astype(np.float64)
    gaps = [margin + np.linalg.norm(x[a] - x[p]) - np.linalg.norm(x[a] - x[n]) for a, p, n in _triplets(y, w)]
    return _average([np.log1p(np.exp(g)) for g in gaps] if soft else [g for g in gaps if g > 0])


def batch_hard(x, y, w, margin=MARGIN, soft=False):
    """Mean over the batch."""
    x, values = x.astype(np.float64), []
    for anchor in range(len(y)):
        of_anchor = [(p, n) for a, p, n in _triplets(y, w) if a == anchor]
        if of_anchor:
            farthest = max(np.linalg.norm(x[anchor] - x[p]) for p, _ in of_anchor)
            nearest = min(np.linalg.norm(x[anchor] - x[n]) for _, n in of_anchor)
            gap = margin + farthest - nearest
            values.append(np.log1p(np.exp(gap)) if soft else max(0, gap))
    return _average(values)


def semi_hard(x, y, w, margin=MARGIN):
    """Mean over the batch."""
    z, values = unit(x), []
    square = {(a, b): np.sum((z[a] - z[b]) ** 2) for a, b, _ in _met(y, w)}
    for a, p, same in _met(y, w):
        band = [
            square[a, n]
            for b, n, also in _met(y, w)
            if same and b == a and not also and square[a, p] < square[a, n] < square[a, p] + margin
        ]
        if band:
            values.append(margin + square[a, p] - min(band))
    return _average(values)
