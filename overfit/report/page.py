"""What `squeeze` found, for people: a verdict, the console's table, `results.json`, `report.html`."""

import json
import math
import os
import pathlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from overfit.data import splits
from overfit.report import plots, wording
from overfit.report.wording import headline, table

__all__ = ['Material', 'confusion', 'headline', 'mistakes', 'table', 'write_html', 'write_json']

ORDER = (
    'command', 'versions', 'git', 'machine', 'seed', 'seconds', 'total', 'compile', 'data', 'name', 'kind',
    'train', 'test', 'classes', 'sha256', 'summary', 'plan', 'baseline', 'arms', 'squeezed', 'best',
    'references', 'size_curve', 'search_optimism', 'technique', 'recipe', 'hyper', 'trials', 'member_steps',
    'path', 'size', 'test_error', 'members', 'difference', 'labels_worth', 'verdict', 'factor', 'mean', 'low',
    'high', 'n', 'p', 'p_adjusted', 'extrapolated',
)  # fmt: skip
RANK = {name: rank for rank, name in enumerate(ORDER)}


class Material(NamedTuple):
    """What `report.html` shows and `results.json` does not hold.

    Attributes:
        curves: `'baseline'` and `'squeezed'`, each `{'steps': [S], 'train_error': [R, S],
            'validation_error': [R, S]}`; errors in percent, R replicates; NaN where one was not evaluated.
        confusion: `[K, K]` counts of the best model on the test set; rows are the truth.
        classes: K names.
        mistakes: the most confidently wrong test examples, worst first, each `{'x', 'truth', 'prediction',
            'confidence', 'index'}`: `x` `[H, W, C]` or `[F]`, two class numbers, a probability, a row of
            the test set. The first 24 are shown.
        summary: what was understood of the data, in words.
        notes: further sentences for the reader.
    """

    curves: Mapping[str, Mapping[str, np.ndarray]]
    confusion: np.ndarray
    classes: Sequence[str]
    mistakes: Sequence[Mapping[str, Any]]
    summary: str = ''
    notes: Sequence[str] = ()


def write_json(results: Mapping[str, Any], path: str | os.PathLike) -> None:
    """Writes `results.json`: keys in the schema's order, six significant digits, all or nothing.

    Args:
        results: plain containers, numbers and NumPy or JAX scalars and arrays.
        path: file to write.

    Raises:
        ValueError: a number is NaN or infinite; the message says which.
    """
    text = json.dumps(_plain(results, 'results'), ensure_ascii=False, indent=1, allow_nan=False)
    _write(path, text + '\n')


def write_html(results: Mapping[str, Any], material: Material, path: str | os.PathLike) -> None:
    """Writes `report.html`: one file that needs nothing else, no network and no script.

    Args:
        results: as in `results.json`; `best`, `plan` and `data.summary` are shown where present.
        material: curves, confusion and examples.
        path: file to write.

    Raises:
        ValueError: a number of `results` is NaN or infinite.
    """
    import jinja2

    results = _plain(results, 'results')
    arms = wording.by_effect(results)
    effects = [{**results['squeezed'], 'technique': 'squeezed model'}, *arms]
    figures = {
        'forest': plots.forest(effects),
        'forest_narrow': plots.forest(effects, narrow=True),
        'learning': {name: plots.learning(material.curves, name) for name in material.curves},
        'sizes': plots.size_curve(results) if results['size_curve'] else '',
    }
    source = resources.files('overfit.report').joinpath('page.html.j2').read_text(encoding='utf-8')
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {'png': plots.png, 'settings': _settings}
    text = environment.from_string(source).render(
        results=results,
        material=material,
        figures=figures,
        arms=[results['baseline'], *arms, results['squeezed']],
        mistakes=[{**mistake, 'x': np.asarray(mistake['x'])} for mistake in material.mistakes[:24]],
        confused=_confused(material),
        sentences=wording.sentences(results),
        header=wording.header(results),
        rows=wording.rows(results),
        remarks=wording.remarks(results),
        footnotes=wording.footnotes(results),
        digits=wording.decimals(results),
        noun=wording.noun(results),
    )
    _write(path, text)


def _plain(value, where):
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: RANK.get(key, len(RANK)))
        return {str(key): _plain(value[key], f'{where}.{key}') for key in keys}
    if isinstance(value, list | tuple):
        return [_plain(item, f'{where}[{n}]') for n, item in enumerate(value)]
    if hasattr(value, 'tolist'):
        return _plain(value.tolist(), where)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f'{where} is {value}: results.json takes finite numbers, or null for none.')
        return float(f'{value:.6g}')
    return value


def _write(path, text):
    path = pathlib.Path(path)
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    part.write_text(text, encoding='utf-8')
    part.replace(path)


def _settings(values):
    """One line of `name value` from a hyper or recipe: a mapping, or text as it is."""
    if not isinstance(values, Mapping):
        return str(values)
    used = {name: value for name, value in values.items() if value is not None}
    return ', '.join(f'{k} {v:.4g}' if isinstance(v, float) else f'{k} {v}' for k, v in used.items())


def _confused(material):
    """The commonest confusions as (truth, prediction, count), the commonest first."""
    counts = np.array(material.confusion)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind='stable')[:12]
    pairs = [(*divmod(int(place), len(counts)), int(counts.flat[place])) for place in order]
    return [pair for pair in pairs if pair[2]]


def confusion(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """`[classes, classes]` counts, rows the truth."""
    classes = probabilities.shape[-1]
    cells = np.bincount(y * classes + probabilities.argmax(-1), minlength=classes**2)
    return cells.reshape(classes, classes)


def mistakes(holdout: splits.Holdout, probabilities: np.ndarray, *, most: int = 24) -> list[dict]:
    """The test examples that are wrong with the greatest confidence."""
    y, prediction, confidence = holdout.reveal(), probabilities.argmax(-1), probabilities.max(-1)
    order = sorted(np.flatnonzero(prediction != y), key=lambda n: -confidence[n])
    return [
        {
            'x': holdout.x[n],
            'truth': int(y[n]),
            'prediction': int(prediction[n]),
            'confidence': float(confidence[n]),
            'index': int(n),
        }
        for n in order[:most]
    ]
