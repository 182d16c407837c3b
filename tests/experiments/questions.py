"""Runs a binary that answers a question within this process, on tiny data."""

import contextlib
import importlib
import io
import json
import os
import pathlib
import tempfile
from typing import NamedTuple
from unittest import mock

from absl import app
from absl.testing import flagsaver

from experiments import squeeze

# As little as the study's procedures take; a test adds or changes flags.
TINY = ('--labelled_sets=3', '--trials=1', '--budget_minutes=0.1', '--train_size=60')


class Asked(NamedTuple):
    """What a run left.

    Attributes:
        code: exit code.
        told: what it printed.
        complained: what it printed on standard error.
        record: of its JSON file; `None` where it wrote none.
        picture: bytes of its picture; `None` where it drew none.
    """

    code: int
    told: str
    complained: str
    record: dict | None
    picture: bytes | None


def ask(name: str, *flags: str) -> Asked:
    """Runs `experiments.<name>` with flags; its files go to a folder of their own.

    The module has `ask`, and may have `MAIN`; flags of all binaries live in one process here, so no two
    binaries may define the same one.
    """
    from experiments.question import start

    module = importlib.import_module(f'experiments.{name}')
    # It defines flags when it is imported, which must not go with those of this run.
    importlib.import_module('array_record.python.array_record_data_source')
    out, err, code = io.StringIO(), io.StringIO(), 0
    # This process has its devices already, and keeps no programs.
    here = mock.patch.dict(os.environ, {'XLA_FLAGS': '--xla_force_host_platform_device_count=2'})
    alone = mock.patch.object(squeeze, 'keep_programs')
    with tempfile.TemporaryDirectory() as folder:
        written, picture = (pathlib.Path(folder, f'found.{end}') for end in ('json', 'png'))
        with (
            here,
            alone,
            flagsaver.flagsaver(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                app.run(start.binary(name, module.ask), argv=[name, f'--json={written}', *flags])
            except SystemExit as end:
                code = end.code or 0
        record = json.loads(written.read_text()) if written.exists() else None
        drawn = picture.read_bytes() if picture.exists() else None
    return Asked(code, out.getvalue(), err.getvalue(), record, drawn)
