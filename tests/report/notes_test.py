"""What is said below the table, against lines written by hand."""

import re

import numpy as np
from absl.testing import absltest, parameterized

from overfit.report import headline, notes, wording
from tests.report import made_up


class NotesTest(parameterized.TestCase):
    def test_references_the_best_first(self):
        self.assertEqual(
            notes.references(made_up.results())[1:],
            [
                '  HOG + SVM, 20 copies  3.7 ± 0.4  +0.5 [+0.1, +0.9]',
                '  logistic regression   9.8 ± 0.6  −5.6 [−6.3, −4.9]',
            ],
        )
        self.assertEqual(notes.references(made_up.partial()), [])

    def test_controls(self):
        results = made_up.results()
        spread = np.sqrt(np.mean(np.square(made_up.CONTROLS)))
        self.assertEqual(
            notes.controls(results),
            [f'controls: two tunings of the same baseline differ by ± {spread:.1f} points (3 controls)'],
        )
        self.assertEqual(notes.controls(results._replace(controls=())), [])

    def test_controls_that_got_a_verdict(self):
        results = made_up.results()
        chance = (made_up.control(1, 0.4), results.controls[1], made_up.control(3, -0.5))
        told, warning = notes.controls(results._replace(controls=chance))
        self.assertIn('± 0.4 points', told)  # the root of (0.16 + 0.04 + 0.25) / 3
        self.assertEqual(
            warning,
            'WARNING: mere chance got a verdict here (tuned baseline (SGD), tuned again (1): hurts (+0.4); '
            'tuned baseline (SGD), tuned again (3): helps (−0.5)), so trust the other verdicts less than '
            'they say',
        )

    @parameterized.parameters('no difference that matters', 'undecided')
    def test_controls_that_got_no_verdict(self, verdict):
        results = made_up.results()
        [told] = notes.controls(results._replace(controls=(results.controls[0]._replace(verdict=verdict),)))
        self.assertEndsWith(told, 'differ by ± 0.2 points (1 control)')

    def test_nets_that_diverged_are_told(self):
        results = made_up.results()
        self.assertNotIn('diverged', ' '.join(notes.remarks(results)))
        results = results._replace(
            baseline=results.baseline._replace(diverged=2, diverged_in_search=7),
            controls=(results.controls[0]._replace(diverged=1),),
        )
        [line] = [line for line in notes.remarks(results) if 'diverged' in line]
        self.assertIn('tuned baseline (SGD) 2, tuned baseline (SGD), tuned again (1) 1; ', line)
        self.assertIn('mistakes are in the error of the row', line)

    def test_the_best_model(self):
        results = made_up.results()._replace(best=made_up.best())
        self.assertIn(
            'best model: runs/digits/best · test error 2.5 % [1.6, 3.8] · 5 nets averaged',
            notes.remarks(results),
        )
        alone = made_up.best()._replace(members=1, path=None)
        self.assertIn('best model: test error 2.5 % [1.6, 3.8]', notes.remarks(results._replace(best=alone)))
        self.assertIn(
            'best model: runs/mine/best · test error 4.2 % [2.6, 6.4], estimated · trained on all '
            '300 labelled '
            'images · 3 nets averaged',
            notes.remarks(made_up.cross_fitted()),
        )

    def test_footnotes_say_what_the_columns_hold(self):
        results = made_up.results()._replace(plan=('8 settings an arm',))
        text = ' '.join(notes.footnotes(results))
        for words in (
            "hold for 35 techniques and 3 controls together, the squeezed model's and the "
            "references' each alone",
            "no difference that matters: it is within ± 0.9 points, a tenth of the baseline's error",
            'cannot be told from the best technique',
            '*: extrapolated',
            'four times in five: 1.2 points',
            'shrunk: ',
            'cost: ',
            '8 settings an arm',
        ):
            self.assertIn(words, text)
        self.assertIn('squeezed: its error is that of combinations chosen anew on every labelled set', text)
        self.assertNotIn('tested: ', text)
        self.assertIn(
            'trained on 240 of the 300 images and tested on others',
            ' '.join(notes.footnotes(made_up.cross_fitted())),
        )

    def test_intervals_of_one_labelled_set_do_not_speak_for_others(self):
        found = made_up.results()
        self.assertFalse(found.one_labelled_set)
        self.assertIn('for other labelled sets, tuning', notes.footnotes(found)[0])
        same = found._replace(data=found.data._replace(labelled=200))
        self.assertTrue(same.one_labelled_set)
        self.assertIn('for these 200 labelled images and other tuning', notes.footnotes(same)[0])
        self.assertIn('10 tunings', wording.header(same))
        self.assertIn('10 labelled sets', wording.header(found))
        self.assertFalse(made_up.cross_fitted().one_labelled_set)

    def test_a_model_of_some_labels_is_not_said_to_have_all(self):
        found = made_up.cross_fitted()
        self.assertIn('trained on all 300 labelled images', ' '.join(notes.remarks(found)))
        some = found._replace(data=found.data._replace(labelled=900))
        self.assertIn('trained on 300 of the 900 labelled images', ' '.join(notes.remarks(some)))
        self.assertIn('trained on 300 of the 900 labelled images', ' '.join(headline.sentences(some)))

    def test_footnotes_of_what_is_not_there_are_left_out(self):
        row = made_up.judged('L2', -0.2)
        row = row._replace(difference=row.difference._replace(shrunk=None))
        text = ' '.join(
            notes.footnotes(made_up.partial()._replace(arms=(row,), controls=(), detectable=None))
        )
        self.assertIn('hold for 1 technique together', text)
        for words in ('shrunk', '≈', 'extrapolated', 'four times', 'squeezed', 'alone', 'control'):
            self.assertNotRegex(text, re.escape(words))


if __name__ == '__main__':
    absltest.main()
