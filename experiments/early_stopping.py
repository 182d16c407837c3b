"""When should training stop, and which fraction of the labels is worth holding out for that, or none?

    python -m experiments.early_stopping
    python -m experiments.early_stopping --data=usps.npz --train_size=100 --json=early_stopping.json

First the fractions: a tenth, a fifth or a third of the labels held out, with the best checkpoint kept or the
last weights; and nothing held out in the end: the folds choose the number of steps, then a net is trained on
all labels for so many (or for all) steps. Each is tuned anew on 20 labelled sets. Prints errors, and
differences from a fifth held out.

Then Prechelt's fourteen criteria, replayed on the curves of the tuned nets, trained on for
`--stopping_epochs` and evaluated after each epoch: as they are, in batches of 32, and with all examples in
one batch, as the paper's nets, whose curves are smooth. Criteria see held-out cross-entropy and the training
objective. What a checkpoint is worth is read off a twin: the same net with the same seed, which is evaluated
on the test examples and from which nothing is chosen. Prints, for each criterion, training time relative to
the fastest one and the test error of the checkpoint that it keeps. `--full` trains for 3,000 epochs, as the
paper does.
"""

from typing import Any, NamedTuple

from absl import app, flags

from experiments.question import comparison, intervals, nets, picture, rows, start

STOPPING_EPOCHS = flags.DEFINE_integer(
    'stopping_epochs', 500, 'Epochs of the nets on whose curves criteria are replayed.', lower_bound=10
)
FULL_EPOCHS = 3000
USUAL = 0.2  # held out in every other experiment here
FRACTIONS = (USUAL, 0.1, 0.3)


class Curves(NamedTuple):
    """Curves of R runs over T epochs; NaN after a run that diverged.

    Attributes:
        places: `[R]`, labelled set of each run.
        validation: `[R, T]` held-out cross-entropy, nats.
        training: `[R, T]` training objective.
        error: `[R, T]` test error, percent.
        loss: `[R, T]` test cross-entropy, nats.
        apart: largest relative difference of the training objective of twins.
    """

    places: Any
    validation: Any
    training: Any
    error: Any
    loss: Any
    apart: float


class Spot(NamedTuple):
    """What a criterion comes to.

    Attributes:
        name: of the criterion.
        time: interval of its training time, as a multiple of the fastest criterion's mean.
        error: interval of the test error of what it keeps, percent.
        loss: mean test cross-entropy of what it keeps, nats.
        stopped: share of the runs that it stopped before their end.
        errors: `[sets]`, mean test error on each labelled set.
    """

    name: str
    time: Any
    error: Any
    loss: float
    stopped: float
    errors: Any


def ask() -> start.Answer:
    """Compares fractions, then replays the criteria."""
    splits, size = comparison.data()
    found = {fraction: _compared(splits, size, fraction) for fraction in FRACTIONS}
    usual = found[USUAL]
    fractions = rows.of(_tables(found), usual.tables.columns)
    epochs = FULL_EPOCHS if start.FULL.value else STOPPING_EPOCHS.value
    replays = {}
    for how, whole in (('batches of 32', False), ('whole batches', True)):
        curves = twins(splits, usual, epochs, whole=whole)
        replays[how] = curves, replayed(curves)
    where = f'{splits.name}, {usual.results.data.train:,} labels'
    findings = [one for how, (_, spots) in replays.items() for one in _published(spots, f'{how}, {where}')]
    for row in fractions.arms:
        what = f'test error minus that of a fifth held out, best checkpoint; {where}'
        published = 'hold out 10 to 30 % of the labels'
        findings.append(
            intervals.finding(row.technique, what, row.difference, source='folklore', published=published)
        )
    head = f'{where}, {usual.results.labelled_sets} labelled sets'
    record = {
        'labelled_sets': usual.results.labelled_sets,
        'fractions': rows.record(fractions),
        'epochs': epochs,
        'replays': {
            how: {
                'criteria': [_plain(spot) for spot in spots],
                'runs': len(curves.places),
                'twins_apart': curves.apart,
            }
            for how, (curves, spots) in replays.items()
        },
        'findings': findings,
    }
    tables = [rows.table(fractions, head=head)]
    tables += [_table(how, spots, curves) for how, (curves, spots) in replays.items()]
    shown = {how: spots for how, (_, spots) in replays.items()}
    return start.Answer('\n\n'.join(tables), record, lambda figure: _draw(figure, fractions, shown))


def _compared(splits, size, fraction):
    """The tuned baseline and what else may be done with so many held-out labels."""
    from overfit.study import techniques as t

    to_the_end = t.Technique('all labels, all steps', 'stopping', refit=True, restore_best=False)
    arms = [t.refit, t.last_weights, to_the_end] if fraction == USUAL else [t.refit]
    return comparison.compare(splits, size, arms, validation=fraction)


def _tables(found):
    """Mistakes by row."""
    from overfit.study.protocol import fold_count

    tables = {}
    for fraction, one in found.items():
        held = f'{100 / fold_count(fraction):.0f} % held out'
        tables[f'{held}, best checkpoint'] = one.tables.baseline
    usual = list(found[USUAL].tables.arms.values())
    tables[f'{100 * USUAL:.0f} % held out, last weights'] = usual[2]
    for fraction, one in found.items():
        refit = list(one.tables.arms.values())[1]
        tables[f'all labels, steps chosen by {fold_count(fraction)} folds'] = refit
    tables['all labels, all steps'] = usual[3]
    return tables


def twins(splits: Any, compared: comparison.Comparison, epochs: int, *, whole: bool = False) -> Curves:
    """Trains the tuned nets of the folds on, each twice: one twin is watched, the other one measured.

    A net's weights depend on its seed and its training examples alone, not on what evaluates it.

    Args:
        splits: the data set.
        compared: whose baseline's settings and folds are taken.
        epochs: evaluations of each.
        whole: all training examples in one batch, in place of the baseline's batches.
    """
    import numpy as np

    from overfit.train.engine import population

    pool, design = splits.train, compared.study.design
    watched, measured, places = [], [], []
    for outcome, members in zip(compared.compared.outcomes[0], nets.of_folds(splits, compared), strict=True):
        place = outcome.tuned.place
        tested = len(pool.y) + design.sets[place].tested
        watched += [member._replace(restore_best=False) for member in members]
        measured += [member._replace(restore_best=False, validation=tested) for member in members]
        places += [place] * len(members)
    largest = max(len(member.train) for member in watched)
    recipe = watched[0].recipe
    recipe = recipe._replace(batch_size=largest) if whole else recipe
    every = -(-largest // recipe.batch_size)

    def curves(members, examples):
        members = [
            m._replace(recipe=recipe, hyper=m.hyper.with_numbers(steps=float(epochs * every)))
            for m in members
        ]
        found = population.train(members, examples, eval_every=every, keep_variables=False)
        table = np.full((len(found), epochs, population.CURVE), np.nan)
        for row, one in zip(table, found, strict=True):
            row[: len(one.curve) - one.diverged] = one.curve[: len(one.curve) - one.diverged]
        return table

    held = curves(watched, pool)
    # The test labels lie beside the inputs here, for twins that keep their last weights whatever these say.
    both = pool._replace(
        x=np.concatenate([pool.x, splits.test.x]),
        y=np.concatenate([pool.y, splits.test.reveal()]),
        groups=None,
    )
    tested = curves(measured, both)
    objective = held[..., population.TRAIN_LOSS]
    apart = np.abs(tested[..., population.TRAIN_LOSS] - objective) / (1e-3 + np.abs(objective))
    begun = np.isfinite(held[..., population.LOSS]).any(1)  # the others diverged within an epoch
    return Curves(
        np.array(places)[begun],
        held[begun, :, population.LOSS],
        objective[begun],
        100 * tested[begun, :, population.ERROR],
        tested[begun, :, population.LOSS],
        float(np.nanmax(apart)),
    )


def replayed(curves: Curves) -> list[Spot]:
    """What each criterion comes to, the fastest first, and what the whole run does.

    Args:
        curves: of runs that went on to their end.
    """
    import numpy as np

    from overfit.train import criteria, replay

    never = replay.Criterion('never', lambda validation, training: criteria.patience(validation, None))
    found = replay.replay(curves.validation, curves.training, rules=(*replay.PRECHELT, never))

    def per_set(values):
        return np.array([np.mean(values[curves.places == place]) for place in np.unique(curves.places)])

    times = {name: per_set(one.stop + 1.0) for name, one in found.items()}
    order = sorted(found, key=lambda name: times[name].mean())
    spots = []
    for name in order:
        error, loss = (
            np.take_along_axis(curve, found[name].kept[:, None], axis=1)[:, 0]
            for curve in (curves.error, curves.loss)
        )
        of_sets = per_set(error)
        relative = times[name] / times[order[0]].mean()
        stopped = float(found[name].stopped.mean())
        spots.append(
            Spot(
                name,
                intervals.over_sets(relative),
                intervals.over_sets(of_sets),
                float(loss.mean()),
                stopped,
                of_sets,
            )
        )
    return spots


def _published(spots, where):
    """The slowest criterion against the fastest."""
    fast, slow = spots[0], [spot for spot in spots if spot.name != 'never'][-1]
    lower = intervals.over_sets(100 * (fast.errors - slow.errors) / fast.errors.mean())
    published = {'source': 'Prechelt 1998', 'published': 'about 4 % lower error for about 4 times the time'}
    return [
        intervals.finding(
            'stopping criteria',
            f'test error of {slow.name} below that of {fast.name}, {where}',
            lower,
            unit='% of the error',
            band=(1, 8),
            **published,
        ),
        intervals.finding(
            'stopping criteria',
            f'training time of {slow.name} over that of {fast.name}, {where}',
            slow.time,
            unit='times',
            band=(2, 6),
            **published,
        ),
    ]


def _table(how, spots, curves):
    lines = [
        f'{how}: {len(curves.places)} runs of {curves.error.shape[1]} epochs; time as a multiple of that of '
        f'{spots[0].name}',
        f'{"criterion":9}  {"time":>14}  {"test error %":>14}  test cross-entropy  runs stopped',
    ]
    for spot in spots:
        time = f'{spot.time.mean:.2f} ± {spot.time.high - spot.time.mean:.2f}'
        error = f'{spot.error.mean:.2f} ± {spot.error.high - spot.error.mean:.2f}'
        lines.append(
            f'{spot.name:9}  {time:>14}  {error:>14}  {spot.loss:18.3f}  {100 * spot.stopped:10.0f} %'
        )
    lines.append('±: 95 % intervals over labelled sets')
    return '\n'.join(lines)


def _plain(spot):
    plain = {'name': spot.name, 'loss': round(spot.loss, 4), 'stopped': round(spot.stopped, 4)}
    return plain | {'time': comparison.rounded(spot.time), 'error': comparison.rounded(spot.error)}


def _draw(figure, fractions, replays):
    figure.set_size_inches(14.0, picture.SIZE[1])
    left, *others = figure.subplots(1, 1 + len(replays), width_ratios=(0.9, *[1] * len(replays)))
    picture.differences(left, fractions)
    left.set_xlabel(f'test error minus that of: {fractions.baseline.technique} (points)')
    for axes, (how, spots) in zip(others, replays.items(), strict=True):
        for number, family in enumerate(('GL', 'PQ', 'UP', 'never')):
            own = [spot for spot in spots if spot.name.startswith(family)]
            axes.errorbar(
                [spot.time.mean for spot in own],
                [spot.error.mean for spot in own],
                yerr=[spot.error.high - spot.error.mean for spot in own],
                fmt=picture.MARKERS[number],
                color=picture.COLOURS[number],
                elinewidth=0.8,
                label=family,
            )
            for spot in (own[0], own[-1])[: len(own)]:
                place = (spot.time.mean, spot.error.mean)
                axes.annotate(spot.name, place, (4, 4), textcoords='offset points', rotation=60)
        axes.set_xscale('log')
        axes.set_xlabel(f'training time, as a multiple of that of {spots[0].name}')
        axes.set_ylabel('test error of the kept weights %')
        axes.set_title(how)
        axes.legend()


if __name__ == '__main__':
    app.run(start.binary('early_stopping', ask))
