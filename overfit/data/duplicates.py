"""Copies among examples: exact ones, and near-duplicates such as a photograph saved twice.

A near-duplicate of an example is one that lies much nearer to it than the examples around it do. Among
examples that are spread evenly in D dimensions, the nearest is within a share r of the distance to the
K-th nearest with the probability `1 - (1 - r^D)^(K - 1) < (K - 1) r^D`. So r is chosen for as many
near-duplicates by chance as `CHANCE` in the whole set, and D is measured: in a table of few columns only
what is almost equal counts, in images what was saved anew, lightly blurred or made brighter.
"""

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from overfit.data import kinds
from overfit.data.read import resize

# Of larger sets a part is looked at: 20,000 x 10,000 images of 28x28 took 6 seconds on two cores.
MOST_REFERENCES, MOST_QUERIES = 20_000, 10_000
BLOCK = 500  # queries at a time: 40 MB of distances
WIDTH = 50  # distances of which the least is looked at first
SIDE = 16  # pixels to which images are reduced, which averages the noise of a camera or of JPEG away
LEAST_RANK, RANK = 4, 10  # K, at most: of an example with more than half as many copies none may be seen
CHANCE = 0.5
# Of 360 sets of 100 to 300 images from digits, USPS, MNIST and Fashion-MNIST 10 had a false pair at 0.25,
# 27 at 0.28 and 4 at 0.22; of images that JPEG had saved with quality 75, 95 to 100 in 100 were found.
CLOSE = 0.25
CLOSE_VECTORS = 0.1  # a row that is written again differs by rounding; digits as vectors come as near as 0.2


class Copies(NamedTuple):
    """How many examples have a copy where they should not: across the split, or in another group.

    Attributes:
        exact: with one that is equal byte for byte.
        near: with a near-duplicate, but no exact copy.
        compared: examples that near-duplicates were looked for, and among how many, where that is a part of
            the set; else empty.
    """

    exact: int = 0
    near: int = 0
    compared: tuple[int, ...] = ()


def exact(x: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """Which rows of `x_test` (`[M, ...]`) are, byte for byte, rows of `x` (`[N, ...]`): `[M]` bool."""
    seen = {_digest(row) for row in x}
    return np.array([_digest(row) in seen for row in x_test], bool)


def near(x: np.ndarray, x_test: np.ndarray, kind: kinds.Kind) -> np.ndarray:
    """Which test examples have a near-duplicate, or an exact copy, among the training examples.

    Args:
        x: `[N, ...]` training examples, as `base.Examples` has them; of more than 20,000 a part is searched.
        x_test: `[M, ...]`, the same to test with; of more than 10,000 a part is looked up.
        kind: of the examples; of kinds other than images and vectors exact copies are found.

    Returns:
        `[M]` bool.
    """
    return exact(x, x_test) | _near(x, x_test, kind)


def across(x: np.ndarray, x_test: np.ndarray, kind: kinds.Kind) -> Copies:
    """Counts the test examples that have copies among the training examples; arguments as for `near`."""
    same, alike = exact(x, x_test), _near(x, x_test, kind)
    part = (min(len(x_test), MOST_QUERIES), min(len(x), MOST_REFERENCES))
    whole = part == (len(x_test), len(x)) or not _comparable(x, kind)
    return Copies(int(same.sum()), int((alike & ~same).sum()), () if whole else part)


def within(x: np.ndarray, kind: kinds.Kind, *, groups: np.ndarray | None = None) -> Copies:
    """Counts the examples of one set that have copies in another group.

    Args:
        x: `[N, ...]`; near-duplicates are looked for among at most 10,000 of them.
        kind: of the examples.
        groups: `[N]` codes; `None`: every example is its own.

    Returns:
        The counts.
    """
    own = np.arange(len(x)) if groups is None else groups
    _, codes = np.unique([_digest(row) for row in x], return_inverse=True)
    least, most = np.full(codes.max() + 1, own.max()), np.full(codes.max() + 1, own.min())
    np.minimum.at(least, codes, own)
    np.maximum.at(most, codes, own)
    same = (least < most)[codes]
    rows = _part(len(x), MOST_QUERIES)
    alike = np.zeros(len(x), bool)
    alike[rows[_pairs(x[rows], x[rows], kind, own[rows]).ravel()]] = True
    whole = len(rows) == len(x) or not _comparable(x, kind)
    return Copies(int(same.sum()), int((alike & ~same).sum()), () if whole else (len(rows), len(rows)))


def groups(x: np.ndarray, *, kind: kinds.Kind | None = None) -> np.ndarray:
    """Groups of examples that are copies or near-duplicates of each other, to keep each on one side.

    Args:
        x: `[N, F]` vectors, `[N, H, W]` or `[N, H, W, C]` images; near-duplicates are looked for among at
            most 10,000 of them.
        kind: of the examples; `None`: images or vectors, by the number of axes.

    Returns:
        `[N]` int32 codes; what is a copy of a copy is in the same group.

    >>> groups(np.array([[1.0], [5.0], [1.0]])).tolist()
    [0, 1, 0]
    """
    if kind is None:
        kind = kinds.vector if x.ndim == 2 else kinds.image
        x = x[..., None] if x.ndim == 3 else x
    _, codes = np.unique([_digest(row) for row in x], return_inverse=True)
    rows = _part(len(x), MOST_QUERIES)
    pairs = rows[_pairs(x[rows], x[rows], kind, np.arange(len(rows)))]
    edges = np.concatenate([codes[pairs], np.stack([codes, codes], 1)])
    graph = sparse.coo_array((np.ones(len(edges)), edges.T), shape=(codes.max() + 1,) * 2)
    component = csgraph.connected_components(graph, directed=False)[1][codes]
    first, order = np.unique(component, return_index=True)
    return np.argsort(np.argsort(order))[np.searchsorted(first, component)].astype(np.int32)


def _near(x, x_test, kind):
    found = np.zeros(len(x_test), bool)
    queries, references = _part(len(x_test), MOST_QUERIES), _part(len(x), MOST_REFERENCES)
    pairs = _pairs(x[references], x_test[queries], kind)
    found[queries[pairs[:, 0]]] = True
    return found


def _pairs(references, queries, kind, own=None):
    """Rows of `queries` and of `references` that are near-duplicates, `[pairs, 2]`.

    `own`: codes of both, which are the same examples; pairs with the same code are left out.
    """
    rank = min(RANK, max(LEAST_RANK, len(references) // 20))  # neighbours mostly of the same class
    if len(references) <= 2 * rank or not len(queries) or not _comparable(references, kind):
        return np.empty((0, 2), np.int64)
    points, asked = _vectors(references, queries, kind)
    found, distance = map(np.concatenate, zip(*_neighbours(points, asked, rank, own), strict=True))
    dimension = _dimension(distance, (rank // 2,) if kind == kinds.image else range(2, rank // 2 + 1))
    outer = np.where(np.isfinite(distance[:, -1]), distance[:, -1], 0)
    most = CLOSE if kind == kinds.image else CLOSE_VECTORS
    close = min(most, (CHANCE / (len(queries) * (rank - 1))) ** (1 / dimension))
    # where all are equal, such as images of one grey each, there is no telling
    row, place = np.nonzero((distance <= close * outer[:, None]) & (outer > 0)[:, None])
    pairs = np.stack([row, found[row, place]], axis=1)
    if own is None:
        return pairs
    # of one set both must find the other near: a drawing beside many alike is not a copy of the nearest
    forth, back = pairs @ (len(own), 1), pairs @ (1, len(own))
    return pairs[np.isin(forth, back)]


def _dimension(distance, ranks):
    """In how many dimensions examples are spread, from the sorted distances `[M, K]` to their neighbours.

    Twice as many neighbours lie within `2^(1/D)` times the distance; the median is not moved by some copies.
    In a table with categories a neighbour may be the last with the same ones, and the next is far: the least
    D of all ranks counts.
    """
    least = np.inf
    for rank in ranks:
        inner, outer = distance[:, rank - 1], distance[:, 2 * rank - 1]
        known = np.isfinite(outer) & (inner > 0)
        if known.any():
            least = min(least, np.log(2) / max(np.median(np.log(outer[known] / inner[known])), 1e-6))
    return least if np.isfinite(least) else 1e-6


def _vectors(references, queries, kind):
    if kind == kinds.vector:
        standard = kinds.measure_columns(references)
        return tuple(
            np.asarray((x - standard.mean) / standard.scale, np.float32) for x in (references, queries)
        )
    flat = []
    for x in (references, queries):
        parts = (x[start : start + BLOCK].astype(np.float32) for start in range(0, len(x), BLOCK))
        small = np.concatenate([resize.shrink(part, longest=SIDE) for part in parts]).reshape(len(x), -1)
        flat.append(small - small.mean(1, keepdims=True))
    # contrast and brightness are taken out, but the noise of an image without any contrast is not blown up
    usual = 0.1 * np.median(flat[0].std(1)) or 1.0
    return tuple(x / (x.std(1, keepdims=True) + usual) for x in flat)


def _neighbours(references, queries, rank, own) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For blocks of queries, the `rank` nearest references and their distances, nearest first."""
    size, squares = len(references), np.square(references).sum(1)
    width = WIDTH if size >= WIDTH * rank else 1
    away = np.full((BLOCK, -(-size // width) * width), np.inf, np.float32)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK]
        part = away[: len(block)]
        np.matmul(block, references.T, out=part[:, :size])
        part[:, :size] *= -2
        part[:, :size] += squares
        if own is not None:
            part[:, :size][own[start : start + BLOCK, None] == own] = np.inf
        # the nearest lie in the stretches with the least minima: 5 to 10 times faster than a search of all
        stretches = part.reshape(len(block), -1, width)
        chosen = np.argpartition(stretches.min(2), rank - 1, axis=1)[:, :rank]
        few = np.take_along_axis(stretches, chosen[:, :, None], 1).reshape(len(block), -1)
        place = np.argpartition(few, rank - 1, axis=1)[:, :rank]
        found = np.take_along_axis(chosen, place // width, 1) * width + place % width
        found = np.minimum(found, size - 1)
        # anew from the differences, for those of large squares have lost the digits of a small distance
        distance = np.sqrt(np.square(references[found] - block[:, None]).sum(2))
        distance[np.isinf(np.take_along_axis(few, place, 1))] = np.inf
        order = np.argsort(distance, axis=1)
        yield np.take_along_axis(found, order, 1), np.take_along_axis(distance, order, 1)


def _comparable(x, kind):
    return (kind == kinds.image and x.ndim == 4) or (kind == kinds.vector and x.ndim == 2)


def _part(size, most):
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(0).permutation(size)[:most])


def _digest(row):
    return hashlib.blake2b(row.tobytes(), digest_size=16).digest()
