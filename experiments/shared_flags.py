"""Flags that several binaries have: the data, and how much of it is used."""

import pathlib
import re

from absl import flags

DATA = flags.DEFINE_string(
    'data',
    'digits',
    'Built-in set, TFDS name, .npz or .csv file, or a folder with a sub-folder of images a class.',
)
TRAIN_SIZE = flags.DEFINE_integer(
    'train_size',
    None,
    'Labelled examples to pretend; where not given, all of your own files, 200 of a stock set.',
    lower_bound=1,
)
LABELLED_SETS = flags.DEFINE_integer(
    'labelled_sets',
    None,
    'Labelled sets on which everything is tuned anew and measured: 3 or more, where data are cross-fitted a '
    'multiple of 5; as the budget allows where not given.',
    lower_bound=3,
)
SEED = flags.DEFINE_integer('seed', 0, 'Of everything.', lower_bound=0, upper_bound=2**31 - 1)

STOCK_TRAIN_SIZE = 200


def train_size_of(labelled: int) -> int | None:
    """Labelled examples in use: as `--train_size` says, else all of one's own files, 200 of a stock set.

    Args:
        labelled: examples that there are.
    """
    stock = DATA.value == 'digits' or not pathlib.Path(DATA.value).expanduser().exists()
    if TRAIN_SIZE.value is None and stock:
        return min(STOCK_TRAIN_SIZE, labelled)
    return TRAIN_SIZE.value


# The flag for each argument that the library's messages name, as `name=value`; in two words also without `=`.
FLAGS_OF = {
    'data': 'data',
    'label': 'label',
    'group': 'group',
    'test': 'test',
    'image_size': 'image_size',
    'train_size': 'train_size',
    'validation': 'validation',
    'techniques': 'techniques',
    'model': 'model',
    'trials': 'trials',
    'labelled_sets': 'labelled_sets',
    'minutes': 'budget_minutes',
    'seed': 'seed',
}


def as_flags(message: str) -> str:
    """A message of the library in words of the command line: flags of this binary in place of arguments."""
    known = [name for name, flag in FLAGS_OF.items() if flag in flags.FLAGS]
    names = '|'.join(name if '_' in name else f'{name}(?==)' for name in known)
    return re.sub(rf'(?<![\w./=-])({names})(?!\w)', lambda match: f'--{FLAGS_OF[match[1]]}', message)


def refuse(*others: flags.FlagHolder) -> None:
    """Refuses flags that came along with an import and say nothing here.

    Args:
        others: the flags.

    Raises:
        ValueError: one of them was given.
    """
    for flag in others:
        if flag.present:
            raise ValueError(f'--{flag.name} is of experiments.squeeze: leave it out')
