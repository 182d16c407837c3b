"""What a study found, as types; `results.json` holds the same, field by field and in the same order.

The ledger makes these values, and the report shows them. A field without a default is always in the file
(as `null` where it is `None`); a field that is `None` by default is left out where it is `None`.
"""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from overfit.data import kinds
from overfit.study import records
from overfit.study.stats import Difference, Interval


class LabelsWorth(NamedTuple):
    """Times as many labels as the baseline would need to do as well as the arm, with a 95 % interval.

    The first three are within `[1 / largest, largest]`, an end meaning "or beyond"; or `None`, unknown.

    Attributes:
        factor: above 1 where the technique helps, below 1 where it hurts.
        low: lower end.
        high: upper end.
        extrapolated: whether `factor` lies outside of the measured sizes.
        largest: the largest factor that is told: the curve is never read beyond twice its largest size.
        enough: labels with which the arm does what the baseline does with all of them; `None`: the arm was
            not measured with fewer.
    """

    factor: float | None
    low: float | None
    high: float | None
    extrapolated: bool
    largest: float = 2.0
    enough: int | None = None


class Row(NamedTuple):
    """What one arm did, or the baseline, or the squeezed model.

    Attributes:
        technique: the arm's label; labels of techniques that were combined are joined by ` + `.
        recipe: what was trained, in one line, see `overfit.study.ledger.describe`.
        hyper: the numbers of the setting that was chosen, by name, the median over the labelled sets.
        trials: settings that were tried on each labelled set.
        member_steps: training steps of all nets on all labelled sets.
        test_error: over the labelled sets, percent.
        difference: from the tuned baseline, percentage points; `None`: compared with nothing.
        labels_worth: what the technique is worth in labels; `None`: compared with nothing.
        verdict: one of `stats.VERDICTS`; `None`: compared with nothing.
        diverged: nets that were measured and whose loss became infinite.
        diverged_in_search: nets of the search whose loss became infinite.
        cost: what training the model that the arm hands over takes, as a multiple of the baseline's.
        near_best: whether the row cannot be told from the best of the arms.
    """

    technique: str
    recipe: str
    hyper: Mapping[str, float]
    trials: int
    member_steps: int
    test_error: Interval
    difference: Difference | None = None
    labels_worth: LabelsWorth | None = None
    verdict: str | None = None
    diverged: int = 0
    diverged_in_search: int = 0
    cost: float = 1.0
    near_best: bool = False


class DataInfo(NamedTuple):
    """The data of a study.

    Attributes:
        name: short name.
        kind: name of the kind of data, as `'image'`.
        train: labelled examples that an arm has, those held out included.
        test: test examples.
        classes: number of classes.
        sha256: hash of the arrays, after reading.
        labelled: labelled examples that there are: the labelled sets draw from them.
        noun: what examples are called, in the plural.
    """

    name: str
    kind: str
    train: int
    test: int
    classes: int
    sha256: str
    labelled: int
    noun: str = 'examples'


class SizePoint(NamedTuple):
    """The baseline, tuned anew with another number of labels.

    Attributes:
        size: labelled examples.
        test_error: percent.
    """

    size: int
    test_error: Interval


class Best(NamedTuple):
    """The best model, ready to use.

    Attributes:
        path: its folder, relative to that of the results; `None`: it was not saved.
        test_error: percent, of the test examples; where they were cross-fitted, the squeezed row's.
        members: nets whose probabilities it averages.
        wrong: test examples that it gets wrong; `None`: it was trained on all examples, none is left to
            test this very model.
        low: lower end of the 95 % interval of the error.
        high: upper end.
        train: labelled examples that it was trained on.
    """

    path: str | None
    test_error: float
    members: int
    wrong: int | None
    low: float
    high: float
    train: int


class Reference(NamedTuple):
    """A model of another library, tuned on the same labelled sets.

    Attributes:
        name: of the model.
        test_error: over the labelled sets, percent.
        difference: error of the squeezed model minus error of this one, paired, on this comparison alone;
            negative where the squeezed model is better.
    """

    name: str
    test_error: Interval
    difference: Difference


class Seconds(NamedTuple):
    """Wall-clock seconds of a study so far.

    Attributes:
        total: of everything.
        compile: of compiling.
        train: of training.
    """

    total: float
    compile: float
    train: float


class Results(NamedTuple):
    """All that a study found.

    Attributes:
        command: command line that ran it; `None`: called from Python.
        versions: of Python and the libraries, by name.
        git: hash of the commit; `None`: unknown.
        machine: what it ran on; `None`: unknown.
        seed: of everything.
        seconds: how long it took.
        data: what it ran on.
        plan: what was cut to save time, a sentence each.
        baseline: the tuned baseline, compared with nothing.
        arms: one row for each technique, in the order given.
        size_curve: the baseline's test error by number of labels, in rising order.
        search_optimism: test error of the winners minus their validation error, percentage points; `None`:
            no arm was measured as it was searched.
        labelled_sets: on which every arm was tuned anew and measured.
        test_mode: `'given'`, `'holdout'` or `'cross-fitted'`, see `overfit.data.splits.Splits`.
        margin: differences within it do not matter: a tenth of the baseline's error, percentage points.
        detectable: the smallest true difference that comparisons like these find four times in five,
            percentage points; `None`: nothing was compared.
        controls: the baseline, tuned again with other seeds and compared as if it were a technique.
        squeezed: the combination that is chosen on each labelled set; `None`: not measured yet.
        best: the best model; `None`: not trained yet.
        references: models of other libraries; `None`: not measured yet.
    """

    command: str | None
    versions: Mapping[str, str]
    git: str | None
    machine: Mapping[str, Any] | None
    seed: int
    seconds: Seconds
    data: DataInfo
    plan: tuple[str, ...]
    baseline: Row
    arms: tuple[Row, ...]
    size_curve: tuple[SizePoint, ...]
    search_optimism: Interval | None
    labelled_sets: int
    test_mode: str
    margin: float
    detectable: float | None
    controls: tuple[Row, ...]
    squeezed: Row | None = None
    best: Best | None = None
    references: tuple[Reference, ...] | None = None

    @property
    def one_labelled_set(self) -> bool:
        """Whether all labelled sets are the same: tested apart, with all labels in use."""
        return self.test_mode != 'cross-fitted' and self.data.train == self.data.labelled


def as_json(results: Results) -> dict[str, Any]:
    """Makes plain containers of results: keys in the order of the fields, six significant digits.

    Args:
        results: whole or partial; NumPy and JAX scalars and arrays are allowed in place of numbers.

    Returns:
        Dicts, lists, text, numbers, booleans and `None`, for `json.dumps`.

    Raises:
        ValueError: a number is NaN or infinite; the message says which.
    """
    return records.plain(results, 'results')


def from_json(value: Mapping[str, Any]) -> Results:
    """Makes results of what `as_json` made.

    Args:
        value: as loaded from `results.json`.

    Returns:
        Results; the noun of files that have none is that of the data's kind.

    Raises:
        ValueError: a key that is missing or unknown, or a value of another type; the message says which.
    """
    if isinstance(value, Mapping) and isinstance(value.get('data'), Mapping) and 'noun' not in value['data']:
        known = kinds.KINDS.get(str(value['data'].get('kind')))
        noun = 'examples' if known is None else known.noun
        value = {**value, 'data': {**value['data'], 'noun': noun}}
    return records.typed(Results, value, 'results')


def read(path: str | os.PathLike) -> Results:
    """Reads `results.json`.

    Args:
        path: of the file.

    Raises:
        ValueError: there is no such file, or it holds something else; the message says what.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f'{path}: there is no such file; give the results.json of a study')
    try:
        return from_json(json.loads(path.read_text(encoding='utf-8')))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON ({error}); give the results.json of a study') from error
    except ValueError as error:
        raise ValueError(f'{path} does not hold the results of a study: {error}') from error
