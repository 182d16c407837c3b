"""The files that a study leaves for people: `results.json` and `report.html`."""

import json
import os
import pathlib
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np

from overfit.report import headline, notes, pictures, plots, spelling, wording
from overfit.study import results as results_lib
from overfit.study.material import Material
from overfit.study.results import Results

SHOWN_MISTAKES = 24


def write_json(results: Results, path: str | os.PathLike) -> None:
    """Writes `results.json`, or a partial one: as `results.as_json` makes it, all or nothing.

    Args:
        results: whole or partial.
        path: file to write.

    Raises:
        ValueError: a number is NaN or infinite; the message says which.
    """
    plain = results_lib.as_json(results)
    _write(path, json.dumps(plain, ensure_ascii=False, indent=1, allow_nan=False) + '\n')


def write_html(results: Results, material: Material, path: str | os.PathLike) -> None:
    """Writes `report.html`.

    Args:
        results: with the squeezed model.
        material: curves, confusion and examples.
        path: file to write.

    Raises:
        ValueError: the squeezed model is not measured yet.
    """
    _write(path, text(results, material))


def text(results: Results, material: Material) -> str:
    """The report as one HTML page that needs nothing else, no network and no script.

    Args:
        results: with the squeezed model.
        material: curves, confusion and examples.

    Raises:
        ValueError: the squeezed model is not measured yet.
    """
    import jinja2

    if results.squeezed is None:
        raise ValueError(
            'these results hold no squeezed model yet, so there is no report: wording.table shows what '
            'they hold'
        )
    source = resources.files('overfit.report').joinpath('page.html.j2').read_text(encoding='utf-8')
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {'png': pictures.png, 'settings': _settings}
    return environment.from_string(source).render(**_shown(results, material))


def _shown(results: Results, material: Material) -> dict[str, Any]:
    """What the template takes, by name."""
    arms, marked = headline.by_effect(results), headline.several_near_best(results)
    effects = [results.squeezed._replace(technique='squeezed model'), *arms]
    return {
        'results': results,
        'material': material,
        'figures': {
            'forest': plots.forest(effects, results.margin, marked=marked),
            'forest_narrow': plots.forest(effects, results.margin, narrow=True, marked=marked),
            'learning': {name: plots.learning(material.curves, name) for name in material.curves},
            'sizes': plots.size_curve(results) if results.size_curve else '',
        },
        'arms': [results.baseline, *arms, *results.controls, results.squeezed],
        'mistakes': material.mistakes[:SHOWN_MISTAKES],
        'confused': _confused(material.confusion),
        'sentences': headline.sentences(results),
        'header': wording.header(results),
        'rows': wording.rows(results),
        'tested': wording.tested(results),
        'controls': wording.control_rows(results),
        'about_controls': notes.controls(results),
        'references': _references(results),
        'marked': marked,
        'margin': f'{results.margin:.{headline.decimals(results)}f}',
        'cross_fitted': results.test_mode == spelling.CROSS_FITTED,
        'words': (spelling.HELPS, spelling.HURTS),
        'remarks': notes.remarks(results),
        'footnotes': notes.footnotes(results),
        'facts': _facts(results),
    }


def _references(results: Results) -> list[tuple[str, str, str, str, str, str]]:
    """Cells of the references, the best first: name, error, its half width, difference, interval, a word."""
    digits, found = headline.decimals(results), []
    for one in sorted(results.references or (), key=lambda one: one.test_error.mean):
        change = one.difference
        word = 'squeezed model' if change.high < 0 else one.name if change.low > 0 else 'cannot be told apart'
        error = f'{one.test_error.mean:.{digits}f}', f'{spelling.half(one.test_error):.{digits}f}'
        bounds = spelling.bounds(change, digits)
        found.append((one.name, *error, spelling.signed(change.mean, digits), bounds, word))
    return found


def _facts(results: Results) -> dict[str, str]:
    """What was run, on what and for how long, each with its name; what is unknown is left out."""
    facts = {
        'seed': str(results.seed),
        'code': results.git,
        'data, SHA-256': results.data.sha256,
        'seconds': ', '.join(f'{name} {value:.1f}' for name, value in results.seconds._asdict().items()),
        'versions': _settings(results.versions),
    }
    return {name: text for name, text in facts.items() if text}


def _write(path: str | os.PathLike, text: str) -> None:
    """Writes a whole file or nothing; what is not Unicode (a name of a file can be so) is escaped."""
    path = pathlib.Path(path)
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        part.write_text(text, encoding='utf-8', errors='backslashreplace')
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _settings(values: Mapping[str, Any]) -> str:
    """One line of `name value`."""
    return ', '.join(f'{k} {v:.4g}' if isinstance(v, float) else f'{k} {v}' for k, v in values.items())


def _confused(confusion: np.ndarray) -> list[tuple[int, int, int]]:
    """The commonest confusions as (truth, prediction, count), the commonest first, at most 12."""
    counts = np.array(confusion)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind='stable')[:12]
    pairs = [(*divmod(int(place), len(counts)), int(counts.flat[place])) for place in order]
    return [pair for pair in pairs if pair[2]]
