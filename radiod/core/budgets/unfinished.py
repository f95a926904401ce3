"""What has come of messages that have not come whole: how long it may take, and how many bytes all of it has.

Who sends a byte now and then could have the server keep the beginning of a message for ever. So a message has
some seconds once it has begun, not counting those in which its peer is not read; and all beginnings together
have a bound, above which the longest are given up first.
"""

from __future__ import annotations

from typing import Final, Protocol

from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["LOW", "Holder", "Unfinished"]

LOW: Final = 0.875
"""Share of the bound that is left when it was met: they are sorted once for each eighth of it."""


class Holder(Protocol):
    """A connection with the beginning of a message."""

    def is_read(self) -> bool:
        """Whether its peer is read, and could finish the message."""

    def give_up_message(self, reason: str, *, is_urgent: bool) -> None:
        """End the connection, and free what it holds; at once if it is urgent."""


class _Beginning:
    __slots__ = ("deadline", "size")

    def __init__(self) -> None:
        self.size = 0
        self.deadline: Deadline | None = None


class Unfinished:
    """All beginnings of one server.

    Args:
        refused: ``Statistics.refused``.
        seconds: that a message may take.
        max_bytes: of all beginnings.
    """

    def __init__(
        self, clock: Clock, timers: Timers, refused: dict[str, int], seconds: float, max_bytes: int
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._refused = refused
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._beginnings: dict[Holder, _Beginning] = {}
        self.bytes = 0
        """Of all of them."""

    def __len__(self) -> int:
        """Who holds one."""
        return len(self._beginnings)

    def hold(self, holder: Holder, size: int, *, is_new: bool = False, is_timed: bool = True) -> None:
        """The beginning that ``holder`` has comes to ``size`` bytes now; the holder may be given up for it.

        ``is_new``: it is that of another message than the last time. ``is_timed``: False for what has
        a clock of its own.
        """
        beginning = self._beginnings.get(holder)
        if beginning is None:
            beginning = self._beginnings[holder] = _Beginning()
            is_new = True
        self.bytes += size - beginning.size
        beginning.size = size
        if is_new and is_timed:
            self._start(holder, beginning)
        if self.bytes > self._max_bytes:
            self._make_room()

    def release(self, holder: Holder) -> None:
        """It has none any more, which may be known already."""
        beginning = self._beginnings.pop(holder, None)
        if beginning is not None:
            self.bytes -= beginning.size
            if beginning.deadline is not None:
                beginning.deadline.cancel()

    def _start(self, holder: Holder, beginning: _Beginning) -> None:
        if beginning.deadline is not None:
            beginning.deadline.cancel()
        when = self._clock.seconds() + self._seconds
        beginning.deadline = self._timers.at(when, lambda: self._expire(holder, beginning))

    def _expire(self, holder: Holder, beginning: _Beginning) -> None:
        if not holder.is_read():
            # It is we who do not let it finish.
            self._start(holder, beginning)
            return
        self.release(holder)
        self._refused["slow_messages"] += 1
        holder.give_up_message(f"a message took longer than {self._seconds:g} s", is_urgent=False)

    def _make_room(self) -> None:
        largest = sorted(self._beginnings, key=lambda holder: self._beginnings[holder].size)
        while largest and self.bytes > LOW * self._max_bytes:
            holder = largest.pop()
            self.release(holder)
            self._refused["unfinished_bytes"] += 1
            reason = f"all unfinished messages together have over {self._max_bytes} bytes"
            holder.give_up_message(reason, is_urgent=True)
