"""The built-in digits: content against scikit-learn's, prepared alone, together, without a place to write."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest
from sklearn import datasets

from overfit.data import kinds, load
from overfit.data.read import digits

ROOT = str(pathlib.Path(__file__).parents[3])


class DigitsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(mock.patch.dict(os.environ, TFDS_DATA_DIR=self.folder))
        # neither preparing nor reading may look for a network
        self.enterContext(mock.patch.object(socket.socket, 'connect', side_effect=AssertionError('network')))
        self.enterContext(mock.patch.object(socket, 'getaddrinfo', side_effect=AssertionError('network')))

    def test_holds_each_of_scikit_learns_digits_once(self):
        data = load.load('digits')
        self.assertEqual(data.train.x.shape, (1000, 8, 8, 1))
        self.assertEqual(data.test.x.shape, (797, 8, 8, 1))
        self.assertEqual((data.train.x.dtype, data.train.y.dtype), (np.uint8, np.int32))
        self.assertEqual((data.train.kind, data.train.classes), (kinds.image, tuple('0123456789')))
        self.assertEmpty(data.notes)
        bunch = datasets.load_digits()
        expected = sorted(
            (int(label), *(int(np.floor(v * 255 / 16 + 0.5)) for v in image.ravel()))
            for image, label in zip(bunch.images, bunch.target, strict=True)
        )
        found = sorted(
            (int(label), *image.ravel().tolist())
            for image, label in zip(
                [*data.train.x, *data.test.x], [*data.train.y, *data.test.reveal()], strict=True
            )
        )
        self.assertEqual(found, expected)
        whole = np.bincount(bunch.target)
        np.testing.assert_allclose(np.bincount(data.train.y), whole * 1000 / 1797, atol=1)

    def test_second_load_reads_what_the_first_prepared(self):
        first = load.load('digits')
        files = {
            p: p.stat().st_mtime_ns for p in pathlib.Path(self.folder).rglob('digits/**/*') if p.is_file()
        }
        self.assertLen([p for p in files if 'array_record' in p.name], 2)
        self.assertEqual(load.load('digits').sha256, first.sha256)
        self.assertEqual({p: p.stat().st_mtime_ns for p in files}, files)
        with mock.patch.dict(os.environ, TFDS_DATA_DIR=self.enterContext(tempfile.TemporaryDirectory())):
            self.assertEqual(load.load('digits').sha256, first.sha256)

    def test_says_so_where_nothing_can_be_written(self):
        blocked = pathlib.Path(self.folder, 'a_file')
        blocked.touch()
        with mock.patch.dict(os.environ, TFDS_DATA_DIR=str(blocked / 'below')):
            data = load.load('digits')
        self.assertLen(data.train.y, 1000)
        self.assertRegex(data.notes[0], 'cannot be used .*prepared for this run only')

    def test_damage_is_named(self):
        file = next(digits.prepare(pathlib.Path(self.folder)).glob('*train.array_record*'))
        file.write_bytes(file.read_bytes()[:5000])
        with self.assertRaisesRegex(ValueError, r'digits/1\.0\.0 is damaged: delete this folder'):
            load.load('digits')

    def test_label_is_refused(self):
        with self.assertRaisesRegex(ValueError, 'label=digit '):
            load.load('digits', label='digit')


class TwoProcessesTest(absltest.TestCase):
    def test_the_slower_one_takes_what_the_faster_one_wrote(self):
        prepare = digits.Digits.download_and_prepare

        def overtaken(self, **options):
            prepare(self, **options)
            raise OSError(39, 'Directory not empty')

        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        with mock.patch.object(digits.Digits, 'download_and_prepare', overtaken):
            self.assertTrue((digits.prepare(folder) / 'dataset_info.json').exists())

    def test_both_prepare_at_once(self):
        code = (
            'import sys\n'
            'from overfit.data import load\n'
            'sys.stdin.read(1)\n'
            'print(load.load("digits").sha256)\n'
            'assert "tensorflow" not in sys.modules\n'
        )
        environment = {
            **os.environ,
            'TFDS_DATA_DIR': self.enterContext(tempfile.TemporaryDirectory()),
            'PYTHONPATH': ROOT,
        }
        pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True}
        processes = [
            subprocess.Popen([sys.executable, '-c', code], env=environment, **pipes) for _ in range(2)
        ]
        for process in processes:
            process.stdin.write('x')
            process.stdin.flush()
        answers = [process.communicate(timeout=120) for process in processes]
        self.assertEqual([process.returncode for process in processes], [0, 0], answers)
        hashes = {out.strip() for out, _ in answers}
        self.assertLen(hashes, 1)
        self.assertLen(hashes.pop(), 64)


if __name__ == '__main__':
    absltest.main()
