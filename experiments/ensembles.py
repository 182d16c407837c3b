"""What do several nets know that one does not, and can one net be taught it?

    python -m experiments.ensembles
    python -m experiments.ensembles --data=usps.npz --train_size=100 --json=ensembles.json
    python -m experiments.ensembles --full --data=fashion_mnist --json=ensembles_fashion_mnist.json

On 20 labelled sets: the mean error of single nets, each of which leaves out a fold, against the average of
these (the fold models kept), averages of nets of all labels and of bootstrap samples (bagging), one net of as
many weights as all of them together, snapshots of one run, weights averaged in soups, and one net distilled
from the average. The study tunes what is a technique; soups, snapshots and distilled nets take the setting of
the tuned single net. Soups are of nets that go on from one trained for half the steps, at other rates and in
another order; the greedy one is judged by the fold held out. Prints errors, and differences from single nets.

`--full`: LeNet-5 by Adam (rate 0.001, batches of 256, 5,000 steps) on all labels, ten nets in a population,
three populations. Prints accuracies, and the cross-entropy of the average over that of single nets.
"""

from typing import Any

from absl import app, flags

from experiments.question import comparison, deep_ensemble, intervals, nets, picture, rows, start
from experiments.shared_flags import SEED, TRAIN_SIZE

NETS = flags.DEFINE_integer('ensemble_nets', None, 'Nets of an average; 5, with --full 10.', lower_bound=2)
POPULATIONS = flags.DEFINE_integer(
    'ensemble_populations', 3, 'How often --full trains as many nets.', lower_bound=2
)
RATES = 2.0  # nets of a soup go on at rates up to this factor above and below
SHARE = 0.7  # of the teacher in what a distilled net learns


def ask() -> start.Answer:
    """Compares what can be made of several nets."""
    splits, size = comparison.data()
    if start.FULL.value:
        from overfit.study import labelled_sets

        labelled = labelled_sets.whole(splits, TRAIN_SIZE.value, seed=SEED.value).labelled
        return deep_ensemble.ask(splits, labelled, NETS.value or 10, POPULATIONS.value, seed=SEED.value)
    count = NETS.value or 5
    found = comparison.compare(splits, size, _techniques(splits, count))
    single, *tables = found.tables.arms.values()
    labels = [row.technique for row in found.results.arms]
    made, ratio = by_hand(splits, found, count)
    whole = {'single nets': single} | dict(zip(labels, tables, strict=True)) | made
    compared = rows.of(whole, found.tables.columns)
    where = f'{splits.name}, {found.results.data.train:,} labels'
    findings = [
        intervals.finding(
            row.technique,
            f'test error minus that of single nets, {where}',
            row.difference,
            source=source,
            published=said,
        )
        for row in compared.arms
        for part, source, said in PUBLISHED
        if part in row.technique
    ]
    findings.append(
        intervals.finding(
            f'average of {count} nets',
            f'its test cross-entropy over that of single nets, {where}',
            ratio,
            source='Lakshminarayanan 2017',
            published='lower: uncertainty is better calibrated',
            unit='times',
        )
    )
    head = f'{where}, {found.results.labelled_sets} labelled sets'
    told = f'test cross-entropy of the average of {count} nets over that of single nets'
    text = f'{rows.table(compared, head=head)}\n{told}: {ratio.mean:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]'
    record = {
        'labelled_sets': found.results.labelled_sets,
        'nets': count,
        'rows': rows.record(compared),
        'cross_entropy_ratio': comparison.rounded(ratio),
        'findings': findings,
    }
    return start.Answer(text, record, lambda figure: picture.differences(figure.subplots(), compared))


PUBLISHED = (  # part of a row's name, source, what it says
    ('bagging', 'Breiman 1996', 'a lower error where nets are unstable'),
    ('fold nets', 'Lakshminarayanan 2017', 'a lower error'),
    ('greedy soup', 'Wortsman 2022', 'no worse than the best single net, at its cost of predicting'),
    ('uniform soup', 'Wortsman 2022', 'may be worse than single nets'),
    ('snapshots in the steps of one', 'Huang 2017', 'a lower error at no further cost of training'),
    ('distilled', 'Hinton 2015', 'one net keeps most of the gain of the average'),
)


def _techniques(splits, count):
    """Those that the study tunes."""
    from overfit.study import techniques as t

    def larger(recipe):
        return bigger(recipe, splits.train, count)

    return [
        t.ensemble(count)._replace(label=f'average of the {count} fold nets'),
        t.refit._replace(label='one net of all labels'),
        t.ensemble(count)._replace(label=f'average of {count} nets of all labels', refit=True),
        t.bags._replace(label=f'bagging: average of {count} nets', nets=count),
        t.Technique(f'one net of {count} times the weights', 'width', 'own', change=larger),
    ]


def bigger(recipe: Any, pool: Any, times: float) -> Any:
    """A recipe whose net has at least so many times the weights, all its layers widened alike.

    Args:
        recipe: with an `MLP` or a `CNN` of ours.
        pool: `base.Examples`, for the shape of an input.
        times: 1 or more.
    """
    import numpy as np

    from overfit.nn import models
    from overfit.train.engine import layout

    example = layout.example_of(recipe, pool)
    net, least = recipe.model, times * layout.weights_of(recipe.model, example)
    parts = {'widths': net.widths}
    if isinstance(net, models.CNN):
        parts['channels'] = net.channels or models.channels_for(*example.shape[1:3])
    for factor in np.geomspace(1, times, 200):
        wider = {name: tuple(int(np.ceil(factor * w)) for w in sizes) for name, sizes in parts.items()}
        model = net.clone(**wider)
        if layout.weights_of(model, example) >= least:
            break
    return recipe._replace(model=model)


def by_hand(splits: Any, found: comparison.Comparison, count: int) -> tuple[dict[str, Any], Any]:
    """What no technique makes: soups, snapshots and distilled nets, at the setting of the tuned single net.

    Args:
        splits: the data set.
        found: with the tuned baseline.
        count: nets of an average.

    Returns:
        Tables of mistakes `[J, N]` by the row's name, and the interval over labelled sets of the average's
        test cross-entropy over that of its members.
    """
    import numpy as np

    from overfit.train import ensemble, predict
    from overfit.train.engine import population, snapshots

    design = found.study.design
    options = {'eval_every': design.plan.protocol.eval_every, 'capacity': design.plan.protocol.capacity}
    pool, recipe = splits.train, found.study.design.baseline.recipe
    sets = [design.sets[outcome.tuned.place] for outcome in found.compared.outcomes[0]]
    members = nets.of_folds(splits, found, count)
    first = [of_set[0] for of_set in members]

    def trained(groups):
        flat = population.train([m for group in groups for m in group], pool, **options)
        bounds = np.cumsum([0, *map(len, groups)])
        return [flat[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]

    def said(models, one):
        """`[models, m, classes]` log-probabilities of a labelled set's test examples."""
        return predict.predict(recipe, models, splits.test.x[one.tested])

    def averaged(groups):
        return [np.asarray(ensemble.average(said(g, one)))[None] for g, one in zip(groups, sets, strict=True)]

    folds = trained(members)
    alone = [said(group, one) for group, one in zip(folds, sets, strict=True)]
    together = [np.asarray(ensemble.average(found))[None] for found in alone]
    ratio = [
        _cross_entropy(splits, one, average) / _cross_entropy(splits, one, single)
        for one, average, single in zip(sets, together, alone, strict=True)
    ]
    branches = trained(_branches(first, trained([[_half(m)] for m in first]), count))
    soups = {'uniform': [], 'greedy': []}
    for member, group in zip(first, branches, strict=True):
        for name, variables in _soups(member, group, pool).items():
            soups[name].append([predict.Net(variables, group[0].loss_state, group[0].inputs)])
    longer = [m._replace(hyper=m.hyper.with_numbers(steps=count * m.hyper.steps)) for m in first]
    short, long = (snapshots.train(group, pool, count, **options) for group in (first, longer))
    spoken = {
        f'average of {count} nets from one start': averaged(branches),
        f'uniform soup of {count} nets from one start': [
            said(group, one) for group, one in zip(soups['uniform'], sets, strict=True)
        ],
        f'greedy soup of {count} nets from one start': [
            said(group, one) for group, one in zip(soups['greedy'], sets, strict=True)
        ],
        f'{count} snapshots in the steps of one net': averaged(short),
        f'{count} snapshots in the steps of {count} nets': averaged(long),
        f'one net distilled from the average of {count}': _distilled(splits, found, folds, sets, options),
    }
    return {name: _mistakes(splits, sets, of_row) for name, of_row in spoken.items()}, intervals.over_sets(
        ratio
    )


def _half(member):
    """The trunk of a soup: half of the steps."""
    return member._replace(restore_best=False, stop_at=member.hyper.steps / 2)


def _branches(members, trunks, count):
    """Members that go on from a trunk for the other half of the steps."""
    import numpy as np

    from overfit.study.protocol import seed_of
    from overfit.train import start as start_lib

    groups = []
    for member, [trunk] in zip(members, trunks, strict=True):
        begun = start_lib.given(trunk.variables, inputs=trunk.inputs)
        groups.append([])
        for n, factor in enumerate(np.geomspace(1 / RATES, RATES, count)):
            hyper = member.hyper.with_numbers(
                steps=member.hyper.steps / 2, learning_rate=float(factor * member.hyper.learning_rate)
            )
            groups[-1].append(
                member._replace(
                    recipe=member.recipe._replace(start=begun),
                    hyper=hyper,
                    seed=seed_of(member.seed, 'branch', n),
                )
            )
    return groups


def _soups(member, branches, pool):
    """Averaged weights of a member's branches; its held-out fold judges the greedy soup."""
    from overfit.train import ensemble, predict
    from overfit.train.engine import program

    x, y = pool.x[member.validation], pool.y[member.validation]

    def judge(variables):
        net = predict.Net(variables, branches[0].loss_state, branches[0].inputs)
        [told] = predict.predict(member.recipe, [net], x)
        return float(program.score((told.argmax(-1) != y).mean(), -told[range(len(y)), y].mean()))

    weights = [branch.variables for branch in branches]
    return {
        'uniform': ensemble.uniform_soup(weights),
        'greedy': ensemble.greedy_soup(weights, judge).variables,
    }


def _distilled(splits, found, folds, sets, options):
    """Log-probabilities of two students a labelled set, which hear its labels and the fold nets' average."""
    import numpy as np

    from overfit.study.protocol import fold_count, seed_of
    from overfit.train import distillation, ensemble, predict
    from overfit.train.engine import population

    count = fold_count(found.study.design.plan.protocol.validation)
    longer = count / (count - 1)  # as many epochs of all labels
    spoken = []
    for outcome, group, one in zip(found.compared.outcomes[0], folds, sets, strict=True):
        tuned = outcome.tuned
        recipe = distillation.student(tuned.arm.recipe)
        told = np.exp(
            ensemble.average(predict.predict(tuned.arm.recipe, group, splits.train.x[one.labelled]))
        )
        taught = distillation.taught(splits.train, one.labelled, told)
        student = population.Member(
            recipe,
            tuned.hyper.with_numbers(steps=longer * tuned.hyper.steps, distillation=SHARE),
            seed_of(one.seed, 'student', 0),
            one.labelled,
            one.labelled[:0],
            restore_best=False,
            stop_at=longer * tuned.refit_step,
        )
        students = [student, student._replace(seed=seed_of(one.seed, 'student', 1))]
        trained = population.train(students, taught, **options)
        spoken.append(predict.predict(recipe, trained, splits.test.x[one.tested]))
    return spoken


def _mistakes(splits, sets, spoken):
    """`[J, N]` as of `measure.mistakes`, of log-probabilities `[models, m, classes]` a labelled set."""
    import numpy as np

    table = np.full((len(sets), len(splits.test)), np.nan, np.float32)
    for row, one, told in zip(table, sets, spoken, strict=True):
        predicted = np.zeros((len(told), len(splits.test)), np.int64)
        predicted[:, one.tested] = told.argmax(-1)
        row[one.tested] = splits.test.wrong(predicted)[:, one.tested].mean(0)
    return table


def _cross_entropy(splits, one, told):
    """Mean over models and test examples, nats, of log-probabilities `[models, m, classes]`."""
    import numpy as np

    y = splits.test.reveal()[one.tested]
    return float(-np.maximum(told[:, np.arange(len(y)), y], np.log(1e-12)).mean())


if __name__ == '__main__':
    app.run(start.binary('ensembles', ask))
