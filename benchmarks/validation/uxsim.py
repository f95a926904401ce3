"""Beside UXsim 1.15.1 (one vehicle a platoon): the same town, lights, demand and turning ratios."""

from __future__ import annotations

from collections.abc import Iterator

from .compare import Case, report
from .settings import Settings

__all__ = ["run"]


def run(settings: Settings) -> int:
    """Print the table. Returns: how much is not as wanted."""
    return report(cases(settings))


def cases(settings: Settings) -> Iterator[Case]:
    """The comparisons, as they are done."""
    yield from ()
