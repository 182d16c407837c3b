"""Losses against SciPy, hand values and naive loops."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from absl.testing import parameterized

from overfit import base, keys
from overfit.objectives import losses

CLASSES, FEATURES, BATCH = 4, 3, 12
KEY = keys.key(0)


def example(seed=0):
    generator = np.random.default_rng(seed)
    outputs = base.Outputs(
        generator.normal(size=(BATCH, FEATURES)).astype(np.float32),
        3 * generator.normal(size=(BATCH, CLASSES)).astype(np.float32),
    )
    labels = generator.integers(0, CLASSES - 1, BATCH).astype(np.int32)  # the last class is absent
    weight = np.float32([1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0])  # its halves weigh unequally
    centers = generator.normal(size=(CLASSES, FEATURES)).astype(np.float32)
    return outputs, labels, weight, centers


def naive_update(centers, features, labels, rate, weight):
    moved = centers.astype(np.float64)
    for j in range(len(centers)):
        total, count = np.zeros(centers.shape[1]), 0.0
        for f, y, w in zip(features, labels, weight, strict=True):
            if y == j:
                total += w * (centers[j] - f)
                count += w
        moved[j] -= rate * total / (1 + count)
    return moved


class CrossEntropyTest(chex.TestCase):
    def test_by_hand(self):
        logits = jnp.log(jnp.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]))
        np.testing.assert_allclose(
            losses.cross_entropy(logits, jnp.array([0, 1])), [-np.log(0.7), -np.log(0.1)], rtol=1e-5
        )
        # A mass of 0.3 spread: 0.8 on the label, 0.1 on each other class.
        expected = -(0.8 * np.log(0.7) + 0.1 * np.log(0.2) + 0.1 * np.log(0.1))
        smoothed = losses.cross_entropy(logits, jnp.array([0, 1]), label_smoothing=0.3)
        np.testing.assert_allclose(smoothed[0], expected, rtol=1e-5)

    @parameterized.parameters(None, 0.0, 0.1, 1.0)
    def test_against_scipy(self, smoothing):
        outputs, labels, *_ = example()
        share = smoothing or 0.0
        target = (1 - share) * np.eye(CLASSES)[labels] + share / CLASSES
        expected = -(target * scipy.special.log_softmax(outputs.logits, axis=1)).sum(axis=1)
        ours = losses.cross_entropy(outputs.logits, labels, label_smoothing=smoothing)
        np.testing.assert_allclose(ours, expected, rtol=1e-5)
        gradient = jax.grad(
            lambda logits: losses.cross_entropy(logits, labels, label_smoothing=smoothing).sum()
        )(outputs.logits)
        np.testing.assert_allclose(
            gradient, scipy.special.softmax(outputs.logits, axis=1) - target, atol=1e-6
        )

    def test_extreme_logits_stay_finite(self):
        logits = jnp.array([[1e4, -1e4, 0.0]])
        value, gradient = jax.value_and_grad(lambda z: losses.cross_entropy(z, jnp.array([1]))[0])(logits)
        np.testing.assert_allclose(value, 2e4)
        np.testing.assert_allclose(gradient, [[1, -1, 0]])


class CenterTest(chex.TestCase):
    def test_distance_and_its_gradient(self):
        outputs, labels, _, centers = example()
        expected = [
            0.5 * np.linalg.norm(f - centers[y]) ** 2 for f, y in zip(outputs.features, labels, strict=True)
        ]
        np.testing.assert_allclose(
            losses.center_distance(centers, outputs.features, labels), expected, rtol=1e-5
        )
        gradient = jax.grad(lambda f: losses.center_distance(centers, f, labels).sum())(outputs.features)
        np.testing.assert_allclose(gradient, outputs.features - centers[labels], atol=1e-6)

    @parameterized.parameters(False, True)
    def test_update_against_a_loop(self, weighted):
        outputs, labels, weight, centers = example()
        weight = weight if weighted else None
        ours = losses.center_update(centers, outputs.features, labels, 0.5, weight=weight)
        counts = np.ones(BATCH) if weight is None else weight
        np.testing.assert_allclose(
            ours, naive_update(centers, outputs.features, labels, 0.5, counts), atol=1e-5
        )
        np.testing.assert_array_equal(ours[-1], centers[-1])

    def test_one_example_by_hand(self):
        # (1 - 3) / (1 + 1) = -1; half of it: the center moves from 1 to 1.5.
        moved = losses.center_update(jnp.array([[1.0], [9.0]]), jnp.array([[3.0]]), jnp.array([0]), 0.5)
        np.testing.assert_allclose(moved, [[1.5], [9.0]])

    def test_absent_and_zero_rates_leave_the_centers(self):
        outputs, labels, _, centers = example()
        for rate in (None, 0.0):
            np.testing.assert_array_equal(
                losses.center_update(centers, outputs.features, labels, rate), centers
            )

    def test_no_gradient_through_the_update(self):
        outputs, labels, _, centers = example()
        gradient = jax.grad(lambda f: losses.center_update(centers, f, labels, 0.5).sum())(outputs.features)
        np.testing.assert_array_equal(gradient, np.zeros_like(outputs.features))

    def test_shards_equal_the_whole_batch(self):
        outputs, labels, weight, centers = example()
        moved = jax.vmap(
            lambda f, y, w: losses.center_update(centers, f, y, 0.5, weight=w, axis_name='batch'),
            axis_name='batch',
        )(outputs.features.reshape(2, 6, FEATURES), labels.reshape(2, 6), weight.reshape(2, 6))
        expected = naive_update(centers, outputs.features, labels, 0.5, weight)
        for shard in moved:
            np.testing.assert_allclose(shard, expected, atol=1e-5)


class LossTest(chex.TestCase):
    def test_values_of_softmax(self):
        outputs, labels, weight, _ = example()
        rows = -scipy.special.log_softmax(outputs.logits, axis=1)[np.arange(BATCH), labels]
        for given in (None, weight):  # whatever counts, each example has its value
            values, state = losses.softmax.apply(
                KEY,
                losses.softmax.init(CLASSES, FEATURES),
                outputs,
                base.Batch(outputs.features, labels, given),
                base.Hyper(),
                None,
            )
            np.testing.assert_allclose(values, rows, rtol=1e-5)
            self.assertEqual(state, ())

    def test_values_and_state_of_center(self):
        outputs, labels, weight, centers = example()
        np.testing.assert_array_equal(losses.center.init(CLASSES, FEATURES), np.zeros((CLASSES, FEATURES)))
        hyper = base.Hyper(center_weight=0.2, center_rate=0.4, label_smoothing=0.1)
        values, moved = losses.center.apply(
            KEY, centers, outputs, base.Batch(outputs.features, labels, weight), hyper, None
        )
        target = 0.9 * np.eye(CLASSES)[labels] + 0.1 / CLASSES
        rows = -(target * scipy.special.log_softmax(outputs.logits, axis=1)).sum(axis=1)
        rows = rows + 0.2 * 0.5 * ((outputs.features - centers[labels]) ** 2).sum(axis=1)
        np.testing.assert_allclose(values, rows, rtol=1e-5)
        np.testing.assert_allclose(
            moved, naive_update(centers, outputs.features, labels, 0.4, weight), atol=1e-5
        )

    @parameterized.parameters(None, 0.0)
    def test_center_without_weight_is_softmax(self, absent):
        outputs, labels, _, centers = example()
        batch = base.Batch(outputs.features, labels)
        hyper = base.Hyper(center_weight=absent, center_rate=absent, label_smoothing=absent)
        values, moved = losses.center.apply(KEY, centers, outputs, batch, hyper, None)
        rows = -scipy.special.log_softmax(outputs.logits, axis=1)[np.arange(BATCH), labels]
        np.testing.assert_allclose(values, rows, rtol=1e-5)
        np.testing.assert_array_equal(moved, centers)

    @parameterized.product(weighted=(False, True), loss=(losses.softmax, losses.center))
    def test_a_shard_has_the_values_gradients_and_state_of_the_whole_batch(self, weighted, loss):
        outputs, labels, weight, centers = example()
        weight = weight if weighted else None
        hyper = base.Hyper(center_weight=0.2, center_rate=0.4)
        state = () if loss is losses.softmax else centers

        def mean_and_gradient(outputs, labels, weight, axis_name):
            def mean(outputs):
                batch = base.Batch(outputs.features, labels, weight)
                values, moved = loss.apply(KEY, state, outputs, batch, hyper, axis_name)
                return losses.batch_mean(values, weight, axis_name), (values, moved)

            return jax.value_and_grad(mean, has_aux=True)(outputs)

        def halves(tree):
            return jax.tree.map(lambda leaf: leaf.reshape(2, BATCH // 2, *leaf.shape[1:]), tree)

        (mean, (values, moved)), whole_gradient = mean_and_gradient(outputs, labels, weight, None)
        counts = np.ones(BATCH) if weight is None else weight
        np.testing.assert_allclose(mean, np.average(values, weights=counts), rtol=1e-5)
        (means, (shard_values, shard_moved)), gradient = jax.vmap(
            lambda *a: mean_and_gradient(*a, 'batch'), axis_name='batch'
        )(*halves((outputs, labels, weight)))
        np.testing.assert_allclose(means.mean(), mean, rtol=1e-5)
        np.testing.assert_allclose(shard_values, halves(values), rtol=1e-5)
        if loss is losses.center:
            np.testing.assert_allclose(shard_moved, np.stack([moved, moved]), atol=1e-5)
        # An example's gradient in the mean over two shards is half its gradient in its own shard.
        chex.assert_trees_all_close(
            jax.tree.map(lambda g: g / 2, gradient), halves(whole_gradient), atol=1e-6
        )

    def test_names(self):
        self.assertEqual((losses.softmax.name, losses.center.name), ('softmax', 'center'))

    def test_padding_alone_counts_nothing(self):
        self.assertEqual(losses.batch_mean(jnp.array([5.0, 7.0]), jnp.zeros(2)), 0)
