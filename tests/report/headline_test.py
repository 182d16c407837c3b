"""The results in a few sentences, against sentences written by hand."""

from absl.testing import absltest, parameterized

from overfit.report import headline, spelling, wording
from overfit.study import stats
from overfit.study.results import LabelsWorth, Reference
from tests.report import made_up


def said(results):
    return wording.headline(results)


class HeadlineTest(parameterized.TestCase):
    def test_the_words_are_those_of_the_statistics(self):
        words = (spelling.HELPS, spelling.HURTS, spelling.SAME, spelling.UNDECIDED)
        self.assertEqual(words, stats.VERDICTS)

    def test_gain(self):
        self.assertEqual(
            said(made_up.results()._replace(best=made_up.best())),
            'On digits with 200 labelled images, 13 of 35 techniques help, above all “augmentation: shift, '
            'rotate” (−3.8 points of test error), which cannot be told from “convolutional network” and '
            '“augmentation: shift”; 8 hurt, most of all “initial weights of a fixed size, 0.1” '
            '(+12.5); 9 make '
            'no difference that matters; 5 are undecided. With “augmentation: shift, rotate”, 130 of the 200 '
            'labels do what all of them do without it. The squeezed model lowers the test error of the tuned '
            'baseline from 8.9 % to 4.2 % (−4.7 points, 95 % interval −5.2 to −4.2). HOG + SVM, 20 '
            'copies, the '
            'best of 2 references, errs on 3.7 % and is better than the squeezed model by 0.5 points (95 % '
            'interval 0.1 to 0.9). The best model, ready to use, gets 2.5 % of the 797 test images '
            'wrong (95 % '
            'interval 1.6 to 3.8 %).',
        )

    def test_little_is_known(self):
        results = made_up.results()
        results = results._replace(
            arms=(
                made_up.judged('L1', 0.1),
                made_up.judged('tanh', 0.9),
                made_up.judged('warm-up', 0.2),
            ),
            squeezed=results.squeezed._replace(
                verdict='undecided',
                test_error=made_up.interval(8.8, 0.5),
                difference=made_up.alone(-0.1, 1.2, 0.9),
            ),
            data=results.data._replace(kind='vector', name='my.csv', noun='rows'),
            references=None,
        )
        self.assertEqual(
            said(results),
            'On my.csv with 200 labelled rows, none of 3 techniques is shown to help; 1 hurts, “tanh” (+0.9 '
            'points); 1 makes no difference that matters; 1 is undecided. The squeezed model reaches 8.8 % '
            'test error against 8.9 % of the tuned baseline, which decides nothing (−0.1 points, 95 '
            '% interval '
            '−1.3 to +1.1).',
        )
        squeezed = results.squeezed._replace(
            verdict='no difference that matters', difference=made_up.alone(-0.1, 0.3)
        )
        self.assertIn(
            'against 8.9 % of the tuned baseline, no difference that matters (−0.1 points, 95 % '
            'interval −0.4 '
            'to +0.2).',
            said(results._replace(squeezed=squeezed)),
        )
        hurts = squeezed._replace(verdict='hurts', difference=made_up.alone(1.5, 0.3))
        self.assertIn('The squeezed model raises the test error', said(results._replace(squeezed=hurts)))

    def test_one_arm_is_in_the_singular(self):
        results = made_up.partial()
        for name, mean, start in (
            ('shift', -3.0, '1 of 1 technique helps: “shift” (−3.0 points of test error).'),
            ('L1', 0.1, 'the one technique compared is not shown to help; 1 is undecided.'),
        ):
            one = results._replace(arms=(made_up.judged(name, mean),))
            self.assertEndsWith(said(one), f'labelled images, {start}')
        self.assertEndsWith(said(results._replace(arms=())), 'no technique was compared.')

    @parameterized.parameters(
        (1, ''),
        (2, ', which cannot be told from “b1”'),
        (4, ', which cannot be told from “b1”, “b2” and “b3”'),
        (5, ', which cannot be told from “b1”, “b2”, “b3” and “b4”'),
        (8, ', which cannot be told from “b1”, “b2”, “b3” and 4 others'),
    )
    def test_the_best_is_not_told_from_others(self, near, words):
        arms = [made_up.judged(f'b{n}', n / 10 - 3)._replace(near_best=n < near) for n in range(9)]
        text = said(made_up.partial()._replace(arms=tuple(reversed(arms))))
        self.assertIn(f'above all “b0” (−3.0 points of test error){words}.', text)

    @parameterized.parameters(
        (made_up.alone(-0.6, 0.4), 'errs on 3.7 %: the squeezed model is better by 0.6 points (95 % '
            'interval 0.2 to 1.0).'),
        (made_up.alone(0.5, 0.4), 'errs on 3.7 % and is better than the squeezed model by 0.5 points'),
        (
            made_up.alone(0.2, 0.4),
            'errs on 3.7 %; the squeezed model cannot be told from it (+0.2 points, 95 % interval '
            '−0.2 to +0.6).',
        ),
    )  # fmt: skip
    def test_against_the_best_reference(self, difference, words):
        results = made_up.results()
        worse, best = results.references
        results = results._replace(references=(worse, best._replace(difference=difference)))
        self.assertIn(f'HOG + SVM, 20 copies, the best of 2 references, {words}', said(results))
        self.assertNotIn('logistic regression', said(results))
        alone = results._replace(references=(Reference('1-NN', made_up.interval(5.0, 1.0), difference),))
        self.assertIn('1-NN, the reference, errs on 5.0 %', said(alone))

    def test_no_figure_is_extrapolated(self):
        results = made_up.results()
        self.assertNotIn('times as many labels', said(results))
        worth = LabelsWorth(1.84, 1.5, 2.2, extrapolated=False, largest=4.0)
        results = results._replace(squeezed=results.squeezed._replace(labels_worth=worth))
        self.assertIn('interval −5.2 to −4.2), as 1.8 times as many labels would.', said(results))

    @parameterized.parameters((None, False), (200, False), (199, True))
    def test_few_labels_are_enough(self, enough, told):
        results = made_up.results()
        *others, best = results.arms
        best = best._replace(labels_worth=best.labels_worth._replace(enough=enough))
        self.assertEqual('199 of the 200 labels do' in said(results._replace(arms=(*others, best))), told)

    def test_hopeless(self):
        results = made_up.results()
        for detectable in (None, 4.4):
            self.assertNotIn('fewer techniques', said(results._replace(detectable=detectable)))
        text = said(made_up.partial()._replace(detectable=4.5, data=results.data._replace(test=90)))
        self.assertIn(
            '35 comparisons need more than 10 labelled sets and 90 test images: only differences of '
            '4.5 points '
            'and more are found four times in five, and the baseline errs on 8.9 %. Name fewer techniques or '
            'give more minutes.',
            text,
        )

    def test_hopeless_of_one_technique(self):
        results = made_up.partial()._replace(detectable=4.5)
        text = said(results._replace(arms=results.arms[:1]))
        self.assertIn('1 comparison needs more than', text)
        self.assertIn('the baseline errs on 8.9 %. Give more minutes.', text)

    @parameterized.parameters((0.0, True), (0.37, True), (0.38, False))  # 2.9 and 3.03 of 797
    def test_a_baseline_that_errs_on_next_to_nothing(self, error, nothing):
        row = made_up.arm('tuned baseline (SGD)', made_up.interval(error, 0.1))
        text = said(made_up.partial()._replace(baseline=row, detectable=1.0))
        wanted = f'makes hardly a mistake, {error:.2f} % of 797 images: next to nothing is left to find.'
        self.assertEqual(wanted in text, nothing)
        self.assertEqual('more minutes' in text, not nothing)

    def test_cross_fitted(self):
        text = said(made_up.cross_fitted())
        self.assertStartsWith(text, 'On mine with 240 of 300 labelled images, 13 of 35')
        self.assertIn('need more than 10 labelled sets and 300 labelled images', text)
        self.assertEndsWith(
            text,
            'The best model, ready to use, was trained on all 300 labelled images; its error is estimated by '
            'that of squeezed models trained on 240 of them, 4.2 % (95 % interval 2.6 to 6.4 %), which is '
            'slightly cautious.',
        )

    def test_small_errors_get_two_decimals(self):
        results = made_up.partial()._replace(baseline=made_up.arm('baseline', made_up.interval(1.9, 0.1)))
        self.assertIn('(−3.80 points of test error)', said(results))
        self.assertEqual(headline.decimals(results), 2)


if __name__ == '__main__':
    absltest.main()
