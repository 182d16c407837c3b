"""Scores of probabilities against loops, scikit-learn and cases that are known by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import special
from sklearn import metrics

from overfit.objectives import calibration


def said(count=200, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, classes)).astype(np.float32)
    return np.asarray(jax.nn.log_softmax(logits)), rng.integers(0, classes, count).astype(np.int32)


class CalibrationTest(chex.TestCase):
    def test_nll_and_brier_against_loops_and_scikit_learn(self):
        log, y = said()
        loop = -np.mean([log[i, y[i]] for i in range(len(y))])
        np.testing.assert_allclose(calibration.nll(log, y), loop, rtol=1e-5)
        exact = special.softmax(log.astype(np.float64), axis=1)
        np.testing.assert_allclose(loop, metrics.log_loss(y, exact), rtol=1e-5)
        total = 0.0
        for row, label in zip(np.exp(log), y, strict=True):
            for c, p in enumerate(row):
                total += (p - (c == label)) ** 2
        np.testing.assert_allclose(calibration.brier(log, y), total / len(y), rtol=1e-5)

    @parameterized.parameters(1, 5, 15, 40)
    def test_calibration_error_against_a_loop(self, bins):
        log, y = said(seed=bins)
        confidence, right = np.exp(log.max(1)), log.argmax(1) == y
        total = 0.0
        for b in range(bins):
            inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
            if inside.any():
                total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
        found = jax.jit(calibration.calibration_error, static_argnames='bins')(log, y, bins=bins)
        np.testing.assert_allclose(found, total, atol=1e-5)

    def test_certain_predictions(self):
        y = jnp.array([0, 1, 1, 0])
        sure = jnp.log(jax.nn.one_hot(y, 2) * (1 - 2e-7) + 1e-7)
        for score in (calibration.nll, calibration.brier, calibration.calibration_error):
            self.assertLess(score(sure, y), 1e-5)
        self.assertAlmostEqual(float(calibration.calibration_error(sure, 1 - y)), 1, places=5)
        self.assertAlmostEqual(float(calibration.brier(sure, 1 - y)), 2, places=5)

    def test_true_probabilities_score_best(self):
        """Labels drawn from what is said are calibrated; what is sharper or flatter scores worse."""
        log, _ = said(20_000, seed=3)
        y = np.asarray(jax.random.categorical(jax.random.key(0), log))
        for score in (calibration.nll, calibration.brier, calibration.calibration_error):
            true, sharp, flat = (float(score(jax.nn.log_softmax(f * log), y)) for f in (1.0, 2.0, 0.5))
            self.assertLess(true, sharp, score)
            self.assertLess(true, flat, score)
        self.assertLess(calibration.calibration_error(log, y), 0.02)

    def test_no_bin(self):
        with self.assertRaisesRegex(ValueError, 'bins=0 leaves nothing'):
            calibration.calibration_error(*said(), bins=0)
