"""Is 0.01 a good learning rate? Which schedule, does a range test find it, can an optimizer find it itself?

    python -m experiments.learning_rate
    python -m experiments.learning_rate --data=mnist.npz --train_size=1000 --json=learning_rate.json
    python -m experiments.learning_rate --full

The baseline is plain SGD with a tuned rate. Against it, on 20 labelled sets: the fixed rates 0.01 and 0.1,
schedules with their own number tuned, and optimizers that find their rate themselves. Beside that a range
test with 8 seeds on each labelled set: the rate grows from step to step until the loss bursts. Prints errors
and differences with intervals, the range that the test suggests, and how often the tuned rate lies inside.
`--full`: 40 labelled sets, 16 settings of each, range tests of 300 steps.

On digits with 200 labels (20 labelled sets, 42 s on 2 cores) 0.01 errs on 1.8 points [1.1, 2.6] more than a
tuned rate, and the range that a test suggests holds the tuned rate in 45 % [26, 66] of the labelled sets.
"""

from absl import app

from experiments import squeeze
from experiments.question import comparison, intervals, picture, range_band, start
from experiments.shared_flags import LABELLED_SETS


def ask() -> start.Answer:
    """Compares rates, schedules and automatic optimizers; runs range tests."""
    from overfit.study import techniques as t

    fixed = [t.rate_001, t.rate_001._replace(label='learning rate 0.1', space={'learning_rate': 0.1})]
    schedules = [t.warmup, t.cosine, t.step_decay, t.exponential, t.inverse_time]
    automatic = [t.yellowfin, t.prodigy, t.d_adaptation, t.schedule_free, t.schedule_free_adamw]
    splits, size = comparison.data()
    found = comparison.compare(
        splits,
        size,
        [*fixed, *schedules, *automatic],
        labelled_sets=comparison.alone(LABELLED_SETS, 40 if start.FULL.value else None),
        trials=comparison.alone(squeeze.TRIALS, 16 if start.FULL.value else None),
    )
    results, design = found.results, found.study.design
    chosen = [outcome.tuned for outcome in found.compared.outcomes[0]]
    tuned = [one.hyper.learning_rate for one in chosen]
    sets = [design.sets[one.place] for one in chosen]
    steps = 300 if start.FULL.value else 100
    tests = range_band.tested(splits.train, sets, design.arms[0].recipe, steps=steps)
    inside = range_band.inside(tests, tuned)
    where = f'{results.data.name}, {results.data.train:,} labels'
    rows = {row.technique: row for row in results.arms}
    findings = [
        intervals.finding(
            technique.label,
            f'test error minus that of a tuned constant rate, {where}',
            rows[technique.label].difference,
            source=technique.source,
            published=published,
        )
        for technique, published in (
            (t.rate_001, 'a good first choice'),
            (t.cosine, 'lower error than a constant rate'),
            (t.yellowfin, 'as good as tuned SGD with momentum'),
            (t.prodigy, 'as good as tuned Adam'),
            (t.d_adaptation, 'as good as tuned Adam'),
            (t.schedule_free_adamw, 'as good as a tuned schedule'),
        )
        if technique.label in rows
    ]
    findings.append(
        intervals.finding(
            'learning-rate range test',
            f'share of labelled sets whose tuned rate lies in the suggested range, {where}',
            inside,
            source='Smith 2017',
            published='one short run finds the range',
            unit='%',
        )
    )
    low, high = tests.suggested
    lines = [
        '',
        f'range test, 8 seeds on each of {len(tuned)} labelled sets: from {low:.2g} to {high:.2g} (medians)',
        f'tuned rates: {min(tuned):.2g} to {max(tuned):.2g}; inside the range of their own labelled set: '
        f'{inside.mean:.0f} % [{inside.low:.0f}, {inside.high:.0f}]',
    ]
    return start.Answer(
        comparison.table(results) + '\n'.join(lines),
        comparison.record(results) | {'findings': findings, 'range_test': tests.record(tuned)},
        lambda figure: drawn(figure, results, tests, tuned),
    )


def drawn(figure, results, tests, tuned):
    """Differences of all rows beside the range test."""
    figure.set_size_inches(10.5, 4.4)
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    picture.differences(left, results)
    range_band.draw(right, tests, tuned)


if __name__ == '__main__':
    app.run(start.binary('learning_rate', ask))
