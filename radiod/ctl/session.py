"""One WAMP session, blocking: it calls, publishes and listens. Source: WAMP specification, Basic Profile."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Final, NamedTuple

import msgspec

from radiod import __version__
from radiod.ctl.failures import NoServer, Refusal
from radiod.ctl.links import Link

__all__ = ["Event", "Session"]

HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, GOODBYE, ERROR = 1, 2, 3, 4, 5, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, EVENT, CALL, RESULT = 16, 17, 32, 33, 36, 48, 50

ROLES: Final[dict[str, dict[str, Any]]] = {"publisher": {}, "subscriber": {}, "caller": {}}

SHUTDOWN: Final = "wamp.close.system_shutdown"


class Event(NamedTuple):
    """One event: its subscription's id, details, and what was published."""

    subscription: int
    details: dict[str, Any]
    args: list[Any]
    kwargs: dict[str, Any]

    @property
    def data(self) -> Any:
        """The payload in its simplest form: the one value, if that is all."""
        if len(self.args) == 1 and not self.kwargs:
            return self.args[0]
        return {"args": self.args, "kwargs": self.kwargs}


class Session:
    """A session in ``realm``.

    Args:
        ticket: proves that this is ``authid``; both None: whoever one is without.
        seconds: how long an answer may take.
    Raises: Refusal: one is not let in; NoServer.
    """

    def __init__(
        self, link: Link, realm: str, *, authid: str | None, ticket: str | None, seconds: float
    ) -> None:
        self._link = link
        self._seconds = seconds
        self._events: deque[Event] = deque()
        self._last = 0
        hello: dict[str, Any] = {"roles": ROLES, "agent": f"radioctl-{__version__}"}
        if authid is not None:
            hello |= {"authid": authid, "authmethods": ["ticket"]}
        self._say(HELLO, realm, hello)
        answer = self._answer()
        if answer[0] == CHALLENGE:
            self._say(AUTHENTICATE, ticket or "", {})
            answer = self._answer()
        if answer[0] != WELCOME:
            raise NoServer("the server does not speak WAMP")
        self.details: dict[str, Any] = answer[2]

    def close(self) -> None:
        """Say goodbye, and hang up."""
        try:
            self._say(GOODBYE, {}, "wamp.close.close_realm")
        except NoServer:
            return
        finally:
            self._link.close()

    # --- messages

    def _say(self, *message: Any) -> None:
        self._link.send(msgspec.json.encode(message))

    def _hear(self, seconds: float | None) -> list[Any] | None:
        """The next message; None: there was none in that time. Raises: Refusal, NoServer: it is the end."""
        data = self._link.receive(seconds)
        if data is None:
            return None
        message: list[Any] = msgspec.json.decode(data)
        if message[0] in (ABORT, GOODBYE):
            details, reason = message[1], message[2]
            self._link.close()
            if reason == SHUTDOWN:
                raise NoServer("the server stops")
            raise Refusal(reason, str(details.get("message") or "the session has ended"))
        return message

    def _answer(self) -> list[Any]:
        """The next message that is no event. Raises: Refusal: it is an error."""
        end = time.monotonic() + self._seconds
        while True:
            message = self._hear(max(0.0, end - time.monotonic()))
            if message is None:
                raise NoServer(f"no answer within {self._seconds:g} s")
            if message[0] == EVENT:
                self._events.append(_event(message))
            elif message[0] == ERROR:
                args = message[5] if len(message) > 5 else []
                raise Refusal(message[4], " ".join(str(arg) for arg in args) or "refused")
            else:
                return message

    def _ask(self, code: int, *rest: Any) -> list[Any]:
        self._last += 1
        self._say(code, self._last, *rest)
        return self._answer()

    # --- what one does with it

    def call(self, procedure: str, **kwargs: Any) -> Any:
        """The first value that a procedure answers. Raises: Refusal, NoServer."""
        args, _ = self.call_whole(procedure, [], kwargs)
        return args[0] if args else None

    def call_whole(
        self, procedure: str, args: list[Any], kwargs: dict[str, Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        """The whole result. Raises: Refusal, NoServer."""
        result = self._ask(CALL, {}, procedure, args, kwargs)
        return (result[3] if len(result) > 3 else []), (result[4] if len(result) > 4 else {})

    def publish(self, topic: str, args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]) -> int:
        """Publish, and be told that it was. Returns: the publication's id. Raises: Refusal, NoServer."""
        return int(self._ask(PUBLISH, {"acknowledge": True, **options}, topic, args, kwargs)[2])

    def subscribe(self, topic: str, options: dict[str, Any]) -> int:
        """Listen. Returns: the subscription's id. Raises: Refusal, NoServer."""
        return int(self._ask(SUBSCRIBE, options, topic)[2])

    def event(self, seconds: float | None = None) -> Event | None:
        """The next event; None: there was none in that time. Raises: Refusal, NoServer: it is the end."""
        if self._events:
            return self._events.popleft()
        message = self._hear(seconds)
        return _event(message) if message is not None and message[0] == EVENT else None


def _event(message: list[Any]) -> Event:
    args = message[4] if len(message) > 4 else []
    return Event(message[1], message[3], args, message[5] if len(message) > 5 else {})
