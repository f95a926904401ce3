"""Which build of radiod runs: ``python``, or ``compiled`` (by mypyc: ``RADIOD_COMPILE=1 pip install .``)."""

from typing import Final

__all__ = ["BUILD"]

BUILD: Final = "python" if __file__.endswith(".py") else "compiled"
