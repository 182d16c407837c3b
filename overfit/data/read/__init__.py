"""Readers: one file or set each, from what a person has to examples."""
