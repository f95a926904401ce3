"""Where usage is counted."""

from __future__ import annotations

from typing import Protocol

from radiod.core.rights import Actor

__all__ = ["Meter"]


class Meter(Protocol):
    """Counts what somebody uses. Called for every message: it must be cheap, and must not raise.

    What listeners are given is counted where that happens: ``core.delivery.readership``.
    """

    def published(self, actor: Actor, channel: str, size: int, *, is_public: bool) -> None:
        """One event of ``size`` payload bytes was accepted, on a public topic or a private channel."""

    def refused(self, actor: Actor, uri: str) -> None:
        """One event to this topic, or one call of this procedure, was refused for a limit of a plan."""

    def called(self, actor: Actor, procedure: str) -> None:
        """One call was accepted."""

    def retold(self, actor: Actor, channel: str, events: int, size: int) -> None:
        """An answer holds so many events of the past, of ``size`` payload bytes together."""
