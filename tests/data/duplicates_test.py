"""Copies: planted ones are found, different drawings are none, and neighbours are those of a naive search."""

import io

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image
from sklearn import datasets

from overfit.data import duplicates, kinds

DIGITS = np.round(datasets.load_digits().images[..., None] * (255 / 16)).astype(np.uint8)


def _jpeg(images, quality):
    out = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image[..., 0]).save(file, 'JPEG', quality=quality)
        out.append(np.asarray(Image.open(file))[..., None])
    return np.array(out)


def _drawings(n, seed=0):
    """Images `[n, 24, 24, 1]` of some strokes at random places, like characters."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :24]
    out = np.zeros((n, 24, 24))
    for image in out:
        for angle, middle in zip(rng.uniform(0, np.pi, 4), rng.uniform(6, 18, (4, 2)), strict=True):
            along = (x - middle[0]) * np.cos(angle) + (y - middle[1]) * np.sin(angle)
            aside = (y - middle[1]) * np.cos(angle) - (x - middle[0]) * np.sin(angle)
            image += 200 * np.exp(-((aside / 1.5) ** 2) - (along / 5) ** 4)
    return np.minimum(out, 230)[..., None].astype(np.uint8)


class NearTest(parameterized.TestCase):
    def test_digits_are_different_drawings(self):
        copies = duplicates.across(DIGITS[:1000], DIGITS[1000:], kinds.image)
        self.assertEqual(copies, duplicates.Copies(0, 0))
        self.assertEqual(duplicates.within(DIGITS, kinds.image), duplicates.Copies(0, 0))

    @parameterized.parameters('breast_cancer', 'wine', 'diabetes')
    def test_rows_of_a_table_are_different(self, name):
        x = getattr(datasets, f'load_{name}')().data.astype(np.float32)
        self.assertEqual(duplicates.within(x, kinds.vector), duplicates.Copies(0, 0))

    @parameterized.named_parameters(
        ('jpeg_90', lambda x, rng: _jpeg(x, 90)),
        ('jpeg_50', lambda x, rng: _jpeg(x, 50)),
        ('noise', lambda x, rng: np.clip(x + rng.normal(0, 4, x.shape), 0, 255).astype(np.uint8)),
        ('brighter', lambda x, rng: (x * 1.1).astype(np.uint8)),
        ('lighter', lambda x, rng: x + np.uint8(12)),
    )
    def test_finds_images_saved_anew(self, change):
        x, others = _drawings(300), _drawings(100, seed=1)
        planted = change(x[:50], np.random.default_rng(0))
        found = duplicates.near(x, np.concatenate([others, planted]), kinds.image)
        self.assertEqual((found[:100].sum(), found[100:].sum()), (0, 50))

    @parameterized.parameters(0.001, 0.01)
    def test_finds_rows_with_a_little_noise(self, noise):
        x = datasets.load_breast_cancer().data.astype(np.float32)
        planted = x[:50] + noise * x.std(0) * np.random.default_rng(0).normal(size=x[:50].shape)
        found = duplicates.near(x[:400], np.concatenate([x[400:], planted]).astype(np.float32), kinds.vector)
        self.assertEqual((found[:169].sum(), found[169:].sum()), (0, 50))

    @parameterized.parameters(1, 2, 3, 5)
    def test_chance_is_no_copy_however_few_columns(self, columns):
        alarms = 0
        for seed in range(10):
            x = np.random.default_rng(seed).normal(size=(300, columns)).astype(np.float32)
            alarms += duplicates.across(x[:200], x[200:], kinds.vector).near
        self.assertLessEqual(alarms, 12)  # at most one half a set is allowed: 5, and chance

    def test_categories_do_not_make_neighbours_copies(self):
        rng = np.random.default_rng(0)
        x = np.column_stack([rng.normal(size=600), np.eye(50)[rng.integers(0, 50, 600)]]).astype(np.float32)
        self.assertLessEqual(duplicates.within(x, kinds.vector).near, 2)

    def test_exact_copies_of_any_kind(self):
        x = np.random.default_rng(0).integers(0, 9, (40, 3, 2)).astype(np.int16)
        x_test = np.concatenate([x[5:8], x[:2] + 20])
        tokens = kinds.Kind('tokens')
        self.assertEqual(duplicates.exact(x, x_test).tolist(), [True] * 3 + [False] * 2)
        self.assertEqual(duplicates.near(x, x_test, tokens).tolist(), [True] * 3 + [False] * 2)
        self.assertEqual(duplicates.across(x, x_test, tokens), duplicates.Copies(3, 0))

    def test_a_handful_has_exact_copies_alone(self):
        x = np.arange(6.0)[:, None]
        self.assertEqual(duplicates.across(x, np.array([[0.0], [1e-9]]), kinds.vector), (1, 0, ()))

    def test_images_of_one_grey_each_are_not_copies(self):
        x = np.broadcast_to(np.arange(100, dtype=np.uint8)[:, None, None, None], (100, 4, 4, 1))
        self.assertEqual(duplicates.within(x, kinds.image), duplicates.Copies(0, 0))

    def test_blank_images(self):
        x = np.concatenate([np.zeros((20, 4, 4, 1), np.uint8), DIGITS[:20, :4, :4]])
        self.assertEqual(duplicates.within(x, kinds.image).exact, 20)
        blank = np.zeros((30, 4, 4, 1), np.uint8)
        self.assertEqual(duplicates.across(blank[:20], blank[20:], kinds.image), (10, 0, ()))


class WithinTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        x = _drawings(120)
        # 0 and 1 once more, exactly; 2 and 3 saved anew
        self.x = np.concatenate([x, x[:2], _jpeg(x[2:4], 90)])
        self.pairs = [(0, 120), (1, 121), (2, 122), (3, 123)]

    def test_counts_both_of_a_pair(self):
        self.assertEqual(duplicates.within(self.x, kinds.image), duplicates.Copies(4, 4))

    def test_copies_in_one_group_do_not_count(self):
        groups = np.arange(124)
        groups[[120, 122]] = 0, 2
        self.assertEqual(duplicates.within(self.x, kinds.image, groups=groups), duplicates.Copies(2, 2))
        groups[[121, 123]] = 1, 3
        self.assertEqual(duplicates.within(self.x, kinds.image, groups=groups), duplicates.Copies(0, 0))

    def test_groups_are_the_pairs(self):
        groups = duplicates.groups(self.x[..., 0])
        expected = list(range(120)) + [0, 1, 2, 3]
        self.assertEqual((groups.dtype, groups.tolist()), (np.int32, expected))
        self.assertEqual(duplicates.within(self.x, kinds.image, groups=groups), duplicates.Copies(0, 0))

    def test_a_copy_of_a_copy(self):
        x = np.concatenate([self.x, _jpeg(self.x[123:], 75), self.x[122:123]])
        groups = duplicates.groups(x)
        self.assertEqual(groups[[2, 122, 125]].tolist(), [2] * 3)
        self.assertEqual(groups[[3, 123, 124]].tolist(), [3] * 3)
        self.assertLen(np.unique(groups), 120)


class NeighboursTest(parameterized.TestCase):
    @parameterized.product(size=(30, 1013), own=(True, False))
    def test_are_those_of_a_double_loop(self, size, own):
        rng = np.random.default_rng(size)
        x = rng.normal(size=(size, 3)).astype(np.float32)
        codes = rng.integers(0, size // 3, size)
        asked = x if own else rng.normal(size=(601, 3)).astype(np.float32)
        blocks = list(duplicates._neighbours(x, asked, 5, codes if own else None))
        found, distance = (np.concatenate(part) for part in zip(*blocks, strict=True))
        for row in range(0, len(asked), 29):
            away = np.sqrt(np.square(x.astype(np.float64) - asked[row]).sum(1))
            if own:
                away[codes == codes[row]] = np.inf
            np.testing.assert_allclose(distance[row], np.sort(away)[:5], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(away[found[row]], distance[row], rtol=1e-4, atol=1e-5)

    def test_fewer_neighbours_than_asked_for_are_infinitely_far(self):
        x = np.arange(12.0, dtype=np.float32)[:, None]
        codes = np.array([0] * 9 + [1] * 3)
        _, distance = next(duplicates._neighbours(x, x, 5, codes))
        self.assertEqual(np.isfinite(distance).sum(1).tolist(), [3] * 9 + [5] * 3)


class LargeTest(parameterized.TestCase):
    def test_a_part_is_looked_at_and_said(self):
        self.enterContext(absltest.mock.patch.object(duplicates, 'MOST_REFERENCES', 60))
        self.enterContext(absltest.mock.patch.object(duplicates, 'MOST_QUERIES', 40))
        x, x_test = _drawings(100), _drawings(50, seed=1)
        x_test[:5] = x[:5]
        copies = duplicates.across(x, x_test, kinds.image)
        self.assertEqual((copies.exact, copies.compared), (5, (40, 60)))
        self.assertEqual(duplicates.within(x, kinds.image).compared, (40, 40))


if __name__ == '__main__':
    absltest.main()
