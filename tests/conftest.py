"""Strict jax for every test: two CPU devices, no implicit rank promotion; a file's programs are dropped."""

import jax
import pytest

jax.config.update('jax_num_cpu_devices', 2)
jax.config.update('jax_numpy_rank_promotion', 'raise')


@pytest.fixture(autouse=True, scope='module')
def fewer_programs():
    """A program holds memory maps, of which a process may have 65,530: with all of them it died."""
    yield
    jax.clear_caches()
