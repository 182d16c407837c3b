"""Does another loss classify better: label smoothing, center, contrastive, triplet, supervised contrastive?

    python -m experiments.losses
    python -m experiments.losses --data=usps.npz --train_size=100 --json=losses.json

Closed set: the classes of the test set are those of training. Each loss stands beside the cross-entropy, with
a tuned weight, and is tuned with as many settings as plain softmax. Losses of pairs need batches with several
examples of a class; a row shows what such batches do alone. Prints errors and differences with intervals.
`--full` takes the convolutional net and 40 labelled sets. For classes that training never saw see
`experiments.open_set`.
"""

from absl import app, flags

from experiments.question import comparison, intervals, picture, start

LOSSES = flags.DEFINE_list('losses', None, 'Losses to compare, by the names below; all where not given.')
FULL_SETS = 40
NAMES = (
    'label_smoothing',
    'center',
    'contrastive',
    'triplet_all',
    'triplet_hard',
    'triplet_soft',
    'triplet_semi_hard',
    'supervised_contrastive',
)  # of techniques
ADVICE = ('center', 'triplet_hard')  # of which people say that they raise accuracy
PUBLISHED = {
    'center': 'no gain on a closed set: 99.1 to 99.0 % of MNIST',
    'triplet_hard': 'better neighbours in re-identification; of closed sets it says nothing',
    'supervised_contrastive': 'ImageNet top-1 81.4 %, 0.8 above the best known of a ResNet-200',
}


def ask() -> start.Answer:
    """Compares the losses."""
    from overfit.data import sampling
    from overfit.study import baselines, techniques

    names = LOSSES.value or NAMES
    if not set(names) <= set(NAMES):
        raise ValueError(f'--losses={",".join(names)}: give some of {", ".join(NAMES)}')
    splits, size = comparison.data()
    batches = techniques.Technique(
        'batches of 4 a class',
        'loss',
        'Hermans 2017',
        change=lambda recipe: recipe._replace(sampler=sampling.per_class(4)),
    )
    arms = {name: getattr(techniques, name) for name in names}
    options = {}
    if start.FULL.value:
        net = baselines.cnn(len(splits.train.classes))
        options = {
            'baseline': baselines.baseline(net, splits.train.kind),
            'labelled_sets': comparison.LABELLED_SETS.value or FULL_SETS,
        }
    results = comparison.compare(splits, size, [batches, *arms.values()], **options).results
    where = f'test error minus softmax, {results.data.name}, {results.data.train:,} labels'
    rows = {row.technique: row.difference for row in results.arms}
    findings = []
    for name in (name for name in PUBLISHED if name in names):
        advised = {}
        if name in ADVICE:
            advised = {
                'advice': 'center or triplet loss raises accuracy',
                'expected': 'below',
                'margin': 0.3,
            }
        technique = arms[name]
        findings.append(
            intervals.finding(
                technique.label,
                where,
                rows[technique.label],
                source=technique.source,
                published=PUBLISHED[name],
                **advised,
            )
        )
    return start.Answer(
        comparison.table(results),
        comparison.record(results) | {'findings': findings},
        lambda figure: picture.differences(figure.subplots(), results),
    )


if __name__ == '__main__':
    app.run(start.binary('losses', ask))
