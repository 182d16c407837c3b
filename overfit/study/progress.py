"""Shows what is running, how far it is and how long still; counts compile time apart from training."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import jax
import tqdm


class Progress:
    """A bar for each phase of a plan, with the time left for all of them.

    Args:
        seconds: estimated seconds of each phase, in order; the rest is rescaled by how true they were.
        quiet: show nothing.

    Attributes:
        compile_seconds: tracing and compiling so far.
        train_seconds: spent in phases that train, without compiling.
    """

    def __init__(self, seconds: Mapping[str, float], *, quiet: bool = False):
        self._planned = dict(seconds)
        self._quiet = quiet
        self._began = time.monotonic()
        self._spent = self._expected = 0.0
        self._bar = None
        self.compile_seconds = self.train_seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._compiled)

    def _compiled(self, event, duration, **_):
        if event.startswith('/jax/core/compile/') and not event.endswith('jaxpr_trace_duration'):
            self.compile_seconds += duration

    def close(self) -> None:
        """Stops listening to the compiler."""
        jax.monitoring.unregister_event_duration_listener(self._compiled)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        """Prints a line without disturbing the bar."""
        if not self._quiet:
            tqdm.tqdm.write(text, file=sys.stdout)
            sys.stdout.flush()

    @contextlib.contextmanager
    def phase(
        self, name: str, total: int, *, trains: bool = False, unit: str = ' member-steps'
    ) -> Iterator[Callable[[int, int], None]]:
        """Runs a phase; yields `advance(amount, finished)`.

        Args:
            name: of the phase, a key of the plan.
            total: amount of work.
            trains: whether its time counts as training.
            unit: of the work, for display.
        """
        began, compiled = time.monotonic(), self.compile_seconds
        number = list(self._planned).index(name) + 1
        later = sum(list(self._planned.values())[number:])
        with tqdm.tqdm(
            total=total,
            desc=f'[{number}/{len(self._planned)}] {name}',
            unit=unit,
            unit_scale=True,
            file=sys.stderr,
            disable=self._quiet,
            mininterval=0.5 if sys.stderr.isatty() else 10,
            bar_format='{desc}: {percentage:3.0f}% |{bar:20}| {rate_fmt}{postfix}',
        ) as bar:

            def advance(amount, finished):
                bar.update(min(amount, bar.total - bar.n))
                part = max(bar.n / max(1, total), 1e-3)
                here = time.monotonic() - began
                pace = (self._spent + here) / max(self._expected + part * self._planned[name], 1e-3)
                left = here * (1 - part) / part + pace * later
                bar.set_postfix_str(
                    f'{clock(self.elapsed)} so far ({self.compile_seconds:.0f} s compiling), '
                    f'about {clock(left)} left',
                    refresh=False,
                )

            advance(0, 0)
            yield advance
            bar.update(bar.total - bar.n)
        spent = time.monotonic() - began
        self._spent += spent
        self._expected += self._planned[name]
        if trains:
            self.train_seconds += spent - (self.compile_seconds - compiled)


def clock(seconds: float) -> str:
    """Minutes and seconds, as `3:12`."""
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d}'
