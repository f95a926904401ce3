"""What counts that something was used, or refused for a limit of a plan."""

from __future__ import annotations

from typing import Protocol

from radiod.core.rights import Actor

__all__ = ["Meter"]


class Meter(Protocol):
    """Counts what somebody uses. Called for every message: it must be cheap, and must not raise."""

    def published(self, actor: Actor, size: int, *, is_public: bool) -> None:
        """One event of ``size`` payload bytes was published, on a public topic or a private channel."""

    def refused(self, actor: Actor, uri: str) -> None:
        """One event to this topic, or one call of this procedure, was refused for a limit of a plan."""
