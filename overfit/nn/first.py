"""First layers that are fixed: they need no labels, and nothing in them is trained.

>>> half.name, half.apply(jnp.ones((2, 8, 8, 1))).shape
('half the resolution', (2, 4, 4, 1))
"""

import jax
import jax.numpy as jnp

from overfit import base
from overfit.nn import filters, histograms


def _half(x: jax.Array) -> jax.Array:
    """Means of 2 × 2 pixels; an odd last row or column is left out."""
    batch, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    squares = x[:, : 2 * rows, : 2 * columns].reshape(batch, rows, 2, columns, 2, channels)
    return jnp.mean(squares, axis=(2, 4))


gradients = base.First('oriented gradients', histograms.standardised_gradients)
# A learnt mixture of responses at each pixel is a filter of 3 × 3 pixels.
harmonic = base.First('harmonic filters', filters.normalised_harmonic, filters.response_sizes, kernel=1)
half = base.First('half the resolution', _half)

# Its filters are measured on the training inputs when a net begins.
whitening = base.First('whitened patches', filters.both_signs, filters.whitening_filters)

FIRSTS = {one.name: one for one in (gradients, harmonic, half, whitening)}
