"""How large does the net have to be, and is a bigger one with a regulariser better than a smaller one?

    python -m experiments.capacity
    python -m experiments.capacity --data=usps.npz --train_size=100 --json=capacity.json

First a net is grown on one labelled set, which is cross-fitted for that (no test example is seen): units are
doubled, then layers are added, until the held-out error stops falling by more than its error bar. Prints
every size, and the smallest that is not worse. Then that net and one with `--capacity_times` as many units in
every layer, each as it is and with dropout, L2 and decay, are tuned anew on 20 labelled sets and measured on
test examples. Prints errors, and differences from the smaller net as it is. (Of data without a test set, the
size is chosen on examples that test it later.)
"""

from typing import Any

from absl import app, flags

from experiments import squeeze
from experiments.question import comparison, intervals, picture, rows, start
from experiments.shared_flags import SEED

TIMES = flags.DEFINE_integer(
    'capacity_times', 4, 'Units of the bigger net, as a multiple of those of the smaller one.', lower_bound=2
)
STEPS = flags.DEFINE_integer(
    'capacity_steps', 600, 'Training steps of the nets that are grown.', lower_bound=1
)
MOST_UNITS = flags.DEFINE_integer('capacity_units', 512, 'The widest layer that is tried.', lower_bound=2)


def ask() -> start.Answer:
    """Grows a net, then compares it with a bigger one."""
    from overfit.study import baselines, grow

    splits, size = comparison.data()
    net = squeeze.baseline_of(splits.train).recipe.model
    grown = grow.grow(
        _labelled(splits, size),
        lambda widths: net.clone(widths=widths),
        effort=grow.EFFORT._replace(steps=STEPS.value, most_units=MOST_UNITS.value),
        seed=SEED.value,
        tell=lambda line: print(f'  {line}', flush=True),
    )
    small = grown.chosen.widths
    baseline = baselines.baseline(net.clone(widths=small), splits.train.kind)
    baseline = baseline._replace(label=f'{_named(small)} units')
    big = tuple(TIMES.value * width for width in small)
    arms = _arms(small, big, net)
    found = comparison.compare(splits, size, arms, baseline=baseline)
    results, tables = found.results, found.tables
    where = f'{results.data.name}, {results.data.train:,} labels'
    best = arms[_best_on_validation(found, range(3))].label
    of_big = [arm.label for arm in arms[4:]]
    regularised = rows.of({name: tables.arms[name] for name in (best, *of_big)}, tables.columns)
    findings = [
        intervals.finding(
            'capacity',
            f'test error of {_named(big)} units minus that of {_named(small)}, {where}',
            results.arms[3].difference,
            source='Breiman 1984',
            published='the smallest model within the error bar is as good',
            advice='the smallest net that is not worse on held-out examples is as good as a bigger one',
            expected='equal',
            margin=results.margin,
        )
    ]
    findings += [
        intervals.finding(
            'capacity',
            f'test error of {row.technique} minus that of {best}, {where}',
            row.difference,
            source='Srivastava 2014',
            published='a big net with a regulariser beats a small one',
            advice='rather a bigger net with a regulariser than a smaller one',
            expected='below',
            margin=results.margin,
        )
        for row in regularised.arms
    ]
    record = comparison.record(results) | {
        'grown': [
            {'widths': rung.widths, 'weights': rung.weights, 'error': comparison.rounded(rung.error)}
            | ({} if rung.change is None else {'change': comparison.rounded(rung.change)})
            for rung in grown.rungs
        ],
        'chosen': small,
        'bigger': big,
        'against_the_best_smaller': rows.record(regularised),
        'findings': findings,
    }
    text = [f'growing on one set of labels, {where}:\n{grow.describe(grown)}', comparison.table(results)]
    text.append(
        rows.table(regularised, head='with a regulariser, against the smaller one that validation likes best')
    )
    return start.Answer('\n\n'.join(text), record, lambda figure: _draw(figure, grown, results))


def _labelled(splits, size):
    """One labelled set, as a user has it."""
    from overfit.study import labelled_sets

    pool = splits.train
    taken = labelled_sets.whole(splits, size, seed=SEED.value).labelled
    return pool._replace(
        x=pool.x[taken], y=pool.y[taken], groups=None if pool.groups is None else pool.groups[taken]
    )


def _arms(small, big, net) -> list[Any]:
    """The smaller net with three regularisers, the bigger one without and with them."""
    from overfit.study import techniques as t

    regularisers = (t.dropout, t.l2, t.weight_decay)
    plain = [one._replace(label=f'{_named(small)} units, {one.label}') for one in regularisers]

    def bigger(recipe):
        return recipe._replace(model=net.clone(widths=big))

    many = [one._replace(label=f'{_named(big)} units, {one.label}', change=bigger) for one in regularisers]
    return [*plain, t.Technique(f'{_named(big)} units', 'width', change=bigger), *many]


def _best_on_validation(found, numbers):
    import numpy as np

    outcomes = found.compared.outcomes[1:]
    return min(numbers, key=lambda n: np.mean([outcome.tuned.error for outcome in outcomes[n]]))


def _named(widths):
    return '-'.join(map(str, widths))


def _draw(figure, grown, results):
    figure.set_size_inches(2 * picture.SIZE[0], picture.SIZE[1])
    left, right = figure.subplots(1, 2)
    for number, deep in enumerate((False, True)):
        own = sorted(
            (rung for rung in grown.rungs if (len(rung.widths) > 1) == deep), key=lambda rung: rung.weights
        )
        if not own:
            continue
        left.errorbar(
            [rung.weights for rung in own],
            [rung.error.mean for rung in own],
            yerr=[
                [rung.error.mean - rung.error.low for rung in own],
                [rung.error.high - rung.error.mean for rung in own],
            ],
            fmt=picture.MARKERS[number],
            color=picture.COLOURS[number],
            label='more layers' if deep else 'one layer',
        )
    left.axvline(grown.chosen.weights, color='#888888', linewidth=1, marker='')
    left.set_xscale('log')
    left.set_xlabel('weights; the line is the smallest net that is not worse')
    left.set_ylabel('held-out error %')
    left.legend()
    picture.differences(right, results)


if __name__ == '__main__':
    app.run(start.binary('capacity', ask))
