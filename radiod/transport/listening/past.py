"""What a poll finds held already: the events of its channels behind where it goes on, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from typing import Final

from radiod.core.disclosure import Visitor
from radiod.core.history.events import KeptEvent
from radiod.core.pubsub.replay import MAX_PAGE_BYTES, Page
from radiod.transport.formats import polled
from radiod.transport.listening.course import Wanted
from radiod.transport.listening.listeners import PlainListener
from radiod.transport.listening.records import ELEMENTS, body
from radiod.transport.outbox import FanOut
from radiod.wire.codecs import Undecodable

__all__ = ["Past", "read_past"]

MAX_EVENTS: Final = 1000
MAX_PAGES: Final = 10
"""Pages of events for others that one poll passes over, in search of one of its own."""


class Past:
    """What was found.

    ``samples``: elements of a JSON array, each with a comma behind it; ``at``: how far each channel was
    looked through; ``is_recovered``: whether nothing is missing; ``lost``: events that JSON cannot say.
    """

    def __init__(self, stream: PlainListener, fan_out: FanOut) -> None:
        self._is_several = stream.is_several
        self._fan_out = fan_out
        self._visitor = Visitor(0, stream.principal)
        self.samples: list[bytes] = []
        self.at = stream.positions()
        self.is_recovered = True
        self.lost = 0
        # Channels that go on behind a position; losses of each that no sample has told of; and those whose
        # next sample tells that its position is gone.
        self._read: list[Wanted] = []
        self._untold: dict[str, int] = {}
        self._gone: set[str] = set()
        # Those of which it is known, and counted, whether they could go on.
        self._counted: set[str] = set()
        # Events that samples tell of each channel, and their payload bytes.
        self._told: dict[str, tuple[int, int]] = {}
        for one in stream.wanted:
            if one.after is None:
                continue
            self._read.append(one)
            self.at[one.topic] = one.after

    def read(self) -> bool:
        """Take one page of each channel. Returns: whether there is nothing, and perhaps more behind it."""
        pages: dict[Wanted, Page] = {}
        for one in list(self._read):
            page = one.space.recovery.page(self._visitor, one.topic, self.at[one.topic], MAX_EVENTS)
            if page is None:
                # It is not even counted.
                self.is_recovered = False
                self._count_once(one, is_recovered=False)
                self._read.remove(one)
                del self.at[one.topic]
                continue
            pages[one] = page
            self._note(one, page)
        size = 0
        for one, record in _in_order(pages):
            self._tell(one, record)
            page = pages[one]
            # What is behind its last one, if anything, is for others.
            self.at[one.topic] = page.position if record is page.records[-1] else record.position
            size += len(record.payload)
            if len(self.samples) + self.lost >= MAX_EVENTS or size >= MAX_PAGE_BYTES:
                break
        self._tell_losses()
        is_behind = any(self.at[one.topic] != one.position for one in self._read)
        return is_behind and not self.samples and not self.lost

    def count(self, stream: PlainListener) -> None:
        """The listener gets what was found."""
        for channel, (events, size) in self._told.items():
            stream.retold(channel, events, size)

    def _count_once(self, one: Wanted, *, is_recovered: bool) -> None:
        if one.topic not in self._counted:
            self._counted.add(one.topic)
            one.space.recovery.counts.count(is_recovered)

    def _note(self, one: Wanted, page: Page) -> None:
        self._count_once(one, is_recovered=page.is_recovered)
        if not page.is_recovered:
            self.is_recovered = False
            self._gone.add(one.topic)
        if not page.records:
            self.at[one.topic] = page.position

    def _tell(self, one: Wanted, record: KeptEvent) -> None:
        topic = one.topic
        try:
            self.samples.append(self._element(record))
            events, size = self._told.get(topic, (0, 0))
            self._told[topic] = events + 1, size + len(record.payload)
            self._untold.pop(topic, None)
            self._gone.discard(topic)
        except Undecodable as error:
            self._fan_out.undelivered(record.topic, self._visitor, str(error))
            one.space.broker.tally.undeliverable += 1
            self._untold[topic] = self._untold.get(topic, 0) + 1
            self.lost += 1
            self.is_recovered = False

    def _element(self, record: KeptEvent) -> bytes:
        lost = self._untold.get(record.topic, 0)
        if not self._is_several:
            return polled(str(record.position).encode(), record.payload, lost)
        said = body(record.topic, record.position, record.payload)
        return ELEMENTS.record(b"", said, record.topic, lost, is_gone=record.topic in self._gone)

    def _tell_losses(self) -> None:
        """Losses behind the last sample of a channel: of one, the answer's head tells them."""
        if self._is_several:
            for topic, lost in self._untold.items():
                self.samples.append(ELEMENTS.loss(b"", topic, self.at[topic], lost))


def _in_order(pages: dict[Wanted, Page]) -> Iterator[tuple[Wanted, KeptEvent]]:
    """Events of several pages by time, each channel's own in their order.

    Up to the end of the first page that ends before its channel does: what follows there may be older than
    the rest of the others.
    """

    def rows(one: Wanted, page: Page) -> Iterator[tuple[Wanted, KeptEvent]]:
        return ((one, record) for record in page.records)

    for one, record in merge(*(rows(*item) for item in pages.items()), key=_time):
        yield one, record
        page = pages[one]
        if record is page.records[-1] and page.position != one.position:
            return


def _time(row: tuple[Wanted, KeptEvent]) -> tuple[float, int]:
    # Of one millisecond, their order in the realm; a private channel counts its own.
    return row[1].time, row[1].order


def read_past(stream: PlainListener, fan_out: FanOut) -> Past:
    """Everything that a poll can be answered with at once."""
    past = Past(stream, fan_out)
    for _ in range(MAX_PAGES):
        if not past.read():
            break
    return past
