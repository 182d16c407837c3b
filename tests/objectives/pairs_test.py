"""Losses of pairs and triplets against loops, known angles and PyTorch Metric Learning."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base, keys
from overfit.objectives import embeddings, losses, pairs, triplets
from tests.objectives import triangles

soft_all = functools.partial(triplets.batch_all, soft=True)
soft_hard = functools.partial(triplets.batch_hard, soft=True)
# Our function, the loop, the number.
CASES = {
    'contrastive': (pairs.contrastive, triangles.contrastive, triangles.MARGIN),
    'supervised': (
        pairs.supervised_contrastive,
        triangles.supervised_contrastive,
        triangles.TEMPERATURE,
    ),
    'all': (triplets.batch_all, triangles.batch_all, triangles.MARGIN),
    'all_soft': (soft_all, functools.partial(triangles.batch_all, soft=True), triangles.MARGIN),
    'hard': (triplets.batch_hard, triangles.batch_hard, triangles.MARGIN),
    'hard_soft': (soft_hard, functools.partial(triangles.batch_hard, soft=True), triangles.MARGIN),
    'semi_hard': (triplets.semi_hard, triangles.semi_hard, triangles.MARGIN),
}
NAMED = [(name, *case) for name, case in CASES.items()]


def mean(function, x, y, number, weight=None, axis_name=None):
    return losses.batch_mean(function(x, y, number, weight=weight, axis_name=axis_name), weight, axis_name)


value_and_gradient = jax.jit(jax.value_and_grad(mean, argnums=1), static_argnums=0)


class PairLossTest(chex.TestCase):
    @parameterized.named_parameters(NAMED)
    def test_against_a_loop(self, ours, loop, number):
        for seed in range(4):
            x = triangles.features(seed)
            for weight in (None, triangles.WEIGHT):
                found, _ = value_and_gradient(ours, x, triangles.LABELS, number, weight)
                np.testing.assert_allclose(found, loop(x, triangles.LABELS, weight), rtol=1e-5, atol=1e-6)

    @parameterized.named_parameters(NAMED)
    def test_gradient_is_the_slope_of_the_loop(self, ours, loop, number):
        x, step = triangles.features(1), 1e-4
        _, gradient = value_and_gradient(ours, x, triangles.LABELS, number, triangles.WEIGHT)
        wide = x.astype(np.float64)
        slope = np.zeros_like(wide)
        for place in np.ndindex(*x.shape):
            moved = np.zeros_like(wide)
            moved[place] = step
            up, down = (loop(wide + sign * moved, triangles.LABELS, triangles.WEIGHT) for sign in (1, -1))
            slope[place] = (up - down) / (2 * step)
        np.testing.assert_allclose(gradient, slope, atol=2e-4)
        self.assertGreater(np.abs(slope).max(), 0.01)
        # Padding is no one's partner.
        np.testing.assert_array_equal(np.asarray(gradient)[triangles.WEIGHT == 0], 0)

    @parameterized.named_parameters(NAMED)
    def test_finite_where_points_coincide_and_where_nobody_has_a_partner(self, ours, loop, number):
        del loop
        x = triangles.features()
        same = np.zeros_like(x) + x[:1]
        some = np.where(np.arange(8)[:, None] < 3, x[:1], x)
        batches = [
            (points, labels, weight)
            for points in (np.zeros_like(x), same, some)
            for labels in (triangles.LABELS, np.arange(8, dtype=np.int32), np.zeros(8, np.int32))
            for weight in (triangles.WEIGHT, np.zeros(8, np.float32), np.eye(8, dtype=np.float32)[0])
        ]
        for points, labels, weight in batches:
            found = value_and_gradient(ours, points, labels, number, weight)
            chex.assert_tree_all_finite(found)
            if not (weight.sum() > 1) or (labels == np.arange(8)).all() and ours is not pairs.contrastive:
                self.assertEqual(found[0], 0)
                np.testing.assert_array_equal(found[1], 0)

    @parameterized.named_parameters(NAMED)
    def test_absent_is_zero(self, ours, loop, number):
        del loop, number
        x = triangles.features()
        absent, nothing = (
            value_and_gradient(ours, x, triangles.LABELS, number, triangles.WEIGHT)
            for number in (None, jnp.float32(0))
        )
        chex.assert_tree_all_finite(nothing)
        chex.assert_trees_all_close(absent, nothing, atol=1e-6)

    @parameterized.named_parameters(NAMED)
    def test_shards_have_the_values_and_gradients_of_the_whole_batch(self, ours, loop, number):
        del loop
        x, y, weight = triangles.features(1), triangles.LABELS, triangles.WEIGHT
        halves = jax.tree.map(lambda leaf: leaf.reshape(2, 4, *leaf.shape[1:]), (x, y, weight))
        whole_values = jax.jit(ours)(x, y, number, weight=weight)
        whole, whole_gradient = value_and_gradient(ours, x, y, number, weight)

        def of_shard(x, y, weight):
            def both(x):
                values = ours(x, y, number, weight=weight, axis_name='batch')
                return losses.batch_mean(values, weight, 'batch'), values

            (found, values), gradient = jax.value_and_grad(both, has_aux=True)(x)
            return values, found, gradient

        values, means, gradient = jax.pmap(of_shard, axis_name='batch')(*halves)
        np.testing.assert_allclose(np.ravel(values), whole_values, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.mean(means), whole, rtol=1e-5)
        # An example's gradient in the mean over two shards is half its gradient in its own shard.
        np.testing.assert_allclose(np.asarray(gradient).reshape(8, 3) / 2, whole_gradient, atol=1e-6)

    def test_at_known_angles(self):
        degrees = np.array([0, 60, 100, 180])
        x = np.stack([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))], 1).astype(np.float32)
        y = np.int32([0, 0, 1, 1])

        def chord(angle):
            return 2 * np.sin(np.deg2rad(angle) / 2)

        np.testing.assert_allclose(pairs.distances(x, x)[0], chord(degrees), atol=1e-6)
        gaps = [chord(60) - chord(100), chord(60) - chord(40), chord(80) - chord(40), chord(80) - chord(120)]
        np.testing.assert_allclose(
            triplets.batch_hard(x, y, 0.5), np.maximum(0, 0.5 + np.array(gaps)), atol=1e-5
        )
        found = mean(pairs.contrastive, x, y, 0.8)
        pull, push = (chord(60) ** 2 + chord(80) ** 2) / 2 / 2, (0.8 - chord(40)) ** 2 / 2 / 4
        np.testing.assert_allclose(found, pull + push, rtol=1e-5)
        cosines = np.cos(np.deg2rad([[60, 100, 180], [60, 40, 120], [80, 100, 40], [80, 180, 120]]))
        rows = np.log(np.exp(cosines).sum(1)) - cosines[:, 0]
        np.testing.assert_allclose(pairs.supervised_contrastive(5 * x, y, 1.0), rows, rtol=1e-5)
        # Squared chords: 1 within the one class and 1.653 within the other; from 60 degrees the next
        # farther one lies at 3, which is more than the margin away.
        band = [1.5 + 1 - chord(100) ** 2, 1.5 + chord(80) ** 2 - chord(100) ** 2, 1.5 + chord(80) ** 2 - 3]
        np.testing.assert_allclose(mean(triplets.semi_hard, x, y, 1.5), np.mean(band), rtol=1e-5)

    def test_normalised(self):
        x = jnp.array([[3.0, 4.0], [0.0, 0.0], [1e-12, 0.0]])
        np.testing.assert_allclose(pairs.normalised(x), [[0.6, 0.8], [0, 0], [1, 0]], rtol=1e-5)
        chex.assert_tree_all_finite(jax.grad(lambda x: pairs.normalised(x)[:2].sum())(x))


class EmbeddingsTest(chex.TestCase):
    def _values(self, loss, **numbers):
        x = triangles.features()
        logits = np.random.default_rng(7).normal(size=(8, 3)).astype(np.float32)
        batch = base.Batch(x, triangles.LABELS, triangles.WEIGHT)
        values, state = loss.apply(
            keys.key(0), loss.init(3, 3), base.Outputs(x, logits), batch, base.Hyper(**numbers), None
        )
        self.assertEqual(state, ())
        plain = losses.cross_entropy(logits, triangles.LABELS, label_smoothing=numbers.get('label_smoothing'))
        return values, plain

    @parameterized.named_parameters(
        (one.name, one, alone, number)
        for one, alone, number in zip(
            embeddings.BESIDE,
            embeddings.ALONE,
            ('margin', 'temperature', *['margin'] * 4),
            strict=True,
        )
    )
    def test_beside_the_cross_entropy_and_alone(self, beside, alone, number):
        loop = {
            'contrastive': triangles.contrastive,
            'supervised contrastive': triangles.supervised_contrastive,
            'triplets (all)': triangles.batch_all,
            'triplets (hard)': triangles.batch_hard,
            'triplets (soft margin)': functools.partial(triangles.batch_hard, soft=True),
            'triplets (semi-hard)': triangles.semi_hard,
        }[beside.name]
        wanted = loop(triangles.unit(triangles.features()), triangles.LABELS, triangles.WEIGHT, 0.4)
        self.assertGreater(wanted, 0.01)
        for loss, has in ((beside, 1), (alone, 0)):
            values, plain = self._values(loss, pair_weight=0.7, label_smoothing=0.1, **{number: 0.4})
            found = losses.batch_mean(values - has * plain, triangles.WEIGHT)
            np.testing.assert_allclose(found, 0.7 * wanted, rtol=1e-4)
            for absent in (None, 0.0):
                values, plain = self._values(loss, pair_weight=absent, **{number: 0.4})
                np.testing.assert_allclose(values, has * plain, rtol=1e-6)
        self.assertEqual(alone.name, f'{beside.name} alone')
