"""The built-in set: scikit-learn's 8×8 digits as a TFDS builder that needs neither network nor TensorFlow."""

import contextlib
import io
import pathlib

import numpy as np
import tensorflow_datasets as tfds

from overfit.data import splits


class Digits(tfds.core.GeneratorBasedBuilder):
    """1,797 handwritten digits, 1,000 to train on; raise `VERSION` with any change of what is generated."""

    VERSION = tfds.core.Version('1.0.0')

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            'image': tfds.features.Image(shape=(8, 8, 1), encoding_format='png'),
            'label': tfds.features.ClassLabel(names=[str(digit) for digit in range(10)]),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description='Handwritten digits, the test part of the UCI set (Alpaydin and Kaynak, 1998).',
            features=tfds.features.FeaturesDict(features),
            supervised_keys=('image', 'label'),
            homepage='https://archive.ics.uci.edu/dataset/80',
        )

    def _split_generators(self, dl_manager):
        from sklearn import datasets

        x, y = datasets.load_digits(return_X_y=True)
        images = np.round(x.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
        order = splits.stratified_order(y, seed=0)
        return {
            'train': self._generate_examples(images, y, order[:1000]),
            'test': self._generate_examples(images, y, order[1000:]),
        }

    def _generate_examples(self, images, y, order):
        from PIL import Image

        # a PIL image is encoded by Pillow, an array would be by TensorFlow
        for i in order:
            yield int(i), {'image': Image.fromarray(images[i]), 'label': int(y[i])}


def prepare(data_dir: pathlib.Path) -> pathlib.Path:
    """Writes the set as `array_record` below `data_dir`, unless it is there.

    Args:
        data_dir: TFDS's folder, made if missing.

    Returns:
        The folder of the prepared set.

    Raises:
        OSError: if the folder cannot be written.
    """
    builder = Digits(data_dir=data_dir, file_format='array_record')
    folder = pathlib.Path(builder.data_dir)
    if not folder.exists():
        config = tfds.download.DownloadConfig(try_download_gcs=False)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                builder.download_and_prepare(download_config=config)
            except OSError:
                if not folder.exists():  # another process may have been faster
                    raise
    return folder
