"""Which loss makes the better embedding of classes that training never saw?

    python -m experiments.open_set
    python -m experiments.open_set --data=omniglot.npz --new_test_classes --open_steps=2000

Each loss is tuned with as many settings, by MAP@R on training classes that are held out, and judged on unseen
classes: by the neighbours of an example (MAP@R, precision at 1), by whether a threshold tells pairs of a
class from others (equal error rate, true accepts at 1 % false ones), by the variance within classes over that
between them, and by whether the embedding has collapsed. Losses of pairs stand alone here, without
cross-entropy. Prints means over labelled sets with intervals.

Of a set like the digits, two classes in five are kept apart, others in each labelled set. With
`--new_test_classes` the test classes of an .npz are others than its training classes (Omniglot: other
alphabets). `--full` takes a convolutional net, 8 settings and 2,000 steps.
"""

from absl import app, flags

from experiments import squeeze
from experiments.question import comparison, intervals, picture, start
from experiments.shared_flags import DATA, LABELLED_SETS, SEED

NEW_TEST_CLASSES = flags.DEFINE_bool(
    'new_test_classes', False, 'The test classes of the .npz are others than its training classes.'
)
PER_CLASS = flags.DEFINE_integer(
    'open_per_class', 20, 'Labelled examples of a training class.', lower_bound=4
)
STEPS = flags.DEFINE_integer('open_steps', 400, 'Training steps of a net.', lower_bound=1)
LOSSES = flags.DEFINE_list('open_losses', None, 'Rows of the table beside softmax; all where not given.')
TRIALS_HERE, SETS_HERE = 4, 10


def ask() -> start.Answer:
    """Compares the losses on unseen classes."""
    from experiments.question import embeddings, open_classes
    from overfit.study import baselines, spaces
    from overfit.study.arms import arm_of

    full = start.FULL.value
    trials = squeeze.TRIALS.value or (8 if full else TRIALS_HERE)
    steps = comparison.alone(STEPS, 2000 if full else STEPS.default)
    if NEW_TEST_CLASSES.value:
        material = open_classes.of_file(DATA.value)
    else:
        splits, _ = comparison.data()
        material = open_classes.Material(splits.name, splits.train, None)
    sets = open_classes.draw(material, LABELLED_SETS.value or SETS_HERE, PER_CLASS.value, seed=SEED.value)
    baseline = squeeze.baseline_of(material.pool)
    if full:
        net = baselines.cnn(len(material.pool.classes))
        baseline = baselines.baseline(net, material.pool.kind)
    rates = spaces.RANGES['learning_rate']  # wider than a classifier's: some embeddings like small steps
    baseline = baseline._replace(label='softmax', space={'learning_rate': rates})
    techniques = embeddings.alone(LOSSES.value)
    found = []
    for chosen in [(), *[(technique,) for technique in techniques]]:
        arm = arm_of(chosen, baseline)
        found.append(open_classes.judge(material, sets, arm, trials=trials, steps=steps))
        held = 100 * sum(found[-1].held) / len(sets)
        print(f'{arm.label}: MAP@R {held:.1f} % on held-out training classes', flush=True)
    found.append(open_classes.inputs(material, sets))
    rows = [_row(one, found[0]) for one in found]
    where = f'{material.name}, unseen classes'
    findings = [
        intervals.finding(
            technique.label,
            f'MAP@R minus softmax, {where}',
            _difference(one, found[0], 'map_at_r'),
            source=technique.source,
            published='improvements over the years are marginal, tuned alike (Musgrave 2020)',
        )
        for technique, one in zip(techniques, found[1:-1], strict=True)
    ]
    record = {
        'data': {
            'name': material.name,
            'training_classes': len(material.pool.classes),
            'examples_a_class': PER_CLASS.value,
            'test_classes': 'others' if material.unseen is not None else 'kept apart',
        },
        'labelled_sets': len(sets),
        'trials': trials,
        'steps': steps,
        'rows': [_plain(row) for row in rows],
        'findings': findings,
    }
    return start.Answer(_table(rows, material, sets), record, lambda figure: _draw(figure, rows, where))


def _values(judged, name):
    return [getattr(one, name) for one in judged.quality]


def _difference(one, other, name):
    return intervals.over_sets([a - b for a, b in zip(_values(one, name), _values(other, name), strict=True)])


def _row(judged, softmax):
    from experiments.question.embeddings import Quality

    row = {name: intervals.over_sets(_values(judged, name)) for name in Quality._fields}
    numbers = [{name: float(f'{value:.4g}') for name, value in of_set.items()} for of_set in judged.numbers]
    row |= {'label': judged.label, 'diverged': judged.diverged, 'numbers': numbers}
    if judged is not softmax:
        row |= {'difference': _difference(judged, softmax, 'map_at_r')}
    return row


def _plain(row):
    def plain(value):
        if hasattr(value, 'mean'):
            return {name: round(float(getattr(value, name)), 4) for name in ('mean', 'low', 'high')}
        return value

    return {name: plain(value) for name, value in row.items()}


COLUMNS = {
    'map_at_r': 'MAP@R %',
    'precision_at_1': 'P@1 %',
    'equal_error_rate': 'EER %',
    'true_accepts': 'TAR@1% %',
    'variance_ratio': 'intra/inter',
    'effective_rank': 'rank',
}


def _table(rows, material, sets):
    width = max(len(row['label']) for row in rows)
    lines = [
        f'{material.name} · classes that training never saw · {len(sets)} labelled sets · {PER_CLASS.value} '
        'examples of a training class',
        ' ' * width + ''.join(f'{title:>16}' for title in COLUMNS.values()) + '  MAP@R − softmax   collapsed',
    ]
    for row in sorted(rows, key=lambda row: -row['map_at_r'].mean):
        cells = []
        for name in COLUMNS:
            digits = 2 if name == 'variance_ratio' else 1
            one = row[name]
            cells.append(f'{one.mean:.{digits}f} ± {one.high - one.mean:.{digits}f}')
        more = ' ' * 16
        if 'difference' in row:
            one = row['difference']
            more = f'{one.mean:+.1f} [{one.low:+.1f}, {one.high:+.1f}]'
        folded = f'{100 * row["collapsed"].mean:.0f} %'
        lines.append(
            f'{row["label"]:{width}}' + ''.join(f'{cell:>16}' for cell in cells) + f'  {more:20} {folded:>6}'
        )
    lines.append(
        '± and [ ]: 95 % intervals of each row by itself, for other classes, tuning and initial weights; '
        'collapsed: share of the nets whose alarm sounds'
    )
    return '\n'.join(lines)


def _draw(figure, rows, where):
    """MAP@R, and its difference from softmax on the same sets, whose intervals are narrower."""
    rows = sorted(rows, key=lambda row: row['map_at_r'].mean)
    whole, paired = figure.subplots(1, 2, sharey=True)
    for axes, name in ((whole, 'map_at_r'), (paired, 'difference')):
        for place, row in enumerate(rows):
            found = row.get(name)
            if found is None:
                continue
            colour = picture.COLOURS[1 if 'difference' in row else 2]
            axes.plot([found.low, found.high], [place, place], color=colour, marker='', linewidth=1.6)
            axes.plot([found.mean], [place], color=colour, marker='o')
        axes.grid(False, axis='y')
    whole.set_yticks(range(len(rows)), [row['label'] for row in rows])
    whole.set_xlabel('MAP@R % (higher is better)')
    paired.axvline(0, color='#888888', linewidth=1, marker='')
    paired.set_xlabel('minus that of softmax (points)')
    figure.suptitle(f'{where}, 95 % intervals', fontsize=9)


if __name__ == '__main__':
    app.run(start.binary('open_set', ask))
