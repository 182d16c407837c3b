"""Optimizers compared on tiny settings: every one twice, and what tuning is worth."""

from absl.testing import absltest

from experiments import optimizers
from overfit.study import techniques
from tests.experiments import questions


class OptimizersTest(absltest.TestCase):
    def test_table_json_and_picture(self):
        found = questions.ask('optimizers', *questions.TINY)
        self.assertEqual(found.code, 0, found.complained)
        rows = {row['label']: row for row in found.record['rows']}
        for label, rate in optimizers.DEFAULTS.items():
            self.assertIn(label, rows)
            untuned = rows[f'{label} at {rate:g}']
            self.assertAlmostEqual(untuned['numbers']['learning_rate'], rate)
        self.assertGreater(rows['Muon']['cost'], 8)
        self.assertIn(f'× {rows["Muon"]["cost"]:.1f}', found.told)
        self.assertAlmostEqual(rows[techniques.sam.label]['cost'], 2, delta=0.1)
        said = {one['technique']: one for one in found.record['findings']}
        self.assertEqual(said['tuned rate: AdamW']['n'], 3)
        self.assertLessEqual(said['tuned rate: AdamW']['low'], said['tuned rate: AdamW']['mean'])
        self.assertIn('what tuning is worth', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')


if __name__ == '__main__':
    absltest.main()
