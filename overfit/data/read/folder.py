"""A folder with a sub-folder of images for each class, or such folders `train/` and `test/`."""

import pathlib

import numpy as np

from overfit.data.read import images
from overfit.data.source import Source

SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.gif', '.tif', '.tiff')


def read(path: pathlib.Path) -> Source:
    """Reads `path/<class>/<image>`, or `path/train/<class>/<image>` and `path/test/<class>/<image>`.

    Args:
        path: the folder; hidden files are skipped, files that are not images are skipped and counted.

    Returns:
        Images, `uint8`, at most 32 pixels a side; the classes are named by their folders.

    Raises:
        ValueError: if there are no class folders, or images are unreadable or of different sizes.
    """
    parts = [path / 'train', path / 'test']
    if not all(part.is_dir() for part in parts):
        parts = [path]
    listed, skipped = [], 0
    for part in parts:
        found, others = _list(part)
        listed.append(found)
        skipped += others
    files = [file for part in listed for file, _ in part]
    x, shape, mixed = images.stack((str(file), file) for file in files)
    y = np.array([name for part in listed for _, name in part])
    notes = images.shrink_note(shape, x.shape)
    if mixed:
        notes += ('grey and coloured images were mixed: all read as colour',)
    if skipped:
        notes += (f'{skipped:,} files that are not images were skipped',)
    if len(parts) == 1:
        return Source(x, y, notes=notes)
    n = len(listed[0])
    return Source(x[:n], y[:n], x[n:], y[n:], how='the folder test/', notes=notes)


def _list(path):
    """The images below `path` with their classes, in order, and the number of other files."""
    found, others = [], 0
    for folder in sorted(path.iterdir()):
        if not folder.is_dir() or folder.name.startswith('.'):
            continue
        files = [
            file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith('.')
        ]
        chosen = [file for file in files if file.suffix.lower() in SUFFIXES]
        others += len(files) - len(chosen)
        found += [(file, folder.name) for file in chosen]
    if not found:
        raise ValueError(
            f'{path} has no class folders: put the images ({", ".join(s[1:] for s in SUFFIXES)}) '
            'of each class into a sub-folder with its name.'
        )
    return found, others
