"""Progress: what is shown, which seconds are whose, and how well the time left is told."""

import contextlib
import io
import os
from typing import NamedTuple
from unittest import mock

import chex
import jax
import jax.numpy as jnp
from absl.testing import parameterized

from overfit.study import progress

COMPILED = '/jax/core/compile/backend_compile_duration'


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def compile(self, seconds):
        self.now += seconds
        jax.monitoring.record_event_duration_secs(COMPILED, seconds)


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Script(NamedTuple):
    """A phase as it really goes: programs of equal work, each compiled before it runs."""

    name: str
    work: float  # planned seconds
    compiling: float  # planned seconds
    programs: int = 1
    needed: float = 1.0  # share of the planned work after which the phase ends


STUDY = (
    Script('tuning', 80.0, 16.0, programs=8),
    Script('checking', 60.0, 0.0),
    Script('combining', 40.0, 14.0, programs=4, needed=0.8),
    Script('final', 10.0, 4.0),
    Script('references', 30.0, 0.0),
)


def lived_through(script, *, slower=1.0, compiling=1.0, costs=None):
    """Runs a script in turns of half a second; returns (time, time left as told) of every turn, and the end.

    Args:
        script: the phases.
        slower: seconds of work a planned second.
        compiling: seconds of compiling a planned second.
        costs: planned seconds of a step by program, relative; `None`: equal, and not told.
    """
    clock, told = Clock(), []
    shown = progress.Progress(
        {one.name: one.work + one.compiling for one in script},
        compiling={one.name: one.compiling for one in script if one.compiling},
        quiet=True,
        now=clock,
    )
    for one in script:
        weights = costs if costs and one.programs == len(costs) else [1.0] * one.programs
        steps = round(1000 * one.work)  # each program has as many
        with shown.phase(one.name, steps, trains=True) as advance:
            for weight in weights:
                if one.compiling:
                    clock.compile(compiling * one.compiling / one.programs)
                planned = one.needed * one.work * weight / sum(weights)
                turns = max(1, round(2 * slower * planned))
                for _ in range(turns):
                    clock.now += slower * planned / turns
                    amount = one.needed * steps / one.programs / turns
                    advance(amount, 1, planned / turns if costs else None)
                    told.append((shown.elapsed, shown.left))
    shown.close()
    return told, shown.elapsed


class TimeLeftTest(parameterized.TestCase):
    def at(self, told, end, seconds):
        """The time left that is told after some seconds, as a multiple of what it then takes."""
        time, left = next(one for one in told if one[0] >= seconds)
        return left / (end - time)

    @parameterized.named_parameters(
        ('plan_is_right', {}),
        ('a_third_of_the_speed', {'slower': 3.0, 'compiling': 3.0}),
        ('work_alone_slower', {'slower': 3.0}),
        ('thrice_the_speed', {'slower': 0.33, 'compiling': 0.5}),
        ('compiled_before', {'compiling': 0.05}),
        ('slow_and_compiled_before', {'slower': 2.5, 'compiling': 0.05}),
    )
    def test_within_two_fifths_after_twenty_seconds(self, options):
        told, end = lived_through(STUDY, **options)
        for seconds in (20, 0.3 * end, 0.6 * end):
            self.assertBetween(self.at(told, end, seconds), 0.6, 1.4, f'after {seconds:.0f} of {end:.0f} s')

    def test_compiling_takes_much_longer_than_planned(self):
        told, end = lived_through(STUDY, compiling=5.0)
        # Half of the run is compiling that no one has announced; it comes to light as it happens.
        self.assertBetween(self.at(told, end, 20), 0.5, 1.4)
        self.assertBetween(self.at(told, end, 0.3 * end), 0.6, 1.4)

    def test_compiling_is_no_pace(self):
        """A long first compilation, and then work as planned: 38 minutes were once told for 15 like that."""
        script = (Script('tuning', 300.0, 20.0, programs=1), Script('final', 300.0, 0.0))
        told, end = lived_through(script)
        self.assertEqual(told[0][0], 20.5)
        self.assertBetween(self.at(told, end, 20), 0.98, 1.02)

    def test_steps_that_differ_in_cost(self):
        """Cheap arms first, ten times dearer ones last: right only where the planned seconds are told."""
        costs = [1, 1, 1, 1, 2, 2, 10, 10]
        for slower in (1.0, 3.0):
            told, end = lived_through(STUDY, slower=slower, compiling=slower, costs=costs)
            self.assertBetween(self.at(told, end, 20), 0.6, 1.4)

    def test_the_end_is_the_end(self):
        told, _ = lived_through(STUDY, slower=2.0)
        self.assertLess(told[-1][1], 0.01)
        self.assertTrue(all(left >= 0 for _, left in told))

    def test_by_hand(self):
        parts = [
            progress.Part(8.0, 2.0, done=1.0, worked=18.0, compiled=4.0, over=True),
            progress.Part(10.0, 3.0, done=0.0),
        ]
        # Pace (2 + 18) / (2 + 8) = 2; compiling (2 + 4) / (2 + 2) = 1.5.
        self.assertAlmostEqual(progress.remaining(parts), 2 * 10 + 1.5 * 3)
        half = parts[1]._replace(done=0.5, worked=5.0, compiled=6.0)
        # Pace (20 + 5) / (10 + 5) = 5/3, then its own (2 * 5/3 + 5) / (2 + 5); planned to compile for
        # 1.5 * 3 seconds, so for 1.5 too long.
        self.assertAlmostEqual(progress.remaining([parts[0], half]), 0.5 * (1.5 + 10 * (10 / 3 + 5) / 7))
        self.assertEqual(progress.remaining([part._replace(over=True) for part in parts]), 0.0)


class ProgressTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.out, self.err = io.StringIO(), io.StringIO()

    def start(self, **options):
        plan = {'tuning': 10.0, 'measuring': 30.0}
        started = progress.Progress(plan, now=self.clock, **options)
        self.addCleanup(started.close)
        return started

    def redirected(self, terminal=None):
        """Redirects both streams; `terminal`: columns of the terminal that stderr is."""
        stack = contextlib.ExitStack()
        if terminal:
            self.err = Terminal()
            self.err.fileno = lambda: 2
            size = os.terminal_size((terminal, 24))
            stack.enter_context(mock.patch.object(os, 'get_terminal_size', lambda _: size))
        stack.enter_context(contextlib.redirect_stdout(self.out))
        stack.enter_context(contextlib.redirect_stderr(self.err))
        return stack

    def test_seconds_are_those_of_training_compiling_or_neither(self):
        shown = self.start(quiet=True)
        with shown.phase('tuning', 100, trains=True) as advance:
            self.clock.now += 5
            self.clock.compile(3.0)
            advance(100, 1)
        with shown.phase('measuring', 4, unit=' references') as advance:
            self.clock.now += 5
            advance(4, 4)
        self.assertEqual(shown.elapsed, 13)
        self.assertEqual(shown.compile_seconds, 3)
        self.assertEqual(shown.train_seconds, 5)

    def test_the_compiler_is_listened_to_until_closed(self):
        shown = self.start(quiet=True)
        jax.jit(lambda x: jnp.sin(x) * 3 + jnp.cos(x))(jnp.ones(7)).block_until_ready()
        heard = shown.compile_seconds
        self.assertGreater(heard, 0)
        shown.close()
        self.addCleanup(jax.monitoring.register_event_duration_secs_listener, shown._compiled)
        jax.jit(lambda x: jnp.sin(x) * 5 + jnp.cos(x))(jnp.ones(7)).block_until_ready()
        self.assertEqual(shown.compile_seconds, heard)

    def test_piped_a_line_every_ten_seconds_and_one_a_phase(self):
        with self.redirected():
            shown = self.start(compiling={'tuning': 2.0})
            with shown.phase('tuning', 200) as advance:
                self.clock.compile(2.0)
                for _ in range(40):
                    self.clock.now += 0.6  # three times as long as planned
                    advance(5, 0)
                shown.say('a line')
            with shown.phase('measuring', 100) as advance:
                self.clock.now += 5.5
                advance(1000, 0)  # more than planned
        self.assertEqual(self.out.getvalue(), 'a line\n')
        lines = self.err.getvalue().split('\n')
        self.assertLen(lines, 2 + 1 + 1 + 1)
        self.assertNotIn('\r', self.err.getvalue())
        self.assertNotIn('#', self.err.getvalue())
        # 14 of 40 turns: 8.4 seconds of work for 2.8 planned, so pace (2 + 8.4) / (2 + 2.8) = 2.17, and the
        # rest of the phase at (2 * 2.17 + 8.4) / 4.8 = 2.65: 0.65 * 8 * 2.65 + 30 * 2.17.
        self.assertEqual(
            lines[0],
            '[1/2] tuning 35 %, 8.3 member-steps/s, 0:10 so far, 2 s compiling, about 1:18 left',
        )
        self.assertEqual(lines[2][:18], '[1/2] tuning 100 %')
        self.assertEndsWith(lines[3], '0:31 so far, 2 s compiling, about 0:00 left')

    @parameterized.parameters(30, 40, 80, 200)
    def test_lines_fit_the_terminal(self, columns):
        with self.redirected(columns):
            shown = self.start()
            with shown.phase('measuring', 200_000_000) as advance:
                for _ in range(100):
                    self.clock.now += 15
                    advance(1_000_000, 0)
        lines = self.err.getvalue().replace('\n', '').split('\r\x1b[K')[1:]
        self.assertLen(lines, 101)
        self.assertLess(max(map(len, lines)), columns)
        for line in lines:
            self.assertIn('[2/2] measuring', line)
            self.assertEqual('left' in line, columns >= 40)
            self.assertEqual('so far' in line, columns >= 80)
            self.assertEqual('member-steps/s' in line, columns >= 200)
        self.assertEqual(self.err.getvalue().count('\n'), 1)

    def test_what_is_said_stands_alone_on_a_terminal(self):
        with self.redirected(80):
            shown = self.start()
            with self.assertRaises(KeyError), shown.phase('tuning', 2) as advance:
                self.clock.now += 1
                advance(1, 0)
                before = self.err.getvalue()
                shown.say('a line')
                self.assertEqual(self.err.getvalue()[len(before) :], '\r\x1b[K' + before)
                raise KeyError
        self.assertEqual(self.out.getvalue(), 'a line\n')
        self.assertEndsWith(self.err.getvalue(), 'left\n')  # the error's message begins a line

    def test_quiet(self):
        with self.redirected():
            shown = self.start(quiet=True)
            with shown.phase('tuning', 2) as advance:
                self.clock.now += 30
                advance(1, 0)
                shown.say('a line')
        self.assertEqual((self.out.getvalue(), self.err.getvalue()), ('', ''))

    def test_clock(self):
        self.assertEqual(progress.clock(192.9), '3:12')
        self.assertEqual(progress.clock(7), '0:07')
