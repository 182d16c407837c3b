"""The flag for the file that a measurement is written to, and what every such file begins with."""

import json
import pathlib
import shlex
import sys
from typing import Any

from absl import flags

from experiments import provenance

JSON = flags.DEFINE_string('json', None, 'File to write the result to.')


def check() -> None:
    """Raises `ValueError` where the file's folder does not exist, before anything runs."""
    if JSON.value and not pathlib.Path(JSON.value).absolute().parent.is_dir():
        raise ValueError(f'--json={JSON.value}: there is no such folder; make it first')


def about(name: str, *more: str) -> dict[str, Any]:
    """Where a result comes from: command, versions, commit and machine.

    Args:
        name: of the binary in `experiments`.
        *more: further distributions whose versions matter.
    """
    return {
        'command': command(name),
        'versions': provenance.versions(*more),
        'git': provenance.git_hash(),
        'machine': provenance.machine(),
    }


def command(name: str) -> str:
    """The command that measures this again, wherever the data and the result lie.

    Args:
        name: of the binary in `experiments`.
    """
    words = ['python', '-m', f'experiments.{name}']
    for argument in sys.argv[1:]:
        flag, equals, value = argument.partition('=')
        if flag != '--json':
            words.append(flag + equals + (pathlib.Path(value).name if flag == '--data' else value))
    return shlex.join(words)


def write(result: dict[str, Any], path: pathlib.Path | None = None) -> None:
    """Writes a result to a file; `None`: to `--json`, where that is given."""
    path = path or (JSON.value and pathlib.Path(JSON.value))
    if path:
        path.write_text(json.dumps(result, indent=1) + '\n')
