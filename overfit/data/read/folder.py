"""A folder with a sub-folder of images for each class, or such folders `train/` and `test/`."""

import pathlib

import numpy as np

from overfit.data import kinds
from overfit.data.read import images, listing, pillow
from overfit.data.read.wording import counted
from overfit.data.source import Source

TRAIN = ('train', 'training')
TEST = ('test', 'testing')
VALIDATION = ('val', 'valid', 'validation', 'dev')


def read(
    path: pathlib.Path,
    *,
    by_folder: bool = False,
    image_size: int | None = None,
    minutes: float | None = None,
) -> Source:
    """Reads `path/<class>/.../<image>`, or `path/train/<class>/...` and `path/test/<class>/...`.

    What is an image is decided by Pillow, not by the name. Images at any depth below a class folder belong
    to its class; `val/` or the like stands in for a missing `test/`. Capitals in these names do not
    matter. Folders `train/` and `test/` that hold images directly are classes.

    Args:
        path: the folder; hidden files are skipped, files that are not images are skipped and counted.
        by_folder: whether the folder just below the class is the group of its images, the same group below
            every class.
        image_size: pixels of the longer side, 8 to 128; `None`: `images.default_size`.
        minutes: the study's budget, for the size.

    Returns:
        Images of one size; the classes are named by their folders.

    Raises:
        ValueError: if there are no class folders, one of them has no image, images are unreadable, or, of
            groups by folder, lie in the folder of a class itself.
    """
    parts, how, notes = _parts(path)
    listed = []
    for part in parts:
        found, remarks = _classes(part, by_folder)
        listed.append(found)
        notes += remarks
    stacked = images.stack(
        [one for part in listed for one, *_ in part], image_size=image_size, minutes=minutes
    )
    x, y = stacked.x, np.array([name for part in listed for _, name, _ in part])
    groups = np.array([group for part in listed for *_, group in part]) if by_folder else None
    made = Source(
        x, y, kinds.image, notes=(*stacked.notes, *notes), reading=stacked.reading, origin=stacked.sha256
    )
    if len(parts) == 1:
        return made._replace(groups=groups)
    n = len(listed[0])
    made = made._replace(x=x[:n], y=y[:n], x_test=x[n:], y_test=y[n:], how=how)
    return made._replace(groups=groups[:n], groups_test=groups[n:]) if by_folder else made


def _parts(path):
    """The folders of which each holds class folders (one, or training and test), and notes."""
    folders = _folders(path)
    split = [folder for folder in folders if folder.name.lower() in (*TRAIN, *TEST, *VALIDATION)]
    split = [folder for folder in split if _holds_classes(folder)]
    train, test, validation = (
        [folder for folder in split if folder.name.lower() in names] for names in (TRAIN, TEST, VALIDATION)
    )
    if not split or (len(split) < len(folders) and not (train and test + validation)):
        return [path], '', []
    for names in (train, test, validation):
        if len(names) > 1:
            raise ValueError(f'{path} has {names[0].name}/ and {names[1].name}/: leave one of them.')
    if not train:
        raise ValueError(f'{path} has {split[0].name}/ but no train/: add it, with a folder for each class.')
    chosen = [*train, *(test or validation)[:1]]
    notes = [
        f'folder {folder.name}/ is not used ({counted(_count(folder), "image")})'
        for folder in folders
        if folder not in chosen
    ]
    if len(chosen) == 1:
        return chosen, '', [f'{path.name}/ has {train[0].name}/ alone: there is no test set apart', *notes]
    return chosen, f'the folder {chosen[1].name}/', notes


def _classes(path, by_folder):
    """The images below `path` with their classes and groups, in order, and notes."""
    found, notes = [], []
    for folder in _folders(path):
        looked = {file: pillow.look(file, str(file)) for file in listing.below(folder)}
        chosen = [one for one in looked.values() if one]
        others = [file for file, one in looked.items() if not one]
        if not chosen:
            listed = ', '.join(sorted({file.suffix or file.name for file in others})[:5])
            files = f'{_no_images(others)} ({listed})' if others else 'no files'
            raise ValueError(
                f'{folder} would be a class without images, for it holds {files}: '
                'add images of the class or remove the folder.'
            )
        if others:
            notes.append(
                f'class {folder.name}: {_no_images(others)} {"were" if len(others) > 1 else "was"} skipped, '
                f'{"among them " * (len(others) > 1)}{others[0].name}'
            )
        nested = sum(one.file.parent != folder for one in chosen)
        if by_folder and nested < len(chosen):
            lone = next(one.file for one in chosen if one.file.parent == folder)
            raise ValueError(
                f'{lone} lies in the folder of its class itself: with group=folder put it into a sub-folder '
                'with the name of its group.'
            )
        if nested and not by_folder:
            notes.append(
                f'class {folder.name}: {nested:,} of its {counted(len(chosen), "image")} in sub-folders'
            )
        found += [(one, folder.name, one.file.relative_to(folder).parts[0]) for one in chosen]
    loose = _loose(path)
    if not found:
        beside = f' but {counted(loose, "image")}' if loose else ''
        raise ValueError(
            f'{path} has no class folders{beside}: '
            'put the images of each class into a sub-folder with its name.'
        )
    if loose:
        notes.append(f'not used: {counted(loose, "image")} in {path.name}/ itself, beside the class folders')
    return found, notes


def _no_images(files):
    return f'{counted(len(files), "file")} that {"are not images" if len(files) > 1 else "is no image"}'


def _folders(path):
    return [folder for folder in sorted(path.iterdir()) if folder.is_dir() and listing.shown(folder.name)]


def _is_image(file):
    try:
        return pillow.look(file, str(file)) is not None
    except ValueError:
        return False


def _loose(path):
    return sum(file.is_file() and listing.shown(file.name) and _is_image(file) for file in path.iterdir())


def _count(folder):
    return sum(_is_image(file) for file in listing.below(folder))


def _holds_classes(folder):
    """Whether images lie in the sub-folders of a folder and none in the folder itself."""
    return not _loose(folder) and any(_is_image(file) for file in listing.below(folder))
