"""Sentences and tables of the speed benchmark, all from what its JSON holds."""

from collections.abc import Mapping, Sequence

import numpy as np

from experiments.speed import torch_task

OURS = 'overfit'
INSIDE = (
    'In the figures: initial weights, drawing the batch, standardising, dropout, gradient, update, metrics, '
    'and the round trips to the host; not in them: loading the data, compiling (a column of its own), and '
    "evaluation apart from a population's: after each tenth of its steps, yet no more often than every ten. "
    "PyTorch's inputs are standardised beforehand, and it keeps no metrics; it has one thread or one a core, "
    'whichever is faster. The columns take turns, each in a process of its own. A rate is the median of the '
    'rounds, a ratio the median of their ratios, and a share of the matmul peak the median of shares of the '
    'peak measured at the end of each round.'
)


def rows_of(rows: Sequence[dict], workload: str) -> dict[str, dict]:
    """The rows of a workload, by column."""
    return {row['column']: row for row in rows if row['workload'] == workload}


def ratio(rows: Mapping[str, dict], column: str, other: str) -> float:
    """How many times as many member-steps a second `column` does as `other`: median over rounds."""
    return float(np.median(np.divide(rows[column]['rounds'], rows[other]['rounds'])))


def rate(number: float) -> str:
    """A rate as text, to three figures or more."""
    return f'{number:,.0f}' if number >= 100 else f'{number:.3g}'


def console_table(rows: Sequence[dict], title: str) -> str:
    """A workload as text: a line for each column, and how many times as fast `overfit` is as that."""
    by_column = {row['column']: row for row in rows}
    heads = ('members', 'member-steps/s', 'of rounds', 'overfit ×', 'GFLOP/s', 'of peak', 'compile s', 'MB')
    lines = [title, _aligned('', *heads, 'test error %')]
    for column, row in by_column.items():
        speed, share = row['member_steps_per_s'], row['peak_share']
        cells = (
            f'{row["members"]:,}',
            rate(speed['median']),
            f'{rate(speed["min"])} to {rate(speed["max"])}',
            f'{ratio(by_column, OURS, column):.3g}' if OURS in by_column else '',
            rate(row['gflops']),
            f'{100 * share:.1f} %',
            '' if row['compile_s'] is None else f'{row["compile_s"]:.1f}',
            f'{row["peak_memory_mb"]:.0f}',
            '' if row['test_error'] is None else f'{row["test_error"]:.1f}',
        )
        lines.append(_aligned(column, *cells))
    return '\n'.join(lines)


def _aligned(first, *cells):
    widths = (8, 15, 20, 10, 8, 8, 10, 6, 13)
    return f'{first:11}' + ''.join(f'{cell:>{width}}' for cell, width in zip(cells, widths, strict=True))


def parts_table(rows: Sequence[dict]) -> str:
    """Markdown: what a step takes its time for, on one core; `''` where that was not measured."""
    by_workload = {}
    for row in rows:
        if row['workload'].startswith('parts of '):
            by_workload.setdefault(row['workload'].removeprefix('parts of '), {})[row['column']] = row
    if not by_workload:
        return ''
    lines = [
        '| on one core | a member-step | its products and convolutions | its update | the rest |',
        '|---|---|---|---|---|',
    ]
    for name, parts in by_workload.items():
        times = {part: row['milliseconds']['median'] for part, row in parts.items()}
        rest = times['step'] - times['products'] - times['update']
        step, products = (f'{100 * parts[part]["peak_share"]:.0f} %' for part in ('step', 'products'))
        lines.append(
            f'| {name} | {times["step"]:.3g} ms, {step} of the peak | {times["products"]:.3g} ms, {products} '
            f'| {times["update"]:.3g} ms | {rest:.2g} ms |'
        )
    peak = np.median([peak for parts in by_workload.values() for peak in parts['step']['core_peaks']])
    return '\n'.join(lines) + (
        '\n\nProducts and update are timed as programs of their own. The peak is that of the core, '
        f'{peak:,.0f} GFLOP/s; the others are idle. If all else took no time, a step would reach the share '
        'of its products. The rest: batches, dropout, activations, pooling, copies, initial weights, '
        'evaluations.'
    )


def center_sentence(rows: Sequence[dict]) -> str:
    """W5: what a step with the center loss costs."""
    names = sorted({row['workload'] for row in rows if row['workload'].startswith('W5 on ')})
    ratios = [
        f'{ratio(rows_of(rows, name), "softmax", "center"):.2f} × on {name.removeprefix("W5 on ")}'
        for name in names
    ]
    return f'A step with the center loss takes {", ".join(ratios)} the time of one with cross-entropy alone.'


def study_sentence(rows: Sequence[dict]) -> str:
    """W6: the whole study."""
    by_column, runs = rows_of(rows, 'W6'), []
    for column, words in (('cold', 'with nothing compiled'), ('warm', 'again')):
        row = by_column[column]
        first = row['first_result_s']
        first = '' if first is None else f', the first result after {first:.0f} s'
        runs.append(
            f'{words} {row["seconds"]:.0f} s ({100 * row["compile_share"]:.0f} % of it compiling{first})'
        )
    both = f'The whole study, `python -m experiments.squeeze`: {"; ".join(runs)}.'
    plain = by_column.get('plain_loop')
    if plain is None:
        return both
    return (
        f'{both} The same nets one after another, a compiled step at a time, would train for '
        f'{plain["seconds"]:.0f} s (extrapolated from {100 * plain["extrapolated_from"]:g} % of them).'
    )


def population_sentence(rows: Sequence[dict]) -> str:
    """W7: rate and memory by members."""
    by_size = rows_of(rows, 'W7')
    steps = next(iter(by_size.values()))['steps']
    sizes = [
        f'{int(column):,}: {rate(row["member_steps_per_s"]["median"])} ({row["peak_memory_mb"]:.0f} MB)'
        for column, row in by_size.items()
    ]
    return f"Member-steps/s by members, W1's net, {steps} steps each: {'; '.join(sizes)}."


def stopping_sentence(rows: Sequence[dict]) -> str:
    """What stopping early saves."""
    by_column = rows_of(rows, 'stopping')
    compact, not_compact = by_column['compact'], by_column['not_compact']
    return (
        f'Half of {compact["members"]} members run out of patience after a quarter of {compact["steps"]} '
        f'steps, {100 * compact["stopped_share"]:.1f} % of all: {100 * compact["saved_share"]:.0f} % of that '
        f'is saved as time ({100 * not_compact["saved_share"]:.0f} % if their slots are not filled again).'
    )


SENTENCES = {
    'W5': center_sentence,
    'W6': study_sentence,
    'W7': population_sentence,
    'stopping': stopping_sentence,
}


def sentence(name: str, rows: Sequence[dict]) -> str:
    """What a workload showed, of those in `SENTENCES`; `''` where there are no rows of it."""
    there = any(row['workload'].split(' ')[0] == name for row in rows)
    return SENTENCES[name](rows) if there else ''


def readme_section(result: dict) -> str:
    """Markdown of the README's section on speed.

    Args:
        result: the JSON that `experiments.benchmark --json` writes.
    """
    from experiments.speed import workloads

    rows = result['rows']
    heads = [
        '| | member-steps/s | × `DataLoader` | × the best of PyTorch | × one at a time | of matmul peak '
        '| compiled in | memory |',
        '|---|---|---|---|---|---|---|---|',
    ]
    lines = []
    for name, description in workloads.DESCRIPTIONS.items():
        by_column = rows_of(rows, name)
        if OURS in by_column:
            lines.append(_table_row(name, description, by_column))
    table = '\n'.join([*heads, *lines]) if lines else ''
    sentences = [text for text in (sentence(name, rows) for name in SENTENCES) if text]
    machine, versions = result['machine'], result['versions']
    torch = f', PyTorch {versions["torch"]}' if 'torch' in versions else ''
    where = '' if result['device'] == 'cpu' else f'{result["device"]}; '
    on = (
        f'{where}{machine["cpu"]}, {machine["cores"]} cores; Python {versions["python"]}, '
        f'JAX {versions["jax"]}{torch}; float32 matmul peak {_peaks(result)} GFLOP/s. '
        f'`{result["command"]}`'
    )
    bullets = '\n'.join(f'* {text}' for text in sentences)
    parts = [table, bullets, INSIDE if lines else '', parts_table(rows), on]
    return '\n\n'.join(part for part in parts if part)


def _peaks(result):
    peaks = [peak for row in result['rows'] for peak in row.get('matmul_peaks', ())]
    between = f' ({min(peaks):,.0f} to {max(peaks):,.0f})' if peaks else ''
    return f'{result["matmul_peak_gflops"]:,.0f}{between}'


def _table_row(name, description, by_column):
    ours = by_column[OURS]

    def times(*columns):
        ratios = {column: ratio(by_column, OURS, column) for column in columns if column in by_column}
        if not ratios:
            return '–'
        least = min(ratios, key=ratios.get)
        return f'{ratios[least]:.3g}' + (f' (`{least}`)' if len(columns) > 1 else '')

    cells = [
        f'{name}: {description}; {ours["members"]:,} members',
        rate(ours['member_steps_per_s']['median']),
        times('dataloader'),
        times(*torch_task.COLUMNS),
        times('own_loop', 'own_scan'),
        f'{100 * ours["peak_share"]:.1f} %',
        f'{ours["compile_s"]:.1f} s',
        f'{ours["peak_memory_mb"]:,.0f} MB',
    ]
    return f'| {" | ".join(cells)} |'
