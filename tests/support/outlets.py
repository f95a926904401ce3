"""The states of an outlet (``radiod.transport.outbox``), which docs/architecture.md draws: three at once.

Each is state -> what happens -> the state then. They are read off an outlet from outside; the tests of the
outlet make everything happen that stands here.
"""

from __future__ import annotations

from math import inf

from radiod.transport.formats import RAWSOCKET
from radiod.transport.outbox import FanOut
from radiod.transport.outlets import Outlet

__all__ = ["ENDING", "READING", "WRITING", "PlainOutlet"]

WRITING = {
    "flowing": {"its socket is full": "blocked", "the turn is over": "resting"},
    "blocked": {"its socket has room": "flowing", "it had its share of the turn": "resting"},
    "resting": {"the next turn": "flowing", "its socket is full": "blocked"},
}
"""*Flowing*: frames leave at the end of the turn; else events wait in buffers, and answers in the backlog."""

READING = {
    "read": {"too many answers are unread": "held", "its request waits for others": "held"},
    "held": {"it has read its answers": "read", "the others have answered": "read"},
}

ENDING = {
    "in use": {
        "finish, all has left": "finished",
        "finish, some waits": "finishing",
        "it is cut or lost": "gone",
    },
    "finishing": {"all has left": "finished", "two seconds": "gone", "it is cut or lost": "gone"},
    "finished": {},
    "gone": {},
}


class PlainOutlet(Outlet):
    """An outlet whose socket is a number: the bytes that it takes before it is full."""

    def __init__(self, fan_out: FanOut) -> None:
        super().__init__(
            fan_out, RAWSOCKET["json"], max_bytes=1 << 24, on_cut=self.abandon, on_finished=self._finished
        )
        self.room: float = inf
        self.has_finished = False

    def _finished(self) -> None:
        self.has_finished = True

    def _write(self, data: bytes) -> None:
        self.room -= len(data)
        if self.room < 0:
            self.pauseProducing()

    def _pause_reads(self, is_paused: bool) -> None:
        """Twisted's business."""

    @property
    def writing(self) -> str:
        """Its state of ``WRITING``."""
        if not self.blocked:
            return "flowing"
        return "resting" if self._is_resting else "blocked"

    @property
    def reading(self) -> str:
        """Its state of ``READING``."""
        return "read" if self.is_read else "held"

    @property
    def ending(self) -> str:
        """Its state of ``ENDING``."""
        if self._is_gone:
            return "gone"
        if self.has_finished:
            return "finished"
        return "finishing" if self._is_finishing else "in use"
