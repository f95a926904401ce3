"""Histories of which other nodes have the same: what is kept of a topic is filled from its log."""

from __future__ import annotations

from typing import Protocol

from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.events import KeptEvent
from radiod.core.history.histories import Histories
from radiod.core.history.positions import Position
from radiod.core.history.topic_history import History
from radiod.core.promises import Promise
from radiod.wire.options import MatchPolicy

__all__ = ["SharedHistories", "TopicLogs"]


class TopicLogs(Protocol):
    """What fills histories."""

    def ready(self, topic: str, match: MatchPolicy, after: Position | None) -> Promise[None] | None:
        """As ``Histories.ready``."""

    def close(self, topic: str) -> None:
        """A topic is not kept here any more; its log is there still."""


class SharedHistories(Histories):
    """The histories of one topic space of a cluster: all that keep something are logged.

    ``logs``: set once it is there.
    """

    logs: TopicLogs | None = None

    def unlisted(self, topic: str, keep: HistoryBounds | None) -> History:
        history = super().unlisted(topic, keep)
        history.is_logged = history.keep.size > 0
        return history

    def keep(self, pattern: str, keep: HistoryBounds) -> None:
        """As ``Histories.keep``; what the log has of the topic stays there."""
        self.drop(pattern)
        super().keep(pattern, keep)

    def resize(self, pattern: str, keep: HistoryBounds) -> None:
        super().resize(pattern, keep)
        for history in list(self._histories.values()):
            history.is_logged = history.keep.size > 0

    def is_logged(self, topic: str) -> bool:
        """Whether events of a topic happen when the log says so."""
        history = self.find(topic)
        return history is not None and history.is_logged

    def kept(self) -> list[HistoryBounds]:
        """What is kept of topics, of those with a pattern and of those that are there, each once."""
        bounds = [*self._patterns.values(), *(history.keep for history in self._histories.values())]
        return [keep for keep in dict.fromkeys(bounds) if keep.size > 0]

    def ready(
        self, topic: str, match: MatchPolicy = "exact", after: Position | None = None
    ) -> Promise[None] | None:
        return None if self.logs is None else self.logs.ready(topic, match, after)

    def make_way(self, topic: str) -> None:
        # One with events on their way makes room when it is next silent for longest.
        if not self._histories[topic].on_way:
            self.drop(topic)

    def drop(self, topic: str) -> None:
        """As ``forget``, on this node: what the log has stays there."""
        history = self._histories.get(topic)
        if history is None:
            return
        if history.pool is not None:
            del history.pool[topic]
            history.pool = None
        del self._histories[topic]
        history.is_dropped = True
        history.clear()
        if self.logs is not None:
            self.logs.close(topic)

    def fill(self, history: History, at: Position, past: list[KeptEvent], unheld: int) -> None:
        """Have a history hold what its log does: ``past``, oldest first, the latest events up to ``at``.

        ``unheld``: who stands below it may have missed something.
        """
        history.clear()
        self._date(past)
        history.epoch = at.epoch
        history.unheld = unheld
        for record in past:
            history.add(record)
        history.seq = history.assigned = at.seq
        history.spoiled = 0
        if history.pool is self._silent and past:
            durable = self._durable.setdefault((history.pattern, past[-1].role), {})
            self._list(history, durable if history.keep.is_durable else self._matched)
        self.expire(history)
        self._shrink()

    def lose(self, history: History, seq: int) -> None:
        """Events before this number may be gone that were never here."""
        history.spoiled = max(history.spoiled, seq)
