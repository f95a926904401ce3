"""Long-polls of a channel: what came after a position, at once, or the next events as soon as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from radiod.core.history import Record
from radiod.core.sessions import Session
from radiod.errors import QUOTA, Refused
from radiod.transport.clock import ReactorClock
from radiod.transport.formats import POLLED, sample
from radiod.transport.outbox import FanOut, Outlet
from radiod.transport.streams import Stream
from radiod.wire.codecs import Undecodable

__all__ = ["ChannelPolls", "Polled"]

MAX_EVENTS = 1000
MAX_PAGES = 10
"""Pages of events for others that one poll passes over, in search of one of its own."""


class Polled(NamedTuple):
    """What a poll comes to.

    ``samples``: JSON of an array, empty when nothing came; ``position``: where the next poll goes on, None
    where the channel has no positions; ``is_recovered``: whether nothing is missing before the first sample;
    ``is_over``: the channel has ended.
    """

    samples: bytes
    position: str | None
    is_recovered: bool
    is_over: bool = False


class ChannelPolls:
    """Answers polls; at most ``max_waiting`` wait at any time."""

    def __init__(self, fan_out: FanOut, clock: ReactorClock, max_waiting: int) -> None:
        self.fan_out = fan_out
        self.clock = clock
        self._max_waiting = max_waiting
        self.waiting = 0

    def poll(self, stream: Stream, answer: Callable[[Polled], None]) -> Callable[[], None]:
        """Call ``answer`` once, perhaps at once, and never after what is returned was called.

        Raises: Refused: ``quota``: too many wait; else as ``Stream.open``.
        """
        wishes = stream.wishes
        polled = _read(stream)
        # An answer without samples that is not up to date says how far it has looked.
        is_up_to_date = polled.position == _position(stream)
        if polled.samples or wishes.last is not None or not wishes.wait or not is_up_to_date:
            answer(polled)
            return _nothing
        if self.waiting >= self._max_waiting:
            raise Refused(QUOTA, f"{self._max_waiting} polls wait already")
        return _Waiting(self, stream, polled.is_recovered, answer).stop


def _nothing() -> None:
    """The poll has been answered."""


class _Outlet(Outlet):
    """Hands over whatever is written, and never blocks: it is open for one turn's events."""

    __slots__ = ("_take",)

    def __init__(self, fan_out: FanOut, take: Callable[[bytes], None], end: Callable[[], None]) -> None:
        super().__init__(fan_out, POLLED, max_bytes=1 << 62, on_cut=end, on_finished=end)
        self._take = take

    def _write(self, data: bytes) -> None:
        self._take(data)

    def _pause_reads(self, is_paused: bool) -> None:
        """Nothing is read from it."""


class _Waiting:
    """One poll that waits for the next event."""

    def __init__(
        self, polls: ChannelPolls, stream: Stream, is_recovered: bool, answer: Callable[[Polled], None]
    ) -> None:
        self._polls = polls
        self._stream = stream
        self._is_recovered = is_recovered
        self._answer: Callable[[Polled], None] | None = answer
        self._samples: list[bytes] = []
        self._has_ended = False
        self._outlet = _Outlet(polls.fan_out, self._take, self._end)
        stream.open(self._outlet, is_live=True)
        polls.waiting += 1
        when = polls.clock.seconds() + stream.wishes.wait
        self._deadline = polls.clock.timers.at(when, self._finish)

    def _take(self, data: bytes) -> None:
        """The first events are there, or more of the same turn."""
        if not self._samples:
            # The core may be in the midst of something.
            self._polls.clock.soon(self._finish)
        self._samples.append(data)

    def _end(self) -> None:
        """The channel has ended; or the server stops, and its next poll may find it again."""
        self._has_ended = True
        self._polls.clock.soon(self._finish)

    def _finish(self) -> None:
        answer = self._answer
        if answer is not None:
            # The position includes what came in this very turn.
            self._outlet.flush()
            is_over = self._has_ended and self._stream.is_open
            position = None if self._samples or is_over else _position(self._stream)
            self.stop()
            answer(Polled(_array(self._samples), position, self._is_recovered, is_over))

    def stop(self) -> None:
        """Nobody waits any more."""
        if self._answer is not None:
            self._answer = None
            self._deadline.cancel()
            self._stream.close()
            self._polls.waiting -= 1


def _array(samples: list[bytes]) -> bytes:
    """Elements with a comma behind each, as a JSON array; empty if there are none."""
    return b"[%b]" % b"".join(samples)[:-1] if samples else b""


def _position(stream: Stream) -> str | None:
    history = stream.space.histories.find(stream.channel)
    return None if history is None else str(history.position)


def _read(stream: Stream) -> Polled:
    """What is held already, or nothing, up to the position that is told."""
    after = stream.wishes.after
    if after is None:
        return Polled(b"", _position(stream), True)
    visitor = Session(0, stream.principal, None)
    samples: list[bytes] = []
    is_recovered = True
    for _ in range(MAX_PAGES):
        page = stream.space.recovery.page(visitor, stream.channel, after, MAX_EVENTS)
        if page is None:
            return Polled(b"", None, False)
        samples = list(_told(page.records))
        is_recovered = is_recovered and page.is_recovered
        after = page.position
        if samples or str(after) == _position(stream):
            break
    return Polled(_array(samples), str(after), is_recovered)


def _told(records: list[Record]) -> Iterator[bytes]:
    for record in records:
        # What JSON cannot say is not told, as on any connection.
        with suppress(Undecodable):
            yield sample(str(record.position).encode(), record.payload) + b","
