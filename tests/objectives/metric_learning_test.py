"""Metrics of embeddings against loops, scikit-learn, SciPy and hand values."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import optimize
from sklearn import metrics

from overfit.objectives import metric_learning

PADDING = 5
neighbours = jax.jit(metric_learning.neighbours, static_argnames='most')
verification = jax.jit(metric_learning.verification)
variance_ratio = jax.jit(metric_learning.variance_ratio, static_argnums=2)
collapse = jax.jit(metric_learning.collapse)


def embedded(seed=0, count=40, classes=6):
    """Features, labels and weights; the last examples are padding, and class 5 has one example."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes - 1, count + PADDING).astype(np.int32)
    y[0] = classes - 1
    x = (rng.normal(size=(classes, 4))[y] + 0.7 * rng.normal(size=(len(y), 4))).astype(np.float32)
    return x, y, (np.arange(len(y)) < count).astype(np.float32)


def naive_neighbours(x, y):
    averages, firsts = [], []
    for query in range(len(y)):
        others = [n for n in range(len(y)) if n != query]
        others.sort(key=lambda n: np.linalg.norm(x[n].astype(np.float64) - x[query]))
        total = sum(y[n] == y[query] for n in others)
        if not total:
            continue
        right = [y[n] == y[query] for n in others]
        averages.append(sum(sum(right[: i + 1]) / (i + 1) for i in range(total) if right[i]) / total)
        firsts.append(right[0])
    return np.mean(averages), np.mean(firsts)


class NeighboursTest(chex.TestCase):
    @parameterized.parameters(range(4))
    def test_against_a_loop(self, seed):
        x, y, weight = embedded(seed)
        most = int(np.bincount(y).max())
        wanted = naive_neighbours(x[:-PADDING], y[:-PADDING])
        for bound in (None, most):
            np.testing.assert_allclose(neighbours(x, y, weight=weight, most=bound), wanted, rtol=1e-5)
        np.testing.assert_allclose(neighbours(x, y), naive_neighbours(x, y), rtol=1e-5)

    def test_by_hand(self):
        # On a line, of the classes a a b a b: an a's three nearest places hold two others of its class.
        x, y = np.float32([[0], [1], [2.1], [3.3], [4.6]]), np.int32([0, 0, 1, 0, 1])
        found = neighbours(x, y)
        # R = 2: a1: a b -> 1/2; a2: a b -> 1/2; a3: b b -> 0. R = 1: b1: a -> 0; b2: a -> 0.
        np.testing.assert_allclose(found.map_at_r, (1 / 2 + 1 / 2) / 5, rtol=1e-6)
        np.testing.assert_allclose(found.precision_at_1, 2 / 5, rtol=1e-6)

    def test_perfect_and_without_partners(self):
        x, y = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]], np.int32([0, 1, 2, 0, 1, 2])
        self.assertEqual(tuple(neighbours(x, y)), (1, 1))
        self.assertEqual(tuple(neighbours(x, np.arange(6, dtype=np.int32))), (0, 0))


class VerificationTest(chex.TestCase):
    @parameterized.product(seed=(0, 1, 2), tied=(False, True))
    def test_against_scikit_learn(self, seed, tied):
        x, y, weight = embedded(seed)
        scores, same, counts = metric_learning.all_pairs(x, y, weight=weight)
        if tied:
            scores = jnp.round(scores, 1)
        allowed = np.float32([0.0, 0.001, 0.01, 0.1, 1.0])
        found = verification(scores, same, allowed, weight=counts)
        used = np.asarray(counts) > 0
        self.assertEqual(used.sum(), 40 * 39 / 2)
        far, tar, _ = metrics.roc_curve(
            np.asarray(same)[used], np.asarray(scores)[used], drop_intermediate=False
        )
        equal = optimize.brentq(lambda rate: 1 - rate - np.interp(rate, far, tar), 0, 1, xtol=1e-12)
        np.testing.assert_allclose(found.equal_error_rate, equal, atol=1e-5)
        np.testing.assert_allclose(
            found.true_accepts, [tar[far <= share + 1e-9].max() for share in allowed], rtol=1e-5
        )

    def test_by_hand(self):
        scores = np.float32([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
        same = np.array([1, 1, 0, 1, 0, 1, 0, 0], bool)
        found = verification(scores, same, np.float32([0, 0.25, 0.5]))
        np.testing.assert_allclose(found.true_accepts, [0.5, 0.75, 1.0])
        np.testing.assert_allclose(found.equal_error_rate, 0.25)

    def test_all_equal_scores_say_nothing(self):
        found = verification(np.zeros(4, np.float32), np.array([1, 0, 1, 0], bool), np.float32([0.5]))
        self.assertEqual((found.equal_error_rate, found.true_accepts[0]), (0.5, 0))

    def test_pairs_of_one_kind_alone_have_no_rates(self):
        for same in (np.ones(3, bool), np.zeros(3, bool)):
            found = verification(np.float32([1, 2, 3]), same, np.float32([0.1]))
            self.assertTrue(np.isnan(found.equal_error_rate) and np.isnan(found.true_accepts).all())

    def test_pairs_at_known_angles(self):
        degrees = np.deg2rad([0, 60, 90])
        x = np.stack([np.cos(degrees), 3 * np.sin(degrees)], 1)
        x[:, 1] /= 3
        found = metric_learning.all_pairs((4 * x).astype(np.float32), np.int32([7, 3, 7]))
        np.testing.assert_allclose(found.scores, [0.5, 0, 3**0.5 / 2], atol=1e-6)
        np.testing.assert_array_equal(found.same, [False, True, False])


class VarianceTest(chex.TestCase):
    @parameterized.parameters(range(3))
    def test_against_a_loop(self, seed):
        x, y, weight = embedded(seed)
        wide, labels = x[:-PADDING].astype(np.float64), y[:-PADDING]
        means = {c: wide[labels == c].mean(0) for c in np.unique(labels)}
        within = np.mean([np.sum((f - means[c]) ** 2) for f, c in zip(wide, labels, strict=True)])
        between = np.mean([np.sum((means[c] - wide.mean(0)) ** 2) for c in labels])
        np.testing.assert_allclose(variance_ratio(x, y, 6, weight=weight), within / between, rtol=1e-5)
        # Moving or scaling an embedding does not change how well its classes lie apart.
        np.testing.assert_allclose(
            variance_ratio(3 * x + 2, y, 9, weight=weight), within / between, rtol=1e-4
        )

    def test_one_point_and_one_class(self):
        x, y, _ = embedded()
        self.assertEqual(variance_ratio(np.ones_like(x), y, 6), np.inf)
        self.assertGreater(variance_ratio(x, 0 * y, 6), 1e6)


class CollapseTest(chex.TestCase):
    def test_a_healthy_embedding(self):
        x, _, weight = embedded()
        found = collapse(x, weight=weight)
        kept = x[:-PADDING].astype(np.float64)
        values = np.linalg.svd(kept - kept.mean(0), compute_uv=False)
        share = values / values.sum()
        np.testing.assert_allclose(found.effective_rank, np.exp(-(share * np.log(share)).sum()), rtol=1e-5)
        apart = np.mean([np.sum((a - b) ** 2) for a in kept for b in kept]) / 2
        np.testing.assert_allclose(found.spread, apart / np.mean(np.sum(kept**2, 1)), rtol=1e-5)
        self.assertFalse(found.alarm)

    @parameterized.named_parameters(
        ('zeros', lambda x: 0 * x),
        ('one_point', lambda x: 0 * x + 3),
        ('nearly_one_point', lambda x: 0.01 * x + 3),
        ('a_line', lambda x: x[:, :1] * np.float32([1, 2, -1, 0.5])),
        ('nearly_a_line', lambda x: x[:, :1] * np.float32([1, 2, -1, 0.5]) + 0.01 * x),
    )
    def test_alarm(self, fold):
        x, _, weight = embedded()
        found = collapse(fold(x), weight=weight)
        chex.assert_tree_all_finite(found)
        self.assertTrue(found.alarm)
        self.assertTrue(found.spread < metric_learning.FEW or found.effective_rank < metric_learning.FLAT)

    def test_length_does_not_matter_and_one_dimension_is_no_line(self):
        x, _, weight = embedded()
        for scale in (1e-3, 1e3):
            self.assertFalse(collapse(scale * x, weight=weight).alarm)
        self.assertFalse(collapse(x[:, :1], weight=weight).alarm)
