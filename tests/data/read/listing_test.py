"""Files below a folder: their order, and what does not count."""

import pathlib
import tempfile

from absl.testing import absltest

from overfit.data.read import listing


class ListingTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in ('b/2', 'b/1', 'a', 'c/d/3', '.hidden', '.git/config', '__MACOSX/a', 'c/.thumbs/3'):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def below(self):
        return [str(path.relative_to(self.root)) for path in listing.below(self.root)]

    def test_files_at_any_depth_in_order(self):
        self.assertEqual(self.below(), ['a', 'b/1', 'b/2', 'c/d/3'])

    def test_links_are_followed_once(self):
        with tempfile.TemporaryDirectory() as other:
            pathlib.Path(other, '4').touch()
            (self.root / 'c' / 'other').symlink_to(other)
            (self.root / 'c' / 'back').symlink_to(self.root)
            (self.root / 'c' / 'gone').symlink_to(self.root / 'nothing')
            self.assertEqual(self.below(), ['a', 'b/1', 'b/2', 'c/d/3', 'c/other/4'])


if __name__ == '__main__':
    absltest.main()
