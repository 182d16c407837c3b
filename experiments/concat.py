"""Do two nets that see the images at two resolutions know more together than one, or than their average?

    python -m experiments.concat
    python -m experiments.concat --model=cnn --data=usps.npz --train_size=100 --json=concat.json
    python -m experiments.concat --full

On 20 labelled sets: a net at full resolution, the same at half of it, and both side by side with their
bottlenecks concatenated and a new head on top: trained together, with the towers as they were trained alone
and only the head learnt (frozen), or all of it trained further (fine-tuned). Controls: two towers that both
see the full resolution, one net of as many weights, and the average of the two nets' probabilities. The study
tunes whatever is trained from the start. Frozen and fine-tuned towers begin with the tuned nets of each fold,
at the rate that validates best of four. Prints errors, and differences from the net at full resolution.
`--full`: 40 labelled sets and 16 settings of each.
"""

from typing import Any

from absl import app

from experiments import squeeze
from experiments.question import comparison, intervals, nets, picture, rows, start
from experiments.shared_flags import LABELLED_SETS

RATES = (0.1, 0.3, 1.0, 3.0)  # of towers that were trained before, times the rate that training together has
FULL, HALF = 'full resolution alone', 'half resolution alone'
JOINT = 'both concatenated, trained together'
TWICE, LARGER = 'full resolution twice, concatenated', 'one net of as many weights'
AVERAGE = 'average of the two nets'
FROZEN, TUNED = 'both concatenated, towers frozen', 'both concatenated, towers fine-tuned'


def ask() -> start.Answer:
    """Compares what can be made of two resolutions."""
    from overfit.data import kinds

    splits, size = comparison.data()
    kind = splits.train.kind
    if kind != kinds.image:
        raise ValueError(f'data are of the kind {kind.name}, which has no resolutions: give images')
    full = start.FULL.value
    found = comparison.compare(
        splits,
        size,
        techniques(splits),
        labelled_sets=comparison.alone(LABELLED_SETS, 40 if full else None),
        trials=comparison.alone(squeeze.TRIALS, 16 if full else None),
    )
    names = (FULL, HALF, JOINT, TWICE, LARGER)
    tables = dict(zip(names, found.tables.arms.values(), strict=True)) | by_hand(splits, found)
    compared = rows.of(tables, found.tables.columns)
    data = found.results.data
    where = f'{data.name}, {data.train:,} labels'
    findings = [
        intervals.finding(
            'two resolutions concatenated',
            f'test error minus that of {other}, {where}',
            minus(tables[JOINT], tables[other]),
            source='Sermanet & LeCun 2011',
            published='features of two scales err less than those of one',
        )
        for other in (FULL, TWICE, LARGER, AVERAGE, FROZEN, TUNED)
    ]
    record = {
        'labelled_sets': found.results.labelled_sets,
        'model': squeeze.MODEL.value,
        'rows': rows.record(compared),
        'findings': findings,
    }
    head = f'{where}, {found.results.labelled_sets} labelled sets'
    return start.Answer(
        rows.table(compared, head=head),
        record,
        lambda figure: picture.differences(figure.subplots(), compared),
    )


def techniques(splits: Any) -> list[Any]:
    """What the study tunes beside the net at full resolution, in the order of the rows."""
    from experiments import ensembles
    from overfit.nn import concat, first
    from overfit.study import techniques as t
    from overfit.train.engine import layout

    def halved(recipe):
        return recipe._replace(model=recipe.model.clone(first=first.half))

    def twice(recipe):
        net = recipe.model
        return recipe._replace(model=concat.Concat(net.classes, (net, net)))

    def larger(recipe):
        example = layout.example_of(recipe, splits.train)
        both, one = (layout.weights_of(r.model, example) for r in (t.two_resolutions.change(recipe), recipe))
        return ensembles.bigger(recipe, splits.train, both / one)

    return [
        t.Technique(HALF, 'resolution', change=halved),
        t.two_resolutions._replace(label=JOINT),
        t.Technique(TWICE, 'towers', change=twice),
        t.Technique(LARGER, 'width', change=larger),
    ]


def by_hand(splits: Any, found: comparison.Comparison) -> dict[str, Any]:
    """What is made of the tuned nets of both resolutions: tables of mistakes `[J, N]` by the row's name.

    Args:
        splits: the data set.
        found: its first arms are the two resolutions and both trained together.
    """
    import numpy as np

    from overfit.nn import concat
    from overfit.study import measure, procedures
    from overfit.train import ensemble, predict

    design = found.study.design
    options = {'eval_every': design.plan.protocol.eval_every, 'capacity': design.plan.protocol.capacity}
    sets = [design.sets[outcome.tuned.place] for outcome in found.compared.outcomes[0]]
    arms = [nets.of_folds(splits, found, arm=arm) for arm in range(3)]
    alone = [_trained(groups, splits.train, options) for groups in arms[:2]]
    averages = []
    for place, one in enumerate(sets):
        x = splits.test.x[one.tested]
        said = [
            predict.predict(arms[n][place][0].recipe, alone[n][place], x) for n in range(2)
        ]  # `[folds, m, classes]` each
        averages.append(np.stack([ensemble.average(np.stack(fold)) for fold in zip(*said, strict=True)]))
    spoken = {AVERAGE: averages}
    for name, trained in ((FROZEN, concat.head_alone), (TUNED, None)):
        begun = [
            [_with_towers(m, towers, trained) for m, *towers in zip(*of_set, strict=True)]
            for of_set in zip(arms[2], *alone, strict=True)
        ]
        spoken[name] = [
            predict.predict(members[0].recipe, models, splits.test.x[one.tested])
            for members, models, one in zip(
                begun, _best_rate(begun, splits.train, options), sets, strict=True
            )
        ]
    return {
        name: measure.mistakes(
            [procedures.Outcome(None, told.argmax(-1), None, (), 0, 0) for told in of_sets],
            sets,
            splits.test,
        )
        for name, of_sets in spoken.items()
    }


def _with_towers(member, towers, trained):
    """A member of both resolutions that begins with towers trained alone on the same examples."""
    from overfit.nn import concat
    from overfit.train import start as start_lib

    given = concat.variables_of([tower.variables for tower in towers])
    begun = start_lib.given(given, rest=member.recipe.start, inputs=towers[0].inputs)
    return member._replace(recipe=member.recipe._replace(start=begun, trained=trained))


def _best_rate(groups, pool, options):
    """The trained nets of each labelled set, at the rate of the lowest mean validation loss of its folds."""
    import numpy as np

    tried = [
        _trained(
            [
                [
                    m._replace(hyper=m.hyper._replace(learning_rate=factor * m.hyper.learning_rate))
                    for m in group
                ]
                for group in groups
            ],
            pool,
            options,
        )
        for factor in RATES
    ]
    best = []
    for of_set in zip(*tried, strict=True):
        losses = [np.nan_to_num(np.mean([net.loss for net in trained]), nan=np.inf) for trained in of_set]
        best.append(of_set[int(np.argmin(losses))])
    return best


def _trained(groups, pool, options):
    """Groups of members, trained together."""
    import numpy as np

    from overfit.train.engine import population

    flat = population.train([m for group in groups for m in group], pool, **options)
    bounds = np.cumsum([0, *map(len, groups)])
    return [flat[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def minus(one: Any, other: Any) -> Any:
    """Interval over labelled sets of the difference of two tables of mistakes, percentage points."""
    import numpy as np

    errors = [100 * np.nanmean(table, axis=1) for table in (one, other)]
    return intervals.over_sets(errors[0] - errors[1])


if __name__ == '__main__':
    app.run(start.binary('concat', ask))
