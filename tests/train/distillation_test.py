"""A student of a population hears the teacher of its examples, and nothing of one it has not."""

import chex
import jax
import numpy as np
from absl.testing import parameterized

from overfit import base
from overfit.train import distillation, predict
from overfit.train.engine import population
from tests import problems

POOL = problems.VECTORS
# Says class 2 of what is class 0 or 1, so that a student is told from one that learnt the labels.
WRONG = np.tile(np.float32([0.05, 0.05, 0.9]), (40, 1))


def member(share, recipe=None):
    hyper = base.Hyper(learning_rate=0.3, steps=200.0, distillation=share)
    recipe = recipe or distillation.student(problems.recipe())
    return population.Member(recipe, hyper, 1, np.arange(40), np.arange(40, 60), restore_best=False)


def trained(members, pool):
    return population.train(members, pool, eval_every=100, layout=problems.FOUR)


class TaughtTest(chex.TestCase):
    def test_a_student_says_what_its_teacher_says(self):
        pool = distillation.taught(POOL, np.arange(40), WRONG)
        deaf, hearing = trained([member(0.0), member(1.0)], pool)
        said = np.exp(predict.predict(member(1.0).recipe, [deaf, hearing], POOL.x[:40]))
        self.assertGreater((said[0].argmax(-1) == POOL.y[:40]).mean(), 0.8)
        np.testing.assert_allclose(said[1].mean(0), WRONG[0], atol=0.05)

    def test_without_a_share_the_teacher_changes_nothing(self):
        pool = distillation.taught(POOL, np.arange(40), WRONG)
        [deaf] = trained([member(None)], pool)
        [plain] = trained([member(None, problems.recipe())], POOL)
        chex.assert_trees_all_close(deaf.variables, plain.variables, atol=1e-6)

    def test_of_the_other_examples_their_labels(self):
        soft = distillation.taught(POOL, np.array([7, 3]), WRONG[:2]).soft
        np.testing.assert_array_equal(soft[[3, 7]], WRONG[:2])
        rest = np.setdiff1d(np.arange(60), [3, 7])
        np.testing.assert_array_equal(soft[rest], np.eye(3, dtype=np.float32)[POOL.y[rest]])

    @parameterized.parameters(
        ([60], np.float32([[0.5, 0.5, 0]]), 'rows holds 60 to 60'),
        ([0], np.log(np.float32([[0.5, 0.25, 0.25]])), 'of log-probabilities their exponential'),
        ([0], np.float32([[0.5, 0.5, 0.5]]), 'rows that sum to 1.5'),
    )
    def test_what_is_no_teacher_is_refused(self, rows, probabilities, message):
        with self.assertRaisesRegex(ValueError, message):
            distillation.taught(POOL, np.array(rows), probabilities)

    def test_a_share_needs_a_teacher(self):
        with self.assertRaisesRegex(ValueError, 'have no teacher'):
            trained([member(0.5)], POOL)
        self.assertTrue(jax.tree.leaves(POOL.soft) == [])
