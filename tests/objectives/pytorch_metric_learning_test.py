"""Losses and mining against PyTorch Metric Learning (extra `bench`), on random inputs."""

import chex
import numpy as np
from absl.testing import absltest, parameterized

from overfit.objectives import losses, metric_learning, pairs, triplets

try:
    import torch
    from pytorch_metric_learning import distances as theirs_distances
    from pytorch_metric_learning import losses as theirs
    from pytorch_metric_learning import miners
    from pytorch_metric_learning.utils import accuracy_calculator
except ImportError:
    torch = None

MISSING = 'needs pytorch-metric-learning 2.9 or later: pip install "overfit[bench]"'
MARGIN = 0.3


@absltest.skipIf(torch is None, MISSING)
class PyTorchMetricLearningTest(chex.TestCase):
    def _inputs(self, seed, classes=6, count=24):
        rng = np.random.default_rng(seed)
        y = np.repeat(np.arange(classes), count // classes).astype(np.int32)
        x = (rng.normal(size=(classes, 8))[y] + rng.normal(size=(count, 8))).astype(np.float32)
        return x, y, torch.tensor(x, dtype=torch.float64), torch.tensor(y)

    @parameterized.parameters(range(5))
    def test_supervised_contrastive(self, seed):
        x, y, theirs_x, theirs_y = self._inputs(seed)
        wanted = theirs.SupConLoss(temperature=0.2)(theirs_x, theirs_y)
        found = losses.batch_mean(pairs.supervised_contrastive(x, y, 0.2), None)
        np.testing.assert_allclose(found, wanted, rtol=1e-5)

    @parameterized.product(seed=(0, 1, 2), soft=(False, True))
    def test_all_triplets(self, seed, soft):
        x, y, theirs_x, theirs_y = self._inputs(seed)
        distance = theirs_distances.LpDistance(normalize_embeddings=False)
        loss = theirs.TripletMarginLoss(margin=MARGIN, smooth_loss=soft, distance=distance)
        found = losses.batch_mean(triplets.batch_all(x, y, MARGIN, soft=soft), None)
        np.testing.assert_allclose(found, loss(theirs_x, theirs_y), rtol=1e-5)

    @parameterized.product(seed=(0, 1, 2), soft=(False, True))
    def test_hard_triplets(self, seed, soft):
        x, y, theirs_x, theirs_y = self._inputs(seed)
        distance = theirs_distances.LpDistance(normalize_embeddings=False)
        anchor, positive, negative = miners.BatchHardMiner(distance=distance)(theirs_x, theirs_y)
        gap = (
            MARGIN
            + (theirs_x[anchor] - theirs_x[positive]).norm(dim=1)
            - (theirs_x[anchor] - theirs_x[negative]).norm(dim=1)
        )
        cost = torch.nn.functional.softplus(gap) if soft else torch.relu(gap)
        found = losses.batch_mean(triplets.batch_hard(x, y, MARGIN, soft=soft), None)
        np.testing.assert_allclose(found, cost.mean(), rtol=1e-5)

    @parameterized.parameters(range(3))
    def test_semi_hard_triplets(self, seed):
        x, y, theirs_x, theirs_y = self._inputs(seed)
        distance = theirs_distances.LpDistance(power=2)
        miner = miners.TripletMarginMiner(margin=MARGIN, type_of_triplets='semihard', distance=distance)
        found = miner(theirs_x, theirs_y)
        z = torch.nn.functional.normalize(theirs_x)
        apart = torch.cdist(z, z) ** 2
        # They take all in the band, we the nearest for each pair.
        nearest = {}
        for a, p, n in zip(*(t.tolist() for t in found), strict=True):
            nearest[a, p] = min(nearest.get((a, p), np.inf), float(apart[a, n]))
        wanted = np.mean([MARGIN + float(apart[pair]) - n for pair, n in nearest.items()])
        self.assertGreater(len(nearest), 5)
        np.testing.assert_allclose(
            losses.batch_mean(triplets.semi_hard(x, y, MARGIN), None), wanted, rtol=1e-5
        )

    @parameterized.parameters(range(3))
    def test_contrastive(self, seed):
        x, y, theirs_x, theirs_y = self._inputs(seed)
        # Theirs is not squared; squared distances give the pull, and without a push the rest.
        pull = theirs.ContrastiveLoss(
            pos_margin=0,
            neg_margin=0,
            distance=theirs_distances.LpDistance(normalize_embeddings=False, power=2),
        )
        np.testing.assert_allclose(
            losses.batch_mean(pairs.contrastive(x, y, None), None),
            pull(theirs_x, theirs_y) / 2,
            rtol=1e-5,
        )

    @parameterized.parameters(range(3))
    def test_neighbours(self, seed):
        x, y, *_ = self._inputs(seed)
        calculator = accuracy_calculator.AccuracyCalculator(
            include=('mean_average_precision_at_r', 'precision_at_1'),
            k='max_bin_count',
            knn_func=_brute_force,
            device=torch.device('cpu'),
        )
        wanted = calculator.get_accuracy(x, y)
        found = metric_learning.neighbours(x, y)
        np.testing.assert_allclose(found.map_at_r, wanted['mean_average_precision_at_r'], rtol=1e-5)
        np.testing.assert_allclose(found.precision_at_1, wanted['precision_at_1'], rtol=1e-5)


def _brute_force(query, k, reference, ref_includes_query):
    """Their default needs another library."""
    apart = torch.cdist(query.double(), reference.double())
    apart.fill_diagonal_(-1)  # themselves first, which they then leave out
    values, order = apart.sort(dim=1)
    begin = 1 if ref_includes_query else 0
    return values[:, begin : k + begin], order[:, begin : k + begin]


if __name__ == '__main__':
    absltest.main()
