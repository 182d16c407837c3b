"""Classical models: shortcuts give what scikit-learn gives without them, and copies stay in their fold."""

from unittest import mock

import chex
import numpy as np
from absl.testing import parameterized
from sklearn.linear_model import LogisticRegression

from overfit.data import splits
from overfit.nn import histograms
from overfit.study import classics, machine
from tests import problems


def task(examples, test, *, folds=3):
    """What the references of all examples see; histograms are made only of images."""
    inputs = examples.kind.measure(examples.x)
    return classics.Task(
        examples.x,
        examples.y,
        inputs,
        examples.kind.features(examples.x, inputs),
        examples.kind.features(test, inputs),
        lambda signed: classics.describe(test, signed),
        splits.folds(examples.y, folds, seed=1) if folds else [],
        seed=3,
        kept={},
    )


def bars(count, *, side=16, seed=0):
    """Level and upright bars, brighter or darker than the ground, anywhere: a pixel tells next to nothing."""
    rng = np.random.default_rng(seed)
    y = (np.arange(count) % 2).astype(np.int32)
    x = rng.normal(128, 6, (count, side, side, 1))
    for image, label in zip(x, y, strict=True):
        row, column = rng.integers(1, side - 9), rng.integers(1, side - 4)
        part = image[row : row + 8, column : column + 3]
        part += rng.choice([-100, 100])
        if label:
            image[...] = image.transpose(1, 0, 2).copy()
    return problems.pictures(2)._replace(x=np.clip(x, 0, 255).astype(np.uint8), y=y, classes=('-', '|'))


class LogisticTest(chex.TestCase):
    def test_few_coordinates_keep_all_scalar_products(self):
        train, test = np.random.default_rng(0).normal(3, 1, (2, 12, 50)).astype(np.float32)
        a, b = classics._coordinates(train, test)
        self.assertLess(a.shape[1], 12)
        train, test = train - train.mean(0), test - train.mean(0)
        scale = np.square(train).sum(1).mean()
        np.testing.assert_allclose(a @ a.T, train @ train.T / scale, atol=1e-4)
        np.testing.assert_allclose(b @ a.T, test @ train.T / scale, atol=1e-4)

    @parameterized.parameters((30, 80), (120, 80))
    def test_it_is_the_regression_on_all_columns(self, count, columns):
        rng = np.random.default_rng(1)
        pool = problems.blobs(count, spread=1.0, features=columns)
        test = (pool.x[rng.integers(0, count, 200)] + rng.normal(0, 1.5, (200, columns))).astype(np.float32)
        given = task(pool, test, folds=0)
        x = given.train - given.train.mean(0)
        scale = np.sqrt(np.square(x).sum(1).mean())
        model = LogisticRegression(C=classics.LOGISTIC_GRID[0], tol=1e-6, max_iter=5000)
        expected = model.fit(x / scale, pool.y).predict((given.test - given.train.mean(0)) / scale)
        self.assertGreater((classics.logistic(given) == expected).mean(), 0.98)
        self.assertLen(set(expected.tolist()), 3)

    def test_hard_inputs_make_no_warning(self):
        rng = np.random.default_rng(2)
        pool = problems.blobs(60, features=6)
        pool.x[:, 0] *= 1e6
        pool.x[:, 1] = 7.0
        pool.x[30:] = pool.x[:30]  # the same examples under other names
        pool.y[30:] = rng.permutation(pool.y[30:])
        given = task(pool, pool.x)
        raw = given._replace(train=pool.x, test=pool.x)  # a user's features, as they come
        for one in (given, raw):
            chex.assert_shape(classics.logistic(one), (60,))


class BestTest(chex.TestCase):
    @parameterized.parameters(
        ((9, 9, 9), 'a'), ((11, 10, 9), 'b'), ((30, 20, 9), 'c'), ((1, 0, 0), 'b'), ((10.6, 12, 9), 'c')
    )
    def test_the_first_within_half_a_standard_deviation_of_the_fewest(self, counts, expected):
        table = dict(zip('abc', counts, strict=True))
        fold = (np.arange(2), np.arange(1))
        self.assertEqual(classics._best('abc', lambda one, *_: table[one], [fold]), expected)

    def test_without_folds_the_first(self):
        self.assertEqual(classics._best('abc', mock.Mock(side_effect=AssertionError), []), 'a')


class TreesTest(chex.TestCase):
    @parameterized.parameters(classics.trees, classics.boosting)
    def test_a_corner_that_no_line_cuts_off(self, reference):
        rng = np.random.default_rng(0)
        x = rng.uniform(-1, 1, (400, 3)).astype(np.float32)
        y = ((x[:, 0] > 0) == (x[:, 1] > 0)).astype(np.int32)
        pool = problems.blobs(6)._replace(x=x[:200], y=y[:200], classes=('0', '1'))
        given = task(pool, x[200:])
        self.assertLess((reference(given) != y[200:]).mean(), 0.2)
        self.assertGreater((classics.logistic(given) != y[200:]).mean(), 0.3)


class GradientsTest(chex.TestCase):
    def test_edges_tell_what_pixels_do_not(self):
        pool, test = bars(60), bars(200, seed=1)
        given = task(pool, test.x)
        self.assertGreater((classics.svm(given) != test.y).mean(), 0.1)
        self.assertLess((classics.gradient_svm(given) != test.y).mean(), 0.03)
        self.assertLess((classics.gradient_svm_copies(given) != test.y).mean(), 0.03)

    @parameterized.parameters((12, 12), (16, 16), (28, 28), (64, 64), (12, 40), (100, 33))
    def test_cells_fit_every_shape(self, height, width):
        x = np.random.default_rng(0).integers(0, 255, (2, height, width, 3)).astype(np.uint8)
        for (rows, columns), least in zip(histograms.cells_for(height, width), (3, 4), strict=True):
            self.assertGreaterEqual(min(rows, columns), least)
            self.assertLess(abs(np.log((height / rows) / (width / columns))), 0.25)  # nearly square
        self.assertTrue(np.isfinite(classics.describe(x, True)).all())


class CopiesTest(chex.TestCase):
    def test_originals_first_then_a_round_of_copies_at_a_time(self):
        pool = problems.pictures(6, side=12)
        border = np.zeros(1, np.float32)
        x, y = classics.add_copies(pool.x, pool.y, border, classics.Distortion(0.0, 0.0, 0.0), 3, seed=0)
        chex.assert_shape(x, (24, 12, 12, 1))
        np.testing.assert_allclose(x, np.concatenate([pool.x] * 4), atol=1e-3)
        np.testing.assert_array_equal(y, np.concatenate([pool.y] * 4))
        x, _ = classics.add_copies(pool.x, pool.y, border, classics.Distortion(0.1, 0.2, 0.1), 3, seed=0)
        np.testing.assert_array_equal(x[:6], pool.x)
        copies = x[6:].reshape(3, 6, -1)
        self.assertGreater(np.abs(copies - x[:6].reshape(6, -1)).max(-1).min(), 1)
        self.assertGreater(np.abs(copies[0] - copies[1]).max(-1).min(), 1)
        for n in range(6):  # a copy is nearer to its original than to those of other classes
            apart = np.abs(copies[:, n, None] - x[:6].reshape(6, -1)).mean((0, 2))
            self.assertEqual(pool.y[apart.argmin()], pool.y[n])

    def test_copies_are_in_the_fold_of_their_original(self):
        pool = problems.pictures(30, side=12)
        given, seen = task(pool, pool.x[:1]), []

        def mistakes(one, _, rows, validate):
            seen.append((len(one.y), rows, validate))
            return 0

        with mock.patch.object(machine.Machine, 'mistakes', mistakes):
            classics.gradient_svm_copies(given)
        with_copies = [one for one in seen if one[0] > 30]
        self.assertLen(with_copies, 3 * len(classics.DISTORTIONS))
        for total, rows, validate in with_copies:
            self.assertEqual(total, 30 * 21)
            self.assertLess(max(validate), 30)
            self.assertEmpty(set(rows % 30) & set(validate))
            self.assertLen(set(rows), (30 - len(validate)) * 21)

    def test_shear_and_stretch(self):
        """A blob keeps its ink; shear moves its rows sideways, stretch changes its height over its width."""
        rows, columns = np.indices((41, 41)) - 20.0
        blob = np.exp(-(rows**2 + columns**2) / 50)[None, :, :, None]

        def moments(**distortion):
            found, _ = classics.add_copies(
                blob,
                np.zeros(1, np.int32),
                np.zeros(1, np.float32),
                classics.Distortion(0.0, 0.0, 0.0, **distortion),
                100,
                seed=1,
            )
            ink = found[1:, :, :, 0]
            np.testing.assert_allclose(ink.sum((1, 2)), blob.sum(), rtol=0.02)
            return [
                np.einsum('nrc,rc->n', ink, one) / blob.sum() for one in (rows**2, columns**2, rows * columns)
            ]

        down, _, both = moments(shear=0.3)
        np.testing.assert_allclose(down, 25, rtol=0.02)
        lean = both / down
        self.assertBetween(np.abs(lean).max(), 0.27, 0.31)
        self.assertLess(abs(lean.mean()), 0.05)
        down, right, both = moments(stretch=0.2)
        ratio = np.log(np.sqrt(down / right)) / np.log(1.2)
        self.assertBetween(np.abs(ratio).max(), 0.9, 1.02)
        self.assertLess(abs(ratio.mean()), 0.15)
        np.testing.assert_allclose(both, 0, atol=0.1)
