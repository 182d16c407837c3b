"""Baselines, and what a textbook would put together at once."""

import chex

from overfit.data import kinds
from overfit.nn import models
from overfit.study import baselines, spaces, techniques
from overfit.train import optimizers, start
from tests.study import tiny


class BaselinesTest(chex.TestCase):
    def test_plain_sgd_on_the_modules_own_initialisation(self):
        found = baselines.baseline(baselines.mlp(3), kinds.vector)
        self.assertEqual(found.recipe.model, models.MLP(3, widths=(128, 128)))
        self.assertIs(found.recipe.start, start.own)
        self.assertEqual(found.recipe.optimizer, optimizers.by_hyper(optimizers.sgd))
        self.assertEqual((found.recipe.batch_size, found.recipe.augment), (32, ()))
        self.assertEqual(list(found.space), ['learning_rate'])
        self.assertIs(found.recipe.prepare, kinds.prepare_slot(kinds.vector))

    def test_every_technique_of_a_textbook_is_a_known_one(self):
        books = [book for kind in (kinds.image, kinds.vector) for book in baselines.textbooks(kind)]
        for book in books:
            for technique in book.techniques:
                self.assertIn(technique, techniques.ALL)
                self.assertTrue(technique.judged_by_validation, technique.label)
        self.assertEqual({book.label for book in books}, set(baselines.LABELS))
        first = [baselines.textbooks(kind)[0] for kind in (kinds.image, kinds.vector)]
        for technique in (one for book in first for one in book.techniques):
            self.assertIn(technique, techniques.STANDARD)

    def test_together_their_numbers_are_searched_where_they_usually_lie(self):
        chosen = (techniques.dropout, techniques.cosine, techniques.weight_decay, techniques.adamw)
        arm = baselines.together(baselines.Textbook('the textbook recipe', chosen), tiny.BASELINE)
        self.assertEqual((arm.label, arm.techniques), ('the textbook recipe', chosen))
        self.assertEqual(arm.space['dropout'], spaces.Range(0.1, 0.5, 'linear'))
        self.assertEqual(arm.space['learning_rate'], spaces.Range(1e-3, 1e-2, 'log'))
        self.assertEqual((arm.space['cosine'], arm.space['momentum']), (1.0, 0.9))  # fixed ones stay
        self.assertEqual(arm.recipe.optimizer, optimizers.by_hyper(optimizers.adamw))

    def test_a_number_that_the_textbook_does_not_know_keeps_its_range(self):
        book = baselines.Textbook('a book', (techniques.l1, techniques.dropout))
        arm = baselines.together(book, tiny.BASELINE)
        self.assertEqual(arm.space['l1'], spaces.RANGES['l1'])
