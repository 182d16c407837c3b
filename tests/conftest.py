"""Drops compiled programs when a file of tests is done."""

import jax
import pytest


@pytest.fixture(autouse=True, scope='module')
def fewer_programs():
    """A program holds memory maps, of which a process may have 65,530: with all of them it died."""
    yield
    jax.clear_caches()
