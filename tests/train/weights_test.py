"""Which weights are trained, and which are evaluated and kept: frozen layers, averages; by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import kinds
from overfit.train import optimizers, start
from overfit.train.engine import population
from tests import problems
from tests.train.loops import (
    TRAIN,
    VALIDATION,
    VECTORS,
    begun,
    net,
    plain_loop,
    soft_cross_entropy,
    train,
)


def without_first(path):
    """Trains all but the first layer and its normalisation."""
    return path[0] not in ('Dense_0', 'BatchNorm_0')


FROZEN = problems.recipe(widths=(8, 6), batch_norm=True, trained=without_first)
HEAVY = {
    'learning_rate': 0.1,
    'momentum': 0.9,
    'weight_decay': 0.2,
    'l1': 0.01,
    'l2': 0.1,
    'max_norm': 0.8,
}


class FrozenTest(chex.TestCase):
    @parameterized.parameters(optimizers.sgd, optimizers.adamw)
    def test_frozen_variables_stay_bit_for_bit_and_others_move(self, optimizer):
        recipe = FROZEN._replace(optimizer=optimizers.by_hyper(optimizer))
        hyper = base.Hyper(**{name: np.float32(value) for name, value in HEAVY.items()})
        before = begun(recipe, hyper)
        after, _ = problems.alone(before, hyper, problems.batches(VECTORS, 5, 8), recipe)
        for old, new in (
            (before.params, after.params),
            (before.collections['batch_stats'], after.collections['batch_stats']),
        ):
            for layer in old:
                for name in old[layer]:
                    moved = np.abs(np.subtract(new[layer][name], old[layer][name])).max()
                    if without_first((layer, name)):
                        self.assertGreater(moved, 1e-4, (layer, name))
                    else:
                        np.testing.assert_array_equal(new[layer][name], old[layer][name], str((layer, name)))

    def test_the_others_move_as_with_a_gradient_masked_by_hand(self):
        hyper = base.Hyper(**{name: np.float32(value) for name, value in HEAVY.items()})
        state = begun(FROZEN, hyper)
        data = problems.batches(VECTORS, 5, 8)
        found, _ = problems.alone(state, hyper, data, FROZEN)
        x = kinds.standardise(data.x, kinds.vector.measure(VECTORS.x[TRAIN]))

        @jax.jit
        def gradient(params, stats, x, y):
            def loss(params):
                variables = {'params': params, 'batch_stats': stats}
                outputs, moved = FROZEN.model.apply(variables, x, train=True, mutable=['batch_stats'])
                return soft_cross_entropy(outputs.logits, jax.nn.one_hot(y, 3)).mean(), moved['batch_stats']

            return jax.grad(loss, has_aux=True)(params)

        params, stats = (
            jax.tree.map(np.asarray, t) for t in (state.params, state.collections['batch_stats'])
        )
        speed = jax.tree.map(np.zeros_like, params)
        for number in range(5):
            g, moved = jax.tree.map(np.asarray, gradient(params, stats, x[number], data.y[number]))
            stats = {'BatchNorm_0': stats['BatchNorm_0'], 'BatchNorm_1': moved['BatchNorm_1']}
            for layer in ('Dense_1', 'BatchNorm_1', 'logits'):
                for name, w in params[layer].items():
                    slope = g[layer][name]
                    if name == 'kernel':
                        slope = slope + 0.01 * np.sign(w) + 0.1 * w
                    speed[layer][name] = 0.9 * speed[layer][name] + slope
                    new = w - 0.1 * speed[layer][name]
                    if name == 'kernel':
                        new = new - 0.1 * 0.2 * w
                        length = np.linalg.norm(new, axis=0, keepdims=True)
                        new = new * np.minimum(1, 0.8 / length)
                    params[layer][name] = new
        chex.assert_trees_all_close(found.params, params, atol=1e-5)
        chex.assert_trees_all_close(found.collections['batch_stats'], stats, atol=1e-5)

    def test_the_optimizer_knows_nothing_of_frozen_weights(self):
        hyper = base.Hyper(learning_rate=0.1, momentum=0.9)
        params = begun(FROZEN, hyper).params
        wanted = sum(a.size for layer in ('Dense_1', 'BatchNorm_1', 'logits') for a in params[layer].values())
        for recipe, times in (
            (FROZEN, 1),
            (FROZEN._replace(optimizer=optimizers.by_hyper(optimizers.adamw)), 2),
        ):
            state = jax.eval_shape(lambda recipe=recipe: begun(recipe, hyper)).opt_state
            self.assertEqual(sum(a.size for a in jax.tree.leaves(state) if a.ndim), times * wanted)


EMA = base.Average(
    init=lambda params: params,
    update=lambda average, params, progress, hyper: jax.tree.map(
        lambda a, p: hyper.own['decay'] * a + (1 - hyper.own['decay']) * p, average, params
    ),
    weights=lambda average, params: average,
    name='EMA',
)


def _late_mean(average, params, progress, hyper):
    late = (progress > 0.5).astype(jnp.float32)
    count = average['count'] + late
    mean = jax.tree.map(lambda m, p: m + late * (p - m) / jnp.maximum(count, 1), average['mean'], params)
    return {'count': count, 'mean': mean}


SWA = base.Average(
    init=lambda params: {'count': jnp.float32(0), 'mean': params},
    update=_late_mean,
    weights=lambda average, params: jax.tree.map(
        lambda m, p: jnp.where(average['count'] > 0, m, p), average['mean'], params
    ),
    refresh=3,
    name='SWA',
)


def validated(recipe, variables, inputs):
    """(error, cross-entropy) on the validation examples."""
    x = kinds.standardise(VECTORS.x[VALIDATION], inputs)
    logits = recipe.model.apply(variables, x, train=False).logits
    log_p = np.asarray(jax.nn.log_softmax(logits))
    y = VECTORS.y[VALIDATION]
    return (log_p.argmax(1) != y).mean(), -log_p[np.arange(len(y)), y].mean()


class AverageTest(chex.TestCase):
    def test_the_exponential_mean_is_what_is_evaluated_and_kept(self):
        recipe = problems.recipe(average=EMA)
        numbers = {'steps': 60, 'learning_rate': 1.0, 'decay': 0.8}
        last, best = train(net(recipe, **numbers), net(recipe, restore_best=True, **numbers))
        hyper = net(recipe, **numbers).hyper.with_numbers(decay=None)
        states = plain_loop(problems.recipe(), hyper, 60)
        mean, means = jax.tree.map(np.asarray, states[0].params), {}
        for number, state in enumerate(states[1:], start=1):
            mean = jax.tree.map(lambda m, p: 0.8 * m + 0.2 * np.asarray(p), mean, state.params)
            means[number] = mean
        chex.assert_trees_all_close(last.variables['params'], means[60], atol=1e-4)
        chex.assert_trees_all_close(best.variables['params'], means[best.best_step], atol=1e-4)
        for number, loss, error in last.curve[:, [population.STEP, population.LOSS, population.ERROR]]:
            wanted = validated(recipe, {'params': means[int(number)]}, last.inputs)
            np.testing.assert_allclose((error, loss), wanted, atol=1e-4)
        away = jax.tree.map(lambda m, p: np.abs(m - p).max(), means[60], states[-1].params)
        self.assertGreater(max(jax.tree.leaves(away)), 0.01)
        wanted = validated(recipe, {'params': means[best.best_step]}, best.inputs)
        np.testing.assert_allclose((best.error, best.loss), wanted, atol=1e-4)

    def test_batch_statistics_are_measured_anew_for_averaged_weights(self):
        """In a population, from given weights, where the first layer is frozen: its statistics stay."""
        known = begun(FROZEN, base.Hyper(), seed=9)
        known = jax.tree.map(lambda a: a + np.float32(0.1), {'params': known.params, **known.collections})
        plain = FROZEN._replace(start=start.given(known))
        one = net(plain._replace(average=SWA), **HEAVY)
        found = train(one, eval_every=20)[0]
        states = plain_loop(plain, one.hyper, 20)
        late = [jax.tree.map(np.asarray, state.params) for state in states[11:]]
        self.assertLen(late, 10)
        params = jax.tree.map(lambda *a: np.mean(a, axis=0), *late)
        stats = before = states[-1].collections['batch_stats']
        for rows in problems.visits(3, len(TRAIN), 23, FROZEN.batch_size)[20:]:
            x = kinds.standardise(VECTORS.x[rows], found.inputs)
            variables = {'params': params, 'batch_stats': stats}
            moved = FROZEN.model.apply(variables, x, train=True, mutable=['batch_stats'])[1]['batch_stats']
            stats = stats | {'BatchNorm_1': moved['BatchNorm_1']}
        variables = {'params': params, 'batch_stats': stats}
        chex.assert_trees_all_close(found.variables, variables, atol=1e-4)
        wanted = validated(FROZEN, variables, found.inputs)
        np.testing.assert_allclose((found.error, found.loss), wanted, atol=1e-3)
        again = [s['BatchNorm_1']['mean'] for s in (stats, before)]
        self.assertGreater(np.abs(np.subtract(*again)).max(), 1e-3)
        for part, layer in (('params', 'Dense_0'), ('params', 'BatchNorm_0'), ('batch_stats', 'BatchNorm_0')):
            chex.assert_trees_all_equal(found.variables[part][layer], known[part][layer])
        self.assertGreater(
            np.abs(found.variables['params']['logits']['kernel'] - known['params']['logits']['kernel']).max(),
            0.01,
        )
