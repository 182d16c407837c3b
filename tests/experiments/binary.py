"""The command within this process, and the files that it is given."""

import contextlib
import io
import os
import pathlib
from unittest import mock

import numpy as np
from absl import app
from absl.testing import flagsaver

from experiments import squeeze
from tests import problems

ROOT = pathlib.Path(squeeze.__file__).parents[1]
QUICK = ('--techniques=dropout,l2', '--budget_minutes=0.1')


def write(folder):
    """Data, good and bad, into a folder."""
    from PIL import Image

    train, test = problems.blobs(90, spread=1.0), problems.blobs(60, spread=1.0, seed=9)
    names = np.array(['ape', 'bee', 'cat'])
    arrays = {'x_train': train.x, 'y_train': names[train.y], 'x_test': test.x, 'y_test': names[test.y]}
    np.savez(folder / 'good.npz', **arrays)
    rows = np.flatnonzero(train.y < 2).tolist() + [2, 5]
    np.savez(folder / 'rare.npz', **arrays | {'x_train': train.x[rows], 'y_train': names[train.y][rows]})
    np.savez(folder / 'unlabelled.npz', x=train.x)
    np.savez(folder / 'quantity.npz', x=train.x, y=train.y + 0.5)
    np.savez(folder / 'one_class.npz', x=train.x, y=np.ones(90, int))
    hole = train.x.copy()
    hole[7, 2] = np.nan
    np.savez(folder / 'nan.npz', x=hole, y=train.y)
    # Without a test set; patients of three or more examples, one of each class.
    groups = {'patient': np.arange(90) // 3 % 20, 'kind': train.y}
    np.savez(folder / 'alone.npz', x=train.x, y=names[train.y], **groups)
    (folder / 'words.txt').write_text('nothing\n')
    (folder / 'table.csv').write_text('length,width,kind,patient\n1,2,a,p\n3,4,b,q\n')
    for name, width in (('first', 5), ('second', 6)):
        (folder / 'sizes' / name).mkdir(parents=True)
        Image.fromarray(np.zeros((5, width), np.uint8)).save(folder / 'sizes' / name / f'{name}.png')


def run(*flags):
    """Runs the binary in this process: (exit code, what it printed, what it complained)."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    # This process has its devices already, and keeps no programs.
    here = mock.patch.dict(os.environ, {'XLA_FLAGS': '--xla_force_host_platform_device_count=2'})
    alone = mock.patch.object(squeeze, 'keep_programs')
    with here, alone, flagsaver.flagsaver(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app.run(squeeze.main, argv=['squeeze', *flags])
        except SystemExit as end:
            code = end.code or 0
    return code, out.getvalue(), err.getvalue()
