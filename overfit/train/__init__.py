"""Training: a step, what begins it, what ends it, and models that are saved."""
