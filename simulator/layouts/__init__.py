"""Towns that are made up: one module a kind, each makes a ``Draft``."""
