"""Where a topic's listeners and past are: in the realm's space for all, or in a private channel's own.

A private channel shares nothing with the rest of its realm: whoever has not joined it subscribes to,
publishes to and asks about another topic that happens to have the same name.
"""

from __future__ import annotations

from typing import NamedTuple

from radiod.core.broker import Broker
from radiod.core.history import Histories

__all__ = ["Place", "Space"]


class Space:
    """The broker and the histories of some topics."""

    __slots__ = ("broker", "histories")

    def __init__(self, broker: Broker, histories: Histories) -> None:
        self.broker = broker
        self.histories = histories

    def at(self, topic: str) -> Place:
        """One of its topics."""
        return Place(self.broker, topic)


class Place(NamedTuple):
    """One topic of one space: what a name alone does not tell apart."""

    broker: Broker
    topic: str
