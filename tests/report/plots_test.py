"""Plots of the report at the edges of what they may be given."""

from unittest import mock

import numpy as np
from absl.testing import absltest

from overfit.report import headline, plots
from overfit.study.material import Curve
from tests.report import made_up


class PlotsTest(absltest.TestCase):
    def test_plots_of_extremes(self):
        results = made_up.results()
        alone = plots.forest([results.squeezed], results.margin)
        self.assertIn('for 1 technique, from augmentation: shift, rotate +', alone)
        nothing = made_up.interval(0.0, 0.0)
        last = results.size_curve[-1]._replace(test_error=nothing)
        squeezed = results.squeezed._replace(test_error=nothing, labels_worth=None)
        results = results._replace(size_curve=(*results.size_curve[:-1], last), squeezed=squeezed)
        self.assertIn('the squeezed model reaches 0.0 % with 200', plots.size_curve(results))
        error = np.array([[50.0, 20.0, np.nan], [40.0, np.nan, np.nan]])
        drawing = plots.learning({'baseline': Curve(np.arange(3), error, error)}, 'baseline')
        self.assertIn('the validation error is 20.0 %', drawing)

    def test_what_cannot_be_told_from_the_best_is_marked(self):
        rows = headline.by_effect(made_up.results())
        self.assertEqual(plots.forest(rows, 0.9, marked=True).count('≈'), 3)
        self.assertEqual(plots.forest(rows, 0.9, marked=True, narrow=True).count('≈'), 3)
        self.assertNotIn('≈', plots.forest(rows, 0.9))

    def test_the_forest_holds_both_intervals_and_the_margin(self):
        wide = made_up.change(-2.0, 1.0, 0.05)._replace(low_single=-2.4, high_single=-1.6)
        row = made_up.arm('shift', made_up.interval(7.9, 0.4), wide, None, 'helps')
        with mock.patch.object(plots, 'svg', lambda figure, name, alt: figure):
            figure = plots.forest([row], 0.5)
        [ax] = figure.axes
        lines = {tuple(line.get_xdata()): line.get_linewidth() for line in ax.lines}
        self.assertGreater(lines[-3.0, -1.0], 3 * lines[-2.4, -1.6])
        [band] = ax.patches
        self.assertEqual(sorted(set(band.get_corners()[:, 0])), [-0.5, 0.5])

    def test_worth_beyond_the_cap_is_an_arrow(self):
        results = made_up.results()
        for factor, marker in ((3.6, 'o'), (4.0, '>')):
            worth = results.squeezed.labels_worth._replace(factor=factor)
            changed = results._replace(squeezed=results.squeezed._replace(labels_worth=worth))
            with mock.patch.object(plots, 'svg', lambda figure, name, alt: figure):
                [ax] = plots.size_curve(changed).axes
            ends = [line.get_marker() for line in ax.lines if list(line.get_xdata()) == [200 * factor]]
            self.assertEqual(ends, [marker])
        undecided = changed._replace(squeezed=changed.squeezed._replace(verdict='undecided'))
        with mock.patch.object(plots, 'svg', lambda figure, name, alt: figure):
            [ax] = plots.size_curve(undecided).axes
        self.assertNotIn([800.0], [list(line.get_xdata()) for line in ax.lines])

    def test_nothing_was_held_out(self):
        known, unknown = np.array([[50.0, 20.0]]), np.full((1, 2), np.nan)
        drawing = plots.learning({'refit': Curve(np.arange(2), known, unknown)}, 'refit')
        self.assertIn('the train error is 20.0 %; nothing was held out.', drawing)


if __name__ == '__main__':
    absltest.main()
