"""What is used of one realm, counted in one place for whoever wants to know: statistics, or a bill."""

from __future__ import annotations

from typing import Protocol

from radiod.core.rights import Actor

__all__ = ["Meter", "Usage"]


class Meter(Protocol):
    """Counts what somebody uses. Called for every message: it must be cheap, and must not raise."""

    def published(self, actor: Actor, size: int, *, is_public: bool) -> None:
        """One event of ``size`` payload bytes was published, on a public topic or a private channel."""


class Usage:
    """The counts that everybody may read, so nothing of private channels. ``published``: events."""

    __slots__ = ("published_events",)

    def __init__(self) -> None:
        self.published_events = 0

    def published(self, actor: Actor, size: int, *, is_public: bool) -> None:
        """As ``Meter.published``."""
        if is_public:
            self.published_events += 1
