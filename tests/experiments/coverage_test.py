"""What the users' intervals are asked, against naive loops."""

import json
import pathlib

import numpy as np
from absl.testing import absltest

from experiments import coverage
from experiments.simulated_users import Seen
from overfit.study.stats import Difference, Interval

RESULTS = pathlib.Path(__file__).parents[2] / 'experiments' / 'results'
LABELS = ('plain', 'helps a lot', 'nothing', 'plain, tuned again (1)')


def _difference(mean, half):
    return Difference(mean, mean - 2 * half, mean + 2 * half, 10, 0.5, 0.5, mean - half, mean + half)


def _interval(mean, half):
    return Interval(mean, mean - half, mean + half, 10)


def _users(count=40, seed=0):
    rng = np.random.default_rng(seed)
    users = []
    for _ in range(count):
        at_size = np.array([10.0, 6.0, 10.0, 10.0]) + rng.normal(scale=0.5, size=4)
        final = at_size[:3] - 1 + rng.normal(scale=0.5, size=3)
        seen = rng.normal(scale=1.0, size=3) + [-4.0, 0.0, 0.0]
        users.append(
            Seen(
                LABELS,
                tuple(_difference(mean, 1.3) for mean in seen),
                tuple('helps' if mean < -2.6 else 'hurts' if mean > 2.6 else 'undecided' for mean in seen),
                float(rng.uniform(2, 3)),
                tuple(_interval(mean, 1.0) for mean in at_size + rng.normal(size=4)),
                tuple(_interval(mean, 1.5) for mean in final + rng.normal(size=3)),
                at_size,
                final,
            )
        )
    return users


class CoverageTest(absltest.TestCase):
    def test_naive(self):
        users = _users()
        found = coverage.summary(users)
        held, wide, whole, own, level, model = ([] for _ in range(6))
        for user in users:
            others = [one for one in users if one is not user]
            for n in range(2):  # the arms, not the control
                one = user.differences[n]
                truth = np.mean([o.at_size[n + 1] - o.at_size[0] for o in others])
                held.append(one.low_single <= truth <= one.high_single)
                wide.append(one.low <= truth <= one.high)
                truth = np.mean([o.final[n + 1] - o.final[0] for o in others])
                whole.append(one.low_single <= truth <= one.high_single)
                own.append(one.low_single <= user.final[n + 1] - user.final[0] <= one.high_single)
            for n in range(3):
                expected = np.mean([o.at_size[n] for o in others])
                level.append(user.errors[n].low <= expected <= user.errors[n].high)
                model.append(user.of_models[n].low <= user.final[n] <= user.of_models[n].high)
        for name, expected in (
            ('difference', held),
            ('difference_simultaneous', wide),
            ('difference_of_final_models', whole),
            ('difference_of_own_final_models', own),
            ('expected_error', level),
            ('model_error', model),
        ):
            self.assertAlmostEqual(found[f'coverage_of_{name}'], np.mean(expected), places=4, msg=name)
        self.assertGreaterEqual(len({np.mean(one) for one in (held, wide, whole, own, level, model)}), 5)
        self.assertEqual((found['half_width_of_difference'], found['half_width_simultaneous']), (1.3, 2.6))
        self.assertEqual(found['half_width_of_model_error'], 1.5)

    def test_verdicts(self):
        users = _users()
        found = coverage.summary(users)
        said = [word for user in users for word in user.verdicts[:2]]
        self.assertEqual(found['verdicts']['helps'], said.count('helps'))
        self.assertEqual(sum(found['verdicts'].values()), 2 * len(users))
        self.assertEqual(found['verdicts_of_the_wrong_sign'], 0)
        first = users[0]
        wrong = first._replace(verdicts=('hurts', 'undecided', 'helps'))
        changed = coverage.summary([wrong, *users[1:]])
        self.assertEqual(changed['verdicts_of_the_wrong_sign'], 1)
        before = sum(user.verdicts[2] != 'undecided' for user in users[1:])
        self.assertEqual(changed['control_verdicts'], before + 1)
        self.assertEqual(list(changed['differences']), list(LABELS[1:]))
        self.assertEqual(list(changed['models']), list(LABELS[:3]))
        self.assertIn('verdicts of the wrong sign', coverage.table({'cross-fitted': changed}))

    def test_committed_results(self):
        paths = sorted(RESULTS.glob('own_data_*.json'))
        self.assertNotEmpty(paths)
        for path in paths:
            result = json.loads(path.read_text())
            self.assertContainsSubset({'machine', 'versions', 'git', 'command', 'data', 'seed'}, set(result))
            self.assertRegex(result['command'], r'^python -m experiments\.own_data --data=[\w.]+ ', path.name)
            for mode, found in result['modes'].items():
                self.assertGreaterEqual(
                    found['users'], 12 if '--nets' in result['command'] else 200, path.name
                )
                self.assertBetween(found['coverage_of_model_error'], 0.9, 1.0, f'{path.name}, {mode}')
                self.assertBetween(found['coverage_of_difference'], 0.9, 1.0, f'{path.name}, {mode}')


if __name__ == '__main__':
    absltest.main()
