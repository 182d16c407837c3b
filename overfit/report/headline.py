"""The results in a few sentences: what helps, how sure that is, and what the best model is good for."""

from overfit.report import spelling
from overfit.report.spelling import CROSS_FITTED, HELPS, HURTS, SAME, UNDECIDED
from overfit.study.results import Reference, Results, Row

NEAR_BEST = '≈'  # marks rows that cannot be told from the best one
NAMED = 3  # techniques that a sentence names, the others are counted
FEW = 3  # mistakes of the baseline on the test set, fewer than which leave nothing to be found
HOPELESS = 0.5  # of the baseline's error: where only larger differences are found, small effects are not


def by_effect(results: Results) -> list[Row]:
    """Lists the arms, the most helpful first."""
    return sorted(results.arms, key=lambda arm: arm.difference.mean)


def decimals(results: Results) -> int:
    """Returns how many decimals a percentage of these results gets."""
    return 1 if results.baseline.test_error.mean >= 2 else 2


def several_near_best(results: Results) -> bool:
    """Says whether there are arms that cannot be told from the best one, itself aside."""
    return sum(arm.near_best for arm in results.arms) > 1


def best_reference(results: Results) -> Reference | None:
    """Returns the reference of the lowest test error; `None` where none was measured."""
    return min(results.references or (), key=lambda one: one.test_error.mean, default=None)


def sentences(results: Results) -> list[str]:
    """Says what helps and what hurts, what labels it is worth, and how the squeezed and the best model do.

    No figure here is extrapolated.

    Args:
        results: whole or partial.

    Returns:
        Plain sentences: of the techniques, then of the squeezed and of the best model where there are any.
    """
    found = [_tally(results), _enough(results), _hopeless(results)]
    if results.squeezed:
        found += [_squeezed(results), _against_references(results)]
    return [sentence for sentence in (*found, _best(results)) if sentence]


def _labelled(results):
    """The labelled examples of an arm, in words."""
    data = results.data
    of_all = f' of {data.test:,}' if results.test_mode == CROSS_FITTED and data.train < data.test else ''
    return f'{data.train:,}{of_all} labelled {data.noun}'


def _tally(results):
    arms, digits = by_effect(results), decimals(results)
    by_verdict = {
        word: [arm for arm in arms if arm.verdict == word] for word in (HELPS, HURTS, SAME, UNDECIDED)
    }
    helps, hurts = by_verdict[HELPS], by_verdict[HURTS][::-1]

    def named(arm, unit=''):
        return f'“{arm.technique}” ({spelling.signed(arm.difference.mean, digits)}{unit})'

    if helps:
        count = spelling.counted(len(arms), 'technique')
        text = f'{len(helps)} of {count} help{"s" * (len(helps) == 1)}'
        text += ', above all ' if len(helps) > 1 else ': '
        text += named(helps[0], ' points of test error') + _not_told_apart(arms)
    elif len(arms) > 1:
        text = f'none of {len(arms)} techniques is shown to help'
    else:
        text = 'the one technique compared is not shown to help' if arms else 'no technique was compared'
    if hurts:
        worst = 'most of all ' * (len(hurts) > 1) + named(hurts[0], ' points' * (not helps))
        text += f'; {len(hurts)} hurt{"s" * (len(hurts) == 1)}, {worst}'
    same, undecided = len(by_verdict[SAME]), len(by_verdict[UNDECIDED])
    if same:
        text += f'; {same} make{"s" * (same == 1)} no difference that matters'
    if undecided:
        text += f'; {undecided} {"are" if undecided > 1 else "is"} undecided'
    return f'On {results.data.name} with {_labelled(results)}, {text}.'


def _not_told_apart(arms):
    """Which other arms may be as good as the first."""
    others = [f'“{arm.technique}”' for arm in arms[1:] if arm.near_best]
    if not others:
        return ''
    more = len(others) - NAMED
    if more > 1:
        others = [*others[:NAMED], f'{more} others']
    return f', which cannot be told from {spelling.listed(others)}'


def _enough(results):
    """How few labels do with the technique that helps most."""
    arms, size = by_effect(results), results.data.train
    if not arms or arms[0].verdict != HELPS or arms[0].labels_worth is None:
        return ''
    enough = arms[0].labels_worth.enough
    if enough is None or enough >= size:
        return ''
    return f'With “{arms[0].technique}”, {enough:,} of the {size:,} labels do what all of them do without it.'


def _hopeless(results):
    """Where only large effects can be found, or none is left: that, and what would help."""
    error, found, data = results.baseline.test_error.mean, results.detectable, results.data
    digits = decimals(results)
    if error / 100 * data.test < FEW:
        return (
            f'The tuned baseline makes hardly a mistake, {error:.{digits}f} % of {data.test:,} {data.noun}: '
            'next to nothing is left to find.'
        )
    if found is None or found <= HOPELESS * error:
        return ''
    fewer = 'Name fewer techniques or give' if len(results.arms) > 1 else 'Give'
    kind = 'labelled' if results.test_mode == CROSS_FITTED else 'test'
    return (
        f'{spelling.counted(len(results.arms), "comparison")} need{"s" * (len(results.arms) == 1)} more than '
        f'{spelling.counted(results.labelled_sets, "labelled set")} and {data.test:,} {kind} {data.noun}: '
        f'only differences of {found:.{digits}f} points and more are found four times in five, and the '
        f'baseline errs on {error:.{digits}f} %. {fewer} more minutes.'
    )


def _squeezed(results):
    squeezed, digits = results.squeezed, decimals(results)
    change, worth = squeezed.difference, squeezed.labels_worth
    before, after = (f'{row.test_error.mean:.{digits}f} %' for row in (results.baseline, squeezed))
    interval = _interval(change, digits)
    if squeezed.verdict not in (HELPS, HURTS):
        reaches = f'The squeezed model reaches {after} test error against {before} of the tuned baseline'
        if squeezed.verdict == SAME:
            return f'{reaches}, no difference that matters ({interval}).'
        return f'{reaches}, which decides nothing ({interval}).'
    verb = 'lowers' if squeezed.verdict == HELPS else 'raises'
    sentence = (
        f'The squeezed model {verb} the test error of the tuned baseline from {before} '
        f'to {after} ({interval})'
    )
    if verb == 'lowers' and worth and worth.factor and worth.factor > 1 and not worth.extrapolated:
        sentence += f', as {spelling.rounded(worth.factor)} times as many labels would'
    return sentence + '.'


def _interval(change, digits):
    mean, low, high = (spelling.signed(value, digits) for value in (change.mean, change.low, change.high))
    return f'{mean} points, 95 % interval {low} to {high}'


def _against_references(results):
    """How the squeezed model does against the best of the other libraries' models."""
    best, digits = best_reference(results), decimals(results)
    if best is None:
        return ''
    change = best.difference
    name = f'{best.name}, the best of {len(results.references)} references,'
    error = f'{best.test_error.mean:.{digits}f} %'
    away = f'{abs(change.mean):.{digits}f} points'
    low, high = sorted((abs(change.low), abs(change.high)))
    interval = f'95 % interval {low:.{digits}f} to {high:.{digits}f}'
    if len(results.references) == 1:
        name = f'{best.name}, the reference,'
    if change.high < 0:
        return f'{name} errs on {error}: the squeezed model is better by {away} ({interval}).'
    if change.low > 0:
        return f'{name} errs on {error} and is better than the squeezed model by {away} ({interval}).'
    return f'{name} errs on {error}; the squeezed model cannot be told from it ({_interval(change, digits)}).'


def _best(results):
    best, data, digits = results.best, results.data, decimals(results)
    if best is None:
        return ''
    error = f'{best.test_error:.{digits}f} %'
    interval = f'95 % interval {best.low:.{digits}f} to {best.high:.{digits}f} %'
    if best.wrong is not None:
        return (
            f'The best model, ready to use, gets {error} of the {data.test:,} test {data.noun} wrong '
            f'({interval}).'
        )
    return (
        f'The best model, ready to use, was trained on {spelling.of_all(best.train, data)}; its error is '
        f'estimated by that of squeezed models trained on {data.train:,} of them, {error} ({interval}), '
        'which is slightly cautious.'
    )
