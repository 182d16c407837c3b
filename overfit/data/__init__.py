"""From a name or a path to examples, and the splits of them."""
