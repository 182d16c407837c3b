"""The console's table, against lines written by hand."""

import re

from absl.testing import absltest, parameterized

from overfit.report import wording
from overfit.study.results import LabelsWorth, Seconds
from tests.report import made_up


def body(text):
    """Title and rows of the table."""
    return text.split('\n\n')[1].splitlines()


class WordingTest(parameterized.TestCase):
    def test_rows(self):
        results = made_up.results()
        worth = LabelsWorth(2.94, 2.46, 3.41, True, largest=8.0)
        one = made_up.arm(
            'shift', made_up.interval(5.1, 0.4), made_up.change(-3.8, 0.5, 4e-5), worth, 'helps'
        )
        worth = LabelsWorth(0.71, None, None, False, largest=8.0)
        change = made_up.change(12.34, 0.7, 0.0104, shrunk=11.94)
        two = made_up.arm('sigmoid', made_up.interval(21.2, 1.8), change, worth, 'hurts')._replace(cost=0.53)
        worth = LabelsWorth(8.0, 4.04, 8.0, True, largest=8.0)
        change = made_up.change(-4.2, 0.5, 1e-6, shrunk=-4.0)
        three = made_up.arm('rotate', made_up.interval(4.7, 0.4), change, worth, 'helps')
        worth = LabelsWorth(0.125, 0.125, 0.125, True, largest=8.0)
        change = made_up.change(0.04, 0.6, 0.9, shrunk=0.01)
        four = made_up.arm('L1', made_up.interval(8.9, 0.4), change, worth, 'no difference that matters')
        arms = [one._replace(near_best=True), two, three._replace(near_best=True), four]
        text = wording.table(results._replace(arms=tuple(arms), squeezed=None))
        lines = [re.sub(' {2,}', ' | ', line) for line in body(text)]
        self.assertEqual(
            lines,
            [
                ' | best | test error % | against the baseline | shrunk | worth in labels | cost | verdict',
                'tuned baseline (SGD) | 8.9 ± 0.5',
                '+ rotate | ≈ | 4.7 ± 0.4 | −4.2 [−4.7, −3.7] | −4.0 | more than × 8 [4.0, over 8] '
                '| × 1.0 | helps',
                '+ shift | ≈ | 5.1 ± 0.4 | −3.8 [−4.3, −3.3] | × 2.9* [2.5, 3.4] | × 1.0 | helps',
                '+ L1 | 8.9 ± 0.4 | 0.0 [−0.6, +0.6] | 0.0 | less than × 0.12 | × 1.0 | no '
                'difference that matters',
                '+ sigmoid | 21.2 ± 1.8 | +12.3 [+11.6, +13.0] | +11.9 | × 0.7 | × 0.5 | hurts',
            ],
        )  # fmt: skip

    def test_the_simultaneous_interval_is_shown(self):
        wide = made_up.change(-1.0, 1.0, 0.05)
        wide = wide._replace(low=-2.4, high=0.4, low_single=-1.7, high_single=-0.3)
        row = made_up.arm('shift', made_up.interval(7.9, 0.4), wide, None, 'undecided')
        text = wording.table(made_up.partial()._replace(arms=(row,)))
        self.assertIn('−1.0 [−2.4, +0.4]', text)
        self.assertNotIn('1.7', text)

    def test_columns_and_order(self):
        results = made_up.results()
        title, _, *rows = body(wording.table(results))
        self.assertLen(rows, 36)
        verdicts = ('helps', 'hurts', 'no difference that matters', 'undecided')
        start = title.index('verdict')
        self.assertEqual({row[start:] for row in rows}, set(verdicts))
        for row in rows:
            self.assertEqual(row[start - 2 : start], '  ')
        place = title.index('against')
        effects = [float(re.search(r'[−+]?[\d.]+', row[place:])[0].replace('−', '-')) for row in rows[:-1]]
        self.assertEqual(effects, sorted(effects))
        self.assertEqual(effects, sorted(round(mean, 1) + 0.0 for _, mean in made_up.TECHNIQUES))
        self.assertNotRegex('\n'.join(rows), r'[−+]0\.0\b')
        marked = [row for row in rows if '≈' in row]
        self.assertLen(marked, 3)
        self.assertNotIn('≈', wording.table(results._replace(arms=tuple(
            arm._replace(near_best=arm.difference.mean < -3.5) for arm in results.arms
        ))))  # fmt: skip

    def test_it_fits(self):
        results = made_up.results()
        long = results.arms[-1]
        long = long._replace(
            technique='a technique of a long name, ' * 4,
            verdict='no difference that matters',
            labels_worth=LabelsWorth(4.0, 2.3, 4.0, True, largest=4.0),
            difference=made_up.change(-12.3, 1.3, 0.1, shrunk=-11.2),
        )
        text = wording.table(results._replace(arms=(long, *results.arms)))
        self.assertLessEqual(max(map(len, text.splitlines())), 140)
        self.assertIn('+ a technique of a long…', text)
        plain = [arm._replace(labels_worth=None, verdict='helps') for arm in results.arms]
        text = wording.table(results._replace(arms=tuple(plain)))
        self.assertLessEqual(max(map(len, text.splitlines())), wording.WIDTH)
        self.assertIn('+ initial weights of a fixed size, 0.1 ', text)

    def test_header(self):
        results = made_up.results()
        self.assertEqual(
            wording.header(results),
            'digits · 200 labelled images, 10 classes · tested on 797 others · 10 labelled sets · 3 min 12 s',
        )
        self.assertEqual(wording.header(results._replace(test_mode='holdout')), wording.header(results))
        self.assertIn(
            ' · 240 labelled images, 10 classes · all 300 images tested, each by nets that were not '
            'trained on '
            'it · 10 labelled sets',
            wording.header(made_up.cross_fitted()),
        )

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
    def test_p_is_the_adjusted_one(self, p, expected):
        results = made_up.results()
        row = results.arms[0]._replace(difference=made_up.change(0.1, 0.5, p))
        [_, cells] = wording.rows(results._replace(arms=(row,), squeezed=None))
        self.assertEqual(cells.p, expected)

    def test_labels_that_are_enough(self):
        cells = wording.rows(made_up.results())
        self.assertEqual([row.enough for row in cells if row.enough], ['130 of 200 labels do'])
        self.assertEqual(cells[1].technique, 'augmentation: shift, rotate')

    @parameterized.parameters(
        ('helps', 4.0, 'more than × 4', '[0.9, over 4]', '130 of 200 labels do'),
        ('undecided', 4.0, '', '', ''),
        ('undecided', 0.25, '', '', ''),
        ('undecided', 1.5, '× 1.5', '[0.9, over 4]', ''),
        ('no difference that matters', 4.0, 'more than × 4', '[0.9, over 4]', ''),
    )
    def test_a_bound_tells_nothing_of_what_is_undecided(self, verdict, factor, worth, interval, enough):
        told = LabelsWorth(factor, 0.9, 4.0, True, largest=4.0, enough=130)
        row = made_up.arm('shift', made_up.interval(8.0, 0.4), made_up.change(-0.9, 1.0, 0.2), told, verdict)
        [_, cells] = wording.rows(made_up.partial()._replace(arms=(row,)))
        self.assertEqual((cells.worth.rstrip('*'), cells.worth_interval), (worth, interval))
        self.assertEqual(cells.enough, enough)
        self.assertEqual(cells.untold, '' if worth else 'cannot be told')
        [_, squeezed] = wording.rows(made_up.results()._replace(arms=(), squeezed=row))
        self.assertEqual(squeezed.enough, enough)

    def test_controls_are_no_rows_of_the_table(self):
        results = made_up.results()
        self.assertNotIn('tuned again', '\n'.join(body(wording.table(results))))
        rows = wording.control_rows(results)
        self.assertEqual([row.change for row in rows], ['+0.2', '−0.2', '+0.1'])
        self.assertEqual([row.worth for row in rows], [''] * 3)

    def test_partial_results(self):
        text = wording.table(made_up.partial()._replace(search_optimism=None, controls=()))
        for words in ('squeezed', 'optimism', 'references', 'controls', 'best model', '\n\n\n'):
            self.assertNotIn(words, text)
        self.assertLen(text.split('\n\n'), 3)


if __name__ == '__main__':
    absltest.main()
