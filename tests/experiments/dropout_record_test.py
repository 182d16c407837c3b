"""The published protocols on tiny settings, and their optimizer against a loop."""

import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from experiments.question import record_net
from tests.experiments import questions

TINY = ('--train_size=60', '--record_epochs=2', '--record_seeds=2')


class RecordTest(parameterized.TestCase):
    def test_against_another_recipe(self):
        """The difference is that of the two means."""
        found = questions.ask('dropout_record', *TINY, '--record_recipe=dropout', '--record_against=maxout')
        self.assertEqual(found.code, 0, found.complained)
        record = found.record
        self.assertEqual((record['recipe'], record['against']['recipe']), ('dropout', 'maxout'))
        own, other = np.mean(record['errors']), np.mean(record['against']['errors'])
        self.assertAlmostEqual(record['gap']['mean'], other - own, places=2)
        self.assertEqual([one['technique'] for one in record['findings']], ['dropout', 'maxout', 'dropout'])
        self.assertEqual({one['band'] for one in record['findings']}, {None})
        self.assertIn('maxout minus dropout', found.told)
        found = questions.ask('dropout_record', '--record_recipe=plain', '--record_against=plain')
        self.assertIn('is the recipe itself', found.complained)

    def test_published_numbers(self):
        name = 'dropout'
        found = questions.ask('dropout_record', *TINY, f'--record_recipe={name}')
        self.assertEqual(found.code, 0, found.complained)
        record = found.record
        self.assertEqual((record['epochs'], record['tried'], record['diverged']), (2, [], 0))
        self.assertLen(record['errors'], 2)
        self.assertEqual(record['numbers']['dropout'], 0.5)
        self.assertEqual({one['band'] for one in record['findings']}, {None})  # bands are for MNIST
        self.assertStartsWith(found.picture, b'\x89PNG')

    def test_tuned_numbers(self):
        found = questions.ask('dropout_record', *TINY, '--record_recipe=l1_l2', '--record_trials=2')
        self.assertEqual(found.code, 0, found.complained)
        tried = found.record['tried']
        self.assertLen(tried, 2)
        best = min(tried, key=lambda one: one['held_out_error'])
        self.assertEqual(best['numbers'].keys(), found.record['numbers'].keys())
        for name, value in best['numbers'].items():
            self.assertAlmostEqual(value, found.record['numbers'][name], delta=1e-3 * abs(value))


class OptimizerTest(parameterized.TestCase):
    def test_against_a_loop(self):
        ramp = record_net.Ramp(0.5, 0.7, 4, 0.1, 6, shrink=1.01, bounds={'Dense_0': 1.0})
        rng = np.random.default_rng(0)
        params = {
            layer: {'kernel': rng.normal(size=(3, 2)).astype(np.float32)} for layer in ('Dense_0', 'logits')
        }
        ours, state = params, None
        transformation = record_net.ramped(ramp, 3)(None, 0.2)
        state = transformation.init(ours)
        loop = {layer: np.float64(params[layer]['kernel']) for layer in params}
        velocity = dict.fromkeys(loop, 0.0)
        for count in range(25):
            gradient = {layer: rng.normal(size=(3, 2)).astype(np.float32) for layer in loop}
            of_tree = {layer: {'kernel': jnp.array(g)} for layer, g in gradient.items()}
            updates, state = transformation.update(of_tree, state, ours)
            ours = optax.apply_updates(ours, updates)
            epoch = count // 3
            momentum = 0.5 + 0.2 * min(epoch / 4, 1)
            rate = 0.2 * (1 - 0.9 * min(epoch / 6, 1)) / 1.01**count
            for layer in loop:
                velocity[layer] = momentum * velocity[layer] - rate * gradient[layer]
                loop[layer] = loop[layer] + velocity[layer]
            norms = np.sqrt((loop['Dense_0'] ** 2).sum(0))
            loop['Dense_0'] = loop['Dense_0'] * np.minimum(1, 1.0 / norms)
        for layer in loop:
            np.testing.assert_allclose(ours[layer]['kernel'], loop[layer], rtol=1e-4, atol=1e-5)

    def test_only_images(self):
        from tests import problems

        with self.assertRaisesRegex(ValueError, 'the records are of images'):
            record_net.pixels(problems.VECTORS)


if __name__ == '__main__':
    absltest.main()
