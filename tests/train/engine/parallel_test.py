"""Four devices against one: this file runs itself in a process that has four."""

import json
import os
import pathlib
import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base, keys
from overfit.data import augment, kinds
from overfit.objectives import embeddings, losses
from overfit.train import step
from overfit.train.engine import layout, parallel, population
from tests import problems

DEVICES = 4
RECIPE = problems.recipe(loss=losses.center, batch_norm=True, widths=(8, 6), batch_size=16)
NUMBERS = {
    'learning_rate': 0.2,
    'momentum': 0.9,
    'l2': 0.01,
    'label_smoothing': 0.1,
    'center_weight': 0.3,
    'center_rate': 0.5,
}
HYPER = base.Hyper(**{field: np.float32(value) for field, value in NUMBERS.items()})
EXAMPLES = problems.blobs(80, spread=0.8)


class ParallelTest(chex.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        root = str(pathlib.Path(__file__).parents[3])
        path = os.pathsep.join([root, *filter(None, [os.environ.get('PYTHONPATH')])])
        run = subprocess.run(
            [sys.executable, __file__], env=os.environ | {'PYTHONPATH': path}, capture_output=True, text=True
        )
        if run.returncode:
            raise AssertionError(run.stderr)
        cls.found = json.loads(run.stdout.splitlines()[-1])

    def test_there_are_four_devices(self):
        self.assertEqual(self.found['devices'], DEVICES)

    def test_a_population_spread_over_devices(self):
        self.assertLess(self.found['population'], 1e-5)
        self.assertGreater(self.found['moved'], 0.1)

    def test_a_step_of_members_spread_over_devices(self):
        self.assertLess(self.found['members'], 1e-5)

    def test_a_large_batch_spread_over_devices(self):
        for part in ('params', 'collections', 'loss_state', 'opt_state', 'metrics'):
            self.assertLess(self.found['batch'][part], 1e-5, part)
            self.assertLess(self.found['weighted'][part], 1e-5, part)
        self.assertGreater(self.found['centers'], 0.1)

    def test_losses_of_pairs_meet_all_examples_of_a_batch_that_is_spread(self):
        for loss in (embeddings.supervised_contrastive, embeddings.triplet_all_alone):
            for part in ('params', 'collections', 'opt_state', 'metrics'):
                self.assertLess(self.found[loss.name][part], 1e-5, f'{loss.name}: {part}')

    def test_shards_do_not_share_their_dropout(self):
        self.assertEqual(self.found['distinct masks'], DEVICES)

    def test_a_batch_that_cannot_be_shared(self):
        self.assertEqual(
            self.found['refused'],
            'a batch of 10 cannot be shared evenly by 4 devices: use a multiple of 4',
        )


def distance(a, b):
    pairs = zip(*map(jax.tree.leaves, (a, b)), strict=True)
    return max((float(np.abs(np.asarray(u) - np.asarray(v)).max()) for u, v in pairs), default=0.0)


def initial(seed, recipe=RECIPE, hyper=HYPER):
    return problems.initial(keys.key(seed), EXAMPLES.x, kinds.vector.measure(EXAMPLES.x), hyper, recipe)


def batches(count, size, weighted=False):
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 80, (count, size))
    weight = (rng.random((count, size)) < 0.6).astype(np.float32) if weighted else None
    return [
        base.Batch(EXAMPLES.x[r], EXAMPLES.y[r], None if weight is None else weight[n])
        for n, r in enumerate(rows)
    ]


def sharded_batch(weighted, recipe=RECIPE, hyper=HYPER):
    """Differences after steps with one batch over all devices and on one."""
    spread = parallel.train_sharded_batch(recipe)
    single = jax.jit(lambda state, batch: step.train_step(state, batch, hyper, recipe))
    many = one = initial(3, recipe, hyper)
    for batch in batches(6, 16, weighted):
        many, metrics = spread(many, batch, hyper)
        one, wanted = single(one, batch)
    parts = ('params', 'collections', 'loss_state', 'opt_state')
    found = {part: distance(getattr(many, part), getattr(one, part)) for part in parts}
    return found | {'metrics': distance(metrics, wanted)}, one


def whole_population():
    members = [
        population.Member(
            RECIPE,
            HYPER._replace(steps=40.0 + 10 * seed, dropout=0.2, learning_rate=0.05 * (seed + 1)),
            seed,
            np.random.default_rng(seed).permutation(80)[: 20 + seed],
            np.arange(10 * (seed % 2)),
        )
        for seed in range(7)
    ]
    many, one = (
        population.train(members, EXAMPLES, eval_every=10, layout=layout.Layout(devices, 1, 2))
        for devices in (DEVICES, 1)
    )
    numbers = [[(t.variables, t.curve, t.inputs) for t in trained] for trained in (many, one)]
    return distance(*numbers), distance(many[0].variables, many[1].variables)


def sharded_members():
    states = [initial(seed) for seed in range(8)]
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *states)
    hyper = jax.tree.map(lambda a: a * np.linspace(0.5, 1, 8, dtype=np.float32), HYPER)
    batch = jax.tree.map(lambda *a: np.stack(a), *batches(8, 16))
    abreast, _ = parallel.train_members(RECIPE)(stacked, batch, hyper)

    def fold(tree):
        return jax.tree.map(lambda a: a.reshape(DEVICES, 2, *a.shape[1:]), tree)

    spread, _ = parallel.train_sharded_members(RECIPE)(fold(stacked), fold(batch), fold(hyper))
    return distance(fold(abreast.params), spread.params)


def distinct_masks():
    """Noise on equal inputs, seen through the features of a model without hidden layers."""

    def see(key, state, outputs, batch, hyper, axis_name):
        return jnp.mean(outputs.logits, axis=1), jax.lax.all_gather(outputs.features, axis_name)

    recipe = problems.recipe(widths=(), loss=base.Loss(lambda *_: (), see), augment=(augment.noise,))
    hyper = base.Hyper(learning_rate=0.1, noise=0.5)
    same = base.Batch(np.repeat(EXAMPLES.x[:1], 8, axis=0), np.repeat(EXAMPLES.y[:1], 8))
    state, _ = parallel.train_sharded_batch(recipe)(initial(0, recipe, hyper), same, hyper)
    return len({np.asarray(shard).tobytes() for shard in state.loss_state})


def main():
    jax.config.update('jax_num_cpu_devices', DEVICES)
    jax.config.update('jax_numpy_rank_promotion', 'raise')
    found = {'devices': len(jax.local_devices())}
    found['batch'], last = sharded_batch(weighted=False)
    found['weighted'], _ = sharded_batch(weighted=True)
    hyper = HYPER._replace(pair_weight=np.float32(1), margin=np.float32(0.5), temperature=np.float32(0.3))
    for loss in (embeddings.supervised_contrastive, embeddings.triplet_all_alone):
        found[loss.name], _ = sharded_batch(True, RECIPE._replace(loss=loss), hyper)
    found['centers'] = float(np.abs(last.loss_state).max())
    found['population'], found['moved'] = whole_population()
    found['members'] = sharded_members()
    found['distinct masks'] = distinct_masks()
    try:
        parallel.train_sharded_batch(RECIPE)(last, batches(1, 10)[0], HYPER)
    except ValueError as error:
        found['refused'] = str(error)
    print(json.dumps(found))


if __name__ == '__main__':
    main()
