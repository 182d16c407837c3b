"""The library of `experiments.benchmark`: what it measures, how, and the tables it makes of it."""
