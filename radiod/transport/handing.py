"""The way out to what is no connection: frames are handed over one by one."""

from __future__ import annotations

from collections.abc import Callable

from radiod.transport.formats import Format
from radiod.transport.outlets import Outlet, Source

__all__ = ["HandingOutlet"]


class HandingOutlet(Outlet):
    """An outlet that hands over each frame at the end of its turn, and takes all the time.

    A channel that ends leaves it open: another of that name may follow.

    Args:
        max_bytes: of the longest frame.
        take: gets the frames, one by one.
        miss: called for each event that cannot be said, or is too long.
        on_end: called when its session has ended.
    """

    __slots__ = ("_miss", "_take")

    def __init__(
        self,
        fan_out: Source,
        format: Format,
        *,
        max_bytes: int,
        take: Callable[[bytes], None],
        miss: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(fan_out, format, max_bytes=max_bytes, on_cut=on_end, on_finished=on_end)
        self._take = take
        self._miss = miss

    def missed(self) -> None:
        """An event could not be said here."""
        self._miss()

    def ended(self, subscription: int, reason: str) -> None:
        """A channel has ended."""

    def flush(self) -> None:
        """Hand over the queue."""
        frames = self.queue.copy()
        self.queue.clear()
        for frame in frames:
            self._write(frame)
        self._finish_if_done()

    def _next_chunk(self) -> list[bytes]:
        # Nothing is joined; who asks for more than its time is told that there is none.
        while (frame := self._next_waiting()) is not None:
            self._write(frame)
        return []

    def _write(self, data: bytes) -> None:
        self._take(data)

    def _pause_reads(self, is_paused: bool) -> None:
        """Nothing is read from it."""
