"""How nets begin: drawn, by their module, from given weights; alone and side by side in one lane."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from overfit import base, keys
from overfit.data import kinds
from overfit.nn import initializers
from overfit.train import start
from overfit.train.engine import population
from tests import problems

PLAIN = problems.recipe()
VECTORS = problems.VECTORS


class Stranger(nn.Module):
    """A module with a weight of every sort: table, slope, scale, running statistics, zero biases."""

    @nn.compact
    def __call__(self, x, *, train, dropout=None, input_dropout=None):
        table = self.param('embedding', nn.initializers.normal(1.0), (7, 5))
        tokens = jnp.clip(jnp.round(jnp.abs(x)), 0, 6).astype(jnp.int32)
        z = nn.PReLU(negative_slope_init=0.3)(nn.Dense(6)(jnp.mean(table[tokens], axis=1)))
        z = nn.BatchNorm(use_running_average=not train, scale_init=nn.initializers.constant(1.5))(z)
        return base.Outputs(z, nn.Dense(3, name='logits')(z))


def ones(key, shape, dtype=jnp.float32):
    return jnp.ones(shape, dtype)


def begin(recipe, seed=1, **numbers):
    """Variables of a net as they begin, whatever its model."""
    x = VECTORS.x
    hyper = base.Hyper(**numbers)
    state = problems.initial(keys.key(seed), x, kinds.vector.measure(x), hyper, recipe)
    return {'params': state.params, **state.collections}


def by_module(model, seed=1):
    """The module's own variables, drawn with the key that a net's initial weights have."""
    own = jax.random.fold_in(keys.key(seed), start.INIT)
    return jax.jit(lambda: model.init({'params': own}, jnp.zeros((1, 4)), train=False))()


def tree_of(variables, change):
    return jax.tree.map(lambda a: change(np.asarray(a)), variables)


class DrawnTest(chex.TestCase):
    def test_kernels_are_drawn_and_the_rest_is_the_modules(self):
        recipe = problems.recipe(model=Stranger(), start=start.drawn(ones))
        variables, wanted = begin(recipe), by_module(Stranger())
        self.assertIn('batch_stats', wanted)
        chex.assert_trees_all_equal(variables['batch_stats'], wanted['batch_stats'])
        kernels = 0
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables['params']):
            name = jax.tree_util.keystr(path)
            same = wanted['params']
            for part in path:
                same = same[part.key]
            if name.endswith("['kernel']"):
                kernels += 1
                np.testing.assert_array_equal(leaf, np.ones_like(leaf), name)
            else:
                np.testing.assert_array_equal(leaf, same, name)
        self.assertEqual(kernels, 2)
        params = variables['params']
        self.assertGreater(np.abs(params['embedding']).min(), 0)
        np.testing.assert_allclose(params['PReLU_0']['negative_slope'], 0.3)
        np.testing.assert_array_equal(params['Dense_0']['bias'], np.zeros(6))
        np.testing.assert_array_equal(params['BatchNorm_0']['scale'], np.full(6, 1.5))

    def test_own_leaves_everything_to_the_module(self):
        recipe = problems.recipe(model=Stranger(), start=start.own)
        chex.assert_trees_all_equal(begin(recipe), dict(by_module(Stranger())))
        self.assertGreater(np.asarray(begin(recipe)['params']['Dense_0']['kernel']).std(), 0.1)

    @parameterized.parameters((start.own,), (start.drawn(ones),))
    def test_the_scale_is_that_of_kernels_alone(self, how):
        recipe = problems.recipe(model=Stranger(), start=how)
        plain, scaled = begin(recipe), begin(recipe, init_log2_scale=-1.0)
        for layer in ('Dense_0', 'logits'):
            scaled['params'][layer]['kernel'] = 2 * scaled['params'][layer]['kernel']
        chex.assert_trees_all_close(plain, scaled, rtol=1e-6)

    def test_seeds_draw_apart_and_a_seed_draws_again(self):
        first, again, other = (begin(PLAIN, seed)['params']['logits']['kernel'] for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        self.assertLess(abs(np.corrcoef(np.ravel(first), np.ravel(other))[0, 1]), 0.6)

    def test_equal_initializers_make_equal_recipes(self):
        self.assertIs(start.drawn(ones), start.drawn(ones))
        self.assertEqual(problems.recipe(), problems.recipe())
        self.assertEqual(start.drawn(initializers.he).name, 'he')


class GivenTest(chex.TestCase):
    def test_whole(self):
        known = tree_of(by_module(Stranger()), lambda a: a + 1)
        recipe = problems.recipe(model=Stranger(), start=start.given(known))
        chex.assert_trees_all_equal(begin(recipe), known)
        chex.assert_trees_all_equal(begin(recipe, seed=2, init_log2_scale=3.0), known)

    @parameterized.parameters((start.own,), (start.drawn(ones),))
    def test_some_layers_and_the_rest_begins_as_said(self, rest):
        known = {
            'params': {'Dense_0': {'kernel': np.full((5, 6), 7.0)}},
            'batch_stats': {'BatchNorm_0': {'mean': np.arange(6)}},
        }
        recipe = problems.recipe(model=Stranger(), start=rest)
        wanted = begin(recipe)
        found = begin(recipe._replace(start=start.given(known, rest=rest)))
        wanted['params']['Dense_0']['kernel'] = np.full((5, 6), 7, np.float32)
        wanted['batch_stats']['BatchNorm_0']['mean'] = np.arange(6, dtype=np.float32)
        chex.assert_trees_all_equal(found, wanted)
        chex.assert_trees_all_equal_dtypes(found, wanted)

    def test_two_starts_are_never_taken_for_one(self):
        known = by_module(PLAIN.model)
        one, other = start.given(known), start.given(known)
        self.assertEqual(one, one)
        self.assertNotEqual(one, other)
        self.assertLen({PLAIN._replace(start=s) for s in (one, one, other)}, 2)

    def test_no_tree_of_collections(self):
        with self.assertRaisesRegex(ValueError, r"no tree with 'params' at its top: give \{'params':"):
            start.given(by_module(PLAIN.model)['params'])

    def test_given_weights_of_two_starts(self):
        known = by_module(PLAIN.model)
        with self.assertRaisesRegex(ValueError, 'put all given weights into one tree of variables'):
            start.given(known, rest=start.given(known))

    @parameterized.named_parameters(
        (
            'shape',
            {'logits': {'kernel': np.zeros((9, 3))}},
            r"\['kernel'\] of shape \(9, 3\) has shape \(8, 3\)",
        ),
        (
            'name',
            {'head': {'bias': np.zeros(3)}},
            r"\['head'\]\['bias'\] of shape \(3,\) does not exist there",
        ),
    )
    def test_weights_that_do_not_fit_are_refused(self, params, message):
        begins = start.given({'params': params})
        shape = jax.ShapeDtypeStruct((1, 4), jnp.float32)
        with self.assertRaisesRegex(ValueError, f'do not fit the MLP: .*{message}.* leave out the others'):
            start.check_given(begins, PLAIN.model, shape)
        with self.assertRaisesRegex(ValueError, 'do not fit the MLP'):
            train([net(begins)])

    def test_what_fits_is_not_refused(self):
        shape = jax.ShapeDtypeStruct((1, 4), jnp.float32)
        for begins in (start.own, start.given(by_module(PLAIN.model)), start.given({'params': {}})):
            start.check_given(begins, PLAIN.model, shape)


def net(begins, *, seed=3, steps=20, recipe=PLAIN, **numbers):
    hyper = base.Hyper(**{'learning_rate': 0.2, 'steps': float(steps)} | numbers)
    return population.Member(
        recipe._replace(start=begins), hyper, seed, np.arange(40), np.arange(40, 60), restore_best=False
    )


def train(nets):
    return population.train(nets, VECTORS, eval_every=10, layout=problems.FOUR)


def weights(seed, recipe=PLAIN):
    """Random weights of a net, far from any draw."""
    rng = np.random.default_rng(seed)
    return tree_of(by_module(recipe.model), lambda a: rng.normal(0, 1, a.shape).astype(np.float32))


def alone(one):
    """A plain loop over one net's batches, as a population visits them."""
    x, y = VECTORS.x[one.train], VECTORS.y[one.train]
    hyper = jax.tree.map(np.float32, one.hyper)
    given = one.recipe.start.given
    inputs = kinds.vector.measure(x) if given is None or given.inputs is None else given.inputs
    state = problems.initial(keys.key(one.seed), x, inputs, hyper, one.recipe)
    for rows in problems.visits(one.seed, len(x), int(one.hyper.steps), one.recipe.batch_size):
        batch = base.Batch(x[rows], y[rows])
        state, _ = problems.one_step(state, batch, hyper, population.structure(one.recipe))
    return {'params': state.params, **state.collections}


class PopulationTest(chex.TestCase):
    def test_starts_mixed_in_one_lane_each_begin_from_their_own(self):
        part = {'params': {'logits': weights(5)['params']['logits']}}
        starts = [
            start.given(weights(1)),
            start.drawn(initializers.he),
            start.given(part, rest=start.drawn(initializers.he)),
            start.given(weights(2)),
            start.own,
            start.given(part),
            start.given(weights(3)),
            start.drawn(initializers.normal),
        ]
        nets = [net(begins, seed=n // 2, steps=20 + 10 * (n % 3)) for n, begins in enumerate(starts)]
        found = train(nets)
        for number, (one, trained) in enumerate(zip(nets, found, strict=True)):
            chex.assert_trees_all_close(trained.variables, alone(one), atol=1e-4, custom_message=str(number))

    def test_at_rate_0_a_net_is_what_it_was_given(self):
        known = [weights(seed) for seed in range(3)]
        found = train([net(start.given(w), learning_rate=0.0) for w in known])
        for trained, given in zip(found, known, strict=True):
            chex.assert_trees_all_equal(trained.variables['params'], given['params'])

    def test_a_net_sees_its_inputs_as_its_given_weights_did(self):
        """Moved and stretched inputs with statistics of their own, against the plain ones."""
        known = weights(4)
        inputs = kinds.Standard(*(np.float32(a) for a in ([1, 2, 3, 4], [2, 2, 4, 4], [0, 0, 0, 0])))
        transferred, anew = net(start.given(known, inputs=inputs)), net(start.given(known))
        found, other = train([transferred, anew])
        chex.assert_trees_all_equal(found.inputs, inputs)
        chex.assert_trees_all_close(found.variables, alone(transferred), atol=1e-4)
        chex.assert_trees_all_close(other.variables, alone(anew), atol=1e-4)
        chex.assert_trees_all_close(other.inputs, kinds.vector.measure(VECTORS.x[:40]))
        self.assertGreater(
            np.abs(
                found.variables['params']['logits']['kernel'] - other.variables['params']['logits']['kernel']
            ).max(),
            0.01,
        )

    def test_training_goes_on_where_it_ended(self):
        """20 steps, then the weights given for 20 more: the error of the first evaluation is the last's."""
        first = train([net(start.drawn(initializers.he))])[0]
        begins = start.given(first.variables, inputs=first.inputs)
        again = train([net(begins, learning_rate=0.0)])[0]
        np.testing.assert_allclose(again.loss, first.loss, rtol=1e-6)
        self.assertEqual(again.error, first.error)

    def test_nets_that_differ_in_given_weights_alone_share_their_programs(self):
        compiled = []

        def listen(event, seconds, **_):
            if 'backend_compile' in event:
                compiled.append(event)

        nets = [net(start.given(weights(seed))) for seed in (6, 7, 8, 9)]
        train(nets[:1])
        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            train(nets)
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)
        self.assertEmpty(compiled)
