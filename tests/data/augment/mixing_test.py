"""Mixtures: Beta's distribution and moments by SciPy, areas and labels by what the pixels show."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import stats

from overfit import base, keys
from overfit.data import augment, kinds
from overfit.data.augment import mixing
from overfit.objectives import losses
from overfit.train import step
from tests import problems

PLAIN = kinds.Standard(mean=np.zeros(1), scale=np.ones(1), border=np.zeros(1))


class ShareTest(chex.TestCase):
    @parameterized.parameters(0.05, 0.3, 0.5, 1.0, 4.0)
    def test_the_larger_share_of_a_beta(self, alpha):
        share = np.asarray(augment.larger_share(keys.key(1), 20_000, alpha=alpha))
        self.assertGreaterEqual(share.min(), 0.5)
        self.assertLessEqual(share.max(), 1.0)
        # Of the 20,000 the share below each place; its standard error is 0.0035 at most.
        for at in (0.52, 0.6, 0.75, 0.9, 0.99, 0.999):
            wanted = stats.beta.cdf(at, alpha, alpha) - stats.beta.cdf(1 - at, alpha, alpha)
            self.assertLess(abs(np.mean(share < at) - wanted), 0.015, at)
        # Folding keeps the square of the distance from one half.
        self.assertLess(abs(np.square(share - 0.5).mean() - stats.beta.var(alpha, alpha)), 0.004)

    def test_strengths_are_traced_and_0_mixes_nothing(self):
        share = jax.vmap(lambda a: augment.larger_share(keys.key(2), 500, alpha=a))(jnp.array([0.0, 0.2, 2]))
        np.testing.assert_array_equal(share[0], 1)
        self.assertLess(share[2].mean(), share[1].mean() - 0.1)

    def test_partners_are_others_and_each_is_taken_once(self):
        found = {tuple(mixing.partners(keys.key(seed), 5).tolist()) for seed in range(40)}
        self.assertLen(found, 4)
        for order in found:
            self.assertCountEqual(order, range(5))
            self.assertFalse([n for n, other in enumerate(order) if n == other])
        self.assertEqual(mixing.partners(keys.key(0), 1).tolist(), [0])


class MixupTest(chex.TestCase):
    @parameterized.parameters((7,), (4, 5, 3))
    def test_by_loops(self, *shape):
        x = np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)
        batch = base.Batch(jnp.asarray(x), jnp.arange(6))
        out = augment.mixup(keys.key(3), batch, base.Hyper(mixup=1.0), PLAIN)
        self.assertIs(out.y, batch.y)
        for n in range(6):
            other, share = int(out.mixed.y[n]), float(out.mixed.share[n])
            self.assertNotEqual(other, n)
            np.testing.assert_allclose(out.x[n], share * x[n] + (1 - share) * x[other], atol=1e-6)
        self.assertGreater(np.ptp(out.mixed.share), 0.05)

    def test_absent_is_the_batch_itself_and_0_changes_nothing(self):
        batch = base.Batch(jnp.ones((4, 3, 3, 1)), jnp.arange(4))
        for slot, name in ((augment.mixup, 'mixup'), (augment.cutmix, 'cutmix')):
            self.assertIs(slot(keys.key(0), batch, base.Hyper(), PLAIN), batch)
            out = slot(keys.key(0), batch, base.Hyper(**{name: 0.0}), PLAIN)
            np.testing.assert_array_equal(out.x, batch.x)
            np.testing.assert_array_equal(out.mixed.share, 1)

    def test_labels_are_mixed_once(self):
        batch = base.Batch(jnp.ones((4, 3, 3, 1)), jnp.arange(4))
        batch = augment.mixup(keys.key(0), batch, base.Hyper(mixup=1.0), PLAIN)
        with self.assertRaisesRegex(ValueError, 'labels are mixed twice'):
            augment.cutmix(keys.key(0), batch, base.Hyper(cutmix=1.0), PLAIN)

    def test_padding_counts_nowhere(self):
        batch = base.Batch(jnp.ones((3, 2)), jnp.arange(3), jnp.array([1.0, 1.0, 0.0]))
        out = augment.mixup(keys.key(0), batch, base.Hyper(mixup=1.0), PLAIN)
        wanted = [batch.weight[n] * batch.weight[int(out.mixed.y[n])] for n in range(3)]
        np.testing.assert_array_equal(out.weight, wanted)
        self.assertEqual(float(out.weight.sum()), 1)

    def test_the_loss_is_that_of_soft_labels(self):
        recipe = problems.recipe(augment=(augment.mixup,))
        hyper = base.Hyper(learning_rate=0.1, mixup=1.0)
        state = problems.begun(recipe, hyper)
        batch = jax.tree.map(lambda a: a[0], problems.batches(problems.IMAGES, 1, 8))
        _, metrics = problems.one_step(state, batch, hyper, recipe)
        key = jax.random.fold_in(jax.random.fold_in(state.key, 0), 1)
        out = augment.mixup(key, batch, hyper, state.inputs)
        soft = (
            out.mixed.share[:, None] * np.eye(3)[out.y]
            + (1 - out.mixed.share)[:, None] * np.eye(3)[out.mixed.y]
        )
        logits = recipe.model.apply(
            {'params': state.params}, step.prepared(out.x, state.inputs, recipe), train=False
        ).logits
        wanted = -(soft * jax.nn.log_softmax(logits)).sum(1).mean()
        self.assertAlmostEqual(float(metrics.loss), float(wanted), places=5)
        self.assertNotAlmostEqual(float(losses.cross_entropy(logits, out.y).mean()), float(wanted), places=3)


class CutmixTest(chex.TestCase):
    def test_the_share_of_the_label_is_the_share_of_the_area(self):
        value = np.arange(1, 65, dtype=np.float32)
        x = np.broadcast_to(value[:, None, None, None], (64, 7, 9, 2))
        batch = base.Batch(x, jnp.arange(64))
        out = augment.cutmix(keys.key(4), batch, base.Hyper(cutmix=1.0), PLAIN)
        share, other = np.asarray(out.mixed.share), value[np.asarray(out.mixed.y)]
        np.testing.assert_allclose(out.x.mean((1, 2, 3)), share * value + (1 - share) * other, rtol=1e-5)
        self.assertGreaterEqual(share.min(), 0.5 - 1e-6)
        self.assertLess(share.min(), 0.6)
        # Within the box the other image, outside the first one; both channels alike.
        near = (np.asarray(out.x) - value[:, None, None, None]) / (other - value)[:, None, None, None]
        np.testing.assert_allclose(near[..., 0], near[..., 1], atol=1e-5)
        whole = np.isclose(near, 0, atol=1e-4) | np.isclose(near, 1, atol=1e-4)
        self.assertGreater(whole.mean(), 0.6)
