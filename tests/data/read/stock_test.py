"""Prepared TFDS sets: tiny ones prepared here; unknown, unprepared and unsupported ones."""

import os
import pathlib
import socket
import tempfile
from unittest import mock

import numpy as np
import tensorflow_datasets as tfds
from absl.testing import absltest, parameterized
from PIL import Image

from overfit.data import kinds, load

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 4, 4)).astype(np.uint8)


class TinyPictures(tfds.core.GeneratorBasedBuilder):
    """Thirty grey pictures, 20 to train, 6 to test, 4 to validate."""

    VERSION = tfds.core.Version('1.2.0')

    def _info(self):
        features = {
            'image': tfds.features.Image(shape=(4, 4, 1)),
            'label': tfds.features.ClassLabel(names=['owl', 'ant', 'never']),
            'shade': tfds.features.ClassLabel(num_classes=2),
            'by': tfds.features.Text(),
            'page': tfds.features.Scalar(np.int64),
        }
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=('image', 'label')
        )

    def _split_generators(self, dl_manager):
        parts = {'train': range(20), 'test': range(20, 26), 'validation': range(26, 30)}
        return {split: self._generate_examples(numbers) for split, numbers in parts.items()}

    def _generate_examples(self, numbers):
        for i in numbers:
            one = {'image': Image.fromarray(PIXELS[i]), 'label': i % 2, 'shade': i // 2 % 2}
            yield i, one | {'by': f'é{i % 7}', 'page': i // 4}


class TinyVectors(tfds.core.GeneratorBasedBuilder):
    """Thirty vectors in one split, the label not declared, two variants."""

    VERSION = tfds.core.Version('1.0.0')
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ('plain', 'double')]

    def _info(self):
        features = {
            'measured': tfds.features.Tensor(shape=(3,), dtype=np.float32),
            'kind': tfds.features.ClassLabel(num_classes=3),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples()}

    def _generate_examples(self):
        for i in range(30):
            factor = 2 if self.builder_config.name == 'double' else 1
            yield i, {'measured': np.float32([i, i * i, 1]) * factor, 'kind': i % 3}


class TinyTexts(tfds.core.GeneratorBasedBuilder):
    """Texts."""

    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
        features = {'text': tfds.features.Text(), 'label': tfds.features.ClassLabel(num_classes=2)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples()}

    def _generate_examples(self):
        for i in range(4):
            yield i, {'text': 'a word', 'label': i % 2}


class StockTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        tfds.disable_progress_bar()
        builders = [TinyPictures(data_dir=cls.folder, file_format='array_record')]
        builders += [
            TinyVectors(data_dir=cls.folder, config=c, file_format='array_record')
            for c in ('plain', 'double')
        ]
        builders += [TinyTexts(data_dir=cls.folder, file_format='array_record')]
        for builder in builders:
            builder.download_and_prepare()

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.dict(os.environ, TFDS_DATA_DIR=self.folder))
        self.enterContext(mock.patch.object(socket.socket, 'connect', side_effect=AssertionError('network')))
        self.enterContext(mock.patch.object(socket, 'getaddrinfo', side_effect=AssertionError('network')))

    def refuses(self, pattern, *args, **options):
        with self.assertRaisesRegex(ValueError, pattern) as caught:
            load.load(*args, **options)
        self.assertNotRegex(str(caught.exception), r'\n|[.?] [A-Z]')

    @parameterized.parameters('tiny_pictures', 'tiny_pictures:1.2.0')
    def test_images(self, name):
        data = load.load(name)
        self.assertEqual((data.name, data.how), (name, "the set's own split test"))
        self.assertEqual((data.train.classes, data.train.kind), (('owl', 'ant'), kinds.image))
        self.assertEqual(data.notes, ('split validation is not used',))
        expected = {PIXELS[i].tobytes(): i % 2 for i in range(20)}
        self.assertEqual({x.tobytes(): y for x, y in zip(data.train.x, data.train.y, strict=True)}, expected)
        expected = {PIXELS[i].tobytes(): i % 2 for i in range(20, 26)}
        found = {x.tobytes(): y for x, y in zip(data.test.x, data.test.reveal(), strict=True)}
        self.assertEqual(found, expected)

    def test_label_chooses_the_feature(self):
        data = load.load('tiny_pictures', label='shade')
        self.assertEqual(data.train.classes, ('0', '1'))
        number = {PIXELS[i].tobytes(): i for i in range(30)}
        self.assertEqual([number[x.tobytes()] // 2 % 2 for x in data.train.x], data.train.y.tolist())
        self.refuses(
            r'no classes in a feature colour: .*shade \(ClassLabel\)',
            'tiny_pictures',
            label='colour',
        )

    @parameterized.parameters(('by', lambda i: i % 7), ('page', lambda i: i // 4))
    def test_groups(self, feature, group):
        data = load.load('tiny_pictures', group=feature)
        number = {PIXELS[i].tobytes(): i for i in range(30)}
        for x, groups in ((data.train.x, data.train.groups), (data.test.x, data.test.groups)):
            self.assertEqual([group(number[one.tobytes()]) for one in x], groups.tolist())
        both = 'of the 6 test examples are in the training set too' in data.notes[-1]
        self.assertEqual(both, feature == 'by')
        self.refuses(
            r'no single number or text in a feature image for group=image; .*by \(Text\)',
            'tiny_pictures',
            group='image',
        )
        self.refuses('in a feature who for group=who', 'tiny_pictures', group='who')

    @parameterized.parameters(('plain', 1), ('double', 2))
    def test_vectors_of_a_variant(self, variant, factor):
        data = load.load(f'tiny_vectors/{variant}', test='holdout')
        self.assertEqual(data.how, 'held out 30 %, stratified, chosen by a hash of the data')
        self.assertEqual((data.train.x.shape, data.train.x.dtype), ((21, 3), np.float32))
        i = data.test.x[:, 0] / factor
        np.testing.assert_array_equal(data.test.x[:, 1], factor * i * i)
        np.testing.assert_array_equal(data.test.reveal(), i % 3)

    def test_refuses_an_open_choice_of_variant(self):
        self.refuses('prepared as double, plain: say which, as in tiny_vectors/double', 'tiny_vectors')

    def test_refuses_text(self):
        self.refuses('tiny_texts is a set of texts, and text is not supported yet', 'tiny_texts')
        self.refuses('trec is a set of texts', 'trec')

    @parameterized.parameters(('mnist', ''), ('mnist', 'tensorflow'))
    def test_says_how_to_prepare(self, name, installed):
        with mock.patch('importlib.util.find_spec', return_value=installed or None):
            with self.assertRaises(ValueError) as caught:
                load.load(name)
        sentence = str(caught.exception)
        command = (
            'python -c "import tensorflow_datasets as tfds; '
            f"tfds.builder('{name}', file_format='array_record').download_and_prepare()\""
        )
        self.assertIn(command, sentence)
        self.assertEqual('pip install -e ".[tfds]"' in sentence, not installed)

    @parameterized.parameters(
        ('digts', 'did you mean digits'),
        ('fashon_mnist', 'did you mean fashion_mnist'),
        ('tiny_picture', 'did you mean tiny_pictures'),
        ('qqqqqqqqq', 'try digits, mnist or fashion_mnist'),
        ('cmaterdb/bangle', 'no variant bangle: it has bangla'),
        ('mnist:0.0.7', 'no version 0.0.7 here: this TFDS prepares 3'),
        ('my data!', 'neither a file or folder that exists nor a name'),
    )
    def test_unknown_names(self, name, pattern):
        self.refuses(pattern, name)

    def test_refuses_another_format(self):
        folder = pathlib.Path(self.folder, 'old_set', '1.0.0')
        folder.mkdir(parents=True)
        (folder / 'dataset_info.json').write_text('{}')
        (folder / 'old_set-train.tfrecord-00000-of-00001').touch()
        self.refuses('not prepared as array_record.*TFDS_DATA_DIR', 'old_set')

    def test_newest_complete_version_is_read(self):
        root = pathlib.Path(self.folder, 'tiny_pictures')
        for name in ('incomplete.ABC_9.0.0', '1.10.0'):
            (root / name).mkdir()
            (root / name / 'dataset_info.json').write_text('{}')
        try:
            self.refuses(r'1\.10\.0 is not prepared as array_record', 'tiny_pictures')
        finally:
            for name in ('incomplete.ABC_9.0.0', '1.10.0'):
                (root / name / 'dataset_info.json').unlink()
                (root / name).rmdir()


if __name__ == '__main__':
    absltest.main()
