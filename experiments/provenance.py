"""Where a result comes from: versions, commit, machine."""

import importlib.metadata
import os
import pathlib
import platform
import subprocess

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
