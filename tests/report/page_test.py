"""The report: what a person reads is what `results` holds, whatever the names in it are."""

import html.parser
import json
import pathlib
import re
import tempfile
import time

import numpy as np
from absl.testing import absltest, parameterized

from overfit.report import page, plots, wording
from overfit.study import results as results_lib
from overfit.study.results import Reference
from tests.report import made_up

HOSTILE = '<script>alert("&1")</script>'
LITTLE = made_up.material()._replace(curves={})  # what takes longest to draw is left out


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

    def test_json_refuses_what_is_not_finite_and_leaves_the_old_file(self):
        results, path = made_up.results(), self.folder / 'results.json'
        page.write_json(results, path)
        before = path.read_bytes()
        self.assertEqual(results_lib.read(path).data, results.data)
        spoiled = results.arms[3].test_error._replace(low=np.float32('nan'))
        arms = (*results.arms[:3], results.arms[3]._replace(test_error=spoiled))
        with self.assertRaisesRegex(ValueError, r'results\.arms\[3\]\.test_error\.low is nan'):
            page.write_json(results._replace(arms=arms), path)
        self.assertEqual(path.read_bytes(), before)
        self.assertEqual(list(self.folder.iterdir()), [path])

    def test_a_write_that_fails_leaves_nothing(self):
        (self.folder / 'results.json').mkdir()
        with self.assertRaises(OSError):
            page.write_json(made_up.results(), self.folder / 'results.json')
        self.assertLen(list(self.folder.iterdir()), 1)

    def test_a_name_that_is_not_unicode(self):
        results = made_up.results()
        results = results._replace(data=results.data._replace(name='caf\udce9'))
        page.write_json(results, self.folder / 'results.json')
        self.assertEqual(results_lib.read(self.folder / 'results.json').data.name, 'caf\udce9')
        self.assertIn('caf\\udce9', self.page(results, made_up.material()))

    def test_partial_results_have_no_page(self):
        page.write_json(made_up.partial(), self.folder / 'partial.json')
        self.assertNotIn('squeezed', json.loads((self.folder / 'partial.json').read_text()))
        with self.assertRaisesRegex(ValueError, 'no squeezed model yet'):
            self.page(made_up.partial(), made_up.material())

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
        results = results._replace(best=made_up.best(), plan=('cut: replicates from 20 to 12',))
        text = ' '.join(Page(self.page(results, extra)).text.split())
        self.assertIn(wording.headline(results), text)
        for words in ('runs/digits/best', 'Cut: replicates from 20 to 12'):
            self.assertIn(words, text)
        for name, mean in made_up.TECHNIQUES:
            self.assertIn(f'+ {name}', text)
            self.assertIn(f'{8.9 + mean:.1f}', text)
        for fact in (results.command, results.git, results.data.sha256, 'jax 0.10.2', extra.summary):
            self.assertIn(fact, text)
        self.assertIn('learning_rate 0.07312, steps 800, momentum 0.9', text)
        counts = extra.confusion * (1 - np.eye(10, dtype=int))
        truth, prediction = np.argwhere(counts == counts.max())[0]
        self.assertIn(f'Most often: “{truth}” taken for “{prediction}” ({counts.max()} ×)', text)

    def test_html_shows_references_controls_and_cost(self):
        results = made_up.results()
        chance = made_up.control(1, 0.4)
        results = results._replace(controls=(chance, *results.controls[1:]))
        text = ' '.join(Page(self.page(results, LITTLE)).text.split())
        self.assertIn('HOG + SVM, 20 copies3.7 ± 0.4+0.5 [+0.1, +0.9]HOG + SVM, 20 copies', text)
        self.assertIn('logistic regression9.8 ± 0.6−5.6 [−6.3, −4.9]squeezed model', text)
        self.assertIn('WARNING: mere chance got a verdict here', text)
        self.assertIn('tuned baseline (SGD), tuned again (1)9.3 ± 0.4+0.4 [+0.1, +0.7]', text)
        self.assertIn('130 of 200 labels do', text)
        self.assertIn('× 12helps', text)
        self.assertNotIn('Worth in labels×', text)  # an extrapolated figure is no headline
        worth = results.squeezed.labels_worth._replace(extrapolated=False)
        shown = results._replace(squeezed=results.squeezed._replace(labels_worth=worth))
        text = ' '.join(Page(self.page(shown, LITTLE)).text.split())
        self.assertIn('Worth in labels × 3.6 [3.1, over 4]'.replace(' ×', '×'), text)

    @parameterized.parameters(
        ('helps', 'Test error falls from 8.9 % to 4.2 %'),
        ('hurts', 'Combining techniques made it worse: 8.9 % to 4.2 %'),
        ('undecided', 'No sure gain over the tuned baseline’s 8.9 %'),
        ('no difference that matters', 'No gain that matters over the tuned baseline’s 8.9 %'),
    )
    def test_the_title_is_the_verdict(self, verdict, title):
        results = made_up.results()
        results = results._replace(squeezed=results.squeezed._replace(verdict=verdict))
        self.assertIn(title, ' '.join(Page(self.page(results, LITTLE)).text.split()))

    @parameterized.parameters('given', 'holdout', 'cross-fitted')
    def test_how_it_was_tested(self, mode):
        crossed = mode == 'cross-fitted'
        results = made_up.cross_fitted() if crossed else made_up.results()._replace(test_mode=mode)
        text = ' '.join(Page(self.page(results, LITTLE)).text.split())
        self.assertEqual('each by nets that were not trained on it' in text, crossed)
        self.assertEqual('tested on 797 others' in text, not crossed)
        self.assertEqual('What the squeezed model gets wrong' in text, crossed)
        self.assertEqual('the row of the test set' in text, not crossed)
        self.assertEqual('each example is held out from the nets' in text, crossed)
        self.assertEqual('the average of all nets that were not trained on it' in text, crossed)

    def test_worth_that_cannot_be_told(self):
        results = made_up.results()
        self.assertNotIn('cannot be told</span>', self.page(results, LITTLE))
        worth = results.squeezed.labels_worth._replace(factor=4.0)
        squeezed = results.squeezed._replace(verdict='undecided', labels_worth=worth)
        text = self.page(results._replace(squeezed=squeezed), LITTLE)
        self.assertIn('cannot be told</span>', text)
        self.assertNotIn('more than × 4', text)

    def test_a_note_is_printed_once(self):
        extra = LITTLE._replace(summary='images\n  note: very dark', notes=['very dark', 'another'])
        both = extra._replace(mistakes=[*extra.mistakes[:2], extra.mistakes[2]._replace(pixels=None)])
        text = self.page(made_up.results(), both)
        for words in ('very dark', 'another', 'A wrong label in the data'):
            self.assertEqual(text.count(words), 1, words)

    def test_names_are_escaped(self):
        results, extra = made_up.results(), made_up.material()
        named = {'technique': HOSTILE + ' $x^2$ _y', 'recipe': HOSTILE, 'hyper': {HOSTILE: 1.0}}
        results = results._replace(
            command=HOSTILE,
            git=HOSTILE,
            plan=(HOSTILE,),
            data=results.data._replace(name=HOSTILE, noun=HOSTILE),
            baseline=results.baseline._replace(**named),
            arms=(results.arms[0]._replace(**named), *results.arms[1:]),
            squeezed=results.squeezed._replace(**named),
            controls=(results.controls[0]._replace(**named),),
            references=(Reference(HOSTILE, made_up.interval(9.8, 0.6), made_up.alone(1.0, 0.5)),),
            best=made_up.best()._replace(path=f'runs/{HOSTILE}"onload="'),
        )
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
        drawing = plots.forest(results.arms, results.margin)
        self.assertIn('&lt;script&gt;', drawing)
        self.assertIn('$x^2$ _y</text>', drawing)
        self.assertNotIn('<script', drawing)

    def test_text_many_classes_and_nothing_more(self):
        results, extra = made_up.results(), made_up.material(classes=40, shape=(11,))
        results = results._replace(
            size_curve=(), references=None, controls=(), search_optimism=None, command=None, git=None
        )
        document = Page(self.page(results, extra._replace(curves={})))
        text = ' '.join(document.text.split())
        self.assertIn('the matrix of 40 classes is too large to print', text)
        self.assertIn('<b>number 23</b> of these', text)
        self.assertNotIn('<b>number 24</b>', text)
        self.assertNotIn('img', [tag for tag, _ in document.tags])
        for words in (
            'How the models learn',
            'What more labels would buy',
            'Against',
            'Controls',
            'None',
            'code',
        ):
            self.assertNotIn(words, text)
        nothing_wrong = extra._replace(confusion=np.eye(40, dtype=int), mistakes=[])
        self.assertIn('every test example was classified correctly', self.page(results, nothing_wrong))


if __name__ == '__main__':
    absltest.main()
