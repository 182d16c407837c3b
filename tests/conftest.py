"""Strict jax for every test: two CPU devices, no implicit rank promotion."""

import jax

jax.config.update('jax_num_cpu_devices', 2)
jax.config.update('jax_numpy_rank_promotion', 'raise')
