"""What the logs of all topic spaces of one realm share: its streams, and who follows them."""

from __future__ import annotations

from collections.abc import Callable

from radiod.core.cluster.follower import Follower
from radiod.core.cluster.log_stream import LogStream, most_for
from radiod.core.cluster.ports import Streams
from radiod.core.history.bounds import HistoryBounds
from radiod.core.ids import Ids
from radiod.core.rights import Actor
from radiod.core.timers import Clock, Timers

__all__ = ["RealmStreams"]


class RealmStreams:
    """The streams of one realm's logs: one for each size of history, for durable ones and others.

    ``began_anew``: called with a stream that has a new epoch; ``tick_soon``: there is something to see to.

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
        hold_s: float,
        max_bytes: int,
        actor: Callable[[int], Actor | None],
        is_alone: Callable[[], bool],
        began_anew: Callable[[LogStream], None],
        tick_soon: Callable[[], None],
        note_malformed: Callable[[], object],
    ) -> None:
        self.streams = streams
        self.base = base
        self.clock = clock
        self.timers = timers
        self.actor = actor
        self.hold_s = hold_s
        self.max_bytes = max_bytes
        self.follower = Follower(streams, clock, timers, self._is_sure)
        self.tick_soon = tick_soon
        self.note_malformed = note_malformed
        self._began_anew = began_anew
        self._prefix = prefix
        self._node = node
        self._ids = ids
        self._is_alone = is_alone
        self._count = 0
        self._by_kind: dict[str, LogStream] = {}

    def _is_sure(self, name: str) -> bool:
        return all(stream.is_sure for stream in self._by_kind.values() if stream.name == name)

    def all(self) -> list[LogStream]:
        """Those that somebody has wanted."""
        return list(self._by_kind.values())

    def opened(self) -> list[LogStream]:
        """Those whose epoch is known."""
        return [stream for stream in self._by_kind.values() if stream.epoch]

    def stream_for(self, keep: HistoryBounds) -> LogStream:
        """The stream that topics with such a history are in."""
        most = most_for(keep.size)
        kind = f"{'durable' if keep.is_durable else 'history'}-{most}"
        stream = self._by_kind.get(kind)
        if stream is None:
            is_renewed = (lambda: False) if keep.is_durable else self._is_alone
            stream = self._by_kind[kind] = LogStream(
                self.streams,
                f"{self._prefix}-{kind}",
                f"{self.base}.{kind}",
                most,
                self.clock,
                self.timers,
                self._ids,
                self.hold_s,
                self._began_anew,
                is_renewed,
            )
        return stream

    def next_id(self) -> str:
        """The id of one more record."""
        self._count += 1
        return f"{self._node}-{self._count}"
