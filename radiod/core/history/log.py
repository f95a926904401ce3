"""Where events are written that happen when the log says so, before anybody gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from radiod.core.history.events import KeptEvent
from radiod.errors import Refused

__all__ = ["Log"]


class Log(Protocol):
    """Where the events of one realm's logged topics are written: the durable ones, of a server that is alone.

    What was written is there after any crash of the process, in the order of asking. Never blocks.
    """

    def append(self, record: KeptEvent, done: Callable[[Refused | None], None]) -> None:
        """Write an event, and call ``done``, topic by topic in the order of asking: it happens now.

        With None once it is written; the record then has the place that it was written at. Else with
        ``unavailable``: it does not happen here.
        Raises: Refused: ``unavailable``: too much waits to be written; ``done`` will not be called.
        """

    def trim(self, topic: str, epoch: str, first: int) -> None:
        """Let events before number ``first`` go, some time. Called for every event: cheap."""

    def forget(self, topic: str) -> None:
        """Let the topic's events, its count, and what was saved of its channel go."""
