"""What the command says to every part of the validation."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Settings"]


class Settings(NamedTuple):
    """``packages``: the folder of what is downloaded. ``seeds``: runs of each case. ``plots``: where pictures
    go; None: there are none."""

    packages: Path
    seeds: int = 3
    plots: Path | None = None
