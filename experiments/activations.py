"""Which activation, and does it matter? Sigmoid, tanh, ReLU, leaky ReLU, GELU and maxout across depth.

    python -m experiments.activations
    python -m experiments.activations --data=usps.npz --train_size=100 --json=activations.json

Dense nets of 1, 2, 4 and 8 hidden layers of 64 units, as many settings of each on 20 labelled sets; every
activation has Glorot's initialisation, so that only the activation differs. Prints errors by depth, and what
explains them in the deepest net: the share of flat units (saturated, or off), dead units, and the slope of
the loss that arrives at each layer. `--full`: 40 labelled sets.
"""

from absl import app

from experiments.question import comparison, depth, intervals, start
from experiments.shared_flags import LABELLED_SETS

DEPTHS = (1, 2, 4, 8)
FIELDS = ('variance', 'flat', 'dead', 'slope')


def ask() -> start.Answer:
    """Compares activations at every depth."""
    from overfit.study import techniques as t

    splits, size = comparison.data()
    sets = comparison.alone(LABELLED_SETS, 40 if start.FULL.value else None)
    found = depth.measure(
        splits, size, compared(), DEPTHS, label='ReLU', change=t.glorot.change, labelled_sets=sets
    )
    data = found[0].found.results.data
    where = f'{data.name}, {data.train:,} labels'
    findings = []
    for one in found:
        rows = {row.technique: row for row in one.found.results.arms}
        sigmoid = rows[t.sigmoid.label].difference
        findings.append(
            intervals.finding(
                t.sigmoid.label,
                f'test error minus that of ReLU, {one.depth} hidden layers, {where}',
                sigmoid,
                source='Glorot & Bengio 2010; Srivastava 2014',
                published='1.35 against 1.25 % on MNIST, two layers; deep nets of sigmoids do not train',
                advice=f'ReLU beats sigmoid ({one.depth} hidden layers)',
                expected='above',
                margin=one.found.results.margin,
            )
        )
    return start.Answer(
        depth.table(found) + '\n\n' + _inside(found[-1]),
        {'depths': depth.record(found, FIELDS), 'findings': findings},
        lambda figure: depth.draw(
            figure, found, 'slope', "root mean square of the loss's slope", after=False
        ),
    )


def compared():
    """What is compared with ReLU."""
    from overfit.study import techniques as t

    return [t.sigmoid, t.tanh, t.leaky_relu, t.gelu, t.maxout]


def _inside(deepest):
    """What goes on in the first and the last hidden layer of the deepest net, as text."""
    lines = [f'inside the net of {deepest.depth} hidden layers, before and after training: first, last layer']
    width = max(map(len, deepest.layers))
    for label, both in deepest.layers.items():
        cells = []
        for field in FIELDS[1:]:
            for layers in both:
                figures = depth.values(layers, field)[:-1]
                cells.append(f'{figures[0]:8.2g} {figures[-1]:8.2g}')
        lines.append(f'{label:{width}}  ' + ' |'.join(cells))
    head = ' |'.join(f'{field + (" before", " after")[n]:>17}' for field in FIELDS[1:] for n in range(2))
    return '\n'.join([lines[0], f'{"":{width}}  {head}', *lines[1:]])


if __name__ == '__main__':
    app.run(start.binary('activations', ask))
