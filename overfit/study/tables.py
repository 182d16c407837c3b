"""What was measured, whole: tables of mistakes, from which every number of the ledger can be made again."""

import csv
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Tables(NamedTuple):
    """Mistakes of all that was measured, on J labelled sets and N test examples.

    A table `[J, N]` float32 holds the share of the nets on a labelled set that get a test example wrong; NaN
    where the labelled set does not test it.

    Attributes:
        arms: by label, the baseline first.
        controls: by label, the baseline tuned again.
        sizes: the baseline by number of labelled examples, `train_size` left out.
        fewer: arms with fewer labelled examples, by label and number of them.
        squeezed: the combination; `None`: not measured yet.
        references: models of other libraries, by name.
        train_size: labelled examples of an arm.
        columns: `[N]` int, examples of one number are one unit (a patient); `None`: each is its own.
    """

    arms: Mapping[str, np.ndarray]
    controls: Mapping[str, np.ndarray]
    sizes: Mapping[int, np.ndarray]
    fewer: Mapping[str, Mapping[int, np.ndarray]]
    squeezed: np.ndarray | None
    references: Mapping[str, np.ndarray]
    train_size: int
    columns: np.ndarray | None

    @property
    def baseline(self) -> np.ndarray:
        """The baseline's mistakes."""
        return next(iter(self.arms.values()))


def write(tables: Tables, path: str | os.PathLike) -> None:
    """Writes `tables.npz`; an array's name says where it belongs, as `arms/dropout` or `sizes/400`.

    Args:
        tables: what was measured.
        path: of the file.
    """
    arrays = {'train_size': np.array(tables.train_size)}
    if tables.columns is not None:
        arrays['columns'] = tables.columns
    if tables.squeezed is not None:
        arrays['squeezed'] = tables.squeezed
    labels = []
    for field in ('arms', 'controls', 'sizes', 'references'):
        for number, (label, table) in enumerate(getattr(tables, field).items()):
            arrays[f'{field}/{number}'] = table
            labels.append(f'{field}/{number}={label}')
    for number, (label, by_size) in enumerate(tables.fewer.items()):
        labels.append(f'fewer/{number}={label}')
        arrays |= {f'fewer/{number}/{size}': table for size, table in by_size.items()}
    np.savez_compressed(path, labels=np.array(labels), **arrays)


def read(path: str | os.PathLike) -> Tables:
    """Reads `tables.npz`.

    Args:
        path: of the file.

    Raises:
        ValueError: the file is none that `write` made.
    """
    with np.load(path) as held:
        if 'labels' not in held or 'train_size' not in held:
            raise ValueError(f'{path} holds no tables of a study: give the tables.npz that one wrote')
        arrays = dict(held)
    found = {field: {} for field in ('arms', 'controls', 'sizes', 'references', 'fewer')}
    for entry in arrays['labels'].tolist():
        place, _, label = entry.partition('=')
        field = place.partition('/')[0]
        sizes = {
            int(key.rpartition('/')[2]): array for key, array in arrays.items() if key.startswith(f'{place}/')
        }
        found[field][label] = sizes or arrays[place]
    return Tables(
        squeezed=arrays.get('squeezed'),
        train_size=int(arrays['train_size']),
        columns=arrays.get('columns'),
        **found | {'sizes': {int(size): table for size, table in found['sizes'].items()}},
    )


def write_probabilities(
    probabilities: Mapping[str, np.ndarray], y: np.ndarray, classes: Sequence[str], path: str | os.PathLike
) -> None:
    """Writes `oof.csv`: for each example and arm, the mean probability over all nets that test it.

    These are the nets of all labelled sets that test the example; none was trained on it. So an error counted
    from the file is that of the average of these nets, lower as a rule than the arm's error in
    `results.json`, which is the mean over nets.

    Args:
        probabilities: `[N, classes]` by label of the arm, of `measure.probabilities`.
        y: `[N]`, the true classes.
        classes: names.
        path: of the file.
    """
    with open(path, 'w', newline='', encoding='utf-8', errors='backslashreplace') as file:
        lines = csv.writer(file)
        lines.writerow(['example', 'truth', 'arm', *(f'probability of {name}' for name in classes)])
        truth = [classes[code] for code in y]
        for label, table in probabilities.items():
            rows = np.round(np.asarray(table, np.float64), 4).tolist()
            lines.writerows([n, truth[n], label, *row] for n, row in enumerate(rows))
