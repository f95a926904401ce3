"""One procedure that we offer, over all sessions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from radiod_client._session import Call, Session, Then, is_disconnected, nothing
from radiod_client.errors import RadioError

__all__ = ["Registration"]

LOG = logging.getLogger("radiod_client")
AGAIN_S = 2.0
REGISTER, UNREGISTER = 64, 66


class Registration:
    """What a REGISTER stands for, made again in each session: there it takes over from the session before."""

    def __init__(
        self,
        procedure: str,
        callee: Callable[[Call], None],
        then: Then,
        later: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        self.procedure = procedure
        self._callee = callee
        self._then: Then | None = then
        self._later = later
        self._session: Session | None = None
        self._id: int | None = None
        self._is_known = False
        self.is_over = False

    def begin(self, session: Session) -> None:
        """A session has opened: offer it there."""
        self._register(session, {"force_reregister": True} if self._is_known else {})

    def _register(self, session: Session, options: dict[str, Any]) -> None:
        self._session, self._id = session, None
        session.ask(REGISTER, [options, self.procedure], self._on_registered)

    def pause(self) -> None:
        """The session is over."""
        self._session, self._id = None, None

    def leave(self) -> None:
        """Offer it no longer."""
        self.is_over = True
        session, self._session = self._session, None
        if session is not None and self._id is not None:
            session.callees.pop(self._id, None)
            session.ask(UNREGISTER, [self._id], nothing)

    def end(self, error: RadioError) -> None:
        """Nobody can call it any more."""
        self.is_over = True
        self.pause()
        then, self._then = self._then, None
        if then is not None:
            then(None, error)

    def _on_registered(self, message: Any, error: RadioError | None) -> None:
        session = self._session
        if session is None or is_disconnected(error):
            return
        if error is None:
            self._id, self._is_known = message.registration, True
            session.callees[message.registration] = self._callee
            then, self._then = self._then, None
            if then is not None:
                then(self, None)
        elif self._is_known:
            # The session before may still be there: it is gone before long.
            LOG.warning("%s is not registered yet: %s", self.procedure, error)
            self._later(AGAIN_S, self._again)
        else:
            self.end(error)

    def _again(self) -> None:
        if self._session is not None and not self.is_over:
            self._register(self._session, {})
