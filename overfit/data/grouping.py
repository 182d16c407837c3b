"""Groups of examples (the same patient, speaker or writer) kept whole when a set is split."""

from collections.abc import Sequence

import numpy as np

TRIES = 20  # orders of equally large groups; the first that leaves no class out is taken


def assign(
    y: np.ndarray, groups: np.ndarray, shares: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """Puts whole groups into parts, so that every part has about its share of each class.

    The largest groups come first; each goes where it adds least to `sum_c sum_p (n_cp / n_c)^2 / share_p`,
    `n_cp` being the examples of class c in part p, and the examples of any class counting as one more
    class. Groups of one size come in random order, and the order that leaves the fewest classes out of a
    part is kept.

    Args:
        y: `[N]` integer labels.
        groups: `[N]` integer codes.
        shares: of each part, positive, together 1.
        rng: random numbers.

    Returns:
        `[N]` int64, the part of each example.
    """
    _, member = np.unique(groups, return_inverse=True)
    table = count(y, groups)
    best = None
    for _ in range(TRIES):
        parts = _greedy(table / table.sum(0), np.asarray(shares), rng)
        filled = np.stack([table[parts == part].sum(0) for part in range(len(shares))])
        # a part without some class is a pity; a class that lies in one part alone cannot be trained on there
        alone, absent = int(((filled > 0).sum(0) < 2).sum()), int((filled == 0).sum())
        if best is None or (alone, absent) < best[0]:
            best = (alone, absent), parts
        if best[0] == (0, 0):
            break
    return best[1][member]


def count(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """How many examples of each class each group has, `[groups, classes]`, both sorted."""
    values, codes = np.unique(y, return_inverse=True)
    names, member = np.unique(groups, return_inverse=True)
    return np.bincount(member * len(values) + codes, minlength=len(names) * len(values)).reshape(
        len(names), len(values)
    )


def _greedy(table, shares, rng):
    """The part of each group; `table` holds what share of each class it has."""
    sizes = table.sum(1)
    table = np.concatenate([table, sizes[:, None] / sizes.sum()], axis=1)
    filled, parts = np.zeros((len(shares), table.shape[1])), np.zeros(len(table), np.int64)
    for group in np.lexsort((rng.random(len(table)), -sizes)):
        added = ((2 * filled + table[group]) * table[group]).sum(1) / shares
        least = np.flatnonzero(added <= added.min() * (1 + 1e-9) + 1e-15)
        part = least[np.argmin(filled[least, -1] / shares[least] + 1e-9 * rng.random(len(least)))]
        parts[group] = part
        filled[part] += table[group]
    return parts


def hold_out(y: np.ndarray, groups: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Chooses whole groups to hold out, so that every class keeps a group to train on.

    Args:
        y: `[N]` integer labels.
        groups: `[N]` integer codes.
        fraction: share of the examples held out, about.
        rng: random numbers.

    Returns:
        `[N]` bool, true for what is held out; none is where every group has some class alone.
    """
    _, member = np.unique(groups, return_inverse=True)
    table = count(y, groups)
    held = np.zeros(len(table), bool)
    held[member[assign(y, groups, (1 - fraction, fraction), rng) == 1]] = True
    for label in range(table.shape[1]):
        has = np.flatnonzero(table[:, label])
        if held[has].all():  # the smallest comes back
            held[has[np.argmin(table[has].sum(1))]] = False
    if not held.any():
        spare = np.flatnonzero(((table == 0) | ((table > 0).sum(0) > 1)).all(1))
        if len(spare):
            away = np.abs(table[spare].sum(1) - fraction * len(y))
            held[spare[np.argmin(away)]] = True
    return held[member]


def clean(groups: np.ndarray, where: str, size: int) -> np.ndarray:
    """Groups as whole numbers or names.

    Args:
        groups: `[N]` or `[N, 1]` as a person gave them.
        where: the argument that names them, for messages.
        size: N, how many examples there are.

    Returns:
        `[N]`, of an integer or a text dtype.

    Raises:
        ValueError: if they are neither, or not one an example.
    """
    if groups.ndim == 2 and groups.shape[1] == 1:
        groups = groups[:, 0]
    if groups.shape != (size,):
        raise ValueError(
            f'{where} has shape {groups.shape}, but there must be one group for each of {size} inputs.'
        )
    if groups.dtype.kind == 'S':
        try:
            return np.char.decode(groups, 'utf-8')
        except UnicodeDecodeError:
            raise ValueError(
                f'{where} holds bytes that are not UTF-8: give whole numbers or names.'
            ) from None
    if groups.dtype.kind == 'f':
        bad = groups[~np.isfinite(groups) | (groups != np.round(groups)) | (np.abs(groups) > 2**53)]
        if len(bad):
            raise ValueError(f'{where} holds {bad[0]}: give whole numbers or names, one for each example.')
        return groups.astype(np.int64)
    if groups.dtype.kind not in 'biuU':
        raise ValueError(f'{where} has dtype {groups.dtype}: give whole numbers or names.')
    return groups.astype(np.int64) if groups.dtype.kind == 'b' else groups


def rarest(y: np.ndarray, *, groups: np.ndarray | None = None) -> tuple[int, int]:
    """The class that allows the fewest folds, and how many: its examples, or the groups that have any.

    Args:
        y: `[N]` integer labels.
        groups: `[N]` codes; `None`: every example is its own.

    >>> rarest(np.array([0, 0, 0, 1, 1]))
    (1, 2)
    """
    values, numbers = np.unique(y, return_counts=True)
    if groups is not None:
        numbers = (count(y, groups) > 0).sum(0)
    return int(values[numbers.argmin()]), int(numbers.min())
