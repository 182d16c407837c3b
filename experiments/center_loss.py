"""What does center loss do to the features, and does it cost or gain accuracy?

    python -m experiments.center_loss
    python -m experiments.center_loss --data=mnist --full --json=center_loss.json

Nets with two features, so that they can be looked at, for center weights 0, 0.001, 0.01, 0.1 and 1 (centers
move half of the way, batches of 128, learning rate 0.01 that falls by a fifth at half and at four fifths of
the steps, momentum 0.9). Prints accuracy and the variance within classes over that between them, draws the
features of the test examples.

By default a halved LeNet++ with one convolution a stage, on all training examples; `--full` is the published
net and 10,000 steps (drops at 5,000 and 8,000), for a GPU.
"""

from absl import app, flags

from experiments.question import comparison, intervals, picture, start
from experiments.shared_flags import LABELLED_SETS, SEED, TRAIN_SIZE

STEPS = flags.DEFINE_integer('center_steps', 1500, 'Training steps of a net.', lower_bound=1)
WEIGHTS = (0.0, 0.001, 0.01, 0.1, 1.0)
NAMED = 0.1  # of the findings, named before anything was measured
SETS_HERE = 5


def falling(hyper, learning_rate):
    """SGD with momentum, at a rate that falls by a fifth at half and at four fifths of the steps."""
    import jax.numpy as jnp
    import optax

    def share(count):
        progress = count / hyper.steps
        return jnp.where(progress < 0.5, 1.0, jnp.where(progress < 0.8, 0.8, 0.64))

    return optax.chain(
        optax.trace(hyper.momentum), optax.scale_by_schedule(share), optax.scale(-learning_rate)
    )


def ask() -> start.Answer:
    """Trains nets of all weights, and measures their features."""
    import jax
    import numpy as np

    from experiments.question import embeddings
    from overfit import base
    from overfit.data import kinds
    from overfit.objectives import losses, metric_learning
    from overfit.study import labelled_sets
    from overfit.study.protocol import seed_of
    from overfit.train import predict
    from overfit.train import start as start_lib
    from overfit.train.engine import population

    splits, _ = comparison.data()
    pool, full = splits.train, start.FULL.value
    if pool.kind != kinds.image:
        raise ValueError(f'data of the kind {pool.kind.name}: LeNet++ needs images')
    count = LABELLED_SETS.value or SETS_HERE
    if splits.cross_fitted and count % labelled_sets.OUTER_FOLDS:
        raise ValueError(
            f'labelled_sets={count} is no multiple of {labelled_sets.OUTER_FOLDS}, as many as a round of '
            'cross-fitting has'
        )
    sets = labelled_sets.draw(splits, TRAIN_SIZE.value, count, seed=SEED.value)
    steps = comparison.alone(STEPS, 10_000 if full else STEPS.default)
    net = embeddings.LeNet(len(pool.classes))
    if not full:
        net = net.clone(channels=(16, 32, 64), repeats=1, size=3)
    recipe = base.Recipe(
        net, losses.center, falling, start_lib.own, batch_size=128, prepare=kinds.prepare_slot(pool.kind)
    )
    members = [
        population.Member(
            recipe,
            base.Hyper(
                learning_rate=0.01,
                steps=float(steps),
                momentum=0.9,
                center_weight=weight,
                center_rate=0.5,
            ),
            seed_of(one.seed, 'net', 0),
            one.labelled,
            np.arange(0),
            restore_best=False,
        )
        for weight in WEIGHTS
        for one in sets
    ]
    trained = population.train(members, pool, eval_every=steps)
    predicted = predict.predict(recipe, trained, splits.test.x).argmax(-1)
    features = embeddings.features_of(recipe, trained, splits.test.x)
    wrong, labels = splits.test.wrong(predicted), splits.test.reveal()
    measure = jax.jit(metric_learning.variance_ratio, static_argnums=2)
    accuracy, ratio = {}, {}
    for n, weight in enumerate(WEIGHTS):
        of_weight = range(n * count, (n + 1) * count)
        accuracy[weight] = np.array(
            [100 - 100 * wrong[job, one.tested].mean() for job, one in zip(of_weight, sets, strict=True)]
        )
        ratio[weight] = np.array(
            [
                measure(features[job, one.tested], labels[one.tested], len(pool.classes))
                for job, one in zip(of_weight, sets, strict=True)
            ],
            np.float64,
        )
    rows = [
        {
            'weight': weight,
            'accuracy': intervals.over_sets(accuracy[weight]),
            'accuracy_minus_softmax': intervals.over_sets(accuracy[weight] - accuracy[0.0]),
            'variance_ratio': intervals.over_sets(ratio[weight]),
            'times_tighter': intervals.over_sets(ratio[0.0] / ratio[weight]),
            'diverged': sum(t.diverged for t in trained[n * count : (n + 1) * count]),
        }
        for n, weight in enumerate(WEIGHTS)
    ]
    shown = {
        weight: (features[n * count, sets[0].tested], labels[sets[0].tested])
        for n, weight in enumerate(WEIGHTS)
    }
    where = f'{splits.name}, {len(sets[0].labelled):,} labels, two features, weight {NAMED:g}'
    return start.Answer(
        _table(rows, splits.name, len(sets[0].labelled), count),
        {
            'data': {'name': splits.name, 'train': len(sets[0].labelled)},
            'labelled_sets': count,
            'steps': steps,
            'rows': [_plain(row) for row in rows],
            'findings': _findings(rows, where),
        },
        lambda figure: _draw(figure, shown),
    )


def _findings(rows, where):
    [named] = [row for row in rows if row['weight'] == NAMED]
    return [
        intervals.finding(
            'center loss',
            f'accuracy minus softmax, {where}',
            named['accuracy_minus_softmax'],
            source='Wen 2016',
            published='99.1 to 99.0 % on MNIST: no gain',
            band=(-0.3, 0.3),
            advice='center or triplet loss raises accuracy',
            expected='above',
            margin=0.3,
        ),
        intervals.finding(
            'center loss',
            f'variance within over between classes, softmax over center loss, {where}',
            named['times_tighter'],
            source='Wen 2016',
            published='features of a class lie closer together (its figure 3)',
            unit='times',
            band=(3.0, 1000.0),
        ),
    ]


def _plain(row):
    def plain(value):
        if hasattr(value, 'mean'):
            return {name: round(float(getattr(value, name)), 5) for name in ('mean', 'low', 'high')}
        return value

    return {name: plain(value) for name, value in row.items()}


def _table(rows, name, labels, sets):
    def cell(one, digits):
        return f'{one.mean:.{digits}f} ± {one.high - one.mean:.{digits}f}'

    lines = [
        f'{name} · {labels:,} labelled images · {sets} labelled sets · two features',
        f'{"center weight":>13}{"accuracy %":>15}{"− softmax":>15}{"intra/inter":>19}{"times tighter":>17}',
    ]
    for row in rows:
        lost = f'  {row["diverged"]} diverged' if row['diverged'] else ''
        lines.append(
            f'{row["weight"]:>13g}{cell(row["accuracy"], 2):>15}'
            f'{cell(row["accuracy_minus_softmax"], 2):>15}{cell(row["variance_ratio"], 4):>19}'
            f'{cell(row["times_tighter"], 1):>17}{lost}'
        )
    lines.append('±: half of the 95 % interval over labelled sets and initial weights')
    return '\n'.join(lines)


def _draw(figure, shown):
    """Features of the test examples, a panel a weight; a class has a colour and a marker of its own."""
    panels = figure.subplots(2, 3).ravel()
    for axes, (weight, (features, labels)) in zip(panels, shown.items(), strict=False):
        for one in range(labels.max() + 1):
            of_class = features[labels == one]
            again = one // len(picture.COLOURS)  # the colours come round with other markers
            axes.plot(
                of_class[:, 0],
                of_class[:, 1],
                color=picture.COLOURS[one % len(picture.COLOURS)],
                marker=picture.MARKERS[(one + again) % len(picture.MARKERS)],
                linestyle='',
                markersize=2,
                label=str(one),
            )
        axes.set_title(f'center weight {weight:g}')
        axes.set_xticks([])
        axes.set_yticks([])
    panels[-1].axis('off')
    handles, labels = panels[0].get_legend_handles_labels()
    panels[-1].legend(handles, labels, loc='center', ncols=2, markerscale=2, title='class')


if __name__ == '__main__':
    app.run(start.binary('center_loss', ask))
