"""Flags that several binaries have: the data, and how much of it is used."""

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
SEEDS = flags.DEFINE_integer(
    'seeds', None, 'Fresh paired replicates; as the budget allows where not given.', lower_bound=3
)
SEED = flags.DEFINE_integer('seed', 0, 'Of everything.', lower_bound=0, upper_bound=2**31 - 1)


def as_flags(message: str) -> str:
    """A message of the library, which names arguments (`train_size=5`), in words of the command line."""

    def spelled(match):
        return '--' * (match[1] in flags.FLAGS) + match[0]

    return re.sub(r'(?<![\w.-])(\w+)=', spelled, message)
