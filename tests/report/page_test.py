"""The report: what a person reads is what `results` holds, whatever the names in it are."""

import html.parser
import json
import pathlib
import re
import tempfile
import time

import numpy as np
from absl.testing import absltest, parameterized

from overfit.report import page, plots
from tests.report import made_up

HOSTILE = '<script>alert("&1")</script>'


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and the text outside of them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ''
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def having(self, attribute):
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


class ReportTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def page(self, results, extra):
        page.write_html(results, extra, self.folder / 'report.html')
        return (self.folder / 'report.html').read_text(encoding='utf-8')

    def test_json(self):
        results, path = made_up.results(), self.folder / 'results.json'
        results['seconds'] = dict(reversed(results['seconds'].items()))
        results = dict(reversed(results.items()))
        results['baseline']['test_error'] = {
            'n': np.int32(20), 'high': np.float32(9.4), 'mean': 8.123456789, 'low': np.array(1e-9 / 3),
        }  # fmt: skip
        page.write_json(results, path)
        loaded = json.loads(path.read_text(encoding='utf-8'))
        study = 'baseline arms squeezed references size_curve search_optimism'
        self.assertEqual(
            list(loaded), ['command', 'versions', 'git', 'seed', 'seconds', 'data', *study.split()]
        )
        self.assertEqual(list(loaded['seconds']), ['total', 'compile', 'train'])
        self.assertEqual(list(loaded['data']), ['name', 'kind', 'train', 'test', 'classes', 'sha256'])
        fields = 'technique recipe hyper trials member_steps test_error difference labels_worth verdict'
        self.assertEqual(list(loaded['arms'][0]), fields.split())
        self.assertEqual(
            list(loaded['arms'][0]['difference']), ['mean', 'low', 'high', 'n', 'p', 'p_adjusted']
        )
        self.assertEqual(list(loaded['squeezed']['labels_worth']), ['factor', 'low', 'high', 'extrapolated'])
        self.assertEqual(
            loaded['baseline']['test_error'], {'mean': 8.12346, 'low': 3.33333e-10, 'high': 9.4, 'n': 20}
        )
        self.assertEqual(loaded['arms'][0]['hyper'], results['arms'][0]['hyper'])
        self.assertIs(loaded['squeezed']['labels_worth']['extrapolated'], True)

    @parameterized.parameters(float('nan'), float('inf'), np.float32('nan'))
    def test_json_refuses_what_is_not_finite(self, value):
        results, path = made_up.results(), self.folder / 'results.json'
        page.write_json(results, path)
        before = path.read_bytes()
        results['arms'][3]['test_error']['low'] = value
        with self.assertRaisesRegex(ValueError, r'results\.arms\[3\]\.test_error\.low is (nan|inf)'):
            page.write_json(results, path)
        self.assertEqual(path.read_bytes(), before)
        self.assertEqual(list(self.folder.iterdir()), [path])

    def test_html_stands_alone(self):
        results, extra = made_up.results(), made_up.material()
        self.page(results, extra)  # imports matplotlib, fills its caches
        start = time.monotonic()
        text = self.page(results, extra)
        self.assertLess(time.monotonic() - start, 10)
        self.assertLess(len(text.encode()), 2_000_000)
        self.assertEqual(text, self.page(results, extra))
        page = Page(text)
        tags = [tag for tag, _ in page.tags]
        self.assertNoCommonElements(tags, ('script', 'link', 'iframe', 'object', 'base', 'form'))
        self.assertNotIn('@import', text)
        for attribute in ('src', 'href', 'xlink:href', 'srcset', 'action'):
            for address in page.having(attribute):
                self.assertRegex(address, r'^(#|data:image/png;base64,)')
        for address in re.findall(r'url\(([^)]*)\)', text):
            self.assertStartsWith(address, '#')
        ids = page.having('id')
        self.assertLen(set(ids), len(ids))
        used = [a[1:] for a in page.having('xlink:href')] + re.findall(r'url\(#([^)]*)\)', text)
        self.assertNotEmpty(used)
        self.assertContainsSubset(used, ids)
        self.assertNotRegex(text, '#0[1-7]000[1-7]')  # placeholders of colours
        for name, attributes in page.tags:
            if name == 'svg':
                self.assertNotEmpty(attributes['aria-label'])
            if name == 'img':
                self.assertNotEmpty(attributes['alt'])
        self.assertEqual(tags.count('h1'), 1)
        self.assertEqual(tags.count('img'), 24)
        self.assertEqual(tags.count('svg'), 5)

    def test_html_says_what_results_hold(self):
        results, extra = made_up.results(), made_up.material()
        results['best'] = {'path': 'runs/digits/best', 'test_error': 2.5, 'members': 5}
        results['plan'] = ['cut: replicates from 20 to 12']
        text = ' '.join(Page(self.page(results, extra)).text.split())
        self.assertIn(page.headline(results), text)
        for words in ('runs/digits/best', 'Cut: replicates from 20 to 12'):
            self.assertIn(words, text)
        for name, mean in made_up.TECHNIQUES:
            self.assertIn(f'+ {name}', text)
            self.assertIn(f'{8.9 + mean:.1f}', text)
        for fact in (
            results['command'],
            results['git'],
            results['data']['sha256'],
            'jax 0.10.2',
            extra.summary,
        ):
            self.assertIn(fact, text)
        self.assertIn('learning_rate 0.07312, steps 800, momentum 0.9', text)
        counts = extra.confusion * (1 - np.eye(10, dtype=int))
        truth, said = np.argwhere(counts == counts.max())[0]
        self.assertIn(f'Most often: “{truth}” taken for “{said}” ({counts.max()} ×)', text)

    def test_names_are_escaped(self):
        results, extra = made_up.results(), made_up.material()
        for place in (results['arms'][0], results['squeezed'], results['baseline']):
            place['technique'] = HOSTILE + ' $x^2$ _y'
        results['data']['name'] = results['command'] = results['git'] = HOSTILE
        results['references'][0]['name'] = HOSTILE
        results['best'] = {'path': f'runs/{HOSTILE}"onload="', 'test_error': 2.0, 'members': 1}
        results['plan'] = [HOSTILE]
        extra = extra._replace(
            classes=[f'{n}"{HOSTILE}' for n in range(10)], summary=HOSTILE, notes=[HOSTILE]
        )
        extra.curves[HOSTILE] = extra.curves['squeezed']
        text = self.page(results, extra)
        page = Page(text)
        self.assertNotIn('script', [tag for tag, _ in page.tags])
        self.assertNotIn('<script', text)
        self.assertEmpty(page.having('onload'))
        self.assertIn(f'9"{HOSTILE}', page.having('title'))
        self.assertIn(f'+ {HOSTILE} $x^2$ _y', page.text)
        drawing = plots.forest(results['arms'])
        self.assertIn('&lt;script&gt;', drawing)
        self.assertIn('$x^2$ _y</text>', drawing)
        self.assertNotIn('<script', drawing)

    def test_vectors_many_classes_and_nothing_more(self):
        results, extra = made_up.results(), made_up.material(classes=40, shape=(11,))
        results['size_curve'], results['references'] = [], []
        text = ' '.join(Page(self.page(results, extra._replace(curves={}))).text.split())
        self.assertIn('the matrix of 40 classes is too large to print', text)
        values = ', '.join(f'{value:.4g}' for value in extra.mistakes[2]['x'][:8])
        self.assertIn(f'{values}, …', text)
        self.assertNotIn('How the models learn', text)
        self.assertNotIn('What more labels would buy', text)
        nothing_wrong = extra._replace(confusion=np.eye(40, dtype=int), mistakes=[])
        self.assertIn('every test example was classified correctly', self.page(results, nothing_wrong))


if __name__ == '__main__':
    absltest.main()
