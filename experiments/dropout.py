"""How much dropout, of which kind, and for which nets?

    python -m experiments.dropout
    python -m experiments.dropout --dropout_question=size --dropout_sizes=100,500,1000,5000 --data=mnist
    python -m experiments.dropout --dropout_question=kind --model=cnn

Learning rates are tuned anew for every row on 20 labelled sets. One question a run:

- `rate` (the default): rates of hidden units, for layers of a fixed width and for layers that are wider the
  more is dropped, so that as many units stay on average; and rates of the inputs.
- `size`: a tuned dropout against none at several numbers of labels.
- `growth`: whether a net with dropout needs more units and more training than one without.
- `kind`: plain, Gaussian, DropConnect, and whole channels where the net has convolutions.
- `uncertainty`: cross-entropy (NLL) and calibration error (ECE) of one prediction with all units, and of the
  mean of 50 passes with units dropped.

Prints errors and differences with intervals.

On digits with 200 labels (20 labelled sets, 74 s on 2 cores) no rate surely helps in layers of a fixed
width. In layers that are wider the more is dropped, a rate of 0.5 takes 0.8 points [0.1, 1.5] off the
error, 0.75 1.0 [0.3, 1.6].
"""

from typing import Any

from absl import app, flags

from experiments import squeeze
from experiments.question import comparison, intervals, picture, rows, start
from experiments.question import mc_dropout as mc_dropout_lib

QUESTION = flags.DEFINE_enum(
    'dropout_question', 'rate', ['rate', 'size', 'growth', 'kind', 'uncertainty'], 'What is asked.'
)
SIZES = flags.DEFINE_list(
    'dropout_sizes', ['100', '200', '400', '800'], 'Labelled examples, for --dropout_question=size.'
)
RATES = flags.DEFINE_list('dropout_rates', ['0.1', '0.25', '0.5', '0.75'], 'Rates that are compared.')
HALF = 0.5  # the rate of the question of growth
SRIVASTAVA = 'Srivastava 2014'


def ask() -> start.Answer:
    """Answers the question that the flag names."""
    splits, size = comparison.data()
    answer = {
        'rate': of_rate,
        'size': of_size,
        'growth': of_growth,
        'kind': of_kind,
        'uncertainty': mc_dropout_lib.ask,
    }[QUESTION.value]
    return answer(splits, size)


def of_rate(splits: Any, size: int | None) -> start.Answer:
    """The curve over rates, and inputs against hidden units."""
    from overfit.study import techniques as t

    rates = [_rate(word) for word in RATES.value]
    fixed = [t.Technique(f'rate {rate:g}', 'dropout', space={'dropout': rate}) for rate in rates]
    kept = [
        t.Technique(
            f'rate {rate:g}, wider', 'dropout', space={'dropout': rate}, change=_wider(1 / (1 - rate))
        )
        for rate in rates
    ]
    inputs = [
        t.Technique(f'inputs {rate:g}', 'dropout', space={'input_dropout': rate}) for rate in (0.1, 0.2, 0.5)
    ]
    both = {'dropout': HALF, 'input_dropout': 0.2}
    inputs.append(t.Technique('rate 0.5, inputs 0.2', 'dropout', space=both))
    found = comparison.compare(splits, size, [*fixed, *kept, *inputs])
    results, where = found.results, _where(found)
    errors = {row.technique: row.test_error for row in (results.baseline, *results.arms)}
    plain = errors[results.baseline.technique]
    curves = {
        'width fixed': ([0, *rates], [plain, *(errors[one.label] for one in fixed)]),
        'width × kept share fixed': ([0, *rates], [plain, *(errors[one.label] for one in kept)]),
    }
    differences = {row.technique: row.difference for row in results.arms}
    findings = [
        intervals.finding(
            label,
            f'test error minus that without dropout, {where}',
            difference,
            source=SRIVASTAVA,
            published='flat for keeping 0.4 to 0.8 at a fixed width; 0.2 on inputs and 0.5 on hidden units',
            advice=said,
            expected='below' if said else None,
        )
        for label, difference in differences.items()
        for said in [ADVICE.get(label)]
    ]

    def draw(figure):
        left, right = figure.subplots(1, 2, width_ratios=(1, 1))
        figure.set_size_inches(2 * picture.SIZE[0], picture.SIZE[1])
        picture.curves(left, curves, x='rate of hidden units')
        picture.differences(right, results)

    record = comparison.record(results) | {'rates': rates, 'findings': findings}
    return start.Answer(comparison.table(results), record, draw)


ADVICE = {'rate 0.5': 'dropout 0.5', 'inputs 0.2': 'dropout 0.2 for simple nets'}


def of_size(splits: Any, size: int | None) -> start.Answer:
    """What dropout is worth at several numbers of labels; the flag of the size says nothing here."""
    from overfit.study import techniques as t

    most = len(splits.train.y)
    words = SIZES.value
    if not all(word.isdigit() and 2 * len(splits.train.classes) <= int(word) <= most for word in words):
        least = 2 * len(splits.train.classes)
        raise ValueError(f'--dropout_sizes={",".join(words)}: give whole numbers from {least} to {most}')
    sizes = [int(word) for word in words]
    found = [comparison.compare(splits, one, [t.dropout, t.input_dropout]) for one in sizes]
    findings = [
        intervals.finding(
            row.technique,
            f'test error minus that without dropout, {_where(one)}',
            row.difference,
            source='Srivastava 2014; Brigato & Iocchi 2020',
            published='no gain at 100 and 500 labels (MLP); a good regulariser with scarce data (CNN)',
            advice='dropout does not help with very few samples',
            expected='equal',
            margin=one.results.margin,
        )
        for one in found
        for row in one.results.arms
    ]
    curves = {
        row.technique: (sizes, [one.results.arms[number].difference for one in found])
        for number, row in enumerate(found[0].results.arms)
    }
    record = {'sizes': [comparison.record(one.results) for one in found], 'findings': findings}
    y = 'test error minus that without dropout (points)'
    return start.Answer(
        '\n\n'.join(comparison.table(one.results) for one in found),
        record,
        lambda figure: picture.curves(figure.subplots(), curves, x='labelled examples', y=y, log=True),
    )


def of_growth(splits: Any, size: int | None) -> start.Answer:
    """More units and longer training, with dropout and without."""
    from overfit.study import techniques as t

    wider, longer = {'change': _wider(1 / (1 - HALF))}, {'stretch': 2.0}
    more = {'': {}, ', wider': wider, ', longer': longer, ', wider and longer': wider | longer}
    arms = [t.Technique(f'rate 0.5{said}', space={'dropout': HALF}, **what) for said, what in more.items()]
    arms += [t.Technique(f'none{said}', **what) for said, what in list(more.items())[1:]]
    found = comparison.compare(splits, size, arms)
    results, tables = found.results, found.tables
    dropped = rows.of({arm.label: tables.arms[arm.label] for arm in arms[: len(more)]}, tables.columns)
    findings = [
        intervals.finding(
            row.technique,
            f'test error minus that of rate 0.5 alone, {_where(found)}',
            row.difference,
            source=SRIVASTAVA,
            published='n / keep units, and 2 to 3 times the epochs',
            advice='a dropout net must be larger and train longer',
            expected='below',
            margin=results.margin,
        )
        for row in dropped.arms
    ]
    text = f'{comparison.table(results)}\n\n{rows.table(dropped, head="of the nets with dropout alone")}'
    record = comparison.record(results) | {'with_dropout': rows.record(dropped), 'findings': findings}
    return start.Answer(text, record, lambda figure: picture.differences(figure.subplots(), results))


def of_kind(splits: Any, size: int | None) -> start.Answer:
    """The kinds of dropout, each with its rate tuned."""
    from overfit.study import techniques as t

    baseline = squeeze.baseline_of(splits.train)
    kinds = (t.dropout, t.input_dropout, t.gaussian_dropout, t.drop_connect, t.spatial_dropout)
    arms = [one for one in kinds if one.applies(baseline.recipe, splits.train.kind)]
    found = comparison.compare(splits, size, arms, baseline=baseline)
    results = found.results
    published = {
        'Gaussian dropout': 'as good as plain dropout, or a little better',
        'DropConnect': 'a little better than plain dropout',
        t.spatial_dropout.label: 'better than dropping single units of a convolution',
    }
    findings = [
        intervals.finding(
            row.technique,
            f'test error minus that without dropout, {_where(found)}',
            row.difference,
            source=one.source,
            published=published.get(row.technique, 'a lower error'),
        )
        for one, row in zip(arms, results.arms, strict=True)
    ]
    record = comparison.record(results) | {'findings': findings}
    return start.Answer(
        comparison.table(results), record, lambda figure: picture.differences(figure.subplots(), results)
    )


def _wider(factor):
    """Hidden layers with so many times the units; channels of convolutions stay."""

    def change(recipe):
        widths = tuple(round(factor * width) for width in recipe.model.widths)
        return recipe._replace(model=recipe.model.clone(widths=widths))

    return change


def _rate(word):
    try:
        rate = float(word)
    except ValueError:
        rate = -1.0
    if not 0 < rate < 1:
        raise ValueError(f'--dropout_rates={",".join(RATES.value)}: give numbers between 0 and 1')
    return rate


def _where(found):
    return f'{found.results.data.name}, {found.results.data.train:,} labels'


if __name__ == '__main__':
    app.run(start.binary('dropout', ask))
