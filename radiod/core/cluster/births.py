"""Where the logs of channels begin and end, apart from whoever follows them.

A channel's log begins with a record that is there before anybody may publish. What is before it, of another
channel that had the name, say, is let go by whoever has made the new one: by its number, so that it may be
late. What is left of a channel that has ended goes in the same way, unless somebody has made another since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.cluster.log_stream import LogStream
from radiod.core.cluster.logged import Birth, encode
from radiod.core.cluster.ports import Appended, Failure, Stored
from radiod.core.cluster.realm_streams import RealmStreams
from radiod.core.cluster.space_logs import ttl_of
from radiod.core.cluster.subjects import of_topic
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.core.promises import Promise
from radiod.errors import STORE_UNAVAILABLE, Refused

__all__ = ["Births"]

RETRY_S: Final = 0.25
"""Between two tries."""


class Births:
    """The beginnings and ends of one realm's logs."""

    def __init__(self, realm: RealmStreams) -> None:
        self._realm = realm

    def bear(self, place: str, called: str, keep: HistoryBounds) -> Promise[Position]:
        """Have the log of a topic begin here. Comes to the number of its first record, or to ``unavailable``.

        ``place``, ``called``: as ``SpaceLogs`` has them.
        """
        born: Promise[Position] = Promise()
        realm = self._realm
        stream, subject = self._log(place, called, keep)
        id = realm.next_id()
        data = encode(Birth(called))
        until = realm.clock.seconds() + realm.hold_s

        def write() -> None:
            if realm.clock.seconds() < until:
                realm.streams.append(stream.name, subject, data, told, id=id, ttl_s=ttl_of(keep))

        def told(outcome: Appended | Failure) -> None:
            if isinstance(outcome, Appended):
                born.settle(Position(stream.epoch, outcome.seq))
            else:
                # Under its id it is stored once.
                realm.timers.at(realm.clock.seconds() + RETRY_S, write)

        def give_up() -> None:
            born.settle(Refused(STORE_UNAVAILABLE, "the log cannot be begun: nobody stores it"))

        realm.timers.at(until, give_up)
        stream.when_open(write)
        return born

    def clear(self, place: str, called: str, keep: HistoryBounds, before: int) -> None:
        """Let go what a log has before this record."""
        stream, subject = self._log(place, called, keep)
        self._realm.streams.purge(stream.name, subject, _purged, before=before)

    def clear_all(
        self, place: str, called: str, keep: HistoryBounds, is_over: Callable[[], Promise[bool]]
    ) -> None:
        """Let go all of a log, if it ``is_over``: asked when it is known how far it goes."""
        stream, subject = self._log(place, called, keep)
        self.clear_subject(stream.name, subject, is_over)

    def clear_subject(self, stream: str, subject: str, is_over: Callable[[], Promise[bool]]) -> None:
        """The same, of any subject of a stream."""

        def found(last: Stored | Failure | None) -> None:
            if isinstance(last, Stored):
                before = last.seq + 1
                is_over().then(lambda is_so: purge(before) if is_so is True else None)

        def purge(before: int) -> None:
            self._realm.streams.purge(stream, subject, _purged, before=before)

        self._realm.streams.last(stream, subject, found)

    def _log(self, place: str, called: str, keep: HistoryBounds) -> tuple[LogStream, str]:
        stream = self._realm.stream_for(keep)
        return stream, of_topic(f"{stream.root}.{place}", called)


def _purged(failure: Failure | None) -> None:
    """What could not be purged goes by its age and number."""
