"""Deep ensembles by a published protocol: LeNet-5 by Adam, populations of nets that differ in their seed."""

from typing import Any

from experiments.question import comparison, intervals, picture, start


def ask(
    splits: Any, labelled: Any, count: int, populations: int, *, steps: int = 5000, seed: int = 0
) -> start.Answer:
    """Runs the protocol: one population after another, and the average of each.

    Args:
        splits: images of 12 pixels a side or more, with a test set apart.
        labelled: `[n]` rows of the pool, at most 65,535.
        count: nets of a population.
        populations: 2 or more.
        steps: of each net.
        seed: of everything.
    """
    import numpy as np

    from overfit import base
    from overfit.data import kinds
    from overfit.nn import lenet
    from overfit.objectives import losses
    from overfit.study.protocol import seed_of
    from overfit.train import ensemble, optimizers, predict
    from overfit.train import start as start_lib
    from overfit.train.engine import population

    if splits.cross_fitted:
        raise ValueError('data without a test set have no published protocol: give test=holdout')
    recipe = base.Recipe(
        lenet.LeNet5(len(splits.train.classes)),
        losses.softmax,
        optimizers.by_hyper(optimizers.adamw),
        start_lib.own,
        batch_size=256,
        prepare=kinds.prepare_slot(splits.train.kind),
    )
    adam = base.Hyper(learning_rate=1e-3, momentum=0.9, steps=float(steps))
    seeds = [seed_of(seed, 'ensemble', n) for n in range(populations * count)]
    members = [population.Member(recipe, adam, seed, labelled, labelled[:0], False) for seed in seeds]
    trained = population.train(members, splits.train, eval_every=max(1, steps // 50))
    y = splits.test.reveal()
    right, entropy = np.zeros((2, populations, count))
    singles = np.zeros((2, populations))
    for p in range(populations):
        told = predict.predict(recipe, trained[p * count : (p + 1) * count], splits.test.x)
        for n in range(count):
            average = np.asarray(ensemble.average(told[: n + 1]))
            right[p, n] = 100 * (average.argmax(-1) == y).mean()
            entropy[p, n] = -average[np.arange(len(y)), y].mean()
        singles[:, p] = 100 * (told.argmax(-1) == y).mean(), -told[:, np.arange(len(y)), y].mean()
    of = {
        'accuracy of single nets': (singles[0], '%', (90.0, 91.5)),
        f'accuracy of {count} above that of single nets': (right[:, -1] - singles[0], 'points', (0.5, 2.2)),
        f'cross-entropy of {count} over that of single nets': (
            entropy[:, -1] / singles[1],
            'times',
            (0.6, 0.9),
        ),
    }
    findings = [
        intervals.finding(
            f'average of {count} nets',
            f'{what}, LeNet-5 on {splits.name}, {len(labelled):,} labels',
            intervals.over_sets(values),
            source='Lakshminarayanan 2017; LeNet-5 on Fashion-MNIST',
            published='single 91.0 %, ten 93.2 % (another port: 89.3 and 89.7 %)',
            unit=unit,
            band=band,
        )
        for what, (values, unit, band) in of.items()
    ]
    lines = [f'LeNet-5 on {splits.name}: {len(labelled):,} labels, {populations} populations of {count} nets']
    for one in findings:
        low, high = one['band']
        found = f'{one["mean"]:.2f} [{one["low"]:.2f}, {one["high"]:.2f}] {one["unit"]}'
        lines.append(f'{one["what"].split(",")[0]}: {found}; band {low:g} to {high:g}')
    curve = [intervals.over_sets(right[:, n]) for n in range(count)]
    record = {
        'accuracy': [comparison.rounded(one) for one in curve],
        'cross_entropy': entropy.mean(0).round(4).tolist(),
        'single': {'accuracy': singles[0].round(3).tolist(), 'cross_entropy': singles[1].round(4).tolist()},
        'diverged': sum(one.diverged for one in trained),
        'findings': findings,
    }
    series = {'average': (range(1, count + 1), curve)}
    return start.Answer(
        '\n'.join(lines),
        record,
        lambda figure: picture.curves(
            figure.subplots(), series, x='nets whose probabilities are averaged', y='test accuracy %'
        ),
    )
