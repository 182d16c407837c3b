"""Grows a net until more of it no longer lowers the held-out error, and says how small it may be.

Units are doubled, then layers are added. Every size is tuned anew and judged by cross-fitting the labelled
examples alone: no test set is seen.

    grown = grow(examples, lambda widths: MLP(10, widths))
    grown.chosen.widths
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import chex
import flax.linen as nn
import numpy as np

from overfit import base
from overfit.data import splits
from overfit.study import baselines, measure, procedures, search, simultaneous, stats
from overfit.study.arms import Arm, Technique, arm_of
from overfit.study.course import Course
from overfit.study.labelled_sets import LabelledSet, usual_size
from overfit.study.protocol import Protocol, fold_count, seed_of
from overfit.train import check
from overfit.train.engine import layout

EVALUATIONS = 20  # of a net


class Rung(NamedTuple):
    """A size that was tried.

    Attributes:
        widths: hidden units of each layer.
        weights: trained weights.
        error: held-out error, percent, with its 95 % interval.
        change: its error minus that of the last size that surely improved; `None` for the first.
    """

    widths: tuple[int, ...]
    weights: int
    error: stats.Interval
    change: stats.Difference | None


class Grown(NamedTuple):
    """What growing found.

    Attributes:
        rungs: sizes, in the order in which they were tried.
        smallest: place among them of the one with the fewest weights that is not surely worse than the best.
        mistakes: `[A, J, N]` of every size, see `measure.mistakes`.
    """

    rungs: tuple[Rung, ...]
    smallest: int
    mistakes: np.ndarray

    @property
    def chosen(self) -> Rung:
        """The smallest size that is not worse."""
        return self.rungs[self.smallest]


class Effort(NamedTuple):
    """How far and how carefully a net is grown.

    Attributes:
        units: of the first net's only layer.
        most_units: widest layer that is tried.
        most_layers: deepest net that is tried.
        patience: sizes in a row that do not surely improve, after which a direction ends.
        repeats: how often all examples are cross-fitted, in 5 folds.
        trials: settings that a size tries on each fold.
        folds: on which a setting is validated, at most `1 / validation`.
        validation: fraction of what a fold leaves that is held out to choose the setting, 0.1 to 0.3.
        steps: training steps of a net.
    """

    units: int = 2
    most_units: int = 512
    most_layers: int = 4
    patience: int = 2
    repeats: int = 2
    trials: int = 4
    folds: int = 2
    validation: float = 0.2
    steps: int = 600


EFFORT = Effort()


def change(larger: np.ndarray, smaller: np.ndarray, columns: np.ndarray | None = None) -> stats.Difference:
    """Error of a larger net minus that of a smaller one, paired by labelled set and example.

    Args:
        larger: `[J, N]` mistakes, shares; NaN: not tested.
        smaller: `[J, N]`, likewise, on the same labelled sets and examples.
        columns: `[N]`, the group of each example; `None`: each stands for itself.

    Returns:
        Percentage points with their 95 % error bar; `high < 0`: it surely improves.

    Raises:
        ValueError: see `variances.crossed`, and shares outside of 0..1.
    """
    [found] = simultaneous.compare(larger[None], smaller, columns)
    return found


def smallest(mistakes: np.ndarray, weights: Sequence[int], columns: np.ndarray | None = None) -> int:
    """The smallest net that is not worse: of those not surely worse than the best, the fewest weights.

    Surely worse: the paired interval of the difference from the size of the lowest error, the same that
    `change` gives, lies above 0. Few labelled sets tell few sizes apart: a small net is then chosen sooner.

    Args:
        mistakes: `[A, J, N]` of every size, shares; NaN: not tested.
        weights: `[A]`, of each size.
        columns: `[N]`, the group of each example; `None`: each stands for itself.

    Returns:
        Its place among the sizes.

    Raises:
        ValueError: see `variances.crossed`, and shares outside of 0..1.

    Reference: Breiman et al., "Classification and regression trees", 1984, section 3.4.3 (the rule of one
    standard error), with the paired interval in place of one standard error.
    """
    chex.assert_rank(mistakes, 3)
    chex.assert_axis_dimension(mistakes, 0, len(weights))
    best = int(np.nanmean(mistakes, axis=(1, 2)).argmin())
    fit = [n for n, one in enumerate(mistakes) if n == best or change(one, mistakes[best], columns).low <= 0]
    return min(fit, key=lambda place: (weights[place], place))


def climb(
    rungs: Sequence[tuple[int, ...]],
    mistakes_of: Callable[[tuple[int, ...]], np.ndarray],
    *,
    patience: int = 2,
    columns: np.ndarray | None = None,
) -> list[tuple[tuple[int, ...], np.ndarray, stats.Difference | None]]:
    """Goes up a ladder of sizes until the error no longer falls by more than its error bar.

    A size is compared with the last one that surely improved, so that many small gains add up.

    Args:
        rungs: widths of each size, the smallest first.
        mistakes_of: `[J, N]` mistakes of a size, on the same labelled sets for all.
        patience: sizes in a row without a sure improvement after which it ends, 1 or more.
        columns: `[N]`, the group of each example; `None`: each stands for itself.

    Returns:
        The sizes tried, each with its mistakes and its change.
    """
    tried, mark, waited = [], None, 0
    for widths in rungs:
        mistakes = mistakes_of(widths)
        found = None if mark is None else change(mistakes, mark, columns)
        tried.append((widths, mistakes, found))
        if found is None or found.high < 0:
            mark, waited = mistakes, 0
            continue
        waited += 1
        if waited >= patience:
            break
    return tried


def grow(
    examples: base.Examples,
    model: Callable[[tuple[int, ...]], nn.Module],
    *,
    techniques: Sequence[Technique] = (),
    effort: Effort = EFFORT,
    seed: int = 0,
    tell: Callable[[str], None] = lambda line: None,
) -> Grown:
    """Grows a net on labelled examples.

    Args:
        examples: labelled; four fifths of them train a net at a time, the rest judges it.
        model: makes the net of the hidden units of its layers, as `lambda widths: MLP(10, widths)`.
        techniques: that every size has, as a regulariser.
        effort: how far and how carefully.
        seed: of everything.
        tell: called with a line for every size.

    Returns:
        All sizes tried, and the smallest that is not worse.

    Raises:
        ValueError: classes with too few examples for the folds; sizes or an effort that make no sense; a net
            that cannot be trained on these examples.
    """
    _check_effort(effort)
    folds = splits.outer_folds(
        examples.y, splits.OUTER_FOLDS, effort.repeats, seed=seed, groups=examples.groups
    )
    sets = [LabelledSet(train, held, seed_of(seed, 'grow', n)) for n, (train, held) in enumerate(folds)]
    course = Course(examples, sets, _protocol(effort, sets, len(examples.classes)), examples.x)
    judge = splits.Holdout(examples.x, examples.y, examples.groups)
    known, columns = {}, judge.groups

    def arm(widths: tuple[int, ...]) -> Arm:
        return arm_of(techniques, baselines.baseline(model(widths), examples.kind))

    def mistakes_of(widths: tuple[int, ...]) -> np.ndarray:
        one = arm(widths)
        check.recipes([(one.recipe, one.space)], examples, known=known)
        [tuned] = search.search(course, [one], range(len(sets)))
        mistakes = measure.mistakes(procedures.outcomes(course, tuned), sets, judge)
        tell(f'{_named(widths)}: held-out error {stats.interval(mistakes, columns).mean:.1f} %')
        return mistakes

    def weights(widths: tuple[int, ...]) -> int:
        one = arm(widths).recipe
        return layout.weights_of(one.model, layout.example_of(one, examples))

    def best(tried):
        stacked = np.stack([mistakes for _, mistakes, _ in tried])
        return smallest(stacked, [weights(widths) for widths, _, _ in tried], columns)

    options = {'patience': effort.patience, 'columns': columns}
    tried = climb(_wider(effort), mistakes_of, **options)
    [units], mistakes, _ = tried[best(tried)]
    seen = {(units,): mistakes}
    deeper = [(units,) * layers for layers in range(1, effort.most_layers + 1)]
    tried += climb(deeper, lambda widths: seen[widths] if widths in seen else mistakes_of(widths), **options)[
        1:
    ]
    rungs = [
        Rung(widths, weights(widths), stats.interval(mistakes, columns), found)
        for widths, mistakes, found in tried
    ]
    return Grown(tuple(rungs), best(tried), np.stack([mistakes for _, mistakes, _ in tried]))


def describe(grown: Grown) -> str:
    """The sizes as a table, with the choice."""
    lines = [f'{"hidden units":>16}  {"weights":>9}  held-out error %      change']
    for rung in grown.rungs:
        error = f'{rung.error.mean:5.1f} [{rung.error.low:4.1f}, {rung.error.high:4.1f}]'
        more = ''
        if rung.change is not None:
            more = f'{rung.change.mean:+5.1f} [{rung.change.low:+5.1f}, {rung.change.high:+5.1f}]'
        mark = '  <- the smallest that is not worse' if rung == grown.chosen else ''
        lines.append(f'{_named(rung.widths):>16}  {rung.weights:>9,}  {error:18}  {more}{mark}'.rstrip())
    return '\n'.join(lines)


def _named(widths):
    return '-'.join(map(str, widths))


def _wider(effort):
    """One layer, its units doubled up to the most."""
    doublings = int(np.log2(effort.most_units / effort.units))
    return [(effort.units * 2**n,) for n in range(doublings + 1)]


def _check_effort(effort):
    for field in ('units', 'most_units', 'most_layers', 'patience', 'repeats', 'trials', 'folds', 'steps'):
        value = getattr(effort, field)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f'{field}={value!r} is no effort: give a whole number of 1 or more')
    if effort.most_units < effort.units:
        raise ValueError(
            f'most_units={effort.most_units} is below the units={effort.units} to begin with: give more'
        )
    if not 0.1 <= effort.validation <= 0.3:
        raise ValueError(f'validation={effort.validation} is out of range: give a fraction from 0.1 to 0.3')


def _protocol(effort, sets, classes):
    largest, folds = max(len(one.labelled) for one in sets), fold_count(effort.validation)
    every = max(1, effort.steps // EVALUATIONS)
    return Protocol(
        train_size=usual_size(sets),
        validation=effort.validation,
        folds=min(effort.folds, folds),
        trials=effort.trials,
        steps=every * max(1, round(effort.steps / every)),
        eval_every=every,
        capacity=(largest, -(-largest // folds) + classes),
    )
