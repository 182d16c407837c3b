"""Techniques that change inputs: what they apply to, what they exclude, and that they go together."""

import chex
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.data import kinds, views
from overfit.study import baselines, spaces, techniques
from overfit.study.arms import arm_of
from overfit.train import check, predict
from overfit.train.engine import population
from tests import problems

IMAGES = problems.pictures(channels=3)
GEOMETRY = (techniques.shear, techniques.elastic, techniques.affine_elastic, techniques.policy)
OTHERS = (techniques.colour, techniques.cutout, techniques.mixup, techniques.cutmix)
VIEWS = (techniques.shifted_views, techniques.mirrored_views)
BASELINE = baselines.baseline(baselines.mlp(3), kinds.image)


class AugmentationTest(chex.TestCase):
    @parameterized.named_parameters((one.label, one) for one in (*GEOMETRY, *OTHERS, *VIEWS))
    def test_every_number_is_read_of_(self, technique):
        arm = arm_of([technique], BASELINE)
        check.recipes([(arm.recipe, arm.space)], IMAGES)
        spaces.check(arm.space, technique.label)
        self.assertIn(technique, techniques.ALL)

    def test_vectors_can_be_mixed_but_have_no_geometry(self):
        vectors = baselines.baseline(baselines.mlp(3), kinds.vector)
        applying = [one for one in (*GEOMETRY, *OTHERS, *VIEWS) if one.applies(vectors.recipe, kinds.vector)]
        self.assertEqual(applying, [techniques.mixup])
        arm = arm_of(applying, vectors)
        check.recipes([(arm.recipe, arm.space)], problems.VECTORS)

    def test_families_exclude_their_own(self):
        for family in (GEOMETRY + (techniques.shift,), OTHERS[2:], VIEWS):
            for one in family:
                arm = arm_of([one], BASELINE)
                self.assertTrue(all(arm.excludes(other) for other in family))
        self.assertFalse(arm_of([techniques.elastic], BASELINE).excludes(techniques.mixup))

    def test_one_of_each_family_trains_in_one_program_whatever_the_strengths(self):
        chosen = [techniques.affine_elastic, *OTHERS[:3], techniques.shifted_views]
        arm = arm_of(chosen, BASELINE)
        self.assertEqual(arm.recipe.views, views.shifted)
        settings = [one | {'steps': 20.0} for one in spaces.trials(arm.space, 3, seed=1)]
        members = [
            population.Member(arm.recipe, base.Hyper.of(**one), 1, np.arange(30), np.arange(30, 48))
            for one in settings
        ]
        self.assertLen({population.structure(one.recipe) for one in members}, 1)
        found = population.train(members, IMAGES, eval_every=20, layout=problems.FOUR)
        self.assertFalse(any(net.diverged for net in found))
        first = [predict.predict(arm.recipe, [net], IMAGES.x[:4])[0] for net in found]
        self.assertGreater(np.abs(first[0] - first[1]).max(), 1e-3)
