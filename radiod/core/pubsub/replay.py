"""The past told once more: to a listener before it goes live, or page by page to whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from msgspec import Raw

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.listeners import Listener
from radiod.core.delivery.totals import Tally
from radiod.core.history.events import KeptEvent
from radiod.core.history.histories import Histories
from radiod.core.history.positions import Position
from radiod.core.history.topic_history import History
from radiod.core.pubsub.audience import Audience
from radiod.core.rights import Actor
from radiod.wire.codecs import JSON, Codec, Payload, Undecodable

__all__ = ["MAX_PAGE_BYTES", "Page", "Replay", "Retell", "Retelling", "Retold", "read", "read_back"]

MAX_EXAMINED: Final = 1000
"""Records looked at in one go; many may be for others."""

MAX_PAGE_BYTES: Final = 1 << 20
"""Payload bytes of a page, exceeded by one event at most."""

Retell = Callable[[Actor, str, int, int], None]
"""Counts what was told of the past, to whom: channel, events, payload bytes."""


class Replay:
    """A cursor of one listener in its topic's history: events are read one at a time, as the socket drains.

    What happens meanwhile goes into the history, and is read there. When nothing more is to be read the
    replay is done, and the listener goes on with live events: nothing comes between the two.

    ``lost``: how many went out of the history since the last event that was taken.
    """

    __slots__ = ("_histories", "_history", "_listener", "_next", "is_done", "lost")

    def __init__(self, histories: Histories, history: History, index: int, listener: Listener) -> None:
        self._histories = histories
        self._history = history
        self._next = index
        self.lost = 0
        self._listener = listener
        self.is_done = False

    def take(self) -> tuple[Broadcast, int] | None:
        """The next event, and how many before it went out of the history before they were read.

        None: there is none, if ``is_done``; else the outbox is told to ask again in the next turn.
        """
        for _ in range(MAX_EXAMINED):
            record = self._read()
            if record is None:
                self.is_done = True
                break
            if self._is_for(record):
                lost, self.lost = self.lost, 0
                return self._broadcast(record), lost
        else:
            flow = self._listener.subscription.flow
            flow.timers.at(flow.clock.seconds(), self._ask_again)
        return None

    def _ask_again(self) -> None:
        self._listener.subscription.flow.outbox.release(self._listener)

    def _read(self) -> KeptEvent | None:
        history = self._history
        if history.first > self._next:
            self._lose(history.first - self._next)
            self._next = history.first
        if self._next < history.end:
            self._next += 1
            return history.at(self._next - 1)
        successor = self._histories.find(history.topic) if history.is_dropped else None
        if successor is None:
            return None
        self._history, self._next = successor, 0
        return self._read()

    def _lose(self, count: int) -> None:
        self.lost += count
        self._listener.lose(count)
        self._listener.subscription.flow.tally.overtaken += count

    def _is_for(self, record: KeptEvent) -> bool:
        session = self._listener.session
        if record.publisher == session.id and record.options.exclude_me:
            return False
        return may_have(session, record)

    def _broadcast(self, record: KeptEvent) -> Broadcast:
        subscription = self._listener.subscription.id
        return Broadcast(
            subscription, record.publication, record.topic, record.told(), record.fresh_payload()
        )


class Page(NamedTuple):
    """A part of a topic's past, oldest first.

    ``position``: behind which the next page, or the live events, begin; ``is_recovered``: whether nothing is
    missing between the position that was asked for and this page.
    """

    records: list[KeptEvent]
    position: Position
    is_recovered: bool


def read(history: History, actor: Actor, after: Position | None, limit: int, first: int = 0) -> Page:
    """The events behind ``after`` that ``actor`` may have; None: all that are held, from ``first`` on.

    At most ``limit``, and ``MAX_PAGE_BYTES``; perhaps fewer, or none, though there are more behind them.
    """
    first = max(first, history.first)
    index, is_recovered = (first, True) if after is None else history.after(after)
    if index < first:
        index, is_recovered = first, False
    records: list[KeptEvent] = []
    size = 0
    end = min(history.end, index + MAX_EXAMINED)
    while index < end and len(records) < limit and size < MAX_PAGE_BYTES:
        record = history.at(index)
        index += 1
        if may_have(actor, record):
            records.append(record)
            size += len(record.payload)
    position = history.position if index == history.end else history.at(index - 1).position
    return Page(records, position, is_recovered)


def read_back(history: History, actor: Actor, before: Position | None, limit: int, first: int = 0) -> Page:
    """The events before ``before`` that ``actor`` may have, latest first; None: all that are held.

    As many as of ``read``, whose ``Page`` this is but for the order; ``position``: of the earliest that was
    looked at, before which the next page begins.
    """
    index, is_recovered = (history.end, True) if before is None else history.after(before)
    if not is_recovered:
        return Page([], history.position, is_recovered)
    records: list[KeptEvent] = []
    size = 0
    first = max(first, history.first, index - MAX_EXAMINED)
    position = history.position if before is None else before
    while index > first and len(records) < limit and size < MAX_PAGE_BYTES:
        index -= 1
        record = history.at(index)
        if before is not None and record.seq == before.seq:
            continue
        position = record.position
        if may_have(actor, record):
            records.append(record)
            size += len(record.payload)
    return Page(records, position, is_recovered)


class Retold(NamedTuple):
    """One event of an answer, its payload in the serializer of whoever asked.

    ``lost``: how many before it, and behind the one before that, cannot be said there.
    """

    record: KeptEvent
    args: Raw
    kwargs: Raw
    lost: int


class Retelling(Payload):
    """The payload of an answer made of events; of each, what a live one would hold for the same receiver.

    An event that cannot be said to it is left out, never made up, and counted in ``tally``.

    Args:
        tell: makes the answer's values: args and kwargs, of what could be said and the number that could not.
        retold: counts what could be said, once: events and payload bytes.
    """

    __slots__ = ("_records", "_retold", "_tally", "_tell")

    def __init__(
        self,
        records: list[KeptEvent],
        tally: Tally,
        tell: Callable[[list[Retold], int], tuple[list[Any], dict[str, Any]]],
        retold: Callable[[int, int], None],
    ) -> None:
        super().__init__(JSON, b"", b"")
        self._records = records
        self._tally = tally
        self._tell = tell
        self._retold: Callable[[int, int], None] | None = retold

    def parts(self, codec: Codec) -> tuple[bytes, bytes]:
        """As ``Payload.parts``, for the one who asked: made anew each time."""
        events = []
        lost = untold = 0
        no_args, no_kwargs = codec.dump([]), codec.dump({})
        for record in self._records:
            try:
                args, kwargs = record.fresh_payload().parts(codec)
            except Undecodable:
                lost += 1
                untold += 1
            else:
                events.append(Retold(record, Raw(args or no_args), Raw(kwargs or no_kwargs), untold))
                untold = 0
        self._tally.undeliverable += lost
        if self._retold is not None:
            self._retold(len(events), sum(len(event.record.payload) for event in events))
            self._retold = None
        told_args, told_kwargs = self._tell(events, lost)
        return codec.dump(told_args), codec.dump(told_kwargs) if told_kwargs else b""


def may_have(actor: Actor, record: KeptEvent) -> bool:
    """Whether its publisher let ``actor`` have the event."""
    return not record.options.narrows() or actor in Audience(record.options)
