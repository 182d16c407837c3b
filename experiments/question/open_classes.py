"""Open set: embeddings tuned on classes that are held out, and judged on classes that training never saw."""

import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.question import embeddings
from overfit import base
from overfit.data import load
from overfit.study import spaces
from overfit.study.arms import Arm
from overfit.study.protocol import seed_of
from overfit.train.engine import population

CLASS_FOLDS = 3  # of the training classes; each holds one out
LEAST = 2 * CLASS_FOLDS  # training classes: two to tell apart in each fold
MOST_TESTED = 50  # examples of a class: pairs grow with the square


class Material(NamedTuple):
    """Classes to learn from and to be judged on.

    Attributes:
        name: of the data.
        pool: examples to learn from.
        unseen: examples of other classes; `None`: some classes of the pool are kept apart.
    """

    name: str
    pool: base.Examples
    unseen: base.Examples | None

    @property
    def tested(self) -> base.Examples:
        """What the rows of `OpenSet.tested` count."""
        return self.pool if self.unseen is None else self.unseen


class OpenSet(NamedTuple):
    """What a procedure is given, and what its embedding is judged on.

    Attributes:
        folds: rows of the pool to train on and held out for tuning, of different classes.
        tested: rows of `Material.tested`, of classes that no fold has.
        seed: of all that is drawn on it.
    """

    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    tested: np.ndarray
    seed: int


def of_file(path: str) -> Material:
    """Reads an `.npz` whose test classes are others than its training classes, whatever they are called.

    Args:
        path: of a file with `x_train`, `y_train`, `x_test` and `y_test`.

    Raises:
        ValueError: there is no such file, or it lacks one of these arrays.
    """
    where = pathlib.Path(path).expanduser()
    if not where.is_file() or where.suffix != '.npz':
        raise ValueError(f'data={path} is no .npz file: other test classes than training classes need one')
    with np.load(where, allow_pickle=False) as file:
        missing = [key for key in ('x_train', 'y_train', 'x_test', 'y_test') if key not in file.files]
        if missing:
            raise ValueError(f'data={path} lacks {", ".join(missing)}, and holds {", ".join(file.files)}')
        parts = [(file[f'x_{part}'], file[f'y_{part}']) for part in ('train', 'test')]
    pool, unseen = (load.from_arrays(x, y, test='cross-fitted', name=where.stem).train for x, y in parts)
    return Material(where.stem, pool, unseen)


def draw(material: Material, count: int, per_class: int, *, seed: int) -> list[OpenSet]:
    """Draws what is learnt from, and what it is judged on.

    Where classes of the pool are kept apart, these are two in five, others in each set. Else a set has three
    in four of the training classes and half of the test classes.

    Args:
        material: classes.
        count: of sets.
        per_class: examples of a class to learn from.
        seed: of all.

    Raises:
        ValueError: too few classes.
    """
    classes = len(material.pool.classes)
    apart = round(0.4 * classes) if material.unseen is None else classes // 4
    if classes - apart < LEAST or apart < 2 and material.unseen is None:
        raise ValueError(
            f'{material.name} has {classes} classes, but judging on classes that training never saw takes '
            f'10: {CLASS_FOLDS} folds of 2 to train on and tune with, 4 to test'
        )
    found = []
    for number in range(count):
        drawn = seed_of(seed, 'open', number)
        rng = np.random.default_rng(drawn)
        order = rng.permutation(classes)
        left, kept = order[:apart], order[apart:]
        parts = [
            _rows(material.pool.y, kept[fold::CLASS_FOLDS], per_class, rng) for fold in range(CLASS_FOLDS)
        ]
        folds = tuple(
            (np.concatenate([part for other, part in enumerate(parts) if other != fold]), parts[fold])
            for fold in range(CLASS_FOLDS)
        )
        if material.unseen is not None:
            others = rng.permutation(len(material.unseen.classes))
            left = others[: max(2, len(others) // 2)]
        found.append(OpenSet(folds, _rows(material.tested.y, left, MOST_TESTED, rng), drawn))
    return found


def _rows(y, classes, most, rng):
    return np.concatenate([rng.permutation(np.flatnonzero(y == one))[:most] for one in classes])


class Judged(NamedTuple):
    """An arm on every set.

    Attributes:
        label: of the arm.
        quality: one a set: means over the nets of the folds.
        numbers: the setting chosen on each set.
        held: MAP@R of the chosen setting on held-out training classes, a fraction, one a set.
        diverged: nets whose loss became infinite, of all that were trained.
    """

    label: str
    quality: tuple[embeddings.Quality, ...]
    numbers: tuple[dict[str, float], ...]
    held: tuple[float, ...]
    diverged: int


def judge(
    material: Material,
    sets: Sequence[OpenSet],
    arm: Arm,
    *,
    trials: int,
    steps: int,
) -> Judged:
    """Tunes an arm on every set by MAP@R on held-out training classes, and judges it on unseen classes.

    All arms try the same learning rates. The nets of the folds are what the procedure may hand over, so an
    arm's quality on a set is their mean.

    Args:
        material: classes.
        sets: from `draw`.
        arm: what is tuned.
        trials: settings tried on each set.
        steps: of training.
    """
    jobs = []
    for place, one in enumerate(sets):
        drawn = spaces.trials(arm.space, trials, seed=seed_of(one.seed, 'settings'))
        jobs += [(place, n, fold, hyper) for n, hyper in enumerate(drawn) for fold in range(CLASS_FOLDS)]
    nothing = np.arange(0)
    members = [
        population.Member(
            arm.recipe,
            base.Hyper.of(steps=float(steps), **numbers),
            seed_of(sets[place].seed, 'net', fold),
            sets[place].folds[fold][0],
            nothing,
            restore_best=False,
        )
        for place, _, fold, numbers in jobs
    ]
    trained = population.train(members, material.pool, eval_every=steps)
    features = embeddings.features_of(arm.recipe, trained, material.pool.x)
    room = max(len(held) for one in sets for _, held in one.folds)
    scores = np.zeros((len(sets), trials, CLASS_FOLDS))
    for (place, n, fold, _), net, of_net in zip(jobs, trained, features, strict=True):
        held = sets[place].folds[fold][1]
        found = embeddings.map_at_r(of_net[held], material.pool.y[held], room=room, most=room)
        scores[place, n, fold] = -1.0 if net.diverged else found
    means = scores.mean(2)
    chosen = means.argmax(1)
    kept = [job for job, (place, n, _, _) in enumerate(jobs) if n == chosen[place]]
    tested = material.tested
    if material.unseen is not None:
        features = embeddings.features_of(arm.recipe, [trained[job] for job in kept], tested.x)
    else:
        features = features[kept]
    return Judged(
        arm.label,
        _qualities(sets, tested, lambda place: features[CLASS_FOLDS * place : CLASS_FOLDS * (place + 1)]),
        tuple(jobs[kept[CLASS_FOLDS * place]][3] for place in range(len(sets))),
        tuple(float(means[place, chosen[place]]) for place in range(len(sets))),
        sum(net.diverged for net in trained),
    )


def inputs(material: Material, sets: Sequence[OpenSet]) -> Judged:
    """The inputs themselves as an embedding, which nobody has trained."""
    tested = material.tested
    plain = tested.kind.features(tested.x, tested.kind.measure(material.pool.x))
    nothing = tuple({} for _ in sets)
    return Judged('inputs as they are', _qualities(sets, tested, lambda _: [plain]), nothing, (), 0)


def _qualities(
    sets: Sequence[OpenSet], tested: base.Examples, of_place: Callable[[int], Any]
) -> tuple[embeddings.Quality, ...]:
    room = max(len(one.tested) for one in sets)
    found = []
    for place, one in enumerate(sets):
        of_nets = [
            embeddings.quality(features[one.tested], tested.y[one.tested], room=room, most=MOST_TESTED)
            for features in of_place(place)
        ]
        found.append(embeddings.Quality(*(float(np.mean(column)) for column in zip(*of_nets, strict=True))))
    return tuple(found)
