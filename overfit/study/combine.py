"""Combines techniques, on validation examples only."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.study import search, spaces, techniques

# Fields that cost a program next to nothing where they are 0: while combining they are always present,
# so that what is tried next seldom needs another compilation.
CHEAP = (
    'momentum',
    'cosine',
    'weight_decay',
    'l2',
    'dropout',
    'input_dropout',
    'label_smoothing',
    'max_norm',
)


class Effort(NamedTuple):
    """What a combination may cost.

    Attributes:
        tries: techniques to add or to leave out, one at a time.
        trials: settings of each.
    """

    tries: int
    trials: int


def combine(
    tuned: Sequence[search.Tuned],
    baseline: search.Tuned,
    recipe: base.Recipe,
    pool: base.Examples,
    labelled: np.ndarray,
    protocol: search.Protocol,
    effort: Effort,
    *,
    progress: Callable[[int, int], None] | None = None,
    said: Callable[[str], None] = lambda text: None,
) -> search.Tuned:
    """Combines techniques greedily, as long as the validation score falls.

    Starts from the best single technique or from the textbook's combination (`techniques.TEXTBOOK`),
    whichever scores better. Leaves out, one at a time, what is in it but did not help alone; then adds
    the others in the order of their own scores. What does not improve the score is undone.

    Args:
        tuned: arms of one technique each.
        baseline: the tuned baseline; returned where nothing beats it.
        recipe: what techniques are added to.
        pool: labelled examples.
        labelled: `[n]` indices.
        protocol: folds, steps and seed of every try.
        effort: how much to try.
        progress: see `population.train`.
        said: told of each decision, in words.

    Returns:
        The combination; its trials and steps are those of all tries together.
    """
    single = {
        t.arm.keys[0]: t for t in tuned if t.arm.members == 1 and not t.arm.refit and t.arm.restore_best
    }
    ranked = sorted(single, key=lambda key: single[key].score)

    def attempt(keys, settings):
        arm = search.arm_of(keys, recipe)
        steps = arm.stretch * protocol.steps
        settings = [hyper._replace(steps=steps) for hyper in settings]
        found = search.evaluate([arm], [settings], pool, labelled, protocol, beat=best, progress=progress)[0]
        spent.append(found)
        return found

    spent = []
    best = min([baseline, *single.values()], key=lambda t: t.score)
    textbook = [key for key in techniques.TEXTBOOK[pool.kind] if key in single]
    if len(textbook) > 1:
        settings = textbook_settings(textbook, recipe, protocol, 2 * effort.trials)
        found = attempt(textbook, settings)
        said(f'{best.arm.label}: validation error {percent(best)}, the best single technique')
        said(f'{found.arm.label}: {judged(found, best)}')
        best = found if beats(found, best) else best
    else:
        said(f'{best.arm.label}: validation error {percent(best)}')

    doubtful = [
        key for key in reversed(ranked) if key in best.arm.keys and single[key].score > baseline.score
    ]
    moves = [('without', key) for key in doubtful[: effort.tries // 2]] if len(best.arm.keys) > 1 else []
    moves += [('with', key) for key in ranked if ('without', key) not in moves]
    tries = effort.tries
    for move, key in moves:
        if tries == 0:
            break
        if move == 'with' and single[key].arm.groups & best.arm.groups:
            continue
        tries -= 1
        if move == 'with':
            found = attempt(
                (*best.arm.keys, key), joined(best.hyper, single[key], protocol.seed, effort.trials)
            )
        else:
            found = attempt(
                tuple(k for k in best.arm.keys if k != key),
                parted(best.hyper, single[key], baseline, protocol.seed, effort.trials),
            )
        better = beats(found, best)
        said(
            f'{move} {techniques.TECHNIQUES[key].label}: '
            f'{judged(found, best)}{"" if better else ", not taken"}'
        )
        best = found if better else best
    return best._replace(
        trials=best.trials if best not in spent else sum(t.trials for t in spent),
        member_steps=best.member_steps if best not in spent else sum(t.member_steps for t in spent),
    )


def beats(found: search.Tuned, best: search.Tuned) -> bool:
    """Whether a try ran on all folds, and is better on them."""
    return len(found.fold_scores) == len(best.fold_scores) and found.score < best.score


def judged(found: search.Tuned, best: search.Tuned) -> str:
    """What became of a try, in words."""
    folds = len(found.fold_scores)
    if folds < len(best.fold_scores):
        return f'behind after {folds} folds'
    return f'validation error {percent(best)} → {percent(found)}'


def percent(tuned: search.Tuned) -> str:
    """The validation error, as text."""
    return f'{100 * tuned.error:.1f} %'


def textbook_settings(
    keys: Sequence[str], recipe: base.Recipe, protocol: search.Protocol, count: int
) -> list[base.Hyper]:
    """The middle of every range first, then quasi-random settings in them."""
    space = dict(search.arm_of(keys, recipe).space)
    space |= {f: techniques.TEXTBOOK_SPACE[f] for f in space if f in techniques.TEXTBOOK_SPACE}
    fixed = dict.fromkeys(CHEAP, 0.0)
    middle = {f: float(r.at(0.5)) if isinstance(r, spaces.Range) else r for f, r in space.items()}
    drawn = spaces.trials(space, count - 1, seed=protocol.seed)
    return [base.Hyper(**fixed | values) for values in [middle, *drawn]]


def joined(incumbent: base.Hyper, candidate: search.Tuned, seed: int, count: int) -> list[base.Hyper]:
    """Settings that join a combination and a candidate: either's learning rate, then some around them."""
    own = {f: v for f, v in candidate.hyper._asdict().items() if f in candidate.arm.space}
    absent = {f: 0.0 for f in CHEAP if getattr(incumbent, f) is None}
    both = incumbent._replace(**absent)._replace(**{f: v for f, v in own.items() if f != 'learning_rate'})
    space = _near(incumbent) | {f: r for f, r in candidate.arm.space.items() if f != 'learning_rate'}
    drawn = [both._replace(**values) for values in spaces.trials(space, max(1, count), seed=seed)]
    if 'optimizer' in candidate.arm.groups:
        return [both._replace(learning_rate=own['learning_rate']), both, *drawn][:count]
    return [both, *drawn][:count]


def parted(
    incumbent: base.Hyper, candidate: search.Tuned, baseline: search.Tuned, seed: int, count: int
) -> list[base.Hyper]:
    """Settings of a combination without one of its techniques: the same numbers, then others around them."""
    fields = [f for f in candidate.arm.space if f != 'learning_rate']
    rest = incumbent._replace(**dict.fromkeys(fields, 0.0))
    if 'optimizer' in candidate.arm.groups:
        rest = rest._replace(learning_rate=baseline.hyper.learning_rate)
    drawn = spaces.trials(_near(rest), max(1, count - 1), seed=seed)
    return [rest, *[rest._replace(**values) for values in drawn]][:count]


def _near(incumbent):
    rate = incumbent.learning_rate
    return {'learning_rate': spaces.Range(rate / 3, rate * 3, 'log')}
