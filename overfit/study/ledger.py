"""Turns measurements into the rows of the ledger."""

from typing import NamedTuple

import numpy as np

from overfit import base
from overfit.nn import models
from overfit.study import measure, search, size_curve, stats
from overfit.train import checkpoint


def present(hyper: base.Hyper) -> dict[str, float]:
    """The fields of a hyper that are given."""
    return {f: float(v) for f, v in hyper._asdict().items() if v is not None}


class Ledger(NamedTuple):
    """Turns measurements into rows.

    Attributes:
        curve: the baseline's `[R, N]` wrong answers at each number of labelled examples.
        train_size: the size at which arms are compared.
        baseline: `[R, N]` wrong answers of the baseline there.
        shape: of one input.
    """

    curve: dict[int, np.ndarray]
    train_size: int
    baseline: np.ndarray
    shape: tuple[int, ...]

    def rows(self, tuned, measured) -> list[dict]:
        """Rows of arms that are compared with each other: p-values are corrected over them (Holm)."""
        rows = [self.row(t, m) for t, m in zip(tuned, measured, strict=True)]
        adjusted = stats.holm([row['difference']['p'] for row in rows])
        for row, p in zip(rows, adjusted, strict=True):
            self._judge(row, float(p))
        return rows

    def plain(self, tuned: search.Tuned, measured: measure.Measured) -> dict:
        """The baseline's row: what was trained and how it did, compared with nothing."""
        return {
            'technique': tuned.arm.label,
            'recipe': describe(tuned.arm.recipe, self.shape),
            'hyper': present(tuned.hyper),
            'trials': tuned.trials,
            'member_steps': tuned.member_steps + measured.member_steps,
            'frozen': measured.frozen,
            'frozen_in_search': tuned.frozen,
            'test_error': stats.interval(measured.wrong)._asdict(),
        }

    def row(self, tuned: search.Tuned, measured: measure.Measured) -> dict:
        """A row compared with the baseline; its p-value stands alone."""
        row = self.plain(tuned, measured)
        sizes = sorted(self.curve)
        row['difference'] = stats.paired_difference(measured.wrong, self.baseline)._asdict()
        worth = size_curve.LabelsWorth(None, None, None, False)  # a curve of one point tells nothing
        if len(sizes) > 1:
            curve = np.stack([self.curve[s] for s in sizes])
            worth = size_curve.labels_worth(curve, sizes, self.train_size, measured.wrong)
            if (measured.wrong == self.baseline).all():
                # No difference seen is no certainty that there is none.
                worth = worth._replace(low=1 / size_curve.LARGEST_WORTH, high=size_curve.LARGEST_WORTH)
        row['labels_worth'] = worth._asdict()
        return self._judge(row, row['difference']['p'])

    @staticmethod
    def _judge(row, p_adjusted):
        difference = {f: v for f, v in row['difference'].items() if f != 'p_adjusted'}
        row['difference']['p_adjusted'] = p_adjusted
        row['verdict'] = stats.verdict(stats.Difference(**difference), p_adjusted)
        return row


def describe(recipe: base.Recipe, shape: tuple[int, ...]) -> str:
    """A recipe for inputs of a shape, in one line."""
    model = recipe.model
    channels = ()
    if isinstance(model, models.CNN):
        channels = model.channels or models.channels_for(*shape[:2])
    layers = [*(f'conv {c}' for c in channels), *map(str, model.widths)]
    functions = [recipe.loss, recipe.optimizer, recipe.initializer, *recipe.augment]
    names = [getattr(f, '__name__', None) or f.apply.__name__ for f in functions]
    names = [name.strip('_').removesuffix('_apply') for name in names]
    norm = ', batch norm' if model.batch_norm else ''
    return (
        f'{type(model).__name__} {"-".join(layers)} {checkpoint.activation_name(model.activation)}{norm}; '
        f'{", ".join(names)}; batch {recipe.batch_size}'
    )
