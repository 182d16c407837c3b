"""The verdict in words and the console's table, against lines written by hand."""

import re

import numpy as np
from absl.testing import absltest, parameterized

from overfit.report import wording
from overfit.study.results import Best, LabelsWorth, Reference, Seconds
from tests.report import made_up


class WordingTest(parameterized.TestCase):
    def test_table_rows(self):
        results = made_up.results()
        change = made_up.change(-3.8, 0.5, 4e-5)
        worth = LabelsWorth(2.94, 2.46, 3.41, False)
        one = made_up.arm('shift', made_up.interval(5.1, 0.4), change, worth, 'helps')
        change = made_up.change(12.34, 0.7, 0.0104)
        worth = LabelsWorth(0.71, None, None, False)
        two = made_up.arm('sigmoid', made_up.interval(21.2, 1.8), change, worth, 'hurts')
        results = results._replace(arms=(two, one))
        lines = wording.table(results).splitlines()
        self.assertEqual(
            lines[0],
            'digits · 200 labelled images, 10 classes · tested on 797 others · 20 paired replicates · '
            '3 min 12 s',
        )
        squeezed = lines[6]
        lines = [re.sub(' {3,}', ' | ', line) for line in lines]
        self.assertEqual(
            lines[2:6],
            [
                ' | test error % | against the tuned baseline | worth in labels | verdict',
                'tuned baseline (SGD) | 8.9 ± 0.5',
                '+ shift | 5.1 ± 0.4 | −3.8 [−4.3, −3.3] | p < 0.001 | × 2.9 [2.5, 3.4] | helps',
                '+ sigmoid | 21.2 ± 1.8 | +12.3 [+11.6, +13.0]  p = 0.01 | × 0.7 | hurts',
            ],
        )
        self.assertRegex(
            squeezed,
            r'^squeezed: augmentation: shift, .*… +4\.2 ± 0\.3 .* × 3\.6 \[3\.1, 4\.4\] extrapolated',
        )
        text = wording.table(results)
        self.assertIn('for reference: logistic regression 9.8, 1-NN 7.1', text)
        self.assertIn('is +0.6 [+0.2, +1.0] points', text)
        self.assertIn('p: adjusted for 2 comparisons (Holm)', text)
        self.assertNotIn('best model', text)

    def test_table_columns_and_order(self):
        results = made_up.results()
        lines = wording.table(results).splitlines()
        start = lines[2].index('verdict')
        body = lines[3 : 3 + 37]
        for line in body[1:]:
            self.assertIn(line[start:], ('helps', 'hurts', 'no evidence'))
            self.assertEqual(line[start - 3 : start], '   ')
        names = [re.split(' {3,}', line)[0] for line in body[1:-1]]
        effect = dict(made_up.TECHNIQUES)
        self.assertEqual([effect[name.removeprefix('+ ')] for name in names], sorted(effect.values()))
        self.assertLen(set(names), 35)
        self.assertNotRegex('\n'.join(body), r'[−+]0\.0\b')

    def test_nets_that_diverged_are_told(self):
        results = made_up.results()
        self.assertNotIn('diverged', wording.table(results))
        results = results._replace(baseline=results.baseline._replace(diverged=2, diverged_in_search=7))
        line = 'diverged on the fresh replicates and were stopped there: tuned baseline (SGD) 2\n'
        self.assertIn(line, wording.table(results))

    def test_extras_are_shown(self):
        results = made_up.results()._replace(
            best=Best('runs/digits/best', 100 * 20 / 797, members=5, wrong=20),
            plan=('cut: replicates from 20 to 12',),
            references=(Reference('SVM', made_up.interval(6.0, 0.1)),),
        )
        text = wording.table(results)
        # Wilson's interval of 20 in 797, by its closed form.
        n, p, z = 797, 20 / 797, 1.959964
        middle, half = p + z * z / 2 / n, z * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
        low, high = (100 * (middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
        line = f'best model: runs/digits/best · test error 2.5 % [{low:.1f}, {high:.1f}] · 5 nets averaged'
        self.assertIn(line, text)
        self.assertIn('cut: replicates from 20 to 12', text)
        self.assertIn('for reference: SVM 6.0', text)

    @parameterized.parameters(
        (192.3, '3 min 12 s'), (59.6, '1 min 0 s'), (12.0, '12 s'), (7260.0, '2 h 1 min')
    )
    def test_duration(self, seconds, expected):
        results = made_up.results()._replace(seconds=Seconds(seconds, 0.0, 0.0))
        self.assertEqual(wording.table(results).splitlines()[0].split(' · ')[-1], expected)

    @parameterized.parameters(
        (0.0, 'p < 0.001'),
        (0.00099, 'p < 0.001'),
        (0.001, 'p = 0.001'),
        (0.0104, 'p = 0.01'),
        (0.049, 'p = 0.049'),
        (0.12, 'p = 0.12'),
        (0.999, 'p = 1'),
    )
    def test_p(self, p, expected):
        results = made_up.results()
        row = results.arms[0]._replace(difference=made_up.change(0.1, 0.5, p))
        results = results._replace(arms=(row,), squeezed=None)
        self.assertRegex(wording.table(results), re.escape(expected) + r'(?![\d.])')

    def test_headline_gain(self):
        results = made_up.results()._replace(best=Best('runs/digits/best', 2.5, members=1, wrong=20))
        self.assertEqual(
            wording.headline(results),
            'On digits with 200 labelled images, 12 of 35 techniques help, above all “augmentation: '
            'shift, rotate” (−3.8 points of test error), “convolutional network” (−3.1) and '
            '“augmentation: shift” (−2.9); 7 hurt, most of all “initial weights of a fixed size, 0.1” '
            '(+12.5); for 16 there is no evidence either way. The squeezed model lowers the test error of '
            'the tuned baseline from 8.9 % to 4.2 % (−4.7 points, 95 % interval −5.2 to −4.2), for which '
            'the baseline would need 3.6 times as many labels (extrapolated). The best model, ready to '
            'use, gets 2.5 % of the 797 test images wrong (95 % interval 1.6 to 3.8 %).',
        )

    def test_headline_no_gain(self):
        results = made_up.results()
        results = results._replace(
            arms=(made_up.judged('L1', 0.1), made_up.judged('tanh', 0.9)),
            squeezed=results.squeezed._replace(verdict='no evidence', test_error=made_up.interval(8.8, 0.5)),
            data=results.data._replace(kind='vector', name='my.csv', noun='rows'),
        )
        self.assertEqual(
            wording.headline(results),
            'On my.csv with 200 labelled rows, none of 2 techniques is shown to help; 1 hurts, “tanh” '
            '(+0.9 points); for 1 there is no evidence either way. The squeezed model reaches 8.8 % test '
            'error against 8.9 % of the tuned baseline, a difference that this comparison cannot tell '
            'from zero.',
        )

    def test_partial_results(self):
        results = made_up.partial()._replace(search_optimism=None)
        text = wording.table(results)
        self.assertNotIn('squeezed', text)
        self.assertNotIn('optimism', text)
        self.assertNotIn('\n\n\n', text)
        self.assertLen(text.splitlines(), 3 + 36 + 3)
        self.assertEndsWith(wording.headline(results), 'for 16 there is no evidence either way.')

    def test_one_arm_is_in_the_singular(self):
        results = made_up.partial()
        for name, mean, start in (
            ('shift', -3.0, '1 of 1 technique helps: “shift” (−3.0 points of test error).'),
            ('L1', 0.1, 'the one technique compared is not shown to help; for 1 there'),
        ):
            results = results._replace(arms=(made_up.judged(name, mean),))
            self.assertIn(f'labelled images, {start}', wording.headline(results))
            self.assertIn('p: adjusted for 1 comparison (Holm)', wording.table(results))

    def test_factors_beyond_the_largest(self):
        results = made_up.partial()
        row = results.arms[0]._replace(labels_worth=LabelsWorth(50.0, 0.02, 30.0, True, largest=50.0))
        self.assertIn('× over 50 [under 0.02, 30]', wording.table(results._replace(arms=(row,))))


if __name__ == '__main__':
    absltest.main()
