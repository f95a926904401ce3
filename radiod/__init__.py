"""radiod: your own data radio."""

__version__ = "0.1.0.dev0"
