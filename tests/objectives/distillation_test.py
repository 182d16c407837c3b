"""The distilled loss against the divergence in SciPy, and against labels alone."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import special

from overfit import base
from overfit.objectives import distillation, losses

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 2, (6, 4)).astype(np.float32)
TEACHER = special.softmax(RNG.normal(0, 2, (6, 4)), -1).astype(np.float32)
LABELS = np.int32([0, 1, 2, 3, 1, 0])


def values(hyper, **changes):
    batch = base.Batch(LOGITS, LABELS, soft=jnp.asarray(TEACHER))._replace(**changes)
    outputs = base.Outputs(LOGITS, jnp.asarray(LOGITS))
    return distillation.distilled.apply(None, (), outputs, batch, hyper, None)[0]


class SoftTest(chex.TestCase):
    @parameterized.parameters(1.0, 4.0)
    def test_entropy_of_the_teacher_plus_the_divergence(self, temperature):
        soft = np.asarray(distillation.soften(TEACHER, temperature), np.float64)
        powers = TEACHER.astype(np.float64) ** (1 / temperature)
        np.testing.assert_allclose(soft, powers / powers.sum(1, keepdims=True), rtol=1e-5)
        student = special.softmax(LOGITS.astype(np.float64) / temperature, -1)
        wanted = temperature**2 * (special.entr(soft) + special.rel_entr(soft, student)).sum(1)
        found = distillation.soft_cross_entropy(
            LOGITS, jnp.asarray(soft, jnp.float32), temperature=temperature
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-4)

    def test_the_gradient_moves_the_student_to_the_teacher(self):
        gradient = jax.grad(lambda z: distillation.soft_cross_entropy(z, TEACHER).sum())(LOGITS)
        np.testing.assert_allclose(gradient, special.softmax(LOGITS, -1) - TEACHER, atol=1e-5)

    def test_a_certain_teacher_stays_certain(self):
        found = distillation.soften(np.float32([[1, 0, 0]]), 2.0)
        np.testing.assert_allclose(found, [[1, 0, 0]], atol=1e-6)


class DistilledTest(chex.TestCase):
    def test_shares(self):
        hard = np.asarray(losses.cross_entropy(LOGITS, LABELS))
        soft = np.asarray(distillation.soft_cross_entropy(LOGITS, TEACHER))
        np.testing.assert_allclose(values(base.Hyper(distillation=0.3)), 0.7 * hard + 0.3 * soft, rtol=1e-5)
        np.testing.assert_allclose(values(base.Hyper()), hard, rtol=1e-6)
        smoothed = losses.cross_entropy(LOGITS, LABELS, label_smoothing=0.2)
        np.testing.assert_allclose(values(base.Hyper(label_smoothing=0.2)), smoothed, rtol=1e-6)

    def test_without_a_teacher_or_with_mixed_examples(self):
        with self.assertRaisesRegex(ValueError, 'the examples have no teacher'):
            values(base.Hyper(distillation=0.5), soft=None)
        mixed = base.Mixed(LABELS, np.ones(6, np.float32))
        with self.assertRaisesRegex(ValueError, 'a teacher speaks of whole examples'):
            values(base.Hyper(distillation=0.5), mixed=mixed)
