"""The study: which techniques help, decided on validation examples and measured on a test set."""
