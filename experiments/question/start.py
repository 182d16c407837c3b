"""How a binary that answers one question begins and ends: devices, one sentence for a mistake, its files."""

import datetime
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from absl import app, flags, logging

from experiments import provenance, result_file, squeeze
from experiments.shared_flags import as_flags, refuse

PICTURE = flags.DEFINE_string(
    'picture', None, 'File for the picture, .png, .svg or .pdf; else beside --json.'
)
FULL = flags.DEFINE_bool('full', False, 'The published protocol: many hours without a GPU.')
HERE = (squeeze.WORKDIR, squeeze.DRY_RUN, squeeze.TECHNIQUES)  # flags of the main job that say nothing here


class Answer(NamedTuple):
    """What a binary found.

    Attributes:
        text: for the console.
        record: plain values for the JSON file.
        draw: draws on an empty `matplotlib.figure.Figure`.
    """

    text: str
    record: dict[str, Any]
    draw: Callable[[Any], None]


def binary(name: str, ask: Callable[[], Answer]) -> Callable[[list[str]], None]:
    """Makes the `main` of a binary.

    It sees all cores, keeps compiled programs, ends in one sentence where input is wrong, prints the answer,
    and writes it with its picture to `runs/<name>-<date>/`, or where `--json` and `--picture` say.

    Args:
        name: of the binary in `experiments`.
        ask: finds the answer; flags are parsed when it is called.
    """

    def main(arguments: list[str]) -> None:
        if len(arguments) > 1:
            raise app.UsageError(f'unexpected argument {arguments[1]!r}: flags start with --, as --seed=1')
        logging.set_verbosity(logging.WARNING)
        import jax

        if 'xla_force_host_platform_device_count' not in os.environ.get('XLA_FLAGS', ''):
            jax.config.update('jax_num_cpu_devices', provenance.cores())
        squeeze.keep_programs()
        try:
            refuse(*HERE)
            result_file.check()
            files = _files(name)
            about = result_file.about(name)
            answer = ask()
        except ValueError as error:
            if os.environ.get('OVERFIT_DEBUG'):
                raise
            print(f'{name}: {as_flags(str(error))}', file=sys.stderr)
            sys.exit(1)
        print(f'\n{answer.text}', flush=True)
        written, picture = files
        result_file.write(about | answer.record, written)
        draw(answer.draw, picture)
        print(f'\n{written}, {picture}')

    return main


def draw(drawing: Callable[[Any], None], path: pathlib.Path) -> None:
    """Draws a picture into a file, in the style of all pictures here."""
    from matplotlib.figure import Figure

    from experiments.question import picture

    with picture.style():
        figure = Figure(figsize=picture.SIZE, layout='constrained')
        drawing(figure)
        picture.plain_logs(figure)
        figure.savefig(path, dpi=150)


def _files(name):
    """Where JSON and picture go; folders are made where nobody named one."""
    written = result_file.JSON.value and pathlib.Path(result_file.JSON.value)
    if not written:
        now = datetime.datetime.now().strftime('%Y-%m-%d-%H%M%S')
        written = pathlib.Path(f'runs/{name}-{now}/{name}.json')
        written.parent.mkdir(parents=True, exist_ok=True)
    picture = pathlib.Path(PICTURE.value) if PICTURE.value else written.with_suffix('.png')
    if picture.suffix not in ('.png', '.svg', '.pdf'):
        raise ValueError(f'--picture={picture} is no picture: let it end in .png, .svg or .pdf')
    if not picture.absolute().parent.is_dir():
        raise ValueError(f'--picture={picture}: there is no such folder; make it first')
    return written, picture
