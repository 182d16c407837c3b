"""Measures columns in turns, each in a process of its own: memory, threads and compile time are its own.

A column has `members` (nets trained at once), `compiles`, `threads` (`None`: the library's choice),
`run(steps)`, `settle(steps)` (which rounds `steps` to a number that this column can run), `test_error()` and
`peak_memory_mb()` (`None`: that of the process counts).
"""

import concurrent.futures
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import re
import resource
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

FIRST_STEPS = 10  # of the run that compiles


class Prepared(NamedTuple):
    """A column that is ready.

    Attributes:
        members: nets that it trains at once.
        compile_s: seconds by which its first run was longer than the second; `None`: it compiles nothing.
        steps: of a net in a measurement.
        threads: chosen for it; `None`: the library's own choice.
    """

    members: int
    compile_s: float | None
    steps: int
    threads: int | None


class Session:
    """A column and where it stands, in its own process.

    Args:
        build: makes the column.
    """

    def __init__(self, build: Callable[[], Any]):
        self._column, self._steps = build(), 0

    def prepare(self, seconds: float, steps: int | None = None) -> Prepared:
        """Compiles and warms up.

        Args:
            seconds: that a measurement is to take.
            steps: of a measurement, where they are fixed.
        """
        column = self._column
        trial = column.settle(steps or FIRST_STEPS)
        first, second = self._run_seconds(trial), self._run_seconds(trial)
        compile_s = max(0.0, first - second) if column.compiles else None
        if steps is None:
            trial = self._steps_for(seconds, trial, second)
        self._steps = trial
        return Prepared(column.members, compile_s, trial, column.threads)

    def _steps_for(self, seconds, trial, duration):
        """Steps that take about so long, from those of a trial and its duration."""
        while duration < seconds / 4:
            trial *= 2
            duration = self._run_seconds(trial)
        for _ in range(3):
            trial = self._column.settle(round(trial * seconds / duration))
            self._run_seconds(trial)  # compiles: where evaluations are further apart, the program is another
            duration = self._run_seconds(trial)
            if duration > seconds / 2:
                break
        return trial

    def measure(self) -> float:
        """Steps a second, of all nets together."""
        return self._column.members * self._steps / self._run_seconds(self._steps)

    def peak_memory_mb(self) -> float:
        """Of the GPU where the column computes on one, else of this process."""
        return self._column.peak_memory_mb() or peak_memory_mb()

    def test_error(self) -> float:
        """Percent."""
        return self._column.test_error()

    def _run_seconds(self, steps):
        begin = time.perf_counter()
        self._column.run(steps)
        return time.perf_counter() - begin


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    status = pathlib.Path('/proc/self/status')
    if status.exists():
        # getrusage also counts what the parent held when it started this process.
        return int(re.search(r'VmHWM:\s+(\d+) kB', status.read_text())[1]) / 1024
    unit = 2**20 if sys.platform == 'darwin' else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


class Failed(RuntimeError):
    """A column could not be measured; the message says why in a line."""


class Process:
    """A fresh process that calls functions, one after another."""

    def __init__(self):
        context = multiprocessing.get_context('spawn')
        self._pool = concurrent.futures.ProcessPoolExecutor(1, context, _end_with_parent)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function there.

        Raises:
            Failed: it raised, or the process died.
        """
        try:
            return self._pool.submit(_call, function, *arguments).result()
        except concurrent.futures.BrokenExecutor as error:
            raise Failed(f'its process died: {error}') from error

    def close(self) -> None:
        """Ends the process."""
        self._pool.shutdown()


class Worker(Process):
    """A `Session` in a process of its own; its methods may be called here."""

    def __init__(self, build: Callable[[], Any]):
        super().__init__()
        try:
            self.call(_open_session, build)
        except Failed:
            self.close()
            raise

    def __getattr__(self, name):
        return lambda *arguments: self.call(_call_session, name, *arguments)


def _end_with_parent():
    def wait():
        multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _call(function, *arguments):
    # Exceptions of some libraries cannot be pickled, and would end the pool.
    try:
        return function(*arguments)
    except Exception as error:
        message = (str(error).strip().splitlines() or [''])[0]
        raise Failed(f'{type(error).__name__}: {message}') from error


def _open_session(build):
    global _session
    _session = Session(build)


def _call_session(name, *arguments):
    return getattr(_session, name)(*arguments)


def call_in_fresh_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a fresh process.

    Raises:
        Failed: it raised, or the process died.
    """
    with contextlib.closing(Process()) as process:
        return process.call(function, *arguments)


def measure_in_turns(
    workload: str,
    columns: Mapping[str, Callable[[], Any]],
    *,
    repeats: int,
    seconds: float,
    flops_per_step: int | None = None,
    peak: Callable[[], float] | None = None,
    optional: Collection[str] = (),
    steps: int | None = None,
    tested: bool = True,
    tell: Callable[[str], None] = lambda text: None,
    worker: Callable[[Callable[[], Any]], Any] = Worker,
) -> list[dict]:
    """Measures the columns of a workload in turns, so that their ratios are of one run.

    Args:
        workload: its name.
        columns: what makes each.
        repeats: rounds.
        seconds: that each column takes a round.
        flops_per_step: of a net; `peak` needs it.
        peak: measures GFLOP/s of the machine right after every round, because other work on the machine
            slows it as it slows the columns.
        optional: columns that are left out where they fail, whenever that is.
        steps: of a measurement, where they are fixed.
        tested: train for the test error in the end.
        tell: told of the progress.
        worker: makes the process of a column.

    Returns:
        One row a column; with `gflops`, `peak_share` and `matmul_peaks`, of each round, if `peak` is given.

    Raises:
        Failed: a column that is not optional did.
    """
    running, prepared, rates, peaks, rows = {}, {}, {}, [], []

    def ask(name, question, *arguments):
        """The answer of a column; `None` where it is optional and failed, and then it is left out."""
        try:
            return question(*arguments)
        except Failed as failure:
            if name not in optional:
                raise Failed(f'{workload}: {name}: {failure}') from failure
            tell(f'{workload}: {name} is left out: {failure}')
            prepared.pop(name, None)
            return None

    try:
        for name, build in columns.items():
            running[name] = ask(name, worker, build)
            ready = running[name] and ask(name, running[name].prepare, seconds, steps)
            if ready:
                prepared[name], rates[name] = ready, []
                compiled = f', compiled in {ready.compile_s:.1f} s' if ready.compile_s else ''
                tell(f'{workload}: {name} is ready{compiled}')
        for number in range(repeats):
            for name in list(prepared):
                rates[name].append(ask(name, running[name].measure))
            if peak:
                peaks.append(peak())
            latest = ', '.join(f'{name} {rates[name][-1]:,.0f}' for name in prepared)
            tell(f'{workload}: round {number + 1} of {repeats}: {latest} member-steps/s')
        for name, ready in list(prepared.items()):
            memory = ask(name, running[name].peak_memory_mb)
            error = ask(name, running[name].test_error) if tested and name in prepared else None
            if name not in prepared:
                continue
            rows.append(
                {
                    'workload': workload,
                    'column': name,
                    'members': ready.members,
                    'threads': ready.threads,
                    'member_steps_per_s': spread(rates[name]),
                    'rounds': rates[name],
                    'compile_s': ready.compile_s,
                    'peak_memory_mb': memory,
                    'test_error': error,
                }
                | (_shares(rates[name], flops_per_step, peaks) if peak else {})
            )
    finally:
        for process in running.values():
            if process:
                process.close()
    return rows


def _shares(rates, flops_per_step, peaks):
    gflops = [rate * flops_per_step / 1e9 for rate in rates]
    return {
        'gflops': float(np.median(gflops)),
        'peak_share': float(np.median(np.divide(gflops, peaks))),
        'matmul_peaks': list(peaks),
    }


def spread(values: Collection[float]) -> dict[str, float]:
    """Smallest, middle and largest."""
    return {'min': float(min(values)), 'median': float(np.median(values)), 'max': float(max(values))}
