"""Where a result comes from: versions, commit, machine."""

import importlib.metadata
import os
import pathlib
import platform
import shlex
import subprocess
import sys

import overfit


def versions(*more: str) -> dict[str, str]:
    """Versions of what the result hangs on; `more` names further installed distributions."""
    names = ('jax', 'jaxlib', 'flax', 'optax', 'numpy', 'scipy', 'scikit-learn', *more)
    own = {'python': platform.python_version(), 'overfit': overfit.__version__}
    return own | {name: importlib.metadata.version(name) for name in names}


def git_hash() -> str | None:
    """Commit of this checkout, with a `+` where files differ from it; `None` outside one."""
    here = pathlib.Path(__file__).parent

    def git(*arguments):
        run = subprocess.run(['git', '-C', here, *arguments], capture_output=True, text=True, check=False)
        return run.stdout.strip() if run.returncode == 0 else None

    try:
        commit = git('rev-parse', '--short=12', 'HEAD')
        return commit and commit + '+' * bool(git('status', '--porcelain', '--untracked-files=no'))
    except FileNotFoundError:
        return None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def machine() -> dict[str, str | int | float]:
    """The processor's name, the cores this process may use, and the memory in GiB."""
    described = pathlib.Path('/proc/cpuinfo')
    lines = described.read_text().splitlines() if described.exists() else []
    named = [line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')]
    return {
        'cpu': named[0] if named else platform.processor() or platform.machine(),
        'cores': cores(),
        'memory_gib': round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30, 1),
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


def check_folder(path: str | None) -> None:
    """Refuses a result file whose folder does not exist, before anything runs.

    Args:
        path: of the file; `None`: none will be written.

    Raises:
        ValueError: there is no such folder.
    """
    if path and not pathlib.Path(path).absolute().parent.is_dir():
        raise ValueError(f'--json={path}: there is no such folder; make it first')
