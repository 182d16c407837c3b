"""The questions about losses and embeddings, on tiny settings; and what they are made of."""

import pathlib
import tempfile

import jax
import numpy as np
from absl.testing import absltest

from experiments.question import embeddings, open_classes
from overfit import base
from overfit.data import kinds
from overfit.study import techniques
from tests.experiments import questions

OMNIGLOT = pathlib.Path(__file__).parents[2] / '../shared/data/npz/omniglot.npz'


def material(classes=10, each=8, unseen=False):
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(classes), each).astype(np.int32)
    x = (rng.normal(size=(classes, 5))[y] + 0.3 * rng.normal(size=(len(y), 5))).astype(np.float32)
    pool = base.Examples(x, y, tuple(map(str, range(classes))), kinds.vector)
    return open_classes.Material('blobs', pool, pool._replace(x=x + 1) if unseen else None)


class LossesTest(absltest.TestCase):
    def test_losses(self):
        found = questions.ask('losses', *questions.TINY, '--losses=center,triplet_semi_hard')
        self.assertEqual(found.code, 0, found.complained)
        labels = [row['label'] for row in found.record['rows']]
        self.assertEqual(labels, ['batches of 4 a class', 'center loss', 'triplet loss (semi-hard)'])
        [finding] = found.record['findings']
        self.assertEqual(finding['technique'], 'center loss')
        self.assertIn(finding['verdict'], ('yes', 'no', 'undecided'))
        self.assertIn('triplet loss (semi-hard)', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')

    def test_all_losses_are_techniques(self):
        from experiments import losses

        labels = [getattr(techniques, name).label for name in losses.NAMES]
        self.assertLen(set(labels), 8)

    def test_unknown_loss(self):
        found = questions.ask('losses', '--losses=hinge')
        self.assertEqual(found.code, 1)
        self.assertIn('give some of label_smoothing', found.complained)


class CenterLossTest(absltest.TestCase):
    def test_center_loss(self):
        found = questions.ask('center_loss', '--labelled_sets=3', '--train_size=60', '--center_steps=40')
        self.assertEqual(found.code, 0, found.complained)
        rows = found.record['rows']
        self.assertEqual([row['weight'] for row in rows], [0, 0.001, 0.01, 0.1, 1])
        self.assertEqual(rows[0]['accuracy_minus_softmax']['mean'], 0)
        self.assertEqual(rows[0]['times_tighter']['mean'], 1)
        self.assertNotEqual(rows[0]['variance_ratio'], rows[4]['variance_ratio'])
        self.assertIn('center weight', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')

    def test_the_net_has_as_many_features_as_asked_for(self):
        net = embeddings.LeNet(4, channels=(3, 5), repeats=2, size=3)
        x = np.ones((2, 9, 6, 1), np.float32)
        outputs, variables = jax.jit(lambda key, x: net.init_with_output(key, x, train=True))(
            jax.random.key(0), x
        )
        self.assertEqual((outputs.features.shape, outputs.logits.shape), ((2, 2), (2, 4)))
        # 9 x 6, 4 x 3, 2 x 1 places of 5 channels.
        self.assertEqual(variables['params']['embedding']['kernel'].shape, (10, 2))
        self.assertLen(variables['params'], 6)


class OpenSetTest(absltest.TestCase):
    def test_open_set(self):
        found = questions.ask(
            'open_set',
            '--labelled_sets=3',
            '--trials=2',
            '--open_per_class=6',
            '--open_steps=20',
            '--open_losses=center loss,triplets (hard)',
        )
        self.assertEqual(found.code, 0, found.complained)
        rows = {row['label']: row for row in found.record['rows']}
        self.assertLen(rows, 4)
        self.assertNotIn('difference', rows['softmax'])
        for row in rows.values():
            self.assertBetween(row['map_at_r']['mean'], 1, 100)
            self.assertBetween(row['equal_error_rate']['mean'], 0, 60)
        self.assertLen(found.record['findings'], 2)
        self.assertIn('inputs as they are', found.told)
        self.assertStartsWith(found.picture, b'\x89PNG')

    def test_other_test_classes_need_a_file(self):
        found = questions.ask('open_set', '--new_test_classes')
        self.assertEqual(found.code, 1)
        self.assertIn('is no .npz file', found.complained)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'one.npz')
            np.savez(path, x_train=np.zeros((4, 2)), y_train=np.arange(4))
            found = questions.ask('open_set', '--new_test_classes', f'--data={path}')
        self.assertIn('lacks x_test, y_test', found.complained)

    def test_no_class_is_trained_on_held_out_and_tested_at_once(self):
        for unseen in (False, True):
            given = material(unseen=unseen)
            sets = open_classes.draw(given, 5, 4, seed=0)
            self.assertLen({tuple(one.tested) for one in sets}, 5)
            for one in sets:
                tested = set(given.tested.y[one.tested])
                held = []
                for train, out in one.folds:
                    trained, judged = set(given.pool.y[train]), set(given.pool.y[out])
                    self.assertEqual(trained & judged, set())
                    self.assertGreaterEqual(min(len(trained), len(judged)), 2)
                    self.assertEqual(set(np.bincount(given.pool.y[train])) - {0}, {4})
                    self.assertTrue(unseen or not (trained | judged) & tested)
                    held += sorted(judged)
                self.assertLen(set(held), len(held))

    def test_too_few_classes(self):
        with self.assertRaisesRegex(ValueError, 'takes 10'):
            open_classes.draw(material(classes=6), 2, 4, seed=0)

    def test_quality_does_not_hang_on_room(self):
        given = material().pool
        one, other = (embeddings.quality(given.x, given.y, room=room, most=8) for room in (80, 96))
        np.testing.assert_allclose(one, other, rtol=1e-4)
        self.assertEqual(one.collapsed, 0)
        self.assertEqual(embeddings.quality(0 * given.x + 1, given.y, room=80, most=8).collapsed, 1)
        self.assertAlmostEqual(
            100 * embeddings.map_at_r(given.x, given.y, room=80, most=8), one.map_at_r, places=4
        )

    @absltest.skipIf(not OMNIGLOT.exists(), 'needs shared/data/npz/omniglot.npz beside the repository')
    def test_omniglot_has_other_test_classes(self):
        found = open_classes.of_file(str(OMNIGLOT))
        self.assertEqual((len(found.pool.classes), len(found.unseen.classes)), (136, 106))
        self.assertEqual((found.pool.x.shape, found.unseen.x.shape), ((2720, 28, 28, 1), (2120, 28, 28, 1)))


if __name__ == '__main__':
    absltest.main()
