"""How should weights begin? Uniform by fan-in, He, Glorot, LeCun, orthogonal, or of a fixed size.

    python -m experiments.initialization
    python -m experiments.initialization --data=usps.npz --train_size=100 --json=initialization.json

Dense ReLU nets of 1, 2, 4 and 8 hidden layers of 64 units, as many settings of each on 20 labelled sets;
biases begin at 0. Prints errors by depth, what reaches the last layer of the deepest net (the variance of its
activations and of the gradients, as a share of the first layer's), and the trainable depth: the deepest net
that errs no more than half of what guessing does. `--full`: 40 labelled sets, and 16 hidden layers too.
"""

from absl import app

from experiments.question import comparison, depth, intervals, start
from experiments.shared_flags import LABELLED_SETS

DEPTHS = (1, 2, 4, 8)
FIELDS = ('variance', 'slope', 'kernel')


def ask() -> start.Answer:
    """Compares initialisations at every depth."""
    from overfit.study import techniques as t

    splits, size = comparison.data()
    sets = comparison.alone(LABELLED_SETS, 40 if start.FULL.value else None)
    depths = (*DEPTHS, 16) if start.FULL.value else DEPTHS
    found = depth.measure(
        splits, size, compared(), depths, label=t.he.label, change=t.he.change, labelled_sets=sets
    )
    results = found[0].found.results
    where = f'{results.data.name}, {results.data.train:,} labels'
    findings = []
    for one in found:
        rows = {row.technique: row.difference for row in one.found.results.arms}
        at = f'{one.depth} hidden layers, {where}'
        findings.append(
            intervals.finding(
                t.uniform_fan_in.label,
                f'test error minus that of He, {at}',
                rows[t.uniform_fan_in.label],
                source='Glorot & Bengio 2010',
                published='the common heuristic lets gradients fade through depth',
                advice=f'uniform initialisation scaled by fan-in is best ({one.depth} hidden layers)',
                expected='below',
                margin=one.found.results.margin,
            )
        )
        findings.append(
            intervals.finding(
                t.normal.label,
                f'test error minus that of He, {at}',
                rows[t.normal.label],
                source='He 2015',
                published='deep nets that begin with s.d. 0.01 do not learn',
            )
        )
    trainable = _trainable(found)
    return start.Answer(
        '\n\n'.join([depth.table(found), _reaching(found[-1], trainable)]),
        {'depths': depth.record(found, FIELDS), 'trainable': trainable, 'findings': findings},
        lambda figure: depth.draw(figure, found, 'variance', 'variance of the activations', after=False),
    )


def compared():
    """What is compared with He's initialisation."""
    from overfit.study import techniques as t

    return [t.uniform_fan_in, t.glorot, t.lecun, t.orthogonal, t.normal, t.uniform]


def _trainable(found):
    """By label the deepest net that errs no more than half of what guessing does; 0: none."""
    chance = 100 * (1 - 1 / found[0].found.results.data.classes)
    return {
        label: max(
            [n for n, error in zip(depths, errors, strict=True) if error.mean <= chance / 2], default=0
        )
        for label, (depths, errors) in depth.curves(found).items()
    }


def _reaching(deepest, trainable):
    """What reaches the far end of the deepest net before training, as text."""
    width = max(map(len, deepest.layers))
    lines = [
        f'before training, net of {deepest.depth} hidden layers; trainable: hidden layers of the deepest net '
        'that learns',
        f'{"":{width}}  variance last / first   slope first / last   trainable',
    ]
    for label, (before, _) in deepest.layers.items():
        variance, slope = (depth.values(before, field)[:-1] for field in FIELDS[:2])
        forward, backward = variance[-1] / variance[0], slope[0] / slope[-1]
        lines.append(f'{label:{width}}  {forward:21.2g}   {backward:18.2g}   {trainable[label]:9}')
    return '\n'.join(lines)


if __name__ == '__main__':
    app.run(start.binary('initialization', ask))
