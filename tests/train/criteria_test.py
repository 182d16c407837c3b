"""Stopping criteria by hand, against a plain loop over epochs, and against early stopping as it trains."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit.train import criteria, early_stopping
from tests.train.made_curves import curves


def looped(validation, training, stops):
    """Epoch by epoch, as one would while training."""
    for t in range(1, len(validation) + 1):
        if stops(validation[:t].astype(float), training[:t].astype(float), t):
            return t - 1
    return len(validation) - 1


def loss(e):
    e = np.where(np.isfinite(e), e, np.inf)
    return 0.0 if e[-1] == e.min() else np.inf if e.min() == 0 else 100 * (e[-1] / e.min() - 1)


def gl(alpha):
    return lambda e, training, t: loss(e) > alpha


def pq(alpha, k=5):
    def stops(e, training, t):
        if t % k or loss(e) == 0:
            return False
        strip = training[-k:]
        if strip.min() == 0:
            return strip.sum() == 0
        moving = 1000 * (strip.sum() / (k * strip.min()) - 1)
        return loss(e) / max(moving, 1e-30) > alpha

    return stops


def up(s, k=5):
    def stops(e, training, t):
        e = np.where(np.isfinite(e), e, np.inf)
        if t % k or t <= k:
            return False
        return e[t - 1] > e[t - 1 - k] and (s == 1 or up(s - 1, k)(e[: t - k], training, t - k))

    return stops


def waits(evaluations):
    def stops(e, training, t):
        e = np.where(np.isfinite(e), e, np.inf)
        best = -1 if np.isinf(e.min()) else int(e.argmin())
        return t - 1 - best >= evaluations

    return stops


class HandTest(chex.TestCase):
    def test_generalization_loss(self):
        found = criteria.generalization_loss(np.float32([[4, 2, 3, 1, np.nan], [0, 0, 1, 0, 2]]))
        np.testing.assert_allclose(found, [[0, 0, 50, 0, np.inf], [0, 0, np.inf, 0, np.inf]])

    def test_progress(self):
        # Means 3, 2 and 1 over the lowest 2, 1 and 1.
        found = criteria.progress(np.float32([4, 2, 3, 1, 1, 0, 0]), strip=2)
        np.testing.assert_allclose(found, [np.inf, 500, 250, 1000, 0, np.inf, 0])

    def test_a_strip_that_stands_still_stops_at_once_where_the_error_rose(self):
        validation, training = np.float32([1, 1, 1, 1, 1.001]), np.full(5, 0.3, np.float32)
        self.assertEqual(int(criteria.pq(validation, training, 100.0)), 4)
        self.assertEqual(int(criteria.pq(validation[::-1].copy(), training, 100.0)), 4)

    def test_up_counts_strips_and_not_evaluations(self):
        validation = np.float32([5, 1, 9, 2, 9, 3, 0, 4, 0, 5])
        for strips, wanted in ((1, 3), (2, 5), (4, 9)):
            self.assertEqual(int(criteria.up(validation, strips, strip=2)), wanted)
        self.assertEqual(int(criteria.up(validation, 5, strip=2)), 9)

    def test_what_is_no_number_of_strips_is_refused(self):
        with self.assertRaisesRegex(ValueError, 'strips=0 would stop'):
            criteria.up(np.zeros(4, np.float32), 0)
        with self.assertRaisesRegex(ValueError, 'strip=0 holds no'):
            criteria.progress(np.zeros(4, np.float32), strip=0)


class LoopTest(chex.TestCase):
    def check(self, found, stops, validation, training):
        wanted = [looped(v, t, stops) for v, t in zip(validation, training, strict=True)]
        np.testing.assert_array_equal(found, wanted)
        self.assertGreater(len(set(wanted)), 3, 'the curves tell criteria apart')

    @parameterized.parameters(1.0, 3.0, 20.0)
    def test_gl(self, alpha):
        validation, training = curves()
        self.check(criteria.gl(validation, alpha), gl(alpha), validation, training)

    @parameterized.parameters((0.05, 5), (0.5, 5), (0.2, 3))
    def test_pq(self, alpha, k):
        validation, training = curves(1)
        found = criteria.pq(validation, training, alpha, strip=k)
        self.check(found, pq(alpha, k), validation, training)

    @parameterized.parameters((1, 5), (2, 5), (3, 4))
    def test_up(self, strips, k):
        validation, training = curves(2)
        self.check(criteria.up(validation, strips, strip=k), up(strips, k), validation, training)

    def test_thresholds_are_traced_and_leading_axes_are_nets(self):
        validation, training = curves(3)
        swept = jax.jit(jax.vmap(criteria.gl, (None, 0)))(validation, jnp.array([1.0, 5.0]))
        chex.assert_shape(swept, (2, 60))
        np.testing.assert_array_equal(swept[1], criteria.gl(validation, 5.0))
        cube = validation.reshape(3, 20, -1)
        np.testing.assert_array_equal(criteria.up(cube, 2).reshape(-1), criteria.up(validation, 2))


class PatienceTest(chex.TestCase):
    @parameterized.parameters(2, 5)
    def test_like_a_loop(self, evaluations):
        validation, training = curves(4)
        validation[0, :3] = np.nan
        found = criteria.patience(validation, evaluations)
        wanted = [looped(v, t, waits(evaluations)) for v, t in zip(validation, training, strict=True)]
        np.testing.assert_array_equal(found, wanted)

    def test_like_early_stopping_while_a_net_trains(self):
        validation, _ = curves(5)
        found = criteria.patience(validation, 4)

        @functools.partial(jax.vmap, in_axes=0)
        def trained(scores):
            def one(state, inputs):
                step, score = inputs
                return early_stopping.update(state, score, step, jnp.zeros(()), 4), state.stopped

            return jax.lax.scan(one, early_stopping.init(jnp.zeros(())), (jnp.arange(len(scores)), scores))

        state, stopped_before = trained(validation)
        np.testing.assert_array_equal(found, (~stopped_before).sum(1) - 1)
        np.testing.assert_array_equal(criteria.kept(validation, found), state.best_step)

    @parameterized.parameters(None, 0.0)
    def test_never(self, evaluations):
        validation, _ = curves(6)
        np.testing.assert_array_equal(criteria.patience(validation, evaluations), validation.shape[1] - 1)
