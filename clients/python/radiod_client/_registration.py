"""One procedure that we offer, over all sessions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from radiod_client._invocation import Call
from radiod_client._session import Session, Then, is_disconnected, nothing
from radiod_client.errors import CallError, RadioError

__all__ = ["Registration"]

LOG = logging.getLogger("radiod_client")
AGAIN_S = 2.0
REGISTER, UNREGISTER = 64, 66
WITHOUT_SIGNATURE = frozenset({"radiod.error.quota", "wamp.error.invalid_argument"})
"""Refusals that a signature may have caused."""


class Registration:
    """What a REGISTER stands for, made again in each session: there it takes over from the session before.

    Args:
        signature: how it is called (``_signatures``), told to whoever asks.
        force: take it over from whoever has it now, too.
    """

    def __init__(
        self,
        procedure: str,
        callee: Callable[[Call], None],
        then: Then,
        later: Callable[[float, Callable[[], None]], Any],
        *,
        signature: dict[str, Any] | None = None,
        force: bool = False,
    ) -> None:
        self.procedure = procedure
        self._callee = callee
        self._then: Then | None = then
        self._later = later
        self._signature = signature
        self._force = force
        self._session: Session | None = None
        self._id: int | None = None
        self._is_known = False
        self.is_over = False

    def begin(self, session: Session) -> None:
        """A session has opened: offer it there."""
        self._register(session, self._force or self._is_known)

    def _register(self, session: Session, force: bool) -> None:
        self._session, self._id = session, None
        options: dict[str, Any] = {"force_reregister": True} if force else {}
        if self._signature is not None:
            options["_radiod_signature"] = self._signature

        def on_registered(message: Any, error: RadioError | None) -> None:
            self._on_registered(session, force, message, error)

        session.ask(REGISTER, [options, self.procedure], on_registered)

    def pause(self) -> None:
        """The session is over."""
        self._session, self._id = None, None

    def leave(self) -> None:
        """Offer it no longer."""
        self.is_over = True
        session, self._session = self._session, None
        if session is not None and self._id is not None:
            _unregister(session, self._id)

    def end(self, error: RadioError) -> None:
        """Nobody can call it any more."""
        self.is_over = True
        self.pause()
        then, self._then = self._then, None
        if then is not None:
            then(None, error)

    def _on_registered(self, session: Session, force: bool, message: Any, error: RadioError | None) -> None:
        if is_disconnected(error):
            return
        if self._session is not session:
            if error is None:
                _unregister(session, message.registration)
        elif error is None:
            self._id, self._is_known = message.registration, True
            session.callees[message.registration] = self._callee
            session.unregistered[message.registration] = self._on_taken
            then, self._then = self._then, None
            if then is not None:
                then(self, None)
        else:
            self._on_refused(session, force, error)

    def _on_refused(self, session: Session, force: bool, error: RadioError) -> None:
        if self._signature is not None and isinstance(error, CallError) and error.uri in WITHOUT_SIGNATURE:
            LOG.warning("%s is offered without its signature: %s", self.procedure, error)
            self._signature = None
            self._register(session, force)
        elif self._is_known:
            # The session before may still be there: it is gone before long.
            LOG.warning("%s is not registered yet: %s", self.procedure, error)
            self._later(AGAIN_S, lambda: self._again(session))
        else:
            self.end(error)

    def _on_taken(self, reason: str) -> None:
        """Somebody else has it now, or may not have it: we do not take it back."""
        LOG.warning("%s was taken away: %s", self.procedure, reason)
        self.is_over = True
        self.pause()

    def _again(self, session: Session) -> None:
        if self._session is session and not self.is_over:
            self._register(session, False)


def _unregister(session: Session, registration: int) -> None:
    session.callees.pop(registration, None)
    session.unregistered.pop(registration, None)
    session.ask(UNREGISTER, [registration], nothing)
