"""Sharpness-aware minimisation against a loop by hand, whole and in shards."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from overfit import base
from overfit.data import kinds
from overfit.train import sam
from overfit.train.engine import parallel
from tests import problems

RECIPE = problems.recipe(batch_norm=True, gradient=sam.sam)
HYPER = base.Hyper(learning_rate=np.float32(0.1), l2=np.float32(0.1), sam_radius=np.float32(0.3))


def objective_of(state, batch):
    """`(params) -> (loss, batch statistics)` without any of the train step."""
    x = kinds.standardise(batch.x, state.inputs)
    labels = jax.nn.one_hot(batch.y, problems.CLASSES)

    def objective(params):
        outputs, moved = RECIPE.model.apply(
            {'params': params, **state.collections}, x, train=True, mutable=['batch_stats']
        )
        loss = -jnp.mean(jnp.sum(labels * jax.nn.log_softmax(outputs.logits), axis=1))
        squares = [jnp.sum(params[layer]['kernel'] ** 2) for layer in params if 'kernel' in params[layer]]
        return loss + 0.1 * sum(squares) / 2, moved

    return objective


class SamTest(chex.TestCase):
    def test_steps_by_hand_with_batch_normalisation(self):
        data = problems.batches(problems.VECTORS, 3, 16)
        state = problems.begun(RECIPE, HYPER)
        found, metrics = problems.alone(state, HYPER, data, RECIPE)
        for n in range(3):
            objective = jax.jit(objective_of(state, jax.tree.map(lambda a, n=n: a[n], data)))
            (loss, moved), slope = jax.value_and_grad(objective, has_aux=True)(state.params)
            length = np.sqrt(sum(np.sum(np.square(leaf)) for leaf in jax.tree.leaves(slope)))
            worst = jax.tree.map(lambda w, s, r=0.3 / length: w + r * s, state.params, slope)
            gradient, _ = jax.grad(objective, has_aux=True)(worst)
            params = jax.tree.map(lambda w, g: w - 0.1 * g, state.params, gradient)
            np.testing.assert_allclose(metrics.loss[n], loss, rtol=1e-5)
            state = state._replace(params=params, collections=moved)
        chex.assert_trees_all_close(found.params, state.params, atol=1e-5)
        chex.assert_trees_all_close(found.collections, state.collections, atol=1e-5)

    def test_without_a_radius_the_objective_is_asked_for_once(self):
        asked = []

        def objective(w):
            asked.append(w)
            return jnp.sum(w**3), ()

        for radius, wanted in ((None, 1), (0.0, 3), (0.1, 5)):
            (loss, _), slope = sam.sam(objective, jnp.ones(2), base.Hyper(sam_radius=radius), None)
            self.assertLen(asked, wanted)
            np.testing.assert_allclose(loss, 2.0)
            np.testing.assert_allclose(slope, 3 * (1 + (radius or 0) / np.sqrt(2)) ** 2, rtol=1e-6)

    def test_a_batch_in_shards_is_the_whole_batch(self):
        batch = jax.tree.map(lambda a: a[0], problems.batches(problems.VECTORS, 1, 16))
        state = problems.begun(RECIPE, HYPER)
        whole, _ = problems.one_step(state, batch, HYPER, RECIPE)

        spread = parallel.train_sharded_batch(RECIPE)
        found, _ = spread(state, batch, HYPER)
        chex.assert_trees_all_close(found.params, whole.params, atol=1e-5)
        chex.assert_trees_all_close(found.collections, whole.collections, atol=1e-5)
