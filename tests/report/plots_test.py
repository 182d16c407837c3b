"""Plots of the report at the edges of what they may be given."""

import numpy as np
from absl.testing import absltest

from overfit.report import plots
from overfit.study.material import Curve
from tests.report import made_up


class PlotsTest(absltest.TestCase):
    def test_plots_of_extremes(self):
        results = made_up.results()
        alone = plots.forest([results.squeezed])
        self.assertIn('for 1 technique, from augmentation: shift, rotate +', alone)
        nothing = made_up.interval(0.0, 0.0)
        last = results.size_curve[-1]._replace(test_error=nothing)
        squeezed = results.squeezed._replace(test_error=nothing, labels_worth=None)
        results = results._replace(size_curve=(*results.size_curve[:-1], last), squeezed=squeezed)
        self.assertIn('the squeezed model reaches 0.0 % with 200', plots.size_curve(results))
        error = np.array([[50.0, 20.0, np.nan], [40.0, np.nan, np.nan]])
        drawing = plots.learning({'baseline': Curve(np.arange(3), error, error)}, 'baseline')
        self.assertIn('the validation error is 20.0 %', drawing)

    def test_nothing_was_held_out(self):
        known, unknown = np.array([[50.0, 20.0]]), np.full((1, 2), np.nan)
        drawing = plots.learning({'refit': Curve(np.arange(2), known, unknown)}, 'refit')
        self.assertIn('the train error is 20.0 %; nothing was held out.', drawing)


if __name__ == '__main__':
    absltest.main()
