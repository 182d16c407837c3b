"""Which penalty on the weights helps, what does it do to them, and does it matter where it stands?

    python -m experiments.penalties
    python -m experiments.penalties --data=usps.npz --train_size=100 --json=penalties.json

L1 (by the gradient, and by a proximal step), L2, decoupled decay and max-norm, each tuned with as many
settings as the baseline, on 20 labelled sets. Prints errors and differences with intervals; for the nets that
were chosen, the share of weights that are exactly zero, that of weights below a thousandth of the largest,
and the kurtosis of their distribution (3 for a normal one); and, on AdamW, a penalty in the loss (coupled)
against decay apart from the gradient (decoupled).

On digits with 200 labels (20 labelled sets, 48 s on 2 cores) no penalty helps: all differences lie within
what does not matter. A proximal L1 step leaves 10 % [3, 18] of the weights exactly zero, its gradient none.
"""

from typing import Any

from absl import app

from experiments import squeeze
from experiments.question import comparison, intervals, nets, picture, rows, start

TINY = 1e-3  # of the largest weight of a kernel
MEASURES = ('exact zeros %', 'below a thousandth %', 'kurtosis')


def ask() -> start.Answer:
    """Compares the penalties."""
    from overfit.study import techniques as t
    from overfit.study.arms import Baseline, arm_of

    splits, size = comparison.data()
    found = comparison.compare(splits, size, [t.l1, t.l1_proximal, t.l2, t.weight_decay, t.max_norm])
    results = found.results
    of_weights, logs = weights(splits, found)
    adam = arm_of([t.adamw], squeeze.baseline_of(splits.train))
    adaptive = Baseline(adam.recipe, adam.space, 'AdamW, no decay')
    coupled = t.l2._replace(label='coupled: L2 in the loss')
    decoupled = t.weight_decay._replace(label='decoupled: decay')
    on_adam = comparison.compare(splits, size, [coupled, decoupled], baseline=adaptive)
    pair = rows.of(
        {one.label: on_adam.tables.arms[one.label] for one in (coupled, decoupled)}, on_adam.tables.columns
    )
    where = f'{results.data.name}, {results.data.train:,} labels'
    head = f'what the penalties leave of the weights, {where}'
    text = [comparison.table(results), _table(of_weights, head)]
    text += [comparison.table(on_adam.results), rows.table(pair, head='on AdamW')]
    record = comparison.record(results) | {
        'weights': {
            label: {m: comparison.rounded(one) for m, one in zip(MEASURES, of_arm, strict=True)}
            for label, of_arm in of_weights.items()
        },
        'adamw': comparison.record(on_adam.results),
        'findings': _findings(results, of_weights, pair, where),
    }

    def draw(figure):
        figure.set_size_inches(2 * picture.SIZE[0], picture.SIZE[1])
        left, right = figure.subplots(1, 2)
        picture.differences(left, results)
        _distributions(right, logs)

    return start.Answer('\n\n'.join(text), record, draw)


def weights(splits: Any, found: comparison.Comparison) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """What the kernels of the chosen nets look like.

    Args:
        splits: the data set.
        found: the baseline and the arms, tuned.

    Returns:
        Intervals over labelled sets of the three measures, and `log10 |w|` of all weights that are not zero,
        by row; of nets that did not diverge.
    """
    import jax
    import numpy as np
    from scipy import stats

    from overfit.objectives import penalties
    from overfit.train.engine import population

    measured, logs = {}, {}
    every = found.study.design.plan.protocol.eval_every
    for number, arm in enumerate(found.study.design.arms):
        members = nets.of_folds(splits, found, arm=number)
        trained = population.train(
            [member for of_set in members for member in of_set], splits.train, eval_every=every
        )
        values, sizes = [[] for _ in members], []
        places = [place for place, of_set in enumerate(members) for _ in of_set]
        for place, one in zip(places, trained, strict=True):
            if one.diverged:
                continue
            params = one.variables['params']
            kernels = jax.tree.map(lambda mark, w: w if mark else None, penalties.kernels(params), params)
            kernels = [np.ravel(w) for w in jax.tree.leaves(kernels)]
            whole = np.concatenate(kernels)
            small = np.concatenate([np.abs(w) < TINY * np.abs(w).max() for w in kernels])
            zeros = 100 * float(penalties.sparsity(params))
            values[place].append((zeros, 100 * small.mean(), stats.kurtosis(whole, fisher=False)))
            sizes.append(np.log10(np.abs(whole[whole != 0])))
        per_set = np.array([np.mean(of_set, axis=0) for of_set in values if of_set])
        measured[arm.label] = [intervals.over_sets(column) for column in per_set.T]
        logs[arm.label] = np.concatenate(sizes)
    return measured, logs


def _findings(results, of_weights, pair, where):
    from overfit.study import techniques as t

    by_label = {row.technique: row for row in results.arms}
    l1, proximal = of_weights[t.l1.label][0], of_weights[t.l1_proximal.label][0]
    error = f'test error minus the baseline, {where}'
    return [
        intervals.finding(
            'L2 penalty',
            error,
            by_label[t.l2.label].difference,
            source='Krogh & Hertz 1991',
            published='a penalty improves generalisation',
        ),
        intervals.finding(
            'L1 penalty',
            error,
            by_label[t.l1.label].difference,
            source='Srivastava 2014',
            published='1.60 % with L1 and L2, 1.62 % with L2',
            advice='L1 improves generalisation',
            expected='below',
            margin=results.margin,
        ),
        intervals.finding(
            'decoupled weight decay',
            error,
            by_label[t.weight_decay.label].difference,
            source="D'Angelo 2024",
            published='never useful as an explicit regulariser',
            advice='weight decay limits capacity, so it lowers the test error',
            expected='below',
            margin=results.margin,
        ),
        intervals.finding(
            'L1 penalty',
            f'share of weights that are exactly zero, by the gradient, {where}',
            l1,
            source='Duchi & Singer 2009',
            published='no exact zeros by a subgradient',
            unit='%',
            advice='L1 by subgradient gives no exact zeros',
            expected='equal',
        ),
        intervals.finding(
            'L1, exact zeros',
            f'share of weights that are exactly zero, by a proximal step, {where}',
            proximal,
            source='Duchi & Singer 2009',
            published='exact zeros by a proximal step',
            unit='%',
            advice='a proximal step gives exact zeros',
            expected='above',
        ),
        intervals.finding(
            'decoupled weight decay',
            f'test error minus that of L2 in the loss, both on AdamW, {where}',
            pair.arms[0].difference,
            source='Loshchilov & Hutter 2019',
            published='decoupled decay generalises better under Adam',
            advice='with adaptive optimizers, decay decoupled from the gradient is better than a penalty',
            expected='below',
            margin=results.margin,
        ),
    ]


def _table(measured, head):
    width = max(map(len, measured))
    lines = [head, f'{"":{width}}' + ''.join(f'  {measure:>20}' for measure in MEASURES)]
    for label, of_arm in measured.items():
        shown = [f'{one.mean:.1f} ± {one.high - one.mean:.1f}' for one in of_arm]
        lines.append(f'{label:{width}}' + ''.join(f'  {one:>20}' for one in shown))
    return '\n'.join([*lines, '±: 95 % intervals over labelled sets'])


def _distributions(axes, logs):
    import numpy as np

    edges = np.linspace(-6, 1, 71)
    for number, (label, values) in enumerate(logs.items()):
        counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
        share = counts / max(1, counts.sum())
        colour = picture.COLOURS[number % len(picture.COLOURS)]
        axes.plot((edges[1:] + edges[:-1]) / 2, share, label=label, color=colour, marker='')
    axes.set_xlabel('log10 |w| of weights that are not zero (smaller ones at the left end)')
    axes.set_ylabel('share of these')
    axes.legend()


if __name__ == '__main__':
    app.run(start.binary('penalties', ask))
