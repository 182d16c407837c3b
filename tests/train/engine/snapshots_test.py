"""Snapshots against a loop over steps with Huang's learning rates."""

import chex
import jax
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.train.engine import population, snapshots
from tests import problems

RATE, STEPS, CYCLES = 0.2, 24, 3


def member(**changes):
    hyper = base.Hyper(learning_rate=RATE, steps=float(STEPS))
    return population.Member(problems.recipe(**changes), hyper, 5, np.arange(40), np.arange(40, 60))


def trained(members, **changes):
    options = {'eval_every': 4, 'layout': problems.FOUR}
    return snapshots.train(members, problems.VECTORS, CYCLES, **options | changes)


def softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def by_hand(net, steps, seed):
    """SGD on the MLP of `problems.recipe` in NumPy, from its weights on, along one cycle."""
    weights = jax.tree.map(lambda a: np.asarray(a, np.float64), dict(net.variables['params']))
    (first, hidden), (last, out) = [(n, weights[n]) for n in sorted(weights)]
    x = (problems.VECTORS.x[:40] - net.inputs.mean) / net.inputs.scale
    y = np.eye(problems.CLASSES)[problems.VECTORS.y[:40]]
    for t, rows in enumerate(problems.visits(np.uint32(seed), 40, steps, 8)):
        rate = RATE / 2 * (np.cos(np.pi * (t + 1) / steps) + 1)
        features = np.tanh(x[rows] @ hidden['kernel'] + hidden['bias'])
        error = (softmax(features @ out['kernel'] + out['bias']) - y[rows]) / len(rows)
        back = (error @ out['kernel'].T) * (1 - features**2)
        out = {'kernel': out['kernel'] - rate * features.T @ error, 'bias': out['bias'] - rate * error.sum(0)}
        hidden = {
            'kernel': hidden['kernel'] - rate * x[rows].T @ back,
            'bias': hidden['bias'] - rate * back.sum(0),
        }
    return {first: hidden, last: out}


class SnapshotsTest(chex.TestCase):
    def test_a_cycle_goes_on_from_the_last_one_at_the_full_rate(self):
        found = trained([member()])[0]
        self.assertEqual([one.steps for one in found], [STEPS // CYCLES] * CYCLES)
        for cycle in (1, 2):
            seed = int(np.random.SeedSequence([5, cycle]).generate_state(1)[0])
            wanted = by_hand(found[cycle - 1], STEPS // CYCLES, seed)
            chex.assert_trees_all_close(dict(found[cycle].variables['params']), wanted, rtol=1e-4, atol=1e-5)

    def test_members_do_not_depend_on_their_company_and_keep_running_statistics(self):
        normed = member(batch_norm=True)
        other = normed._replace(seed=6, train=np.arange(20, 50))
        together, alone = trained([other, normed]), trained([normed])[0]
        for one, same in zip(together[1], alone, strict=True):
            chex.assert_trees_all_close(one.variables, same.variables, rtol=1e-4, atol=1e-4)
        means = [jax.tree.leaves(one.variables['batch_stats'])[0] for one in alone]
        self.assertGreater(np.abs(means[1] - means[0]).max(), 1e-3)

    @parameterized.parameters(
        ({'cycles': 0}, {}, 'cycles=0 leaves no snapshot'),
        ({}, {'stop_at': 8.0}, 'stop_at=8.0 has no cycles'),
        ({}, {'hyper': base.Hyper(learning_rate=0.1)}, 'steps=None'),
    )
    def test_what_has_no_cycles_is_refused(self, given, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            snapshots.train([member()._replace(**changes)], problems.VECTORS, given.get('cycles', 2))
