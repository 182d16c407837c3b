"""Classes too small for the folds: whatever a refusal names as a way out is accepted when it is followed."""

import re

import chex
import numpy as np
from absl.testing import parameterized

from overfit.data import load, source
from overfit.study import too_few

BIG = 12


def data_of(counts, grouped, test):
    """Vectors of classes with so many examples, or with so many groups of two examples."""
    each = 2 if grouped else 1
    y = np.repeat(np.arange(len(counts)), [each * count for count in counts])
    x = np.random.default_rng(len(y)).normal(size=(len(y), 3)).astype(np.float32)
    groups = np.arange(len(y)) // 2 if grouped else None
    given = {'x_test': x + 1, 'y_test': y} if test == 'given' else {'test': test}
    return load.from_arrays(x, y, groups=groups, **given)


def tried(counts, grouped, test, validation, size=None):
    """What is said against it; '' where it is accepted."""
    try:
        data = data_of(counts, grouped, test)
        sets = too_few.draw(data, size, None, validation, seed=0)
    except ValueError as error:
        return str(error)
    assert sets
    return ''


def followed(said, counts, grouped, test, validation, size):
    """Each way out that a sentence names, as arguments of `tried` that follow it."""
    ways = said.partition(': ')[2] if 'class' in said.partition(': ')[0] else said.rpartition(': ')[2]
    for way in re.split(r', or | or (?=leave)', ways.rstrip('.')):
        asked = {'counts': counts, 'grouped': grouped, 'test': test, 'validation': validation, 'size': size}
        known = False
        if found := re.search(r'validation=([\d.]+)', way):
            known, asked['validation'] = True, float(found[1])
        if "test='holdout'" in way:
            known, asked['test'] = True, 'holdout'
        if found := re.search(r'train_size=(\d+)', way):
            known, asked['size'] = True, int(found[1])
        if 'leave train_size out' in way:
            known, asked['size'] = True, None
        if found := re.search(r'add (example|group)s .*?(\d+)$', way):
            assert (found[1] == 'group') == grouped, said
            known, asked['counts'] = True, [max(count, int(found[2])) for count in counts]
        if re.search(r'leave (it|them) out', way):
            small = counts[0] if 'leave it' in way else BIG - 1
            known, asked['counts'] = True, [count for count in counts if count > small]
        assert known, f'{way!r} of {said!r}'
        yield way, asked


class TooFewTest(chex.TestCase):
    @parameterized.product(
        grouped=(False, True), test=('cross-fitted', 'holdout', 'given'), validation=(0.2, 0.3)
    )
    def test_every_way_out_works(self, grouped, test, validation):
        refused = 0
        for count in range(2, 9):
            for counts in ([count, BIG, BIG + 2], [count, count, BIG, BIG], [count] * 3, [count, BIG]):
                said = tried(counts, grouped, test, validation)
                refused += bool(said)
                if said:
                    self.assertEqual('group' in said.replace(' (', ''), grouped, said)
                    ways = list(followed(said, counts, grouped, test, validation, None))
                    self.assertNotEmpty(ways, said)
                    if len(set(counts)) == 1 or len(counts) == 2:
                        self.assertNotIn('leave', said)
                    for way, asked in ways:
                        self.assertEqual(tried(**asked), '', f'{way!r} of {said!r} for {counts}')
        self.assertGreater(refused, 0)

    @parameterized.product(test=('cross-fitted', 'holdout', 'given'), grouped=(False, True))
    def test_a_labelled_set_that_is_too_small(self, test, grouped):
        for counts, size in (([40, 40, 40], 7), ([12, 40, 60], 30), ([3, 40, 60], 30)):
            said = tried(counts, grouped, test, 0.2, size)
            self.assertNotEmpty(said)
            for way, asked in followed(said, counts, grouped, test, 0.2, size):
                self.assertEqual(tried(**asked), '', f'{way!r} of {said!r} for {counts}')
        said = tried([40, 40, 40], False, 'cross-fitted', 0.2, 7)
        self.assertRegex(
            said, r'^a labelled set of train_size=7 has 2 examples of class \d, fewer than the 5'
        )
        larger = int(re.search(r'give train_size=(\d+) or more', said)[1])
        self.assertNotEmpty(tried([40, 40, 40], False, 'cross-fitted', 0.2, larger - 1))
        self.assertNotIn('add', said)

    def test_holdout_is_offered_only_where_it_works(self):
        four = tried([4, BIG, BIG], False, 'cross-fitted', 0.2)
        self.assertStartsWith(four, 'class 0 has 4 examples, fewer than the 5 folds of cross-fitting: ')
        self.assertNotIn("'holdout', or", four)
        self.assertIn("give test='holdout'", tried([8, BIG, BIG], False, 'cross-fitted', 0.1) + four)

    @parameterized.parameters(('cross-fitted', 3), ('cross-fitted', 5), ('cross-fitted', 10), ('given', 5))
    def test_what_is_needed_is_no_more_than_that(self, test, folds):
        needed = source.needed_of(test, folds)
        self.assertEqual(tried([needed, 30, 30], False, test, 1 / folds), '')
        self.assertNotEqual(tried([needed - 1, 30, 30], False, test, 1 / folds), '')
