"""Where durable topics' events are written before anybody gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from radiod.core.history.events import KeptEvent
from radiod.errors import Refused

__all__ = ["Journal"]


class Journal(Protocol):
    """Where the events of one realm's durable topics are written.

    What was written is there after any crash of the process, in the order of asking. Never blocks.
    """

    def append(self, record: KeptEvent, done: Callable[[Refused | None], None]) -> None:
        """Write an event, and call ``done``, in the order of asking: with None once it is on disk.

        Raises: Refused: ``unavailable``: too much waits to be written; ``done`` will not be called.
        """

    def trim(self, topic: str, epoch: str, first: int) -> None:
        """Let events before number ``first`` go, some time. Called for every event: cheap."""

    def forget(self, topic: str) -> None:
        """Let the topic's events, its count, and what was saved of its channel go."""
