"""Autobahn's logger, without what it says at debug level."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

__all__ = ["QuietLogger"]


class QuietLogger(Logger):
    """Drops debug and trace messages before they are formatted.

    Autobahn tells every step at these levels, whole request heads with API keys among them, and twistd writes
    every level to its log.
    """

    def __get__(self, instance: object, owner: object = None) -> QuietLogger:
        """One logger for all, where Twisted's makes one whenever an object's is asked for."""
        return self

    def debug(self, format: str | None = None, **kwargs: Any) -> None:
        """Say nothing."""

    def trace(self, format: str | None = None, **kwargs: Any) -> None:
        """Say nothing; a level that Twisted's own logger does not have."""
