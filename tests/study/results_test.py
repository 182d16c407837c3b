"""Results as JSON and back: invented results of every way to test, and what is refused."""

import copy
import json
import pathlib
import tempfile
import typing

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from overfit.study import results
from tests.report import made_up


def whole():
    """Results of which every field is there."""
    found = made_up.results()
    row = found.squeezed
    shrunk = row.difference._replace(shrunk=-4.5)
    return found._replace(
        best=made_up.best(),
        plan=('settings an arm: 3 instead of 4',),
        squeezed=row._replace(difference=shrunk, labels_worth=row.labels_worth._replace(enough=60)),
    )


def fields_of(kind, where='results'):
    """Paths of all numbers, texts and truths in a type, by its annotations; `[]` is any item of a list."""
    inner = typing.get_args(kind)
    if hasattr(kind, '_fields'):
        for name, hint in typing.get_type_hints(kind).items():
            yield from fields_of(hint, f'{where}.{name}')
    elif typing.get_origin(kind) is tuple:
        yield from fields_of(inner[0], f'{where}[]')
    elif type(None) in inner:
        yield from fields_of(inner[0], where)
    else:
        yield where


def paths_of(plain, kinds, where='results'):
    """Paths of all values in JSON; what the types call a mapping is one value."""
    if where not in kinds and isinstance(plain, dict):
        for name, value in plain.items():
            yield from paths_of(value, kinds, f'{where}.{name}')
    elif where not in kinds and isinstance(plain, list):
        for value in plain:
            yield from paths_of(value, kinds, f'{where}[]')
    else:
        yield where


class RoundTripTest(parameterized.TestCase):
    @parameterized.parameters(made_up.results, made_up.cross_fitted, made_up.partial, whole)
    def test_a_file_holds_all_of_it(self, make):
        plain = results.as_json(make())
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'results.json'
            path.write_text(json.dumps(plain, allow_nan=False), encoding='utf-8')
            found = results.read(path)
        self.assertEqual(results.from_json(plain), found)
        self.assertEqual(results.as_json(found), plain)

    def test_what_has_a_default_may_be_missing(self):
        plain = results.as_json(whole())
        found = results.from_json(plain)
        del plain['data']['noun']  # which is that of the kind, not the default
        for row in (*plain['arms'], plain['squeezed']):
            del row['diverged'], row['diverged_in_search']
        del plain['baseline']['cost'], plain['baseline']['near_best']
        self.assertEqual(results.from_json(plain), found)

    def test_every_field_is_in_the_file_and_comes_back(self):
        found = whole()
        plain = json.loads(json.dumps(results.as_json(found), allow_nan=False))
        known = set(fields_of(results.Results))
        self.assertContainsSubset({'results.seed', 'results.arms[].difference.p_adjusted'}, known)
        missing = {f'results.baseline.{name}' for name in ('difference', 'labels_worth', 'verdict')}
        missing |= {'results.controls[].labels_worth', 'results.references[].difference.shrunk'}
        expected = {path for path in known if not path.startswith(tuple(missing))}
        self.assertEqual(set(paths_of(plain, known)), expected)
        self.assertEqual(results.as_json(results.from_json(plain)), plain)

    def test_nothing_is_lost_but_digits(self):
        found = whole()
        np.testing.assert_equal(self.rounded(results.from_json(results.as_json(found))), self.rounded(found))

    def rounded(self, value):
        """The same with six digits, by another route than `as_json`: NumPy's formatting."""
        if hasattr(value, '_fields'):
            return type(value)(*map(self.rounded, value))
        if isinstance(value, tuple):
            return tuple(map(self.rounded, value))
        if isinstance(value, dict):
            return {name: self.rounded(item) for name, item in value.items()}
        if type(value) is float:
            return float(np.format_float_scientific(value, precision=5))
        return value

    def test_partial_results(self):
        plain = results.as_json(made_up.partial())
        self.assertNoCommonElements(plain, ('squeezed', 'best', 'references'))
        found = results.from_json(plain)
        self.assertEqual((found.squeezed, found.best, found.references), (None, None, None))

    def test_what_is_unknown_is_null(self):
        found = whole()._replace(git=None, machine=None, search_optimism=None)
        unknown = results.LabelsWorth(None, None, None, False)
        found = found._replace(squeezed=found.squeezed._replace(labels_worth=unknown))
        plain = results.as_json(found)
        self.assertEqual([plain[key] for key in ('git', 'machine', 'search_optimism')], [None] * 3)
        worth = {'factor': None, 'low': None, 'high': None, 'extrapolated': False, 'largest': 2.0}
        self.assertEqual(plain['squeezed']['labels_worth'], worth)
        self.assertEqual(results.from_json(plain).squeezed.labels_worth, unknown)

    def test_numbers_of_arrays(self):
        error = results.Interval(8.123456789, np.array(1e-9 / 3), np.float32(9.4), np.int32(20))
        row = made_up.arm('dropout', error)._replace(hyper={'dropout': jnp.float32(0.1)}, trials=np.int64(3))
        plain = json.loads(json.dumps(results.as_json(whole()._replace(baseline=row))))['baseline']
        self.assertEqual(plain['test_error'], {'mean': 8.12346, 'low': 3.33333e-10, 'high': 9.4, 'n': 20})
        self.assertEqual((plain['hyper'], plain['trials']), ({'dropout': 0.1}, 3))

    @parameterized.parameters(('image', 'images'), ('vector', 'examples'))
    def test_files_without_a_noun(self, kind, noun):
        plain = results.as_json(whole())
        del plain['data']['noun']
        plain['data']['kind'] = kind
        self.assertEqual(results.from_json(plain).data.noun, noun)


class RefusalTest(parameterized.TestCase):
    @parameterized.parameters(float('nan'), float('inf'), np.float32('-inf'))
    def test_what_is_not_finite(self, value):
        found = whole()
        row = found.arms[3]._replace(hyper={'l2': value})
        with self.assertRaisesRegex(ValueError, r'results\.arms\[3\]\.hyper\.l2 is -?(nan|inf)'):
            results.as_json(found._replace(arms=(*found.arms[:3], row)))

    @parameterized.parameters(
        (lambda plain: plain.pop('seed'), "results lacks the key 'seed'"),
        (lambda plain: plain['arms'][2].pop('trials'), r"results.arms\[2\] lacks the key 'trials'"),
        (lambda plain: plain['squeezed'].update(frozen=1), "results.squeezed has the unknown key 'frozen'"),
        (lambda plain: plain.update(seed='0'), "results.seed is '0', where a whole number belongs"),
        (lambda plain: plain.update(seed=True), 'results.seed is True, where a whole number belongs'),
        (lambda plain: plain.update(arms={}), 'results.arms is {}, where a list belongs'),
        (lambda plain: plain.update(data=None), 'results.data is None, where an object belongs'),
        (lambda plain: plain['best'].update(test_error='low'), "best.test_error is 'low', where a finite"),
        (lambda plain: plain['best'].update(test_error=np.nan), 'best.test_error is nan, where a finite'),
        (lambda plain: plain['baseline'].update(hyper=[1]), r'hyper is \[1\], where an object belongs'),
    )
    def test_what_is_no_result(self, spoil, message):
        plain = copy.deepcopy(results.as_json(whole()))
        spoil(plain)
        with self.assertRaisesRegex(ValueError, message):
            results.from_json(plain)

    @parameterized.parameters(
        (None, 'there is no such file'),
        ('{', 'is not JSON'),
        ('[]', r'does not hold the results of a study: results is \[\]'),
    )
    def test_files(self, text, message):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / 'results.json'
            if text is not None:
                path.write_text(text)
            with self.assertRaisesRegex(ValueError, message):
                results.read(path)


if __name__ == '__main__':
    absltest.main()
