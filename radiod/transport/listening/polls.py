"""Long-polls of channels: what came after a position, at once, or the next events as soon as they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from radiod.core.budgets.seats import Seat, Seats
from radiod.core.draining import Draining
from radiod.errors import Refused
from radiod.transport.clock import ReactorClock
from radiod.transport.formats import Format
from radiod.transport.listening.forms import POLL
from radiod.transport.listening.listeners import PlainListener
from radiod.transport.listening.past import read_past
from radiod.transport.outbox import FanOut
from radiod.transport.outlets import Outlet

__all__ = ["ChannelPolls", "Polled"]


class Polled(NamedTuple):
    """What a poll comes to.

    ``samples``: JSON of an array, empty when nothing came; ``position``: where the next poll goes on, None
    where no channel has positions; ``is_recovered``: whether nothing is missing before the first sample,
    between two, or behind the last one; ``is_over``: all channels have ended; ``lost``: how many of the
    events that it covers cannot be said in JSON, or were dropped; ``ended_for``: why the access of whoever
    polls has ended, empty: it has not; ``retry_after``: seconds after which it is to ask again, since the
    server sends it away, 0: it does not.
    """

    samples: bytes
    position: str | None
    is_recovered: bool
    is_over: bool = False
    lost: int = 0
    ended_for: str = ""
    retry_after: float = 0.0


class ChannelPolls:
    """Answers polls; as many wait at any time as there are ``seats``. ``draining``: as of the server."""

    def __init__(self, fan_out: FanOut, clock: ReactorClock, seats: Seats, draining: Draining) -> None:
        self.draining = draining
        self.fan_out = fan_out
        self.clock = clock
        self._seats = seats

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._seats)

    def poll(
        self, stream: PlainListener, answer: Callable[[Polled], None], network: str | None = None
    ) -> Callable[[], None]:
        """Call ``answer`` once, perhaps at once, and never after what is returned was called.

        ``network``: that asks, None: nobody knows.
        Raises: Refused: ``quota``: too many wait; else as ``PlainListener.open``.
        """
        query = stream.query
        format = stream.format(POLL)
        past = read_past(stream, self.fan_out)
        # An answer without samples that is not up to date says how far it has looked.
        is_up_to_date = past.at == stream.positions()
        has_news = bool(past.samples or past.lost)
        if has_news or query.last is not None or not query.wait or not is_up_to_date:
            past.count(stream)
            place = stream.place(past.at)
            answer(Polled(_array(past.samples), place, past.is_recovered, lost=past.lost))
            return _nothing
        principal = stream.principal
        party = network and (principal.authrole, network)
        seat = self._seats.take(party, is_stranger=principal.is_anonymous)
        return _Waiting(self, stream, format, past.is_recovered, answer, seat).stop


def _nothing() -> None:
    """The poll has been answered."""


class _Outlet(Outlet):
    """Hands over whatever is written, and never blocks: it is open for one turn's events."""

    __slots__ = ("_miss", "_take")

    def __init__(
        self,
        fan_out: FanOut,
        format: Format,
        take: Callable[[bytes], None],
        miss: Callable[[], None],
        end: Callable[[], None],
    ) -> None:
        super().__init__(fan_out, format, max_bytes=1 << 62, on_cut=end, on_finished=end)
        self._take = take
        self._miss = miss

    def missed(self) -> None:
        self._miss()

    def _write(self, data: bytes) -> None:
        self._take(data)

    def _pause_reads(self, is_paused: bool) -> None:
        """Nothing is read from it."""


class _Waiting:
    """One poll that waits for the next event."""

    def __init__(
        self,
        polls: ChannelPolls,
        stream: PlainListener,
        format: Format,
        is_recovered: bool,
        answer: Callable[[Polled], None],
        seat: Seat,
    ) -> None:
        self._polls = polls
        self._stream = stream
        self._is_recovered = is_recovered
        self._answer: Callable[[Polled], None] | None = answer
        self._samples: list[bytes] = []
        self._has_ended = False
        self._is_ending = False
        self._seat = seat
        self._outlet = _Outlet(polls.fan_out, format, self._take, self._finish_soon, self._end)
        try:
            stream.open(self._outlet, is_live=True)
        except Refused:
            seat.leave()
            raise
        now, wait, most = polls.clock.seconds(), stream.query.wait, polls.draining.longest_wait()
        self._deadline = polls.clock.timers.at(now + min(wait, most), self._finish)
        if most < wait:
            # It began while the server sends everybody away.
            self._outlet.retry_after = polls.draining.retry_after()

    def _take(self, data: bytes) -> None:
        """The first events are there, or more of the same turn."""
        self._finish_soon()
        self._samples.append(data)

    def _finish_soon(self) -> None:
        """Not now: the core may be in the midst of something."""
        if not self._is_ending:
            self._is_ending = True
            self._polls.clock.soon(self._finish)

    def _end(self) -> None:
        """The channel has ended; or the server stops, and its next poll may find it again."""
        self._has_ended = True
        self._finish_soon()

    def _finish(self) -> None:
        answer = self._answer
        if answer is not None:
            # The position includes what came in this very turn.
            self._outlet.flush()
            stream, lost = self._stream, self._stream.lost
            is_over = self._has_ended and stream.is_open
            position = None if is_over else self._place()
            self.stop()
            is_recovered = self._is_recovered and not lost
            why = self._outlet.ended_for
            # Who was found by events meanwhile asks on, and is told later.
            retry_after = 0.0 if self._samples else self._outlet.retry_after
            answer(Polled(_array(self._samples), position, is_recovered, is_over, lost, why, retry_after))

    def _place(self) -> str | None:
        """Where the next poll goes on; None: the last sample says so, or nothing does."""
        stream = self._stream
        untold, records = stream.take_untold(), stream.records
        if records is None or stream.course is None:
            # The last sample has its own, unless something was lost behind it.
            return None if self._samples and not untold else stream.place(stream.positions())
        self._samples += [records.loss(one.name, one.position, lost) for one, lost in untold]
        return stream.course.id.decode() if self._samples else stream.place(stream.positions())

    def stop(self) -> None:
        """Nobody waits any more."""
        if self._answer is not None:
            self._answer = None
            self._deadline.cancel()
            self._stream.close()
            self._seat.leave()


def _array(samples: list[bytes]) -> bytes:
    """Elements with a comma behind each, as a JSON array; empty if there are none."""
    return b"[%b]" % b"".join(samples)[:-1] if samples else b""
