"""Optimizers compared on tiny settings: tuned, as they come, and what tuning is worth."""

from unittest import mock

from absl.testing import absltest

from experiments import optimizers
from overfit.study import techniques
from tests.experiments import questions


class OptimizersTest(absltest.TestCase):
    def test_table_json_and_picture(self):
        few = [techniques.adamw, techniques.muon]
        with mock.patch.object(optimizers, 'compared', lambda: few):
            found = questions.ask('optimizers', *questions.TINY)
        self.assertEqual(found.code, 0, found.complained)
        rows = {row['label']: row for row in found.record['rows']}
        self.assertEqual(rows['AdamW at 0.001']['numbers']['learning_rate'], 0.001)
        self.assertEqual(rows['SGD at 0.01']['numbers']['learning_rate'], 0.01)
        self.assertContainsSubset(
            ['AdamW', 'Muon at 0.001', techniques.swa.label, techniques.ema.label], rows
        )
        self.assertGreater(rows['Muon']['cost'], 8)
        self.assertIn(f'× {rows["Muon"]["cost"]:.1f}', found.told)
        self.assertAlmostEqual(rows[techniques.sam.label]['cost'], 2, delta=0.1)
        said = {one['technique']: one for one in found.record['findings']}
        self.assertEqual(said['tuned rate: AdamW']['n'], 3)
        self.assertLessEqual(said['tuned rate: AdamW']['low'], said['tuned rate: AdamW']['mean'])
        self.assertIn('what tuning is worth', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')

    def test_every_optimizer_has_its_default(self):
        tuned = optimizers.compared()
        self.assertEqual([one.label for one in tuned], list(optimizers.DEFAULTS))
        for one, untuned in zip(tuned, map(optimizers.at_its_default, tuned), strict=True):
            self.assertEqual(
                untuned.space, dict(one.space) | {'learning_rate': optimizers.DEFAULTS[one.label]}
            )
            self.assertEqual(untuned.change, one.change)


if __name__ == '__main__':
    absltest.main()
