"""What is said below the table: references, controls, events, and how to read the columns."""

from collections.abc import Sequence

import numpy as np

from overfit.report import spelling
from overfit.report.headline import NEAR_BEST, decimals, several_near_best
from overfit.report.spelling import CROSS_FITTED, HELPS, HURTS, SAME
from overfit.study.results import Results, Row


def everything(results: Results) -> list[Row]:
    """Lists all rows: baseline, arms, controls, and the squeezed model where it is measured."""
    own = [results.squeezed] if results.squeezed else []
    return [results.baseline, *results.arms, *results.controls, *own]


def references(results: Results) -> list[str]:
    """Returns a line for each reference, the best first: its error, and how the squeezed model compares."""
    found = sorted(results.references or (), key=lambda one: one.test_error.mean)
    if not found:
        return []
    digits = decimals(results)
    errors = spelling.aligned(
        [f'{one.test_error.mean:.{digits}f}' for one in found],
        [f'± {spelling.half(one.test_error):.{digits}f}' for one in found],
    )
    changes = spelling.aligned(
        [spelling.signed(one.difference.mean, digits) for one in found],
        [spelling.bounds(one.difference, digits) for one in found],
    )
    width, wide = (max(map(len, texts)) for texts in ([one.name for one in found], errors))
    lines = [
        f'  {one.name:{width}}  {error:{wide}}  {change}'
        for one, error, change in zip(found, errors, changes, strict=True)
    ]
    return ['references: test error %, and what the squeezed model errs more (+) or less (−)', *lines]


def controls(results: Results) -> list[str]:
    """Says how much two tunings of the same baseline differ, and warns where chance got a verdict."""
    if not results.controls:
        return []
    digits = decimals(results)
    spread = np.sqrt(np.mean([row.difference.mean**2 for row in results.controls]))
    lines = [
        f'controls: two tunings of the same baseline differ by ± {spread:.{digits}f} points '
        f'({spelling.counted(len(results.controls), "control")})'
    ]
    judged = [
        f'{row.technique}: {row.verdict} ({spelling.signed(row.difference.mean, digits)})'
        for row in results.controls
        if row.verdict in (HELPS, HURTS)
    ]
    if judged:
        lines.append(
            f'WARNING: mere chance got a verdict here ({"; ".join(judged)}), so trust the other verdicts '
            'less than they say'
        )
    return lines


def remarks(results: Results) -> list[str]:
    """Returns lines that follow the table: optimism of the search, diverged nets, best model."""
    digits, lines = decimals(results), []
    optimism = results.search_optimism
    if optimism:
        lines.append(
            "optimism of the search: the winner's test error minus its validation error is "
            f'{spelling.signed(optimism.mean, digits)} {spelling.bounds(optimism, digits)} points'
        )
    diverged = [f'{row.technique} {row.diverged}' for row in everything(results) if row.diverged]
    if diverged:
        lines.append(
            f'nets that are tested and diverged: {", ".join(diverged)}; their learning rates lie too near to '
            'divergence, and their mistakes are in the error of the row'
        )
    best = results.best
    if best:
        line = 'best model: ' + f'{best.path} · ' * (best.path is not None)
        line += f'test error {best.test_error:.{digits}f} % [{best.low:.{digits}f}, {best.high:.{digits}f}]'
        if best.wrong is None:
            line += f', estimated · trained on {spelling.of_all(best.train, results.data)}'
        lines.append(line + f' · {best.members} nets averaged' * (best.members > 1))
    return lines


def footnotes(results: Results) -> list[str]:
    """Returns lines that say how to read the table, and what was cut from the plan."""
    digits, arms = decimals(results), [row for row in everything(results) if row.difference]
    margin = f'{results.margin:.{digits}f}'
    compared = spelling.counted(len(results.arms), 'technique')
    if results.controls:
        compared += f' and {spelling.counted(len(results.controls), "control")}'
    alone = (
        ", the squeezed model's" + " and the references' each" * bool(results.references) + ' alone'
        if results.squeezed
        else ''
    )
    noun, sets = results.data.noun, 'other labelled sets, tuning'
    if results.one_labelled_set:
        sets = f'these {results.data.train:,} labelled {noun} and other tuning'
    lines = [
        f'± and [ ]: 95 % intervals, for {sets}, splits, initial weights and test {noun}; those against the '
        f'baseline are paired and hold for {compared} together{alone}',
        f'verdict: {HELPS}, {HURTS}: the interval is on one side of zero; {SAME}: it is within ± {margin} '
        "points, a tenth of the baseline's error; undecided: neither",
    ]
    if results.test_mode == CROSS_FITTED:
        lines.append(
            f'tested: the models of a labelled set are trained on {results.data.train:,} of the '
            f'{results.data.test:,} {results.data.noun} and tested on others, until every one has been tested'
        )
    if any(row.difference.shrunk is not None for row in arms):
        lines.append(
            'shrunk: the difference, moved towards the mean of all by as much as chance spreads them '
            '(empirical Bayes): the best of many looks better than it is'
        )
    if results.squeezed:
        lines.append(
            'squeezed: its error is that of combinations chosen anew on every labelled set; the row names '
            'the one of the best model'
        )
    if several_near_best(results):
        lines.append(f'best: {NEAR_BEST} marks what cannot be told from the best technique')
    lines += [
        _worth(arms),
        "cost: training the model that is handed over, as a multiple of the baseline's",
    ]
    if results.detectable is not None:
        lines.append(
            'the smallest true difference that comparisons like these find four times in five: '
            f'{results.detectable:.{digits}f} points'
        )
    return [*lines, *results.plan]


def _worth(arms: Sequence[Row]):
    text = (
        'worth in labels: how many times as many labels the baseline, tuned anew, needs for the same error; '
        'not read beyond twice the sizes measured; its [ ] holds for one row'
    )
    if any('*' in spelling.worth_factor(row.labels_worth) for row in arms):
        text += '; *: extrapolated beyond the sizes measured, by a fitted power law'
    return text
