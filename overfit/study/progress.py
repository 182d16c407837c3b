"""Shows what is running, how far it is and how long still; counts compile time apart from training."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TextIO

import jax

PRIOR = 2.0  # planned seconds for which the plan's own pace is believed against what was seen
EVERY, EVERY_PIPED = 0.5, 10.0  # seconds between two lines
BAR = 10  # columns


class Part(NamedTuple):
    """A phase: what was planned, and what became of it so far.

    Attributes:
        planned: seconds of work, without compiling.
        compiling: planned seconds of compiling.
        done: share of the work that is done, 0 to 1.
        worked: seconds that it took, without compiling.
        compiled: seconds of compiling, of tracing before it too.
        over: whether the phase has ended; what was left of its work then is not needed.
    """

    planned: float
    compiling: float
    done: float = 0.0
    worked: float = 0.0
    compiled: float = 0.0
    over: bool = False


def remaining(parts: Sequence[Part]) -> float:
    """Estimates the seconds that are still needed.

    Work and compiling are told apart: a phase begins with compiling, so its first seconds say nothing about
    its pace. Pace is seconds of work a planned second; what the phases so far had, shrunk towards 1, is where
    the next one starts. How slow the compiler is, only compiling tells: on a busy machine work took nine
    times as long as planned, and with that pace for the compiler too four times the time left was told.
    Where a phase compiles for longer than planned, nobody knows how many programs are still to come: as much
    again as it is above the plan, less the share of work that is done.

    Args:
        parts: all phases, in the order in which they run.

    Returns:
        Seconds.
    """
    pace = _pace(parts, PRIOR, 1.0)
    slowness = _slowness([part for part in parts if part.over])
    left = 0.0
    for part in parts:
        if part.over:
            continue
        planned = slowness * part.compiling
        excess = max(part.compiled - planned, 0.0)
        # Programs are compiled before they run: at the end of the work none is left.
        left += (1 - part.done) * (excess + part.planned * _pace([part], PRIOR, pace))
        left += min(max(planned - part.compiled, 0.0), (1 - part.done) * planned)
        if excess:
            slowness = _slowness([one for one in parts if one.over] + [part])
    return left


def _pace(parts, weight, prior):
    """Seconds of work a planned second: what the parts show, and `prior` as if seen for `weight` more."""
    expected = weight + sum(part.done * part.planned for part in parts)
    return (weight * prior + sum(part.worked for part in parts)) / expected


def _slowness(parts):
    """Seconds of compiling a planned second, shrunk towards 1."""
    expected = PRIOR + sum(part.compiling for part in parts)
    return (PRIOR + sum(part.compiled for part in parts)) / expected


class Progress:
    """A line for each phase of a plan, with the time left for all of them.

    Args:
        seconds: estimated seconds of each phase, in order, compiling included.
        compiling: how many of them are compiling, by phase; `None`, or a phase that is absent: none.
        quiet: show nothing.
        now: the clock, in seconds.

    Attributes:
        compile_seconds: lowering and compiling so far.
        train_seconds: spent in phases that train, without compiling.
    """

    def __init__(
        self,
        seconds: Mapping[str, float],
        *,
        compiling: Mapping[str, float] | None = None,
        quiet: bool = False,
        now: Callable[[], float] = time.monotonic,
    ):
        compiling = compiling or {}
        self._parts = {
            name: Part(max(total - compiling.get(name, 0.0), 0.0), compiling.get(name, 0.0))
            for name, total in seconds.items()
        }
        self._quiet, self._now = quiet, now
        self._began = now()
        self._line = ''  # what stands in the terminal's last line
        self.compile_seconds = self.train_seconds = self._tracing = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._compiled)

    def _compiled(self, event, duration, **_):
        if not event.startswith('/jax/core/compile/'):
            return
        if event.endswith('jaxpr_trace_duration'):
            self._tracing += duration
        else:
            self.compile_seconds += duration

    def close(self) -> None:
        """Stops listening to the compiler."""
        jax.monitoring.unregister_event_duration_listener(self._compiled)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._now() - self._began

    @property
    def left(self) -> float:
        """Estimated seconds that all phases still take, as of the last time that anything advanced."""
        return remaining(list(self._parts.values()))

    def say(self, text: str) -> None:
        """Prints a line without disturbing the one that shows progress."""
        if self._quiet:
            return
        line = self._line
        if line:
            sys.stderr.write('\r\x1b[K')
            sys.stderr.flush()
        print(text, flush=True)
        if line:
            sys.stderr.write(line)
            sys.stderr.flush()

    @contextlib.contextmanager
    def phase(
        self, name: str, total: int, *, trains: bool = False, unit: str = ' member-steps'
    ) -> Iterator[Callable[..., None]]:
        """Runs a phase; yields `advance(amount, finished, seconds=None)`.

        `seconds` are those that the plan allows for this amount of work. Where steps differ in cost, they
        make the time left right from the first arm on; without them all steps count the same.

        Args:
            name: of the phase, a key of the plan.
            total: amount of work.
            trains: whether its time counts as training.
            unit: of the work, for display.
        """
        began, compiled, traced = self._now(), self.compile_seconds, self._tracing
        number = list(self._parts).index(name) + 1
        title = f'[{number}/{len(self._parts)}] {name}'
        amounts, planned, shown = 0, 0.0, began

        def update(over=False):
            part = self._parts[name]
            here = self._now() - began
            compiling = self.compile_seconds - compiled + self._tracing - traced
            done = planned / part.planned if planned and part.planned else amounts / max(1, total)
            self._parts[name] = part._replace(
                done=min(done, 1.0), worked=max(here - compiling, 0.0), compiled=compiling, over=over
            )

        def words(done, *, bar):
            spent = max(self._now() - began - (self.compile_seconds - compiled), 1e-3)
            return [
                f'{title} {100 * done:.0f} %' + f' |{"#" * round(BAR * done):{BAR}}|' * bar,
                f'{short(amounts / spent)}{unit}/s',
                f'{clock(self.elapsed)} so far',
                f'{self.compile_seconds:.0f} s compiling',
                f'about {clock(self.left)} left',
            ]

        def advance(amount: int, finished: int, seconds: float | None = None) -> None:
            nonlocal amounts, planned, shown
            amounts, planned = amounts + amount, planned + (seconds or 0.0)
            update()
            terminal = sys.stderr.isatty()
            if self._now() - shown >= (EVERY if terminal else EVERY_PIPED):
                shown = self._now()
                self._show(lambda bar: words(self._parts[name].done, bar=bar), ends=not terminal)

        try:
            yield advance
            update(over=True)
            self._show(lambda bar: words(1.0, bar=bar), ends=True)
        finally:
            if self._line:  # what comes next, as an error, begins a line
                self._write('\n')
            if trains:
                self.train_seconds += self._now() - began - (self.compile_seconds - compiled)

    def _show(self, words, ends):
        if self._quiet:
            return
        if not sys.stderr.isatty():
            self._write(', '.join(words(False)) + '\n')
            return
        columns = width(sys.stderr)
        self._write('\r\x1b[K' + fitted(words(True), words(False), columns) + '\n' * ends)

    def _write(self, text):
        sys.stderr.write(text)
        sys.stderr.flush()
        self._line = '' if text.endswith('\n') else text


def fitted(barred: Sequence[str], plain: Sequence[str], columns: int) -> str:
    """Joins what is shown, as much of it as fits: the rate goes first, then the bar, then what is past.

    Args:
        barred: title with a bar, rate, time so far, time of compiling, time left.
        plain: the same with a title without a bar.
        columns: of the terminal; its last one stays empty, so that no line is broken.

    >>> plain = ['tuning', '5/s', '0:20', '3 s', '0:10 left']
    >>> fitted(['tuning |# |', *plain[1:]], plain, 30), fitted(['tuning |# |', *plain[1:]], plain, 20)
    ('tuning, 0:20, 3 s, 0:10 left', 'tuning, 0:10 left')
    """
    title, _, so_far, compiling, left = plain
    attempts = (
        barred,
        [barred[0], *plain[2:]],
        [title, so_far, compiling, left],
        [title, so_far, left],
        [title, left],
    )
    lines = [', '.join(words) for words in attempts]
    return next((line for line in lines if len(line) < columns), lines[-1][: columns - 1])


def width(stream: TextIO) -> int:
    """Columns of the terminal behind a stream; 80 where it has none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def clock(seconds: float) -> str:
    """Minutes and seconds, as `3:12`."""
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d}'


def short(number: float) -> str:
    """A number with three digits or so.

    >>> short(4.26), short(815.2), short(27456)
    ('4.3', '815', '27k')
    """
    if number >= 10_000:
        return f'{number / 1000:.0f}k'
    return f'{number:.0f}' if number >= 10 else f'{number:.1f}'
