"""Files below a folder: which of them count, and in what order."""

import os
import pathlib
from collections.abc import Iterator


def below(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """The files at any depth below a folder, in order of their paths, hidden ones left out."""
    seen, files = set(), []
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if shown(name)]
        files += [pathlib.Path(place, name) for name in names if shown(name)]
    return (file for file in sorted(files) if file.is_file())


def shown(name: str) -> bool:
    """Whether a file or folder of this name counts: hidden ones and what macOS adds to archives do not."""
    return not name.startswith('.') and name != '__MACOSX'
