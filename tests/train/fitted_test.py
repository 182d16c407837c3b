"""Fixed layers that are made of the training inputs: which inputs, and that nothing moves them."""

import chex
import jax
import numpy as np

from overfit import base
from overfit.data import kinds
from overfit.nn import concat, filters, first, models
from overfit.train import start
from overfit.train.engine import population
from tests import problems

NET = models.CNN(3, channels=(4,), widths=(5,), first=first.whitening)
RECIPE = problems.recipe(model=NET)
HYPER = base.Hyper(learning_rate=0.1, steps=8.0, l2=0.1)
X = problems.IMAGES.x


def prepared(rows):
    return np.asarray(kinds.standardise(X[rows], kinds.measure_images(X[rows])))


def trained(recipe, *rows):
    members = [population.Member(recipe, HYPER, n, of, np.arange(40, 48)) for n, of in enumerate(rows)]
    found = population.train(members, problems.IMAGES, eval_every=8, layout=problems.FOUR)
    return [one.variables for one in found]


class FittedTest(chex.TestCase):
    def test_every_net_has_filters_of_its_own_training_images_to_the_end(self):
        rows = np.arange(20), np.arange(20, 40)
        for of, variables in zip(rows, trained(RECIPE, *rows), strict=True):
            wanted = filters.whitening_filters(prepared(of))
            np.testing.assert_allclose(variables['fixed']['first'], wanted, atol=1e-5)

    def test_it_hangs_on_no_label_and_no_other_image(self):
        rows = np.arange(20)
        y = np.random.default_rng(0).permutation(problems.IMAGES.y)
        x = np.concatenate([X[:20], 255 - X[20:]])
        member = population.Member(RECIPE, HYPER, 0, rows, np.arange(40, 48))
        examples = problems.IMAGES._replace(x=x, y=y)
        found = population.train([member], examples, eval_every=8, layout=problems.FOUR)[0]
        chex.assert_trees_all_equal(found.variables['fixed'], trained(RECIPE, rows)[0]['fixed'])

    def test_towers_are_fitted_too_and_given_ones_kept(self):
        [before] = trained(RECIPE, np.arange(20))
        towers = problems.recipe(model=concat.Concat(3, (NET, NET)))
        given = start.given({name: {'tower_0': one} for name, one in before.items()})
        [after] = trained(towers._replace(start=given), np.arange(20, 40))
        chex.assert_trees_all_equal(after['fixed']['tower_0'], before['fixed'])
        wanted = filters.whitening_filters(prepared(np.arange(20, 40)))
        np.testing.assert_allclose(after['fixed']['tower_1']['first'], wanted, atol=1e-5)

    def test_a_model_without_such_a_layer_keeps_its_start(self):
        plain = models.CNN(3, channels=(4,))
        self.assertIs(start.fitted(start.own, plain, prepared(np.arange(9))), start.own)

    def test_the_rest_is_drawn_as_without_it(self):
        x = prepared(np.arange(9))
        example = jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype)
        begun = start.fitted(RECIPE.start, NET, x)

        def drawn(one, given):
            return jax.jit(lambda key, given: one.draw(key, NET, example, np.float32(0.5), given))(
                jax.random.key(3), given
            )

        found, wanted = drawn(begun, begun.given.variables), drawn(RECIPE.start, None)
        chex.assert_trees_all_equal(found['params'], wanted['params'])
