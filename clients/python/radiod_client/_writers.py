"""Channels that are open for writing, over all sessions, and whether anybody listens to them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from radiod_client._messages import Event
from radiod_client._session import Session, Then, is_disconnected, nothing
from radiod_client.errors import Disconnected, RadioError

__all__ = ["Writer", "Writers"]

LOG = logging.getLogger("radiod_client")
ON_DEMAND = "radiod.channel.on_demand"
SUBSCRIBE = 32
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 60.0

Later = Callable[[float, Callable[[], None]], Any]


class Writer:
    """One of them, made again in each session.

    ``wanted`` and ``readers`` are what the server told last: they stay while there is no connection.
    """

    def __init__(self, name: str, key: str | None, then: Then, later: Later) -> None:
        self.name = name
        self.wanted = False
        self.readers = 0
        self.is_over = False
        self.error: RadioError | None = None
        self._key = key
        self._then: Then | None = then
        self._later = later
        self._pause = FIRST_PAUSE_S
        self._session: Session | None = None
        self._waiting: list[Then] = []

    def begin(self, session: Session) -> None:
        """A session has opened, and hears of demand: write there."""
        self._session = session
        session.call("radiod.channel.open_write", [self.name, self._key], self._on_opened)

    def pause(self) -> None:
        """The session is over."""
        self._session = None

    def end(self, error: RadioError) -> None:
        """Nothing can be written any more."""
        self.is_over, self.error = True, error
        self.wanted, self.readers, self._session = False, 0, None
        then, self._then = self._then, None
        waiting, self._waiting = self._waiting, []
        for each in waiting if then is None else [then, *waiting]:
            each(None, error)

    def leave(self, error: RadioError, is_last: bool) -> None:
        """Write no longer. With ``is_last`` the server is told."""
        session = self._session
        self.end(error)
        if session is not None and is_last:
            session.call("radiod.channel.close_write", [self.name], nothing)

    def when_wanted(self, then: Then) -> None:
        """Call ``then`` once somebody listens, or with the error that ended it."""
        if self.wanted or self.error is not None:
            then(self, self.error)
        else:
            self._waiting.append(then)

    def forget(self, then: Then) -> None:
        """``then`` is not called any more."""
        if then in self._waiting:
            self._waiting.remove(then)

    def told(self, wanted: bool, readers: int) -> None:
        """The server says so."""
        self.wanted, self.readers = wanted, readers
        if wanted:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each(self, None)

    def _on_opened(self, answer: Any, error: RadioError | None) -> None:
        session = self._session
        if session is None or is_disconnected(error):
            return
        if error is None:
            self._pause = FIRST_PAUSE_S
            self.told(bool(answer["active"]), int(answer["readers"]))
            then, self._then = self._then, None
            if then is not None:
                then(self, None)
        elif self._then is not None:
            self.end(error)
        else:
            # Of a channel with a single writer, the session before may still have it.
            LOG.warning("%s is not open for writing yet: %s", self.name, error)
            self.wanted, self.readers = False, 0
            self._later(self._pause, lambda: self.begin(session) if session is self._session else None)
            self._pause = min(self._pause * 2, LONGEST_PAUSE_S)


class Writers:
    """All of one client. The signals of all channels come by one subscription."""

    def __init__(self, later: Later) -> None:
        self._later = later
        self._writers: list[Writer] = []
        self._session: Session | None = None
        self._is_told = False
        self._error: RadioError | None = None

    def open(self, name: str, key: str | None, then: Then) -> Writer:
        """Open a channel for writing; ``then`` once it is known whether anybody listens."""
        made = Writer(name, key, then, self._later)
        if self._error is not None:
            made.end(self._error)
            return made
        self._writers = [each for each in self._writers if not each.is_over] + [made]
        if self._session is not None:
            self._open(self._session, made)
        return made

    def close(self, writer: Writer, keeps: bool = False) -> None:
        """Write no longer. With ``keeps`` the session goes on having it open: it owns the channel."""
        self._close(writer, Disconnected("closed"), keeps)

    def _close(self, writer: Writer, error: RadioError, keeps: bool) -> None:
        if not writer.is_over:
            self._writers.remove(writer)
            writer.leave(error, not keeps and all(each.name != writer.name for each in self._writers))

    def begin(self, session: Session) -> None:
        """A session has opened."""
        self._session, self._is_told = session, False
        for writer in self._writers:
            self._open(session, writer)

    def _open(self, session: Session, writer: Writer) -> None:
        if not self._is_told:
            # Before anything is opened: a signal that comes right behind is not missed.
            self._is_told = True
            session.ask(SUBSCRIBE, [{}, ON_DEMAND], self._on_subscribed)
        writer.begin(session)

    def _on_subscribed(self, message: Any, error: RadioError | None) -> None:
        session = self._session
        if session is None or is_disconnected(error):
            return
        if error is None:
            session.take(message.subscription, self._on_signal)
        else:
            self._is_told = False
            for writer in list(self._writers):
                self._close(writer, error, keeps=False)

    def _on_signal(self, event: Event) -> None:
        told = event.args[0] if event.args else None
        if isinstance(told, dict):
            for writer in list(self._writers):
                if writer.name == told.get("name"):
                    writer.told(bool(told.get("active")), int(told.get("readers") or 0))

    def leave(self) -> None:
        """The session says goodbye: nothing new begins in it."""
        self._session = None

    def pause(self) -> None:
        """The session is over."""
        self._session = None
        for writer in self._writers:
            writer.pause()

    def end(self, error: RadioError) -> None:
        """No session comes any more."""
        self._session, self._error = None, error
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.end(error)
