"""Results as text: the verdict in two or three sentences, and the console's table."""

from collections.abc import Mapping, Sequence
from typing import Any

from overfit.study import size_curve

Results = Mapping[str, Any]


def shortened(text: str, length: int) -> str:
    """Returns the text cut to a length, with an ellipsis where something is missing."""
    return text if len(text) <= length else text[: length - 1].rstrip(' +,') + '…'


def signed(value: float, digits: int = 1) -> str:
    """Returns a number with its sign (a typographic minus); none for what rounds to zero."""
    text = f'{value:+.{digits}f}'
    return (text if float(text) else f'{0:.{digits}f}').replace('-', '−')


def by_effect(results: Results) -> list[Mapping[str, Any]]:
    """Returns the arms, the most helpful first."""
    return sorted(results['arms'], key=lambda arm: arm['difference']['mean'])


def everything(results: Results) -> list[Mapping[str, Any]]:
    """Returns all rows: baseline, arms, squeezed model."""
    return [results['baseline'], *results['arms'], results['squeezed']]


def decimals(results: Results) -> int:
    """Returns how many decimals a percentage of these results gets."""
    return 1 if results['baseline']['test_error']['mean'] >= 2 else 2


def noun(results: Results) -> str:
    """Returns what an example of these data is called, in the plural."""
    return 'images' if results['data']['kind'] == 'image' else 'examples'


def headline(results: Results) -> str:
    """Says in two or three sentences what helps, what hurts, how sure that is, and what the best model errs.

    Args:
        results: as in `results.json`.

    Returns:
        Plain text.
    """
    return ' '.join(sentences(results))


def sentences(results: Results) -> list[str]:
    """Returns the sentences of `headline`: techniques, squeezed model, best model if there is one."""
    data, digits = results['data'], decimals(results)
    tally = _tally(by_effect(results), digits)
    said = [f'On {data["name"]} with {data["train"]:,} labelled {noun(results)}, {tally}.']
    squeezed, change = results['squeezed'], results['squeezed']['difference']
    before = f'{results["baseline"]["test_error"]["mean"]:.{digits}f} %'
    after = f'{squeezed["test_error"]["mean"]:.{digits}f} %'
    if squeezed['verdict'] == 'no evidence':
        said.append(
            f'The squeezed model reaches {after} test error against {before} of the tuned baseline, '
            'a difference that this comparison cannot tell from zero.'
        )
    else:
        verb = 'lowers' if squeezed['verdict'] == 'helps' else 'raises'
        low, high = (signed(change[bound], digits) for bound in ('low', 'high'))
        sentence = (
            f'The squeezed model {verb} the test error of the tuned baseline from {before} to {after} '
            f'({signed(change["mean"], digits)} points, 95 % interval {low} to {high})'
        )
        worth = squeezed.get('labels_worth') or {}
        if verb == 'lowers' and (worth.get('factor') or 0) > 1:
            sentence += f', for which the baseline would need {_factor(worth["factor"])} times as many labels'
            sentence += ' (extrapolated)' * bool(worth['extrapolated'])
        said.append(sentence + '.')
    if results.get('best'):
        wrong = results['best']['test_error']
        low, high = _wilson(wrong, data['test'])
        said.append(
            f'The best model, ready to use, gets {wrong:.{digits}f} % of the {data["test"]:,} test '
            f'{noun(results)} wrong (95 % interval {low:.{digits}f} to {high:.{digits}f} %).'
        )
    return said


def table(results: Results) -> str:
    """Lays the results out for a console.

    Args:
        results: as in `results.json`; `best` and `plan` are shown where present.

    Returns:
        Lines: header, one row an arm sorted by effect, the squeezed model, remarks, footnotes.
    """
    found = rows(results)
    effects = _aligned([row['change'] for row in found], [row['interval'] for row in found])
    width = max(map(len, effects))
    columns = {
        '': [shortened(row['prefix'] + row['technique'], 48) for row in found],
        'test error %': _aligned([row['mean'] for row in found], [f'± {row["half"]}' for row in found]),
        'against the tuned baseline': [
            f'{effect:{width}}  {row["p"]}' for effect, row in zip(effects, found, strict=True)
        ],
        'worth in labels': [row['worth'] for row in found],
        'verdict': [row['verdict'] for row in found],
    }
    padded = []
    for title, cells in columns.items():
        width = max(map(len, (title, *cells)))
        padded.append([cell.ljust(width) for cell in (title, *cells)])
    lines = ['   '.join(line).rstrip() for line in zip(*padded, strict=True)]
    if lines[-1].partition('   ')[0].endswith('…'):
        lines += ['', f'squeezed: {results["squeezed"]["technique"]}']
    return '\n'.join([header(results), '', *lines, '', *remarks(results), '', *footnotes(results)])


def rows(results: Results) -> list[dict[str, str]]:
    """Returns the table's cells as text: baseline, arms by effect, squeezed model."""
    digits, found = decimals(results), []
    arms = [('', results['baseline']), *(('+ ', arm) for arm in by_effect(results))]
    for prefix, arm in [*arms, ('squeezed: ', results['squeezed'])]:
        error, change = arm['test_error'], arm.get('difference')
        row = {
            'prefix': prefix,
            'technique': arm['technique'],
            'mean': f'{error["mean"]:.{digits}f}',
            'half': f'{(error["high"] - error["low"]) / 2:.{digits}f}',
        } | dict.fromkeys(('change', 'interval', 'p', 'worth', 'verdict'), '')
        if change:
            row |= {
                'change': signed(change['mean'], digits),
                'interval': _bounds(change, digits),
                'p': _p(change.get('p_adjusted')),
                'worth': _worth(arm.get('labels_worth')),
                'verdict': arm['verdict'],
            }
        found.append(row)
    return found


def header(results: Results) -> str:
    """Returns one line: the data, its size, the replicates, the time."""
    data = results['data']
    parts = (
        data['name'],
        f'{data["train"]:,} labelled {noun(results)}, {data["classes"]} classes',
        f'tested on {data["test"]:,} others',
        f'{results["baseline"]["test_error"]["n"]} paired replicates',
        _duration(results['seconds']['total']),
    )
    return ' · '.join(parts)


def remarks(results: Results) -> list[str]:
    """Returns lines that follow the table: references, optimism of the search, best model."""
    digits, lines = decimals(results), []
    if results['references']:
        errors = [(reference['name'], reference['test_error']) for reference in results['references']]
        errors = [(name, e['mean'] if isinstance(e, Mapping) else e) for name, e in errors]
        lines.append('for reference: ' + ', '.join(f'{name} {error:.{digits}f}' for name, error in errors))
    optimism = results['search_optimism']
    lines.append(
        "optimism of the search: the winner's test error minus its validation error is "
        f'{signed(optimism["mean"], digits)} {_bounds(optimism, digits)} points'
    )
    frozen = {a['technique']: a['frozen'] for a in everything(results) if a.get('frozen')}
    if frozen:
        listed = ', '.join(f'{name} {count}' for name, count in frozen.items())
        lines.append(f'nets that diverged on the fresh replicates and were stopped there: {listed}')
    best = results.get('best')
    if best:
        low, high = _wilson(best['test_error'], results['data']['test'])
        line = f'best model: {best["path"]} · test error {best["test_error"]:.{digits}f} %'
        line += f' [{low:.{digits}f}, {high:.{digits}f}]'
        lines.append(line + f' · {best["members"]} members averaged' * (best['members'] > 1))
    return lines


def footnotes(results: Results) -> list[str]:
    """Returns lines that say how to read the table, and what was cut from the plan."""
    worth = (
        'worth in labels: how many times as many labels the baseline, at the setting found here, needs '
        'for the same error'
    )
    if any(row['worth'].endswith('extrapolated') for row in rows(results)):
        worth += '; extrapolated: beyond the sizes measured, by a fitted power law'
    return [
        '± and [ ]: 95 % intervals; differences are paired, over the same replicates; '
        f"p: adjusted for {len(results['arms'])} comparisons (Holm), the squeezed model's alone",
        worth,
        *results.get('plan', ()),
    ]


def _tally(arms, digits):
    helps = [arm for arm in arms if arm['verdict'] == 'helps']
    hurts = [arm for arm in reversed(arms) if arm['verdict'] == 'hurts']
    unclear = len(arms) - len(helps) - len(hurts)

    def named(arm, unit=''):
        return f'“{arm["technique"]}” ({signed(arm["difference"]["mean"], digits)}{unit})'

    if helps:
        first, *others = helps[:3]
        text = f'{len(helps)} of {len(arms)} techniques help{"s" * (len(helps) == 1)}'
        text += ', above all ' if len(helps) > 3 else ': '
        text += _listed([named(first, ' points of test error'), *map(named, others)])
    else:
        text = f'none of {len(arms)} techniques is shown to help'
    if hurts:
        worst = 'most of all ' * (len(hurts) > 1) + named(hurts[0], ' points' * (not helps))
        text += f'; {len(hurts)} hurt{"s" * (len(hurts) == 1)}, {worst}'
    if unclear:
        text += f'; for {unclear} there is no evidence either way'
    return text


def _listed(words: Sequence[str]) -> str:
    return ', '.join(words[:-1]) + ' and ' * (len(words) > 1) + words[-1]


def _duration(seconds):
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f'{minutes // 60} h {minutes % 60} min'
    return f'{minutes} min {rest} s' if minutes else f'{rest} s'


def _p(value):
    if value is None:
        return ''
    if value < 0.001:
        return 'p < 0.001'
    return f'p = {value:.{3 if value < 0.1 else 2}f}'.rstrip('0').rstrip('.')


def _factor(value):
    if value is None:
        return '…'
    if value >= size_curve.LARGEST_WORTH:
        return f'over {size_curve.LARGEST_WORTH:.0f}'
    if value <= 1 / size_curve.LARGEST_WORTH:
        return f'under {1 / size_curve.LARGEST_WORTH:.2f}'
    return f'{value:.{0 if value >= 10 else 1 if value >= 0.1 else 2}f}'


def _worth(worth):
    if not worth or worth['factor'] is None:
        return ''
    text = f'× {_factor(worth["factor"])}'
    if worth['low'] is not None or worth['high'] is not None:
        text += f' [{_factor(worth["low"])}, {_factor(worth["high"])}]'
    return text + ' extrapolated' * bool(worth['extrapolated'])


def _bounds(interval, digits):
    return f'[{signed(interval["low"], digits)}, {signed(interval["high"], digits)}]'


def _wilson(percent, count):
    from scipy import stats

    interval = stats.binomtest(round(percent * count / 100), count).proportion_ci(method='wilson')
    return 100 * interval.low, 100 * interval.high


def _aligned(numbers, rest):
    width = max(map(len, numbers))
    return [f'{number:>{width}} {words}' for number, words in zip(numbers, rest, strict=True)]
