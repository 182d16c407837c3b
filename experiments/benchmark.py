"""Measures `overfit` against what people use instead, side by side in one run.

    python -m experiments.benchmark --data=digits --train_size=200
    python -m experiments.benchmark --squeezed=runs/digits/results.json --json=result.json

Accuracy: the net that a practitioner writes by hand in PyTorch, and an RBF SVM, on the labelled subsets on
which `experiments.squeeze` with the same `--data`, `--train_size` and `--seed` measures its arms.
Needs PyTorch: `pip install -e ".[bench]"`.
"""

import json
import os
import pathlib
import shlex
import sys

from absl import app, flags, logging

import overfit
from experiments import provenance

DATA = flags.DEFINE_string('data', 'digits', 'Images, as in experiments.squeeze.')
TRAIN_SIZE = flags.DEFINE_integer('train_size', 200, 'Labelled examples to pretend.', lower_bound=1)
SEEDS = flags.DEFINE_integer('seeds', 5, 'Fresh replicates.', lower_bound=2)
SEED = flags.DEFINE_integer('seed', 0, 'Of everything.', lower_bound=0, upper_bound=2**31 - 1)
JSON = flags.DEFINE_string('json', None, 'File to write the result to.')
SQUEEZED = flags.DEFINE_string(
    'squeezed', None, 'results.json of experiments.squeeze on the same data, to compare with.'
)


def command() -> str:
    """The command that measures this again, wherever the data lies."""
    data = pathlib.Path(DATA.value).name
    options = {'data': data, 'train_size': TRAIN_SIZE.value, 'seeds': SEEDS.value, 'seed': SEED.value}
    return shlex.join(['python', '-m', 'experiments.benchmark', *(f'--{k}={v}' for k, v in options.items())])


def say(text: str) -> None:
    """Shows what is going on, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def benchmark() -> None:
    """Measures, prints, writes."""
    from experiments import handwritten
    from overfit.data import load
    from overfit.study import squeeze as study_lib

    if JSON.value and not pathlib.Path(JSON.value).absolute().parent.is_dir():
        raise ValueError(f'--json={JSON.value}: there is no such folder; make it first')
    study = study_lib.prepare(
        load.load(DATA.value, seed=SEED.value),
        study_lib.Request(train_size=TRAIN_SIZE.value, replicates=SEEDS.value, seed=SEED.value),
    )
    if SQUEEZED.value:
        squeezed = handwritten.read_squeezed(SQUEEZED.value, study)
        best = overfit.load(pathlib.Path(SQUEEZED.value).parent / 'best')
    contestants = {handwritten.BY_HAND: handwritten.by_hand, handwritten.SVM: handwritten.svm}
    rows = handwritten.measure(study, contestants, said=say)
    print(handwritten.table(rows))
    result = {
        'machine': provenance.machine(),
        'versions': provenance.versions('torch'),
        'git': provenance.git_hash(),
        'command': command(),
        'seed': SEED.value,
        'rows': [row.as_json() for row in rows],
    }
    if SQUEEZED.value:
        result['against_squeezed'] = handwritten.against_squeezed(squeezed, best, study, rows)
        print(handwritten.verdict(result['against_squeezed']))
    if JSON.value:
        pathlib.Path(JSON.value).write_text(json.dumps(result, indent=1) + '\n')


def main(arguments: list[str]) -> None:
    """Runs what the flags describe; wrong input ends in one sentence."""
    if len(arguments) > 1:
        raise app.UsageError(f'unexpected argument {arguments[1]!r}: flags start with --, as --data=digits')
    logging.set_verbosity(logging.WARNING)
    try:
        benchmark()
    except ValueError as error:
        if os.environ.get('OVERFIT_DEBUG'):
            raise
        print(f'benchmark: {error}', file=sys.stderr)
        sys.exit(1)


if __name__ == '__main__':
    app.run(main)
