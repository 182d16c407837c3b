"""Results as text: the verdict in two or three sentences, and the console's table."""

from collections.abc import Sequence
from typing import NamedTuple

from overfit.report import spelling
from overfit.study.results import Results, Row


class Cells(NamedTuple):
    """One row of the table, each cell as text; empty where there is nothing to say.

    Attributes:
        prefix: what stands before the technique: `'+ '`, `'squeezed: '`, or nothing.
        technique: as in the results.
        mean: test error, percent.
        half: half the width of its interval.
        change: difference from the tuned baseline, percentage points.
        interval: its bounds, in brackets.
        p: its corrected p-value.
        worth: what the technique is worth in labels.
        verdict: as in the results.
    """

    prefix: str
    technique: str
    mean: str
    half: str
    change: str = ''
    interval: str = ''
    p: str = ''
    worth: str = ''
    verdict: str = ''


def by_effect(results: Results) -> list[Row]:
    """Lists the arms, the most helpful first."""
    return sorted(results.arms, key=lambda arm: arm.difference.mean)


def everything(results: Results) -> list[Row]:
    """Lists all rows: baseline, arms, and the squeezed model where it is measured."""
    return [results.baseline, *results.arms, *([results.squeezed] if results.squeezed else [])]


def decimals(results: Results) -> int:
    """Returns how many decimals a percentage of these results gets."""
    return 1 if results.baseline.test_error.mean >= 2 else 2


def headline(results: Results) -> str:
    """Says in two or three sentences what helps, what hurts, how sure that is, and what the best model errs.

    Args:
        results: whole or partial.

    Returns:
        Plain text.
    """
    return ' '.join(sentences(results))


def sentences(results: Results) -> list[str]:
    """Returns the sentences of `headline`: techniques, then squeezed and best model where there are any."""
    data, digits = results.data, decimals(results)
    tally = _tally(by_effect(results), digits)
    lines = [f'On {data.name} with {data.train:,} labelled {data.noun}, {tally}.']
    if results.squeezed:
        lines.append(_squeezed(results.squeezed, results.baseline, digits))
    if results.best:
        wrong = results.best.test_error
        low, high = spelling.wilson(wrong, data.test)
        lines.append(
            f'The best model, ready to use, gets {wrong:.{digits}f} % of the {data.test:,} test '
            f'{data.noun} wrong (95 % interval {low:.{digits}f} to {high:.{digits}f} %).'
        )
    return lines


def table(results: Results) -> str:
    """Lays the results out for a console.

    Args:
        results: whole or partial.

    Returns:
        Lines: header, one row an arm sorted by effect, the squeezed model, remarks, footnotes.
    """
    cells = rows(results)
    effects = _aligned([row.change for row in cells], [row.interval for row in cells])
    width = max(map(len, effects))
    columns = {
        '': [spelling.shortened(row.prefix + row.technique, 48) for row in cells],
        'test error %': _aligned([row.mean for row in cells], [f'± {row.half}' for row in cells]),
        'against the tuned baseline': [
            f'{effect:{width}}  {row.p}' for effect, row in zip(effects, cells, strict=True)
        ],
        'worth in labels': [row.worth for row in cells],
        'verdict': [row.verdict for row in cells],
    }
    padded = []
    for title, column in columns.items():
        width = max(map(len, (title, *column)))
        padded.append([cell.ljust(width) for cell in (title, *column)])
    lines = ['   '.join(line).rstrip() for line in zip(*padded, strict=True)]
    if results.squeezed and lines[-1].partition('   ')[0].endswith('…'):
        lines += ['', f'squeezed: {results.squeezed.technique}']
    notes = remarks(results)
    return '\n'.join([header(results), '', *lines, '', *notes, *[''] * bool(notes), *footnotes(results)])


def rows(results: Results) -> list[Cells]:
    """Returns the table's cells as text: baseline, arms by effect, squeezed model."""
    digits = decimals(results)
    arms = [('', results.baseline), *(('+ ', arm) for arm in by_effect(results))]
    if results.squeezed:
        arms.append(('squeezed: ', results.squeezed))
    return [_cells(prefix, row, digits) for prefix, row in arms]


def header(results: Results) -> str:
    """Returns one line: the data, its size, the replicates, the time."""
    data = results.data
    parts = (
        data.name,
        f'{data.train:,} labelled {data.noun}, {data.classes} classes',
        f'tested on {data.test:,} others',
        spelling.counted(results.baseline.test_error.n, 'paired replicate'),
        spelling.duration(results.seconds.total),
    )
    return ' · '.join(parts)


def remarks(results: Results) -> list[str]:
    """Returns lines that follow the table: references, optimism of the search, diverged nets, best model."""
    digits, lines = decimals(results), []
    if results.references:
        errors = [f'{one.name} {one.test_error.mean:.{digits}f}' for one in results.references]
        lines.append(f'for reference: {", ".join(errors)}')
    optimism = results.search_optimism
    if optimism:
        lines.append(
            "optimism of the search: the winner's test error minus its validation error is "
            f'{spelling.signed(optimism.mean, digits)} {spelling.bounds(optimism, digits)} points'
        )
    diverged = [f'{row.technique} {row.diverged}' for row in everything(results) if row.diverged]
    if diverged:
        lines.append(
            f'nets that diverged on the fresh replicates and were stopped there: {", ".join(diverged)}'
        )
    best = results.best
    if best:
        low, high = spelling.wilson(best.test_error, results.data.test)
        line = 'best model: ' + f'{best.path} · ' * (best.path is not None)
        line += f'test error {best.test_error:.{digits}f} % [{low:.{digits}f}, {high:.{digits}f}]'
        lines.append(line + f' · {best.members} nets averaged' * (best.members > 1))
    return lines


def footnotes(results: Results) -> list[str]:
    """Returns lines that say how to read the table, and what was cut from the plan."""
    worth = (
        'worth in labels: how many times as many labels the baseline, at the setting found here, needs '
        'for the same error'
    )
    if any(row.worth.endswith('extrapolated') for row in rows(results)):
        worth += '; extrapolated: beyond the sizes measured, by a fitted power law'
    adjusted = f'p: adjusted for {spelling.counted(len(results.arms), "comparison")} (Holm)'
    if results.squeezed:
        adjusted += ", the squeezed model's alone"
    return [
        f'± and [ ]: 95 % intervals; differences are paired, over the same replicates; {adjusted}',
        worth,
        *results.plan,
    ]


def _squeezed(squeezed: Row, baseline: Row, digits: int) -> str:
    before, after = f'{baseline.test_error.mean:.{digits}f} %', f'{squeezed.test_error.mean:.{digits}f} %'
    if squeezed.verdict == 'no evidence':
        return (
            f'The squeezed model reaches {after} test error against {before} of the tuned baseline, '
            'a difference that this comparison cannot tell from zero.'
        )
    change, worth = squeezed.difference, squeezed.labels_worth
    verb = 'lowers' if squeezed.verdict == 'helps' else 'raises'
    mean, low, high = (spelling.signed(value, digits) for value in (change.mean, change.low, change.high))
    sentence = (
        f'The squeezed model {verb} the test error of the tuned baseline from {before} to {after} '
        f'({mean} points, 95 % interval {low} to {high})'
    )
    if verb == 'lowers' and worth and worth.factor and worth.factor > 1:
        sentence += (
            f', for which the baseline would need {spelling.factor(worth.factor, worth.largest)} times'
        )
        sentence += ' as many labels' + ' (extrapolated)' * worth.extrapolated
    return sentence + '.'


def _tally(arms: Sequence[Row], digits: int) -> str:
    helps = [arm for arm in arms if arm.verdict == 'helps']
    hurts = [arm for arm in reversed(arms) if arm.verdict == 'hurts']
    unclear = len(arms) - len(helps) - len(hurts)

    def named(arm, unit=''):
        return f'“{arm.technique}” ({spelling.signed(arm.difference.mean, digits)}{unit})'

    if helps:
        first, *others = helps[:3]
        text = f'{len(helps)} of {spelling.counted(len(arms), "technique")} help{"s" * (len(helps) == 1)}'
        text += ', above all ' if len(helps) > 3 else ': '
        text += _listed([named(first, ' points of test error'), *map(named, others)])
    elif len(arms) > 1:
        text = f'none of {len(arms)} techniques is shown to help'
    else:
        text = 'the one technique compared is not shown to help' if arms else 'no technique was compared'
    if hurts:
        worst = 'most of all ' * (len(hurts) > 1) + named(hurts[0], ' points' * (not helps))
        text += f'; {len(hurts)} hurt{"s" * (len(hurts) == 1)}, {worst}'
    if unclear:
        text += f'; for {unclear} there is no evidence either way'
    return text


def _cells(prefix: str, row: Row, digits: int) -> Cells:
    error, change = row.test_error, row.difference
    cells = Cells(
        prefix, row.technique, f'{error.mean:.{digits}f}', f'{(error.high - error.low) / 2:.{digits}f}'
    )
    if change is None:
        return cells
    return cells._replace(
        change=spelling.signed(change.mean, digits),
        interval=spelling.bounds(change, digits),
        p=spelling.p_value(change.p_adjusted),
        worth=spelling.labels_worth(row.labels_worth),
        verdict=row.verdict or '',
    )


def _listed(words: Sequence[str]) -> str:
    return ', '.join(words[:-1]) + ' and ' * (len(words) > 1) + words[-1]


def _aligned(numbers: Sequence[str], rest: Sequence[str]) -> list[str]:
    width = max(map(len, numbers))
    return [f'{number:>{width}} {words}' for number, words in zip(numbers, rest, strict=True)]
