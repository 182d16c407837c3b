"""Progress: what is shown, and which seconds are whose."""

import contextlib
import io
from unittest import mock

import chex
import jax
import jax.numpy as jnp

from overfit.study import progress


class Clock:
    """Stands for `time.monotonic`."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class ProgressTest(chex.TestCase):
    def setUp(self):
        super().setUp()
        self.clock = Clock()
        self.enterContext(mock.patch('time.monotonic', self.clock))

    def start(self, **options):
        started = progress.Progress({'tuning': 10.0, 'measuring': 30.0}, **options)
        self.addCleanup(started.close)
        return started

    def test_seconds_are_those_of_training_compiling_or_neither(self):
        shown = self.start(quiet=True)
        with shown.phase('tuning', 100, trains=True) as advance:
            self.clock.now += 8
            jax.monitoring.record_event_duration_secs('/jax/core/compile/backend_compile_duration', 3.0)
            advance(100, 1)
        with shown.phase('measuring', 4, unit=' replicates') as advance:
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

    def test_it_tells_what_runs_how_far_and_how_long_still(self):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            shown = self.start()
            with shown.phase('tuning', 200) as advance:
                self.clock.now += 20  # twice as long as planned, at half of the way
                advance(50, 0)
                advance(50, 0)
                shown.say('a line')
            with shown.phase('measuring', 100) as advance:
                self.clock.now += 10
                advance(1000, 0)  # more than planned
        text = err.getvalue()
        self.assertIn('[1/2] tuning', text)
        self.assertIn('[2/2] measuring', text)
        self.assertIn('100%', text)
        self.assertIn('0:20 so far (0 s compiling), about 2:20 left', text)  # 20 and 4 times 30 seconds
        self.assertIn('0:30 so far', text)
        self.assertIn('about 0:00 left', text)
        self.assertEqual(out.getvalue(), 'a line\n')

    def test_quiet(self):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            shown = self.start(quiet=True)
            with shown.phase('tuning', 2) as advance:
                advance(1, 0)
                shown.say('a line')
        self.assertEqual((out.getvalue(), err.getvalue()), ('', ''))

    def test_clock(self):
        self.assertEqual(progress.clock(192.9), '3:12')
        self.assertEqual(progress.clock(7), '0:07')
