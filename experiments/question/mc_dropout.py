"""Predictions with units dropped: are they better probabilities than one with all units?"""

from typing import Any

from experiments import squeeze
from experiments.question import comparison, intervals, nets, picture, start
from experiments.shared_flags import SEED

PASSES = 50
MEASURES = ('error %', 'NLL', 'ECE', 'Brier')
ROWS = ('no dropout', 'dropout, all units', 'dropout, mean of passes')


def ask(splits: Any, size: int | None) -> start.Answer:
    """Compares three predictions on the same test examples: each by nets of the folds of each labelled set.

    Args:
        splits: the data set.
        size: labelled examples; `None`: all.
    """
    from overfit.study import spaces
    from overfit.study import techniques as t

    plain = squeeze.baseline_of(splits.train)
    space = dict(plain.space) | spaces.default('dropout')
    baseline = plain._replace(space=space, label='dropout')
    none = t.Technique(ROWS[0], 'dropout', space={'dropout': 0.0})
    found = comparison.compare(splits, size, [none], baseline=baseline)
    scores = measured(splits, found)
    over = {name: [intervals.over_sets(column) for column in table.T] for name, table in scores.items()}
    where = f'{splits.name}, {found.results.data.train:,} labels'
    findings, last = [], scores[ROWS[2]]
    for other in ROWS[:2]:
        for number, measure in enumerate(MEASURES):
            findings.append(
                intervals.finding(
                    'MC-dropout',
                    f'{measure} of the mean of {PASSES} passes minus that of: {other}; {where}',
                    intervals.over_sets(last[:, number] - scores[other][:, number]),
                    source='Gal & Ghahramani 2016',
                    published='a better likelihood than one prediction with all units',
                    unit='points' if number == 0 else measure,
                )
            )
    lines = [
        f'{where}, {found.results.labelled_sets} labelled sets, rates tuned',
        f'{"":24}' + ''.join(f'{measure:>18}' for measure in MEASURES),
    ]
    for name, of_row in over.items():
        shown = [f'{one.mean:.3f} ± {one.high - one.mean:.3f}' for one in of_row]
        lines.append(f'{name:24}' + ''.join(f'{one:>18}' for one in shown))
    lines.append('±: 95 % intervals over labelled sets; differences:')
    lines += [
        f'  {one["what"]}: {one["mean"]:+.3f} [{one["low"]:+.3f}, {one["high"]:+.3f}]' for one in findings
    ]
    record = comparison.record(found.results) | {
        'scores': {
            name: {m: comparison.rounded(one) for m, one in zip(MEASURES, of_row, strict=True)}
            for name, of_row in over.items()
        },
        'passes': PASSES,
        'findings': findings,
    }

    def draw(figure):
        figure.set_size_inches(picture.SIZE[0] * 1.6, picture.SIZE[1] * 0.7)
        for axes, number in zip(figure.subplots(1, len(MEASURES)), range(len(MEASURES)), strict=True):
            for place, name in enumerate(ROWS):
                one = over[name][number]
                axes.plot([one.low, one.high], [place, place], color=picture.COLOURS[place], marker='')
                axes.plot([one.mean], [place], color=picture.COLOURS[place], marker=picture.MARKERS[place])
            axes.set_yticks(range(len(ROWS)), ROWS if number == 0 else [''] * len(ROWS))
            axes.set_ylim(-0.5, len(ROWS) - 0.5)
            axes.set_xlabel(MEASURES[number])

    return start.Answer('\n'.join(lines), record, draw)


def measured(splits: Any, found: comparison.Comparison) -> dict[str, Any]:
    """Error, NLL, ECE and Brier score of the three predictions, means over the nets of a labelled set.

    Args:
        splits: the data set.
        found: the arms with dropout (the baseline) and without.

    Returns:
        `[labelled sets, measures]` by row.
    """
    import numpy as np

    from overfit import keys
    from overfit.objectives import calibration
    from overfit.train import predict, uncertainty
    from overfit.train.engine import population

    y, sets = splits.test.reveal(), found.study.design.sets

    def scored(log, y):
        scores = (calibration.nll, calibration.calibration_error, calibration.brier)
        return [100 * float((log.argmax(-1) != y).mean()), *(float(score(log, y)) for score in scores)]

    every = found.study.design.plan.protocol.eval_every
    scores = {name: [] for name in ROWS}
    for arm, row in ((1, ROWS[0]), (0, ROWS[1])):
        for outcome, members in zip(
            found.compared.outcomes[arm], nets.of_folds(splits, found, arm=arm), strict=True
        ):
            tested = sets[outcome.tuned.place].tested
            x, labels = splits.test.x[tested], y[tested]
            trained = population.train(members, splits.train, eval_every=every)
            recipe = members[0].recipe
            told = predict.predict(recipe, trained, x)
            scores[row].append(np.mean([scored(log, labels) for log in told], axis=0))
            if arm:
                continue
            dropped = []
            for member, one in zip(members, trained, strict=True):
                net = predict.Net(one.variables, one.loss_state, one.inputs)
                said = uncertainty.mc_dropout(
                    keys.key(SEED.value), net, x, recipe, dropout=member.hyper.dropout, passes=PASSES
                )
                dropped.append(scored(np.asarray(said.log_probabilities), labels))
            scores[ROWS[2]].append(np.mean(dropped, axis=0))
    return {name: np.stack(table) for name, table in scores.items()}
