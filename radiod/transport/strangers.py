"""Connections that have no session: when the server stops, nothing of theirs is worth waiting for."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Stranger", "Strangers"]


class Stranger(Protocol):
    """A connection whose peer has yet to say who it is, or has left its session."""

    def dismiss(self) -> None:
        """Close it: the server stops."""


class Strangers(set[Stranger]):
    """All of them. Browsers like to have a spare connection, which would keep the server for seconds."""

    def dismiss(self) -> None:
        """Close them all."""
        strangers = list(self)
        self.clear()
        for stranger in strangers:
            stranger.dismiss()
