"""The logs of one realm's topics: what is kept of one is record after record, agreed by most of the servers.

Streams are shared: there is one for each size of history, for durable ones and others. The subjects of topics
tell private spaces apart by a hash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.cluster.births import Births
from radiod.core.cluster.follower import AUDIT_S
from radiod.core.cluster.log_stream import LogStream
from radiod.core.cluster.ports import Stored, Streams
from radiod.core.cluster.realm_streams import RealmStreams
from radiod.core.cluster.shared_histories import SharedHistories
from radiod.core.cluster.space_logs import SpaceLogs
from radiod.core.ids import Ids
from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.publishing import Publishing
from radiod.core.rights import Actor
from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["PUBLIC", "Logs"]

PUBLIC: Final = "p"
"""The place of what is public, in subjects."""


class Logs:
    """The logs of one realm.

    Whoever has them hands them what comes: ``stored`` for all subjects that begin with ``base``, ``up`` when
    the connection is there again.

    Args:
        base: what all subjects begin with; prefix: the names of streams.
        node: a text that no other node has, nor this one had before: for ids of records.
        actor: the session of an id, if it is here; is_alone: whether no other node is there.
        max_bytes: of a record, with all that goes with it.
        note_malformed: called with every record that is none.
    """

    def __init__(
        self,
        streams: Streams,
        base: str,
        prefix: str,
        node: str,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        *,
        hold_s: float = 15.0,
        max_bytes: int = 2_000_000,
        actor: Callable[[int], Actor | None] = lambda id: None,
        is_alone: Callable[[], bool] = lambda: False,
        note_malformed: Callable[[], object] = lambda: None,
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._realm = RealmStreams(
            streams,
            base,
            prefix,
            node,
            clock,
            timers,
            ids,
            hold_s=hold_s,
            max_bytes=max_bytes,
            actor=actor,
            is_alone=is_alone,
            began_anew=self._began_anew,
            tick_soon=self._tick_soon,
            note_malformed=note_malformed,
        )
        self.follower = self._realm.follower
        self.births = Births(self._realm)
        self._spaces: dict[str, SpaceLogs] = {}
        self._tick: Deadline | None = None

    @property
    def held(self) -> int:
        """Events that wait for the log."""
        return sum(len(stream.appender) for stream in self._realm.all())

    def add_space(
        self, place: str, histories: SharedHistories, publishing: Publishing, broker: Broker
    ) -> SpaceLogs:
        """The logs of one topic space.

        ``place``: ``PUBLIC``, or that of a private channel, whose name is in no subject and in no record.
        """
        called = "" if place == PUBLIC else place
        space = SpaceLogs(self._realm, place, histories, publishing, broker, called)
        self._spaces[place] = space
        histories.log = histories.logs = space
        return space

    def space(self, place: str) -> SpaceLogs | None:
        """That of a place."""
        return self._spaces.get(place)

    def end(self, place: str) -> None:
        """A private space is gone."""
        space = self._spaces.pop(place, None)
        if space is not None:
            space.end()

    # --- what comes

    def stored(self, record: Stored) -> None:
        """As ``StreamUser.stored``, for subjects that begin with ``base``."""
        if self.follower.stored(record):
            return
        for stream in self._realm.all():
            if stream.took(record):
                return
        for space in self._spaces.values():
            if space.stored(record):
                return

    def up(self) -> None:
        """The connection was lost, and is back, or a cut has healed: much may have been missed."""
        latest: dict[str, Stored] = {}
        for space in self._spaces.values():
            for tail in space.tails.values():
                last, name = tail.last, tail.stream.name
                if last is not None and (name not in latest or latest[name].seq < last.seq):
                    latest[name] = last
        for stream in self._realm.all():
            stream.check(latest.get(stream.name))
        self.follower.audit()

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        """Of no concern: the log does not go by who is there."""

    def left(self, node: int) -> None:
        """Of no concern: what it appended happens, and nothing else."""

    def gap(self, node: int) -> None:
        """Of no concern."""

    def isolated(self) -> None:
        """Of no concern: who appends is refused by the log itself."""

    def healed(self) -> None:
        """As ``up``."""
        self.up()

    def _began_anew(self, stream: LogStream) -> None:
        for space in self._spaces.values():
            for tail in list(space.tails.values()):
                if tail.stream is stream:
                    space.begin_anew(tail)

    def _tick_soon(self) -> None:
        """See to what nobody wants any more, now and then, from now on."""
        if self._tick is None:
            self._tick = self._timers.at(self._clock.seconds() + AUDIT_S, self._ticked)

    def _ticked(self) -> None:
        self._tick = None
        for space in self._spaces.values():
            space.tidy(self._clock.seconds())
        if any(space.tails or space.patterns for space in self._spaces.values()):
            self._tick_soon()
