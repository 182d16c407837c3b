"""Made-up curves of validation and training error, for all that reads curves."""

import numpy as np


def curves(seed=0, runs=60, count=43):
    """Validation curves that fall, then rise or do not; training curves that fall, some to a stand-still."""
    rng = np.random.default_rng(seed)
    t = np.arange(count)
    turn = rng.uniform(3, 60, (runs, 1))
    validation = 0.5 + np.abs(t - turn) / 30 + rng.normal(0, 0.02, (runs, count))
    training = np.exp(-t / rng.uniform(3, 40, (runs, 1))) * (1 + rng.normal(0, 0.05, (runs, count)))
    training[:8, 10:] = 0.25
    training[8:12, 20:] = 0.0
    validation[:, 30:][rng.random((runs, count - 30)) < 0.02] = np.nan
    return validation.astype(np.float32), np.abs(training).astype(np.float32)
