"""Presence: who listens to a channel, counted per person and per session.

A person is an authid. Of two tabs, closing one does not remove the person. Every change is told as what has
changed, whatever the number of those present; late joiners ask for all of them, page by page.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Final, Generic, TypeVar

__all__ = ["PAGE", "Headcount"]

PAGE: Final = 1000
"""Persons in one answer."""

Topic = TypeVar("Topic", bound=Hashable)


class Headcount(Generic[Topic]):
    """The persons that listen to the channels of one realm that have presence turned on.

    ``tell`` is called with a channel and what has changed there: ``{event, authid, sessions, users, total}``;
    event "join": a person's first session came, "leave": the last one went, "change": neither; ``sessions``:
    of this person; ``users``: persons; ``total``: sessions of all of them.
    """

    def __init__(self, tell: Callable[[Topic, dict[str, Any]], None]) -> None:
        self._tell = tell
        # channel -> authid -> number of sessions; without those where nobody is
        self._crowds: dict[Topic, dict[str, int]] = {}
        # channel -> those authids in order
        self._sorted: dict[Topic, list[str]] = {}
        # channel -> number of sessions
        self._totals: dict[Topic, int] = {}

    def __iter__(self) -> Iterator[Topic]:
        """The channels where somebody is."""
        return iter(list(self._crowds))

    def __contains__(self, topic: object) -> bool:
        return topic in self._crowds

    def add(self, topic: Topic, authid: str) -> None:
        """A session of that person came. Cost: O(1), for a new one O(log n) and a copy within a list."""
        self.change(topic, authid, 1)

    def remove(self, topic: Topic, authid: str) -> None:
        """A session of that person went; somebody who was not counted is left alone. Cost: as ``add``."""
        self.change(topic, authid, -1)

    def change(self, topic: Topic, authid: str, by: int, *, is_told: bool = True) -> None:
        """So many sessions of that person more, or less, but not less than none. Cost: as ``add``.

        ``is_told``: this is news to those who listen.
        """
        crowd = self._crowds.get(topic, {})
        before = crowd.get(authid, 0)
        after = max(0, before + by)
        if after == before:
            return
        if after:
            crowd[authid] = after
            self._crowds[topic] = crowd
        else:
            del crowd[authid]
        self._sort(topic, authid, before, after)
        self._totals[topic] = self._totals.get(topic, 0) + after - before
        if is_told:
            event = "change" if before and after else "join" if after else "leave"
            self._told(topic, event, authid, after)
        if not crowd:
            self.forget(topic)

    def _sort(self, topic: Topic, authid: str, before: int, after: int) -> None:
        if not before:
            insort(self._sorted.setdefault(topic, []), authid)
        elif not after:
            authids = self._sorted[topic]
            del authids[bisect_left(authids, authid)]

    def forget(self, topic: Topic) -> None:
        """The channel has ended: nobody is told."""
        self._crowds.pop(topic, None)
        self._sorted.pop(topic, None)
        self._totals.pop(topic, None)

    def snapshot(self, topic: Topic, limit: int = PAGE, after: str | None = None) -> dict[str, Any]:
        """Who is there now: ``{users: {authid: sessions}, count, total, next}``.

        ``users``: up to ``limit`` persons by authid, those that sort after ``after``; ``next``: the ``after``
        of the next page, or None; ``count``: all persons; ``total``: all sessions.
        Cost: O(limit).
        """
        crowd = self._crowds.get(topic, {})
        authids = self._sorted.get(topic, [])
        start = 0 if after is None else bisect_right(authids, after)
        shown = authids[start : start + limit]
        return {
            "users": {authid: crowd[authid] for authid in shown},
            "count": len(crowd),
            "total": self._totals.get(topic, 0),
            "next": shown[-1] if len(authids) > start + limit else None,
        }

    def _told(self, topic: Topic, event: str, authid: str, sessions: int) -> None:
        self._tell(
            topic,
            {
                "event": event,
                "authid": authid,
                "sessions": sessions,
                "users": len(self._crowds[topic]),
                "total": self._totals[topic],
            },
        )
