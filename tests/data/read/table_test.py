"""Tables: what each column becomes, from training rows alone, and what is refused."""

import json
import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from overfit.data import kinds, load
from overfit.data.read import cells


class TableTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), 'own.csv')

    def load(self, text, *, encoding='utf-8', **options):
        self.path.write_text(text, encoding)
        return load.load(str(self.path), **({'test': 'holdout'} | options))

    def refuses(self, pattern, text, **options):
        with self.assertRaisesRegex(ValueError, pattern) as caught:
            self.load(text, **options)
        self.assertNotRegex(str(caught.exception), r'\n|[.?] [A-Z]')

    @parameterized.named_parameters(
        ('comma', ',', 'utf-8'),
        ('semicolon', ';', 'utf-8'),
        ('tab', '\t', 'utf-8'),
        ('bom', ',', 'utf-8-sig'),
    )
    def test_numbers(self, delimiter, encoding):
        rows = [(f'{i / 4}', f'"{i * i}"', 'cat' if i % 2 else 'dog') for i in range(20)]
        text = '\r\n'.join(delimiter.join(row) for row in [('a', 'b', 'class'), *rows]) + '\r\n\r\n'
        data = self.load(text, encoding=encoding)
        self.assertEqual((data.train.classes, data.train.kind), (('cat', 'dog'), kinds.vector))
        self.assertEqual((len(data.train.y), len(data.test)), (14, 6))
        self.assertEqual(data.how, 'held out 30 %, stratified, chosen by a hash of the data')
        for x, y in ((data.train.x, data.train.y), (data.test.x, data.test.reveal())):
            i = x[:, 0] * 4
            np.testing.assert_array_equal(x[:, 1], i * i)
            np.testing.assert_array_equal(y, np.where(i % 2, 0, 1))
        self.assertEqual(data.notes, ('label: column class; 2 columns became 2 numbers',))

    def test_missing_numbers_become_the_median_of_training_rows(self):
        values = [float(i * i) for i in range(30)]
        gaps = {3: '', 11: 'NA', 17: '?', 20: 'NaN'}
        rows = [f'{i * 3},{gaps.get(i, value)},{i % 2}' for i, value in enumerate(values)]
        data = self.load('\n'.join(['a,b,y', *rows]))
        i = np.concatenate([data.train.x, data.test.x])[:, 0] / 3
        known = sorted(values[int(j)] for j in data.train.x[:, 0] / 3 if int(j) not in gaps)
        median = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2
        for row, j in zip(np.concatenate([data.train.x, data.test.x]), i, strict=True):
            expected = (median, 1) if int(j) in gaps else (values[int(j)], 0)
            self.assertEqual(tuple(row[1:]), expected)
        self.assertIn(f'column b: 4 missing values became the median {median:g} and a mark', data.notes)

    def test_categories(self):
        colours = ['red', 'green', '', 'blue, dark']
        rows = [f'{i * 3},"{colours[i % 4]}",{"ab"[i % 2]}' for i in range(40)]
        data = self.load('\n'.join(['a,colour,label', *rows]))
        self.assertEqual(data.train.x.shape[1], 5)
        for row in (*data.train.x, *data.test.x):
            value = colours[int(row[0] / 3) % 4] or 'missing'
            expected = [value == name for name in ('blue, dark', 'green', 'missing', 'red')]
            self.assertEqual(row[1:].tolist(), expected)
        self.assertIn('column colour: 4 categories', data.notes)

    def test_a_category_of_the_test_set_alone_is_all_zeros(self):
        for rare in range(20):  # which rows are tested hangs on the table
            rows = [f'{i * 3},{"rare" if i == rare else f"k{i % 2}"},{i % 2}' for i in range(20)]
            data = self.load('\n'.join(['a,c,y', *rows]))
            found = data.test.x[data.test.x[:, 0] == rare * 3]
            if len(found):
                self.assertEqual(found.tolist(), [[rare * 3, 0, 0]])
                return
        self.fail('no row was ever tested')

    def test_a_gap_of_the_test_set_alone_has_no_mark(self):
        for gap in range(20):  # which rows are tested hangs on the table
            rows = [f'{i * 3},{"" if i == gap else i % 5},{i % 2}' for i in range(20)]
            data = self.load('\n'.join(['a,b,y', *rows]))
            found = data.test.x[data.test.x[:, 0] == gap * 3]
            if len(found):
                break
        median = sorted(data.train.x[:, 1])[6:8]
        self.assertEqual(found.tolist(), [[gap * 3, sum(median) / 2]])
        self.assertIn(f'column b: 1 missing value became the median {sum(median) / 2:g}', data.notes)

    def test_what_is_learned_goes_with_the_examples(self):
        rows = [f'{i * i},,{"uv"[i % 2]},{"" if i % 2 else 2},{i % 3}' for i in range(33)]
        data = self.load('\n'.join(['a,void,c,b,y', *rows]))
        a = sorted(data.train.x[:, 0].tolist())
        median = (a[(len(a) - 1) // 2] + a[len(a) // 2]) / 2
        self.assertEqual(
            cells.columns_of(json.loads(json.dumps(dict(data.train.reading)))),
            (
                cells.Column('a', None, median, False),
                cells.Column('c', ('u', 'v')),
                cells.Column('b', None, 2.0, True),
            ),
        )

    def test_times_keep_their_differences(self):
        rows = [f'{1_700_000_000 + 20 * (i % 2) + i % 5},{i * i},{i % 2}' for i in range(40)]
        data = self.load('\n'.join(['t,a,y', *rows]))
        column = cells.columns_of(data.train.reading)[0]
        i = np.rint(np.sqrt(np.concatenate([data.train.x, data.test.x])[:, 1])).astype(int)
        found = np.concatenate([data.train.x, data.test.x])[:, 0].astype(np.float64) + column.offset
        np.testing.assert_array_equal(found, 1_700_000_000 + 20 * (i % 2) + i % 5)
        again = kinds.vector.accept(str(self.path), data.train.reading, (2,))
        self.assertEqual(sorted(again.tolist()), sorted([*data.train.x.tolist(), *data.test.x.tolist()]))
        self.assertEqual(cells.columns_of(data.train.reading)[1].offset, 0)

    @parameterized.named_parameters(
        ('codes', ('0010', '10', '20'), ('0010', '10', '20'), 'str'),
        ('powers', ('1E2', '100', '2E2'), ('100', '1E2', '2E2'), 'str'),
        ('huge', ('9007199254740992', '9007199254740993'), ('9007199254740992', '9007199254740993'), 'str'),
        ('whole', ('-1', '10', '2'), ('-1', '2', '10'), 'int'),
        ('pointed', ('1.0', '2.0'), ('1', '2'), 'int'),
    )
    def test_labels_stay_what_they_were(self, values, classes, label_type):
        rows = [f'{i * 3},{values[i % len(values)]}' for i in range(30)]
        train = self.load('\n'.join(['a,y', *rows])).train
        self.assertEqual((train.classes, train.label_type), (classes, label_type))

    def test_a_quote_that_is_never_closed_is_named(self):
        rows = [f'{i},{chr(34) if i in (10, 70) else ""}red,{i % 2}' for i in range(120)]
        self.refuses('own.csv, line 12: a quoted cell goes on for 61 lines', '\n'.join(['a,c,y', *rows]))

    def test_refuses_thousands_among_decimal_commas(self):
        rows = [f'{("612", "1.203")[i % 2]};{i},5;{i % 2}' for i in range(20)]
        self.refuses('column a holds "1.203" in a file with decimal commas', '\n'.join(['a;b;y', *rows]))

    @parameterized.named_parameters(
        ('iso', '2020-{:02}-11', 'holds dates or times .*2020-00-11.*: give numbers, such as the days'),
        ('stamps', '{}.3.2021 12:30', 'holds dates or times'),
        ('words', 'Mar {} 2020', 'holds dates or times'),
        ('clock', '11:{:02}', 'holds dates or times'),
        ('decimal_commas', '"0,{:02}"', r'holds numbers with decimal commas \("0,00"\): write 0.00, or'),
        ('three_decimals', '"{},250"', r'holds numbers with decimal commas \("0,250"\): write 0.250, or'),
        ('either', '"1,2{:02}"', r'.* thousands or before decimals \("1,200"\): write 1200 or 1.200, which'),
        ('thousands', '"1,2{:02}.5"', '.* commas between thousands .*: write 1200.5, or remove'),
        ('identifiers', 'name{}', 'is not numeric .*, like an identifier or text'),
    )
    def test_names_the_cause(self, form, pattern):
        rows = [f'{form.format(i)},{i % 2}' for i in range(60)]
        self.refuses(f'own.csv: column a {pattern}', '\n'.join(['a,y', *rows]))

    def test_names_the_cause_where_some_are_numbers(self):
        rows = [f'{i * i if i % 3 else f"{chr(34)}0,{i}{chr(34)}"},{i % 2}' for i in range(90)]
        self.refuses('30 of 90 cells .*decimal commas, write 0.0, or', '\n'.join(['a,y', *rows]))

    def test_notes_the_cause_where_they_became_categories(self):
        rows = [f'{i},2020-0{i % 3 + 1}-01,{i % 2}' for i in range(40)]
        note = 'column d: 3 categories, though they look like dates or times'
        self.assertIn(note, self.load('\n'.join(['a,d,y', *rows])).notes)

    def test_refuses_identifiers_of_a_small_table(self):
        rows = [f'{i * 3},name{i},{i % 2}' for i in range(60)]
        self.refuses('column c is not numeric .* has 42 different', '\n'.join(['a,c,y', *rows]))

    def test_refuses_numbers_with_a_few_words(self):
        rows = [f'{"-" if i % 7 == 3 else i * i},{i % 2}' for i in range(120)]
        self.refuses(
            'column a has 17 of 120 cells that are no numbers, "-" in row 4', '\n'.join(['a,y', *rows])
        )

    def test_label_option_numbers_and_order(self):
        rows = [f'{i * 3},{i % 2},{(2, 10, 1)[i % 3]}' for i in range(30)]
        data = self.load('\n'.join(['a,y,size', *rows]), label='size')
        self.assertEqual(data.train.classes, ('1', '2', '10'))
        self.assertEqual(data.train.x.shape[1], 2)

    def test_notes(self):
        rows = [f'{i},{i},{"x" if i == 5 else i % 3},,{i % 2}' for i in range(20)]
        data = self.load('\n'.join([',id,code,void,y', *rows]), test='cross-fitted')
        self.assertEqual(
            data.notes,
            (
                'label: column y; 3 columns became 5 numbers',
                'the column without a name was left out',
                'column id counts the rows: remove it if that is all it does',
                'column code: 4 categories, though 19 rows hold numbers (one that does not: "x")',
                'column void was left out: it has no values',
            ),
        )

    def test_a_column_of_groups_is_no_input(self):
        rows = [f'{i * i},p{i % 7},{i % 2}' for i in range(42)]
        data = self.load('\n'.join(['a,who,y', *rows]), group='who', test='cross-fitted')
        self.assertEqual(data.train.x[:, 0].tolist(), [i * i for i in range(42)])
        self.assertEqual(data.train.x.shape[1], 1)
        self.assertEqual(data.train.groups.tolist(), [i % 7 for i in range(42)])
        self.assertEqual(data.notes, ('label: column y; groups: column who; 1 column became 1 number',))
        held = self.load('\n'.join(['a,who,y', *rows]), group='who', test='holdout')
        self.assertEmpty(set(held.train.groups) & set(held.test.groups))
        np.testing.assert_array_equal(np.sqrt(held.test.x[:, 0]) % 7, held.test.groups)

    def test_refuses_groups(self):
        rows = [f'{i * i},{"p" * (i != 4)},{i % 2}' for i in range(42)]
        text = '\n'.join(['a,who,y', *rows])
        self.refuses(
            'column who for group=who is empty in 1 row .first in row 5.: give each', text, group='who'
        )
        self.refuses('no column "whom" for group=whom: did you mean who', text, group='whom')
        self.refuses('group=y is the column of the labels', text, group='y')

    def test_decimal_commas(self):
        data = self.load('\n'.join(['a;y', *(f'{i},5;{i % 2}' for i in range(20))]))
        both = np.concatenate([data.train.x, data.test.x])[:, 0]
        self.assertEqual(sorted(both.tolist()), [i + 0.5 for i in range(20)])
        self.assertIn('decimal commas were read as decimal points', data.notes)

    @parameterized.named_parameters(
        ('no_label', 'a,b\n1,2\n', {}, 'which column is the label with label=column; it has a, b'),
        ('two_labels', 'a,class,y\n1,2,3\n', {}, 'which column is the label'),
        ('wrong_label', 'a,species\n1,2\n', {'label': 'specis'}, 'no column "specis".*did you mean species'),
        ('far_label', 'a,species\n1,2\n', {'label': 'zzz'}, 'no column "zzz".*it has a, species'),
        ('empty', '', {}, 'is empty'),
        ('no_rows', 'a,y\n', {}, 'no rows'),
        ('no_header', '1,2\n3,4\n', {}, 'starts with numbers: add a first line'),
        ('same_name', 'a,a,y\n1,2,3\n', {}, 'two columns named "a"'),
        ('ragged', 'a,y\n1,2\n\n1,2,3\n', {}, 'line 4: 3 cells, but the header names 2'),
        ('label_alone', 'y\n' + '0\n1\n' * 5, {}, 'no column but the label y'),
        ('label_gap', 'a,y\n1,\n2,1\n', {}, r'label column y is empty in 1 row \(first in row 1\)'),
        ('regression', 'a,y\n1,0.5\n2,1\n', {}, 'holds 0.5, but labels are whole numbers or names'),
        ('infinite', 'a,y\n' + 'inf,0\n1,1\n' * 5, {}, 'column a holds "inf" in row 1'),
        ('plus_nan', 'a,y\n' + '2,0\n+nan,1\n' * 5, {}, 'column a holds "\\+nan" in row 2'),
        ('one_class', 'a,y\n' + '1,0\n' * 5, {}, 'only one class, 0'),
        ('rare', 'a,y\n' + '1,0\n2,1\n' * 5 + '3,2\n', {}, 'class 2 has 1 example, too few to train'),
    )
    def test_refuses(self, text, options, pattern):
        self.refuses(pattern, text, **options)

    def test_refuses_free_text(self):
        rows = '\n'.join(f'word{i},{i % 2}' for i in range(100))
        self.refuses(r'column a is not numeric \("word0"\) and has 70 different values', 'a,y\n' + rows)

    def test_refuses_other_encodings(self):
        self.path.write_bytes('a,y\nä,1\n'.encode('latin-1'))
        with self.assertRaisesRegex(ValueError, 'not UTF-8'):
            load.load(str(self.path))


if __name__ == '__main__':
    absltest.main()
