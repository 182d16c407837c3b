"""Folders of images: layouts, formats and sizes, against files written by Pillow."""

import pathlib
import tempfile

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from overfit.data import kinds, load
from overfit.data.read import pillow


class FolderTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()), 'pets')
        self.pixels = np.random.default_rng(0).integers(0, 256, (64, 6, 5, 3)).astype(np.uint8)

    def save(self, name, pixels, **options):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.ascontiguousarray(pixels))
        image.save(path, **options)

    def refuses(self, pattern, **options):
        with self.assertRaisesRegex(ValueError, pattern) as caught:
            load.load(str(self.root), **options)
        self.assertNotRegex(str(caught.exception), r'\n|[.?] [A-Z]')

    def test_a_folder_a_class(self):
        for i in range(20):
            self.save(f'{("cat", "dog")[i % 2]}/{i:02}.{("png", "BMP", "tif")[i % 3]}', self.pixels[i])
        (self.root / 'cat' / 'notes.txt').touch()
        (self.root / 'cat' / '.hidden.png').touch()
        (self.root / '.git').mkdir()
        (self.root / 'readme.md').touch()
        data = load.load(str(self.root), test='holdout')
        self.assertEqual(
            (data.name, data.train.classes, data.train.kind), ('pets', ('cat', 'dog'), kinds.image)
        )
        self.assertEqual((data.train.x.shape, data.test.x.shape), ((14, 6, 5, 3), (6, 6, 5, 3)))
        self.assertEqual(data.how, 'held out 30 %, stratified, chosen by a hash of the data')
        self.assertEqual(data.notes, ('class cat: 1 file that is no image was skipped, notes.txt',))
        known = {self.pixels[i].tobytes(): i % 2 for i in range(20)}
        found = {x.tobytes(): y for x, y in zip(data.train.x, data.train.y, strict=True)}
        found |= {x.tobytes(): y for x, y in zip(data.test.x, data.test.reveal(), strict=True)}
        self.assertEqual(found, known)

    def test_train_and_test_folders(self):
        for i in range(12):
            self.save(f'{"test" if i < 4 else "train"}/{i % 2}/{i}.png', self.pixels[i, ..., 0])
        data = load.load(str(self.root))
        self.assertEqual((data.train.x.shape, data.test.x.shape), ((8, 6, 5, 1), (4, 6, 5, 1)))
        self.assertEqual((data.how, data.test.reveal().tolist()), ('the folder test/', [0, 0, 1, 1]))
        np.testing.assert_array_equal(data.test.x[..., 0], self.pixels[[0, 2, 1, 3], ..., 0])

    def test_modes(self):
        alpha = np.concatenate([self.pixels[0], np.full((6, 5, 1), 9, np.uint8)], axis=-1)
        grey = self.pixels[1, ..., 0]
        palette = Image.fromarray(grey // 128).convert('L').convert('P')
        self.save('a/1.png', alpha)
        self.save('a/2.png', grey)
        self.save('b/1.png', Image.fromarray(grey > 127))
        self.save('b/2.gif', palette)
        for i in range(3, 6):
            self.save(f'a/{i}.png', self.pixels[i])
            self.save(f'b/{i}.png', self.pixels[i + 9])
        data = load.load(str(self.root))
        self.assertIn('grey and coloured images were mixed: all read as colour', data.notes)
        found = {x.tobytes() for x in (*data.train.x, *data.test.x)}
        for expected in (
            self.pixels[0],
            *(np.repeat(g[..., None], 3, -1) for g in (grey, (grey > 127) * 255)),
        ):
            self.assertIn(expected.astype(np.uint8).tobytes(), found)

    def test_photographs_are_turned_upright(self):
        exif = Image.Exif()
        exif[0x0112] = 6  # the camera was turned a quarter
        self.save('a.jpg', np.zeros((6, 5, 3), np.uint8), exif=exif)
        self.assertEqual(pillow.decode(self.root / 'a.jpg', 'a.jpg').shape, (5, 6, 3))

    def test_large_images_are_reduced_and_noted(self):
        for i in range(8):
            self.save(f'{i % 2}/{i}.png', np.full((64, 128), i, np.uint8))
        data = load.load(str(self.root))
        self.assertEqual(data.train.x.shape[1:], (16, 32, 1))
        self.assertIn('images reduced from 128×64 to 32×16 pixels by area averaging', data.notes[0])
        larger = load.load(str(self.root), image_size=64)
        self.assertEqual((larger.train.x.shape[1:], larger.notes[1:]), ((32, 64, 1), data.notes[1:]))

    def test_refuses_unreadable_files(self):
        self.save('a/1.png', self.pixels[0])
        (self.root / 'a' / '2.png').write_bytes((self.root / 'a' / '1.png').read_bytes()[:60])
        self.refuses(r'a/2\.png cannot be read as an image')
        (self.root / 'a' / '2.png').write_text('no image')
        self.refuses(r'a/2\.png cannot be read as an image')

    @parameterized.parameters(('train', 'val'), ('Train', 'Test'), ('TRAINING', 'validation'))
    def test_split_folders_by_other_names(self, train, test):
        for i in range(12):
            self.save(f'{test if i < 4 else train}/{i % 2}/{i}.png', self.pixels[i])
        data = load.load(str(self.root))
        self.assertEqual((len(data.train.y), len(data.test)), (8, 4))
        self.assertEqual(data.how, f'the folder {test}/')

    def test_folders_beside_a_split_are_named(self):
        for i in range(20):
            self.save(f'{("train", "train", "test", "valid")[i % 4]}/{i // 4 % 2}/{i}.png', self.pixels[i])
        self.save('more/1.png', self.pixels[20])
        data = load.load(str(self.root))
        self.assertIn('folder valid/ is not used (5 images)', data.notes)
        self.assertIn('folder more/ is not used (1 image)', data.notes)
        self.assertEqual((len(data.train.y), len(data.test)), (10, 5))

    def test_a_training_folder_alone(self):
        for i in range(20):
            self.save(f'train/{i % 2}/{i}.png', self.pixels[i])
        data = load.load(str(self.root))
        self.assertEqual((data.train.classes, len(data.test)), (('0', '1'), 20))
        self.assertIn('pets/ has train/ alone: there is no test set apart', data.notes)

    def test_a_test_folder_alone_is_refused(self):
        for i in range(8):
            self.save(f'{("test", "val")[i % 2]}/{i // 4}/{i}.png', self.pixels[i])
        self.refuses('has test/ but no train/')

    def test_classes_named_like_splits(self):
        for i in range(30):
            self.save(f'{("train", "test", "plane")[i % 3]}/{i}.png', self.pixels[i])
        self.assertEqual(load.load(str(self.root)).train.classes, ('plane', 'test', 'train'))

    def test_nested_images_belong_to_their_class(self):
        for i in range(20):
            self.save(f'{("cat", "dog/part1", "cat", "dog/part1/b")[i % 4]}/{i}.png', self.pixels[i])
        (self.root / 'dog' / 'loop').symlink_to(self.root / 'dog')
        data = load.load(str(self.root))
        self.assertIn('class dog: 10 of its 10 images in sub-folders', data.notes)
        self.assertEqual(np.bincount(data.train.y).tolist(), [10, 10])

    def test_groups_are_the_folders_below_the_class(self):
        for i in range(24):
            self.save(
                f'{("cat", "dog")[i % 2]}/patient{i // 2 % 6}/{"deep/" * (i % 3 == 0)}{i}.png', self.pixels[i]
            )
        data = load.load(str(self.root), group='folder')
        number = {self.pixels[i].tobytes(): i for i in range(24)}
        patients = [number[x.tobytes()] // 2 % 6 for x in data.train.x]
        self.assertEqual(data.train.groups.tolist(), patients)
        self.assertEqual(data.notes, ())
        self.refuses('group=who is for tables, .* give group=folder', group='who')
        self.save('dog/lone.png', self.pixels[30])
        self.refuses('dog/lone.png lies in the folder of its class itself: with group=folder', group='folder')

    def test_groups_of_train_and_test_folders(self):
        for i in range(24):
            part = 'test' if i >= 16 else 'train'
            self.save(f'{part}/{i % 2}/p{i // 3}/{i}.png', self.pixels[i])
        data = load.load(str(self.root), group='folder')
        number = {self.pixels[i].tobytes(): i for i in range(24)}
        for x, groups in ((data.train.x, data.train.groups), (data.test.x, data.test.groups)):
            self.assertEqual([number[one.tobytes()] // 3 for one in x], groups.tolist())
        self.assertIn('1 group with 2 of the 8 test examples are in the training set too', data.notes[-1])

    def test_no_class_vanishes(self):
        for i in range(12):
            self.save(f'{("a", "b", "c")[i % 3]}/{i}.png', self.pixels[i])
        self.save('loose.png', self.pixels[0])
        self.assertIn(
            'not used: 1 image in pets/ itself, beside the class folders',
            load.load(str(self.root)).notes,
        )
        (self.root / 'd').mkdir()
        self.refuses('pets/d would be a class without images, for it holds no files')
        (self.root / 'd' / 'x.wav').write_bytes(b'RIFF no image')
        self.refuses(r'd would be a class without images, for it holds 1 file that is no image \(\.wav\)')

    def test_refuses_folders_without_classes(self):
        self.root.mkdir()
        self.refuses('no class folders')
        self.save('1.png', self.pixels[0])
        self.refuses('no class folders')

    def test_refuses_a_label_and_a_single_image(self):
        self.save('a/1.png', self.pixels[0])
        self.refuses('label=a is for tables', label='a')
        for i in range(3):
            self.save(f'b/{i}.png', self.pixels[i])
        self.refuses('class a has 1 example, too few to train')


if __name__ == '__main__':
    absltest.main()
