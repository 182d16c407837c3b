"""Combines techniques, on validation examples only."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.study import baselines, search, spaces
from overfit.study.arms import Baseline, Technique, arm_of
from overfit.study.protocol import Protocol
from overfit.train import check

# Numbers that cost a program next to nothing where they are 0: while combining they are always present,
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


class Move(NamedTuple):
    """A technique to be added to the combination, or to be left out of it.

    Attributes:
        single: the technique's own arm, tuned.
        add: or leave it out.
    """

    single: search.Tuned
    add: bool

    @property
    def technique(self) -> Technique:
        """What is added or left out."""
        return self.single.arm.techniques[0]


def combine(
    tuned: Sequence[search.Tuned],
    baseline: Baseline,
    textbook: Sequence[Technique],
    pool: base.Examples,
    labelled: np.ndarray,
    protocol: Protocol,
    effort: Effort,
    *,
    progress: Callable[[int, int], None] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> search.Tuned:
    """Combines techniques greedily, as long as the validation score falls.

    Starts from the best single technique or from the textbook's combination, whichever scores better. Leaves
    out, one at a time, what is in it but did not help alone; then adds the others in the order of their own
    scores. What does not improve the score is undone.

    Args:
        tuned: the tuned baseline, then arms of one technique each; the baseline where nothing beats it.
        baseline: what techniques are added to.
        textbook: techniques that a textbook would combine; those that were not tuned are left out.
        pool: labelled examples.
        labelled: `[n]` indices.
        protocol: folds, steps and seed of every try.
        effort: how much to try.
        progress: see `population.train`.
        tell: called with each decision, in words.

    Returns:
        The combination; its trials and steps are those of all tries together.
    """
    plain, *singles = tuned
    singles = sorted((t for t in singles if t.arm.techniques[0].judged_by_validation), key=lambda t: t.score)
    known = [t.arm.techniques[0] for t in singles]
    spent = []

    def attempt(techniques, settings, beat):
        arm = arm_of(techniques, baseline)
        settings = [hyper.with_numbers(steps=float(arm.stretch * protocol.steps)) for hyper in settings]
        [found] = search.evaluate([arm], [settings], pool, labelled, protocol, beat=beat, progress=progress)
        spent.append(found)
        return found

    best = min([plain, *singles], key=lambda t: t.score)
    combined = False
    textbook = [technique for technique in textbook if technique in known]
    if len(textbook) > 1 and go_together(textbook, baseline, pool):
        settings = textbook_settings(textbook, baseline, protocol, 2 * effort.trials)
        found = attempt(textbook, settings, best)
        tell(f'{best.arm.label}: validation error {percent(best)}, the best single technique')
        tell(f'{found.arm.label}: {outcome(found, best)}')
        if beats(found, best):
            best, combined = found, True
    else:
        tell(f'{best.arm.label}: validation error {percent(best)}')
    tries = effort.tries
    for move in moves(singles, plain, best, effort):
        if tries == 0:
            break
        if move.add and best.arm.excludes(move.technique):
            continue
        if move.add:
            techniques = (*best.arm.techniques, move.technique)
            settings = settings_with(best.hyper, move.single, protocol.seed, effort.trials)
        else:
            techniques = tuple(t for t in best.arm.techniques if t != move.technique)
            settings = settings_without(best.hyper, move.single, plain, protocol.seed, effort.trials)
        if not go_together(techniques, baseline, pool):
            continue
        tries -= 1
        found = attempt(techniques, settings, best)
        better = beats(found, best)
        tell(
            f'{"with" if move.add else "without"} {move.technique.label}: '
            f'{outcome(found, best)}{"" if better else ", not taken"}'
        )
        if better:
            best, combined = found, True
    if not combined:
        return best
    return best._replace(trials=sum(t.trials for t in spent), member_steps=sum(t.member_steps for t in spent))


def undone(technique: Technique, techniques: Sequence[Technique], baseline: Baseline) -> bool:
    """Whether nothing is left of a technique's change, as another one filled the same slot after it.

    Two losses are an example: one of them would only stand in the combination's name.

    Args:
        technique: one of the next.
        techniques: of a combination.
        baseline: what they are added to.
    """
    others = arm_of([t for t in techniques if t != technique], baseline).recipe
    return arm_of(techniques, baseline).recipe == others != technique.change(others)


def go_together(techniques: Sequence[Technique], baseline: Baseline, pool: base.Examples) -> bool:
    """Whether every technique applies to the baseline with all the others, and the whole can train.

    A technique of two layers more says nothing of a stranger's model, label smoothing nothing of a loss that
    does not know it: their names would stand in the combination's row for nothing.

    Args:
        techniques: of a combination.
        baseline: what they are added to.
        pool: labelled examples.
    """
    try:
        for technique in techniques:
            others = arm_of([t for t in techniques if t != technique], baseline)
            if not technique.applies(others.recipe, pool.kind) or undone(technique, techniques, baseline):
                return False
        together = arm_of(techniques, baseline)
        check.recipes([(together.recipe, together.space)], pool)
    except ValueError:
        return False
    return True


def moves(
    singles: Sequence[search.Tuned], plain: search.Tuned, best: search.Tuned, effort: Effort
) -> list[Move]:
    """What to try, in order: leave out what did not help alone, the least helpful first; then add the rest.

    Args:
        singles: tuned arms of one technique each, the best first.
        plain: the tuned baseline.
        best: what the combination starts from.
        effort: at most half of its tries leave something out.
    """
    inside = best.arm.techniques
    doubtful = [t for t in reversed(singles) if t.arm.techniques[0] in inside and t.score > plain.score]
    without = [Move(t, False) for t in doubtful[: effort.tries // 2]] if len(inside) > 1 else []
    return without + [Move(t, True) for t in singles if Move(t, False) not in without]


def beats(found: search.Tuned, best: search.Tuned) -> bool:
    """Whether a try ran on all folds, and is better on them."""
    return len(found.fold_scores) == len(best.fold_scores) and found.score < best.score


def outcome(found: search.Tuned, best: search.Tuned) -> str:
    """What became of a try, in words."""
    folds = len(found.fold_scores)
    if folds < len(best.fold_scores):
        return f'behind after {folds} folds'
    return f'validation error {percent(best)} → {percent(found)}'


def percent(tuned: search.Tuned) -> str:
    """The validation error, as text."""
    return f'{100 * tuned.error:.1f} %'


def textbook_settings(
    techniques: Sequence[Technique], baseline: Baseline, protocol: Protocol, count: int
) -> list[base.Hyper]:
    """The middle of every range first, then quasi-random settings in them."""
    space = dict(arm_of(techniques, baseline).space)
    space |= {name: baselines.TEXTBOOK_SPACE[name] for name in space if name in baselines.TEXTBOOK_SPACE}
    fixed = dict.fromkeys(CHEAP, 0.0)
    middle = {name: float(r.at(0.5)) if isinstance(r, spaces.Range) else r for name, r in space.items()}
    drawn = spaces.trials(space, count - 1, seed=protocol.seed)
    return [base.Hyper.of(**fixed | values) for values in [middle, *drawn]]


def settings_with(incumbent: base.Hyper, candidate: search.Tuned, seed: int, count: int) -> list[base.Hyper]:
    """Settings that join a combination and a candidate.

    The candidate's own numbers at the combination's learning rate first (or at its own rate, where its rates
    have another size), then settings around them.
    """
    own = {name: v for name, v in candidate.hyper.numbers().items() if name in candidate.arm.space}
    present = incumbent.numbers()
    absent = {name: 0.0 for name in CHEAP if name not in present}
    both = incumbent.with_numbers(
        **absent | {name: value for name, value in own.items() if name != 'learning_rate'}
    )
    ranges = {name: r for name, r in candidate.arm.space.items() if name != 'learning_rate'}
    drawn = spaces.trials(_near(incumbent) | ranges, max(1, count), seed=seed)
    drawn = [both.with_numbers(**values) for values in drawn]
    if candidate.arm.techniques[0].own_rate and 'learning_rate' in own:
        return [both.with_numbers(learning_rate=own['learning_rate']), both, *drawn][:count]
    return [both, *drawn][:count]


def settings_without(
    incumbent: base.Hyper, candidate: search.Tuned, plain: search.Tuned, seed: int, count: int
) -> list[base.Hyper]:
    """Settings of a combination without one of its techniques: the same numbers, then others around them."""
    names = [name for name in candidate.arm.space if name != 'learning_rate']
    rest = incumbent.with_numbers(**dict.fromkeys(names, 0.0))
    if candidate.arm.techniques[0].own_rate:
        rest = rest.with_numbers(learning_rate=plain.hyper.learning_rate)
    drawn = spaces.trials(_near(rest), max(1, count - 1), seed=seed)
    return [rest, *[rest.with_numbers(**values) for values in drawn]][:count]


def _near(incumbent):
    rate = incumbent.learning_rate
    if not rate:  # a stranger's optimizer may have none
        return {}
    return {'learning_rate': spaces.Range(rate / 3, rate * 3, 'log')}
