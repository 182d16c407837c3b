"""Trains nets on the folds of labelled sets, each of them once, and predicts with those that are kept.

The nets of all arms and labelled sets go through here, so what two arms have in common is trained once: an
average of five nets and the plain net share the search, and the nets of the first folds.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from overfit import base
from overfit.study import costs, labelled_sets
from overfit.study.arms import Arm
from overfit.study.labelled_sets import LabelledSet
from overfit.study.protocol import Protocol, fold_count, seed_of
from overfit.train import predict
from overfit.train.engine import population


class Run(NamedTuple):
    """One net to be trained.

    Attributes:
        recipe: what shapes its program.
        hyper: its numbers.
        place: number of its labelled set.
        net: number of the net; it leaves out fold `net`, counted again from 0 where the folds are used up.
        restore_best: keep its best weights.
        stop_at: `None`: trained on all folds but its own, which validates it; else it is trained on the whole
            labelled set for so many steps.
    """

    recipe: base.Recipe
    hyper: base.Hyper
    place: int
    net: int
    restore_best: bool = True
    stop_at: float | None = None


class Course:
    """Labelled sets, cut into folds, and the nets that were trained on them.

    Args:
        pool: labelled examples.
        sets: labelled sets; a `Run` counts them.
        protocol: how they are cut, and how often nets are evaluated.
        inputs: `[N, ...]` inputs of the test set, for predictions; its labels are not here.
        progress: called with training steps done, nets finished, and the seconds that the plan allows for
            them.

    Raises:
        TypeError: the pool is no `base.Examples`.
    """

    def __init__(
        self,
        pool: base.Examples,
        sets: Sequence[LabelledSet],
        protocol: Protocol,
        inputs: np.ndarray,
        *,
        progress: Callable[[int, int, float], None] | None = None,
    ):
        if not isinstance(pool, base.Examples):
            raise TypeError(f'the search takes base.Examples, never a test set; got {type(pool).__name__}')
        self.pool, self.sets, self.protocol, self.progress = pool, tuple(sets), protocol, progress
        self._inputs = inputs
        self._folds: dict[int, Any] = {}
        self._fields: dict[base.Recipe, set[str]] = {}
        self._trained: dict[Run, population.Trained] = {}
        self._predicted: dict[Run, np.ndarray] = {}

    def steps(self, arm: Arm, place: int) -> float:
        """Steps of a net of an arm: a larger labelled set than the protocol's takes as many epochs."""
        longer = max(1.0, len(self.sets[place].labelled) / self.protocol.train_size)
        return float(longer * arm.stretch * self.protocol.steps)

    def validated(self, place: int, folds: int) -> int:
        """Examples of a labelled set that validate in so many of its folds."""
        return sum(len(held) for _, held in self._folds_of(place)[:folds])

    def expect(self, arms: Iterable[Arm], also: Iterable[str] = ()) -> None:
        """Announces arms: with the numbers of all of them present, those of a structure share one program.

        Args:
            arms: to be trained from now on.
            also: numbers that later arms of the same structures may have.
        """
        for arm in arms:
            fields = self._fields.setdefault(population.structure(arm.recipe), set())
            fields |= {'steps', *arm.space, *also}

    def train(self, runs: Iterable[Run]) -> None:
        """Trains the nets that were not trained before; their weights stay until `predict` or `forget`."""
        groups: dict[base.Recipe, list[Run]] = {}
        for run in dict.fromkeys(run for run in runs if run not in self._trained):
            groups.setdefault(population.structure(run.recipe), []).append(run)
        for recipe, wanted in groups.items():
            trained = population.train(
                [self._member(run) for run in wanted],
                self.pool,
                eval_every=self.protocol.eval_every,
                capacity=self.protocol.capacity,
                progress=self._weighed(recipe, population.fields_of(run.hyper for run in wanted)),
            )
            self._trained |= zip(wanted, trained, strict=True)

    def _weighed(self, recipe, numbers):
        """Tells `progress` what the plan allows for the steps too: some take ten times as long."""
        if self.progress is None:
            return None
        tell, seconds = self.progress, costs.seconds_a_step(recipe, self.pool, numbers=sorted(numbers))
        return lambda steps, finished: tell(steps, finished, steps * seconds)

    def results(self, runs: Iterable[Run]) -> list[population.Trained]:
        """What became of nets that were trained."""
        return [self._trained[run] for run in runs]

    def knows(self, run: Run) -> bool:
        """Whether a net was trained."""
        return run in self._trained

    def nets(self, runs: Iterable[Run]) -> list[population.Trained]:
        """Trained nets with their weights; those that were forgotten are trained again."""
        runs = list(runs)
        lost = [run for run in runs if run not in self._trained or self._trained[run].variables is None]
        for run in lost:
            self._trained.pop(run, None)
        self.train(lost)
        return self.results(runs)

    def predict(self, runs: Iterable[Run]) -> None:
        """Predicts the test examples of its labelled set with every net, where it has any."""
        groups: dict[Any, list[Run]] = {}
        for run in dict.fromkeys(runs):
            if run not in self._predicted and len(self.sets[run.place].tested):
                # Losses keep states of different forms, which cannot lie side by side.
                alike = (predict.predicting(run.recipe), run.recipe.loss)
                groups.setdefault(alike, []).append(run)
        for (recipe, _), group in groups.items():
            # A few nets at a time: the probabilities of all nets and test examples may not fit.
            for begin in range(0, len(group), 64):
                some = group[begin : begin + 64]
                found = predict.predict(recipe, self.nets(some), self._inputs)
                for run, of_run in zip(some, found, strict=True):
                    tested = self.sets[run.place].tested
                    self._predicted[run] = np.exp(of_run[tested]).astype(np.float16)

    def probabilities(self, runs: Iterable[Run]) -> np.ndarray:
        """`[nets, m, classes]` float16 of nets that predicted the test examples of one labelled set."""
        return np.stack([self._predicted[run] for run in runs])

    def forget(self, runs: Iterable[Run]) -> None:
        """Drops the weights of nets, whose results and predictions stay."""
        for run in runs:
            self._trained[run] = self._trained[run]._replace(variables=None, loss_state=None)

    def _member(self, run: Run) -> population.Member:
        rows, seed = self.sets[run.place].labelled, self.sets[run.place].seed
        folds = self._folds_of(run.place)
        train, validation = folds[run.net % len(folds)]
        if run.stop_at is not None:
            train, validation = np.arange(len(rows)), train[:0]
        fields = self._fields.get(population.structure(run.recipe), ())
        return population.Member(
            run.recipe,
            population.filled(run.hyper, fields),
            seed_of(seed, 'net', run.net),
            rows[train],
            rows[validation],
            run.restore_best,
            run.stop_at,
        )

    def _folds_of(self, place: int):
        if place not in self._folds:
            one, folds = self.sets[place], fold_count(self.protocol.validation)
            self._folds[place] = labelled_sets.inner_folds(self.pool, one.labelled, folds, seed=one.seed)
        return self._folds[place]
