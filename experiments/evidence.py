"""The README's tables of how far the verdicts can be trusted, made of the committed results."""

import json
import pathlib
from collections.abc import Sequence

RESULTS = pathlib.Path(__file__).parent / 'results'
REPLICATIONS = {
    'replication_digits_200.json': '',
    'replication_usps_100.json': '',
    'replication_digits_200_conv.json': ', convolutions and augmentation',
}
OWN_DATA = (
    'own_data_mnist.json',
    'own_data_fashion_mnist.json',
    'own_data_made_table.json',
    'own_data_mnist_nets.json',
)


def replication() -> str:
    """Whole studies again with other seeds: how far they agree."""
    rows = []
    for name, what in REPLICATIONS.items():
        found = _read(name)
        baseline, count = found['baseline_error'], len(found['rows'])
        clashes = len(found['helps_in_one_and_hurts_in_another'])
        rows.append(
            (
                f'{found["data"]["name"]}, {found["data"]["train"]:,} labels{what}, {found["runs"]} runs',
                f'{baseline["mean"]:.1f} ± {baseline["sd"]:.1f} %',
                f'{100 * found["coverage"]:.1f} %',
                f'{clashes} of {count}',
                f'{100 * found["controls_with_a_verdict"]:.0f} %',
                f'{found["apart_in_two_runs"]["mean"]:.1f} of {count - _controls(found)}',
            )
        )
    titles = (
        '',
        'baseline, ± s.d. over runs',
        "95 % intervals that hold the other runs' mean",
        'rows that help in one run and hurt in another',
        'controls with a verdict',
        'rows of two runs that differ by more than both intervals',
    )
    return _table(titles, rows)


def own_data() -> str:
    """Simulated users without a test set: how often the truth lay within their intervals."""
    rows = []
    for found in map(_read, OWN_DATA):
        crossed, held = found['modes']['cross-fitted'], found['modes']['holdout']
        name = found['data']['name'] + (' (nets)' if 'nets' in found['command'] else '')

        def both(key, form, modes=(crossed, held)):
            return ' / '.join(form.format(one[key]) for one in modes)

        rows.append(
            (
                f'{name}, {crossed["users"]} users',
                both('coverage_of_difference', '{:.1%}'),
                both('coverage_of_model_error', '{:.1%}'),
                both('half_width_of_difference', '± {:.1f}'),
                both('half_width_of_model_error', '± {:.1f}'),
                ' / '.join(str(_decided(one)) for one in (crossed, held)),
            )
        )
    titles = (
        'cross-fitted / 30 % held out',
        'true differences within 95 % intervals',
        "the saved model's true error within its interval",
        'interval of a difference, points',
        "interval of the model's error, points",
        'helps and hurts',
    )
    return _table(titles, rows)


def findings() -> str:
    """What papers say of each technique, and what was measured here."""
    titles = ('technique', 'file', 'paper', 'published', 'measured here, 95 % interval, n', 'in band?')
    rows = []
    for one, command in _findings():
        band = one['band'] and ' to '.join(f'{end:g}' for end in one['band'])
        inside = f'{"yes" if one["in_band"] else "no"} ({band})' if band else ''
        measured = f'{one["what"]}: {_interval(one)}'
        rows.append((one['technique'], f'`{command}`', one['source'], one['published'], measured, inside))
    return _table(titles, sorted(rows))


def advice() -> str:
    """Folk advice, and whether it held here."""
    rows = [
        (one['advice'], f'{one["technique"]}, {one["what"]}: {_interval(one)}', one['verdict'])
        for one, _ in _findings()
        if one['advice']
    ]
    return _table(('advice', 'measured', 'holds?'), sorted(rows))


def _findings():
    """Every finding of every committed result, with the file that measures it."""
    for path in sorted(RESULTS.glob('*.json')):
        found = json.loads(path.read_text())
        for one in found.get('findings', ()):
            yield one, f'{found["command"].split()[2].replace(".", "/")}.py'


def _interval(one):
    sign = '+' if one['unit'] == 'points' else ''
    mean, low, high = (f'{one[end]:{sign}.3g}'.replace('-', '−') for end in ('mean', 'low', 'high'))
    return f'{mean} [{low}, {high}] {one["unit"]}, n = {one["n"]}'


def _read(name):
    return json.loads((RESULTS / name).read_text())


def _decided(mode):
    return mode['verdicts']['helps'] + mode['verdicts']['hurts']


def _controls(found):
    return sum('tuned again' in label for label in found['rows'])


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ['---'] * len(titles), *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)
