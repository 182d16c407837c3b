"""Networks and their parts: initializers, activations, dropout, models."""
