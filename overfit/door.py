"""The Python door: from arrays to a verdict and a model, without a folder, a command line or a bar."""

import contextlib
import html
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import numpy as np

from overfit import base
from overfit.data import kinds, load
from overfit.report import page, wording
from overfit.study import baselines, requests, spaces
from overfit.study import squeeze as study_lib
from overfit.study import tables as tables_lib
from overfit.study.arms import Baseline, Technique
from overfit.study.material import Material
from overfit.study.progress import Progress
from overfit.study.results import Results, Row
from overfit.train import checkpoint


class Result(NamedTuple):
    """What `squeeze` found.

    Attributes:
        results: every number, as in `results.json`.
        model: the best model: `predict(x)`, `predict_proba(x)`, `save(path)`.
        material: what the report shows besides the numbers.
        tables: mistakes of all that was measured, by labelled set and test example.
        probabilities: `[N, classes]` by label of the arm: the mean over all nets of all labelled sets that
            test an example, see `save`.
        labels: `[N]`, the true classes of the test examples.
    """

    results: Results
    model: checkpoint.Predictor
    material: Material
    tables: tables_lib.Tables
    probabilities: Mapping[str, np.ndarray]
    labels: np.ndarray

    @property
    def arms(self) -> tuple[Row, ...]:
        """One row a technique, in the order given: `difference`, `verdict`, `labels_worth`, `test_error`."""
        return self.results.arms

    @property
    def table(self) -> str:
        """The ledger as text."""
        return wording.table(self.results)

    @property
    def headline(self) -> str:
        """The verdict in two or three sentences."""
        return wording.headline(self.results)

    def report(self, path: str | os.PathLike) -> None:
        """Writes the report, one HTML file that works offline."""
        page.write_html(self.results, self.material, path)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes everything into a folder, made if missing.

        That is `results.json`, `report.html`, the model (`best/`), every mistake (`tables.npz`), and for each
        example and arm the mean probability over all nets of all labelled sets that test it (`oof.csv`). An
        error counted from `oof.csv` is that of the average of these nets, lower as a rule than the arm's
        error in `results.json`, which is the mean over nets.
        """
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save(folder / 'best')
        found = self.results._replace(best=self.results.best._replace(path='best'))
        page.write_json(found, folder / 'results.json')
        tables_lib.write(self.tables, folder / 'tables.npz')
        tables_lib.write_probabilities(
            self.probabilities, self.labels, self.material.classes, folder / 'oof.csv'
        )
        page.write_html(found, self.material, folder / 'report.html')

    def __repr__(self) -> str:
        return self.table

    def _repr_html_(self) -> str:
        """The report, as a notebook shows it: in a frame, so that neither's style touches the other's."""
        source = html.escape(page.text(self.results, self.material))
        return f'<iframe srcdoc="{source}" style="width: 100%; height: 900px; border: 0"></iframe>'


def squeeze(
    x: Any,
    y: Any = None,
    *,
    label: str | None = None,
    group: str | None = None,
    x_test: Any = None,
    y_test: Any = None,
    groups: Any = None,
    groups_test: Any = None,
    test: str | None = None,
    techniques: Sequence[Technique] | None = None,
    baseline: Baseline | base.Recipe | nn.Module | None = None,
    minutes: float | None = None,
    train_size: int | None = None,
    validation: float = 0.2,
    trials: int | None = None,
    labelled_sets: int | None = None,
    kind: kinds.Kind | None = None,
    image_size: int | None = None,
    name: str | None = None,
    seed: int = 0,
    progress: bool = False,
) -> Result:
    """Says which techniques help on labelled examples, by how much and how surely, and trains the best model.

    JAX sees one CPU device unless it is told otherwise before its first use:
    with `jax.config.update('jax_num_cpu_devices', 2)` two cores train 1.8 times as fast as one device.

    Args:
        x: `[N, H, W]` or `[N, H, W, C]` images, or `[N, F]` vectors; with a `kind` of your own, its inputs.
            Or what `--data` takes: the path of a table, an `.npz` or a folder of images, or a name; the
            model then predicts from such files too.
        y: `[N]` labels, whole numbers or names; `None` with a path.
        label: with a path, the column or array that holds the labels, where that is not clear.
        group: with a path, the column or array of which one value is never on both sides.
        x_test: examples for measuring alone; `None`: see `test`.
        y_test: their labels.
        groups: `[N]` names or numbers, as of patients: examples of one group are never on both sides.
        groups_test: the groups of `x_test`.
        test: how examples without a test set are tested: `'cross-fitted'` (`None`: likewise), every one by
            nets that have not seen it, and the model is trained on all; `'holdout'`: 30 % are held out.
        techniques: what to compare, for instance `[overfit.techniques.dropout, Technique(...)]`; `None`: the
            standard ones that apply, or all there are where `minutes` pay for them.
        baseline: what they are added to: a linen module that returns `base.Outputs`, a `Recipe`, or a
            `Baseline` with its own search space; `None`: a net of two hidden layers of 128 ReLUs.
        minutes: what it may take on 2 cores; `None`: the standard effort.
        train_size: labelled examples to pretend; `None`: all.
        validation: fraction of them that is held out while training, 0.1 to 0.3.
        trials: settings tried of every arm on a labelled set; `None`: as the budget allows.
        labelled_sets: on which everything is tuned anew and measured, 3 or more, cross-fitted a multiple of
            5; `None`: likewise.
        kind: of the data; `None`: images or vectors by the number of axes, as said above.
        image_size: pixels of the longer side that images are brought to, 8 to 128; `None`: by the size of the
            set and the budget.
        name: of the data, in the table; `None`: with a path its own, else `data`.
        seed: of everything.
        progress: show bars and the first results.

    Returns:
        The result.

    Raises:
        ValueError: data, techniques or a baseline that cannot serve; the message names the argument.
    """
    request = requests.Request(
        train_size=train_size,
        validation=validation,
        techniques=techniques,
        minutes=minutes,
        trials=trials,
        labelled_sets=labelled_sets,
        seed=seed,
    )
    requests.check_numbers(request)
    arrays = {'y': y, 'x_test': x_test, 'y_test': y_test, 'groups': groups, 'groups_test': groups_test}
    how = {'test': test, 'image_size': image_size, 'minutes': minutes}
    if isinstance(x, str | os.PathLike):
        splits = _from_path(x, label, group, arrays | {'kind': kind}, how)
        splits = splits if name is None else splits._replace(name=str(name))
    else:
        _refuse({'label': label, 'group': group}, 'is of a path, and x is none: give y and groups as arrays')
        if y is None:
            raise ValueError('y is missing: give a label for each example of x')
        splits = load.from_arrays(x, **arrays, kind=kind, name='data' if name is None else name, **how)
    request = request._replace(baseline=_baseline(baseline, splits.train.kind))
    study = requests.prepare(splits, request)
    plan = study.design.plan
    with contextlib.closing(Progress(plan.seconds, compiling=plan.compiling, quiet=not progress)) as shown:
        found = study_lib.run(study, shown)
    return Result(
        found.results, found.model, found.material, found.tables, found.probabilities, splits.test.reveal()
    )


def _baseline(given, kind):
    """A baseline of what a user gives for one."""
    if given is None or isinstance(given, Baseline):
        return given
    if isinstance(given, base.Recipe):
        recipe = given if given.prepare is not None else given._replace(prepare=kinds.prepare_slot(kind))
        return Baseline(recipe, {'learning_rate': spaces.RANGES['learning_rate']})
    if isinstance(given, nn.Module):
        return baselines.baseline(given, kind)
    raise ValueError(
        f'baseline is a {type(given).__name__}: give a linen module, an overfit.Recipe or an overfit.Baseline'
    )


def _from_path(path, label, group, others, how):
    """Loads what a path or a name stands for, with which no arrays go."""
    _refuse(others, f'is given beside the path {os.fspath(path)}, which has its own: leave it out')
    return load.load(os.fspath(path), label=label, group=group, **how)


def _refuse(arguments, why):
    for argument, value in arguments.items():
        if value is not None:
            raise ValueError(f'{argument} {why}')
