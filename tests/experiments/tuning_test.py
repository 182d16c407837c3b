"""Tuning against techniques: made-up tables whose gains are known, variance components, a tiny run."""

from unittest import mock

import numpy as np
from absl import flags
from absl.testing import absltest, flagsaver

from experiments import tuning
from overfit.data import kinds
from overfit.study import baselines, techniques
from tests.experiments import questions


class TuningTest(absltest.TestCase):
    def test_a_tiny_run(self):
        chosen = (techniques.dropout, techniques.cosine, techniques.label_smoothing)
        with mock.patch.object(tuning, 'techniques_for', lambda baseline, kind: chosen):
            found = questions.ask(
                'tuning',
                '--trials=2',
                '--budget_minutes=0.1',
                '--tuning_per_class=6',
                '--tuning_subsets=2',
                '--tuning_seeds=2',
            )
        self.assertEqual(found.code, 0, found.complained)
        [one] = found.record['sizes']
        self.assertEqual(one['size'], 60)
        self.assertEqual(list(one['tuning']), ['untuned, rate 0.01', 'untuned, rate 0.1'])
        self.assertEqual(list(one['techniques']), [technique.label for technique in chosen])
        for label, gain in one['techniques'].items():
            with self.subTest(label):
                errors = one['errors']
                self.assertAlmostEqual(
                    gain['mean'], errors['tuned']['mean'] - errors[label]['mean'], places=2
                )
        self.assertIn('median technique', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')

    @flagsaver.flagsaver
    def test_techniques_are_those_that_apply_and_all_standard_ones_with_full(self):
        flags.FLAGS.mark_as_parsed()
        baseline = baselines.baseline(baselines.mlp(10), kinds.image)
        some = tuning.techniques_for(baseline, kinds.image)
        flags.FLAGS.full = True
        every = tuning.techniques_for(baseline, kinds.image)
        self.assertLess({one.label for one in some}, {one.label for one in every})
        self.assertNotIn(techniques.noise, some)  # of vectors
        self.assertNotIn(techniques.weight_decay, every)  # the tuned net has it
        self.assertNotIn(techniques.refit, every)

    def test_sizes_that_are_not_there(self):
        found = questions.ask('tuning', '--tuning_per_class=5000')
        self.assertEqual(found.code, 1)
        self.assertIn('give whole numbers from 2 to 100', found.complained)


class GainsTest(absltest.TestCase):
    def test_known_gains(self):
        def table(*errors):
            """Three subsets of two seeds, a thousand test examples."""
            return np.repeat([np.arange(1000) < 10 * e for e in errors], 2, axis=0).astype(np.float32)

        tables = {
            'tuned': table(10, 12, 11),
            'untuned': table(20, 21, 25),
            'a': table(9, 11, 10),
            'b': table(8, 13, 7),
            'c': table(10, 12, 13),
        }
        found = tuning.of_tables(30, tables, 2, 1)
        self.assertAlmostEqual(found.tuning['untuned'].mean, 11, places=4)
        self.assertAlmostEqual(found.techniques['b'].mean, np.mean([2, -1, 4]), places=4)
        self.assertAlmostEqual(found.median.mean, np.mean([1, 0, 1]), places=4)
        self.assertAlmostEqual(found.more['untuned'].mean, np.mean([9, 9, 13]), places=4)
        self.assertAlmostEqual(found.spread['subset'], 1, places=4)
        self.assertIsNone(found.spread['ratio'])
        # Gains (1, 2, 0), (1, -1, 0), (1, 4, -2): pairs that agree minus pairs that do not, of three.
        self.assertAlmostEqual(found.agreement, np.mean([-1 / 3, 1, -1 / 3]), places=4)

    def test_components_are_recovered(self):
        rng = np.random.default_rng(0)
        errors = rng.normal(0, 3, (2000, 1)) + rng.normal(0, 2, (2000, 5))
        found = tuning.components(errors)
        self.assertAlmostEqual(found['subset'], 3, delta=0.15)
        self.assertAlmostEqual(found['seed'], 2, delta=0.05)

    def test_the_ratio_is_covered(self):
        rng = np.random.default_rng(1)
        covered = 0
        for _ in range(400):
            errors = rng.normal(0, 1.5, (3, 1)) + rng.normal(0, 1, (3, 5))
            found = tuning.components(errors)
            covered += found['ratio_low'] <= 1.5 <= found['ratio_high']
        self.assertBetween(covered / 400, 0.92, 0.98)


if __name__ == '__main__':
    absltest.main()
