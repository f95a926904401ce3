"""Connections that have no session: when the server stops, nothing of theirs is worth waiting for."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Stranger", "Strangers"]


class Stranger(Protocol):
    """A connection whose peer has yet to say who it is, or has left its session."""

    def dismiss(self) -> None:
        """Close it: the server stops."""


class Strangers:
    """All of them. Browsers like to have a spare connection, which would keep the server for seconds."""

    __slots__ = ("_strangers",)

    def __init__(self) -> None:
        self._strangers: set[Stranger] = set()

    def __len__(self) -> int:
        return len(self._strangers)

    def add(self, stranger: Stranger) -> None:
        """One more."""
        self._strangers.add(stranger)

    def discard(self, stranger: Stranger) -> None:
        """It is none any more, or gone."""
        self._strangers.discard(stranger)

    def dismiss(self) -> None:
        """Close them all."""
        strangers, self._strangers = self._strangers, set()
        for stranger in strangers:
            stranger.dismiss()
