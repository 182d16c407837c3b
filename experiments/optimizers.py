"""Which optimizer: tuned with an equal budget, and each at its default rate? And SAM, EMA, SWA on top of SGD?

    python -m experiments.optimizers
    python -m experiments.optimizers --data=usps.npz --train_size=100 --json=optimizers.json
    python -m experiments.optimizers --full

The baseline is plain SGD with a tuned learning rate. Every optimizer is tuned with as many settings on 20
labelled sets, and is trained once more at the rate that PyTorch, Keras or its authors have as default. SAM,
EMA and SWA have their own number tuned beside the rate. Prints errors, differences with intervals, what
training costs, and what tuning is worth: the error at the default rate minus that of the optimizer, tuned.
`--full`: 40 labelled sets and 16 settings of each.

On digits with 200 labels (20 labelled sets, 116 s on 2 cores) SAM takes 0.5 points [0.0, 1.0] off the error
at twice the cost of a step, Muon 0.5 [−0.4, 1.4] at 16 times; momentum costs 0.4 [0.0, 0.8]; AdamW, EMA,
SWA and schedule-free AdamW do not differ from tuned SGD. Defaults are as good as tuned rates but for SGD's
0.01 (+1.8 [1.4, 2.2]) and RMSProp's 0.01 (+2.7 [2.0, 3.5]).
"""

from absl import app

from experiments import squeeze
from experiments.question import comparison, intervals, picture, start
from experiments.shared_flags import LABELLED_SETS

# PyTorch's own, but for: SGD and its momentum (Keras's; for long PyTorch had none), Lion and schedule-free
# AdamW (their authors').
DEFAULTS = {
    'SGD with momentum': 0.01,
    "SGD with Nesterov's momentum": 0.01,
    'Adagrad': 0.01,
    'RMSProp': 0.01,
    'AdamW': 0.001,
    'Lion': 0.0001,
    'Muon': 0.001,
    'schedule-free AdamW': 0.0025,
}


def ask() -> start.Answer:
    """Compares optimizers, tuned and as they come."""
    from overfit.study import techniques as t

    tuned = compared()
    untuned = [at_its_default(one) for one in tuned]
    plain = t.rate_001._replace(label='SGD at 0.01')
    around = [t.sam, t.ema, t.swa]
    splits, size = comparison.data()
    found = comparison.compare(
        splits,
        size,
        [*tuned, *around, plain, *untuned],
        labelled_sets=comparison.alone(LABELLED_SETS, 40 if start.FULL.value else None),
        trials=comparison.alone(squeeze.TRIALS, 16 if start.FULL.value else None),
    )
    results = found.results
    pairs = [(results.baseline.technique, plain.label)]
    pairs += [(one.label, other.label) for one, other in zip(tuned, untuned, strict=True)]
    worth = {one: tuning_worth(found.tables, one, other) for one, other in pairs}
    where = f'{results.data.name}, {results.data.train:,} labels'
    rows = {row.technique: row for row in results.arms}
    findings = [
        intervals.finding(
            technique.label,
            f'test error minus that of tuned SGD, {where}',
            rows[technique.label].difference,
            source=technique.source,
            published=published,
        )
        for technique, published in (
            (t.adamw, 'no better than SGD once both are tuned (Wilson 2017)'),
            (t.muon, 'fewer steps than AdamW, on language models and CIFAR-10'),
            (t.sam, 'lower error on CIFAR and ImageNet'),
            (t.ema, 'lower error late in training'),
            (t.swa, 'lower error on CIFAR and ImageNet'),
        )
        if technique.label in rows
    ]
    findings += [
        intervals.finding(
            f'tuned rate: {label}',
            f'test error at the default rate minus tuned, {where}',
            interval,
            source='folklore',
            published='the default is good enough',
        )
        for label, interval in worth.items()
    ]
    lines = ['', 'what tuning is worth: test error at the default rate minus tuned, points, 95 % interval']
    width = max(map(len, worth))
    lines += [f'  {label:{width}}  {said(interval)}' for label, interval in worth.items()]
    return start.Answer(
        comparison.table(results) + '\n'.join(lines),
        comparison.record(results) | {'findings': findings},
        lambda figure: drawn(figure, results),
    )


def compared():
    """The optimizers that are compared with plain SGD."""
    from overfit.study import techniques as t

    return [t.momentum, t.nesterov, t.adagrad, t.rmsprop, t.adamw, t.lion, t.muon, t.schedule_free_adamw]


def at_its_default(technique):
    """The same optimizer at its default rate."""
    rate = DEFAULTS[technique.label]
    return technique._replace(
        label=f'{technique.label} at {rate:g}', space=dict(technique.space) | {'learning_rate': rate}
    )


def tuning_worth(tables, tuned, untuned):
    """Paired differences of the errors of two arms, percentage points, over labelled sets."""
    import numpy as np

    errors = [100 * np.nanmean(tables.arms[label], axis=1) for label in (untuned, tuned)]
    return intervals.over_sets(errors[0] - errors[1])


def said(found):
    return f'{found.mean:+5.1f} [{found.low:+.1f}, {found.high:+.1f}]'


def drawn(figure, results):
    """Differences of all rows."""
    figure.set_size_inches(7.5, 5.5)
    picture.differences(figure.subplots(), results, title='Optimizers, tuned and at their defaults')


if __name__ == '__main__':
    app.run(start.binary('optimizers', ask))
