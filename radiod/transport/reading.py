"""Whether a connection's peer is read: not while its answers are unread, or its request waits for others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from twisted.internet.error import ConnectionAborted
from twisted.python.failure import Failure

from radiod.errors import RadiodError
from radiod.transport.inbox import Inbox, Turns, Work
from radiod.transport.schedule import Scheduled

__all__ = ["Driver", "Reading"]


class Driver(Protocol):
    """Who runs the WAMP sessions of a connection (``driver``)."""

    def reopen(self) -> None:
        """The session has said goodbye: another one may begin."""

    def close(self, reason: str) -> None:
        """The session has been told GOODBYE: have the outlet finish once the peer has answered."""

    def stop(self) -> None:
        """The server stops: have the outlet finish, with nothing that the peer takes for a goodbye."""

    def abort(self, error: RadiodError) -> None:
        """End the session for a fault of the peer."""

    @property
    def is_in_line(self) -> bool:
        """Whether it waits for its turn to show a secret: who hangs up loses that."""


class Reading(Scheduled):
    """The reading side of an outlet. ``driver``: whoever runs the connection's WAMP sessions, if any."""

    __slots__ = (
        "_is_backlogged",
        "_is_gone",
        "_is_waiting",
        "_turns",
        "driver",
        "inbox",
        "is_held",
        "reads_paused",
    )

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._is_gone = False
        self.driver: Driver | None = None
        # Two reasons to take nothing from the peer, and whether there is one; what it sent before that was
        # noticed, or that was too much for one turn; and whether it is read now.
        self._is_backlogged = False
        self._is_waiting = False
        self.is_held = False
        self.inbox: Inbox | None = None
        self.reads_paused = False

    def pause_reads(self, is_paused: bool) -> None:
        """Stop reading from the peer while what it asked waits for somebody else, or read on."""
        self._is_waiting = is_paused
        self.update_reads()

    def read_out(self, done: Callable[[], None]) -> None:
        """Take what the peer has sent already, unless it is held, then stop reading and call ``done``."""
        inbox = self.inbox
        if inbox is None or self.is_held:
            self.pause_reads(True)
            done()
        else:
            inbox.then(partial(self._is_read_out, done))

    def _is_read_out(self, done: Callable[[], None]) -> None:
        self.pause_reads(True)
        done()

    def put_off(self, data: bytes, read: Callable[[bytes], Work]) -> None:
        """Keep what the peer sent while it should not be read, as ``Turns.put_off``."""
        self._turns.put_off(self, data, read)

    def take_no_more(self) -> None:
        """Forget what the peer sent: it has been answered for good."""
        self.inbox = None
        self.update_reads()

    def answer_rest(self) -> None:
        """Go through what the peer sent for a session that is over, at once: nobody takes it any more."""
        inbox, self.inbox = self.inbox, None
        if inbox is not None:
            inbox.go_through()

    def take_rest(self, reason: Failure, done: Callable[[], None]) -> bool:
        """The connection is lost: take what was said before, and call ``done`` then.

        Unless we have cut it, or the peer gives up its place in the line of those who show secrets.

        Returns: whether there is something; otherwise ``done`` is not called.
        """
        inbox, driver = self.inbox, self.driver
        if inbox is None or isinstance(reason.value, ConnectionAborted):
            return False
        if driver is not None and driver.is_in_line:
            return False
        self.abandon()
        inbox.then(done)
        if self._is_backlogged:
            self._is_backlogged = False
            self.update_reads()
        return True

    def update_reads(self) -> None:
        """Read from the peer, or do not, and go on with what has been read."""
        is_held, inbox = self._is_backlogged or self._is_waiting, self.inbox
        self.is_held = is_held
        if inbox is not None and not is_held:
            inbox.wake()
        is_paused = is_held or inbox is not None
        if is_paused is not self.reads_paused:
            self.reads_paused = is_paused
            if not self._is_gone:
                self._pause_reads(is_paused)

    @property
    def turns(self) -> Turns:
        """Who shares the reactor's turns among all peers."""
        return self._turns

    @property
    def is_read(self) -> bool:
        """Whether the peer is read now, and everything that it sent was taken."""
        return not self.reads_paused

    @property
    def is_unheard(self) -> bool:
        """Whether we do not read the peer since what it has said before waits: it is not silent.

        One that does not read what it is sent may have vanished, whatever it has said.
        """
        return self.reads_paused and not self._is_backlogged

    def abandon(self) -> None:
        """The connection is gone, or about to be: hold nothing more."""
        raise NotImplementedError

    def _pause_reads(self, is_paused: bool) -> None:
        raise NotImplementedError
