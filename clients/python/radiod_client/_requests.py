"""What was asked and is not answered yet, over all sessions: sent now, or once there is a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod_client._deadlines import Deadline, Deadlines
from radiod_client._session import Session, Then
from radiod_client.errors import CallTimeout, Disconnected, RadioError

__all__ = ["Ask", "Requests"]

CALL, CANCEL = 48, 49


class Ask:
    """A request that is to be sent, or was: it ends once, with an answer, an error, or its time."""

    def __init__(
        self, kind: int, rest: list[Any], then: Then, progress: Callable[[Any], None] | None
    ) -> None:
        self.kind = kind
        self.rest = rest
        self.progress = progress
        self.request: int | None = None
        self.deadline: Deadline | None = None
        self._then: Then | None = then

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._then is None

    def end(self, message: Any, error: RadioError | None) -> None:
        """Its answer."""
        then, self._then = self._then, None
        if self.deadline is not None:
            self.deadline.cancel()
        if then is not None:
            then(message, error)


class Requests:
    """Those of one client."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._queued: list[Ask] = []
        self._session: Session | None = None
        self.error: RadioError | None = Disconnected("not connected")
        """Why nothing can be asked now, or any more."""

    def start(self) -> None:
        """From now on what is asked waits for a session."""
        self.error = None

    def begin(self, session: Session) -> None:
        """A session has opened: what waited for it is sent."""
        self._session = session
        queued, self._queued = self._queued, []
        for ask in queued:
            self._send(session, ask)

    def pause(self) -> None:
        """The session is over."""
        self._session = None

    def end(self, error: RadioError) -> None:
        """Nothing is asked any more."""
        self.error, self._session = error, None
        queued, self._queued = self._queued, []
        for ask in queued:
            ask.end(None, error)

    def ask(
        self,
        kind: int,
        rest: list[Any],
        timeout: float,
        then: Then,
        progress: Callable[[Any], None] | None = None,
    ) -> Ask:
        """A request, sent now or once there is a session, with an end within ``timeout``."""
        ask = Ask(kind, rest, then, progress)
        if self.error is not None:
            ask.end(None, self.error)
            return ask
        ask.deadline = self._deadlines.after(timeout, lambda: self._on_late(ask, timeout))
        if self._session is None:
            self._queued.append(ask)
        else:
            self._send(self._session, ask)
        return ask

    def _send(self, session: Session, ask: Ask) -> None:
        ask.request = session.ask(ask.kind, ask.rest, ask.end, ask.progress)

    def _on_late(self, ask: Ask, timeout: float) -> None:
        self.cancel(ask, CallTimeout("wamp.error.timeout", [f"no answer within {timeout:g} s"]))

    def cancel(self, ask: Ask, error: RadioError) -> None:
        """End it now; a callee is told."""
        if ask.is_over:
            return
        if ask in self._queued:
            self._queued.remove(ask)
            error = Disconnected("there was no connection meanwhile")
        elif self._session is not None and ask.request is not None:
            self._session.forget(ask.request)
            if ask.kind == CALL:
                self._session.send([CANCEL, ask.request, {"mode": "killnowait"}])
        ask.end(None, error)

    def tell(self, kind: int, rest: list[Any]) -> None:
        """A request without an answer. Raises: Disconnected: there is no session now."""
        if self._session is None:
            raise self.error or Disconnected("there is no connection now")
        self._session.tell(kind, rest)
