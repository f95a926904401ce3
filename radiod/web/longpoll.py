"""``POST /lp/…``: WAMP over HTTP long-poll (WAMP specification, "HTTP Longpoll Transport").

Where the specification says "202 (no content)" the answer is 204: that is what the name says, and the only
one of the two that Autobahn|JS takes for success.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from radiod.core.draining import Draining
from radiod.errors import QUOTA, Refused
from radiod.web.answers import NO_PATH, Request, later, refusal
from radiod.web.routes import Outcome, Route
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["LongPoll"]


class Transport(Protocol):
    """One open transport; ``transport.wamp_longpoll.Poll`` is one, and documents it."""

    id: str
    protocol: str
    content_type: str
    is_over: bool

    @property
    def retry_after(self) -> float: ...

    def receive(self, answer: Callable[[bytes | None], None]) -> Callable[[], None]: ...

    def send(self, data: bytes, done: Callable[[str | None], None]) -> Callable[[], None]: ...

    def close(self) -> None: ...


class Transports(Protocol):
    """The table of them; ``transport.wamp_longpoll.Polls`` is one."""

    def open(self, protocols: list[str], peer: str, origin: str | None = None) -> Transport: ...

    def find(self, id: str) -> Transport | None: ...


class Open(msgspec.Struct):
    """The body of ``open``."""

    protocols: list[str]


NOTHING: Final = Answer(204)

_OPEN: Final = msgspec.json.Decoder(Open)


class LongPoll(Route):
    """``open``, and ``<transport>/receive``, ``/send`` and ``/close``."""

    label = "/lp/{transport}"
    methods = ("POST", "OPTIONS")
    is_for_pages = True

    def __init__(self, transports: Transports, draining: Draining) -> None:
        self._transports = transports
        self._draining = draining
        self._actions = {"receive": _receive, "send": _send, "close": _close}

    def post(self, request: Request) -> Outcome:
        """Dispatch by path."""
        first, *rest = request.target.path.split("/")[2:]
        if first == "open" and not rest:
            return self._open(request)
        action = self._actions.get(rest[0]) if len(rest) == 1 else None
        if action is None:
            return NO_PATH
        transport = self._transports.find(first)
        if transport is None:
            return json_answer(404, {"error": "no such transport"})
        try:
            return action(request, transport)
        except Refused as error:
            return refusal(error)

    def _open(self, request: Request) -> Outcome:
        try:
            asked = _OPEN.decode(request.body)
        except (ValueError, RecursionError):
            return json_answer(400, {"error": 'the body must be {"protocols": […]}'})
        try:
            self._draining.check()
            visit = request.visit
            transport = self._transports.open(asked.protocols, visit.peer, visit.origin)
        except Refused as error:
            return refusal(error, ("Retry-After", "5")) if error.uri == QUOTA else refusal(error)
        return json_answer(200, {"protocol": transport.protocol, "transport": transport.id})


def _receive(request: Request, transport: Transport) -> Outcome:
    if transport.is_over:
        return json_answer(404, {"error": "the transport has ended"}, *_later(transport))

    def received(data: bytes | None) -> None:
        if data is None:
            request.answer(json_answer(409, {"error": "a later receive took over"}))
        elif data:
            request.answer(Answer(200, data, transport.content_type.encode()))
        else:
            request.answer(Answer(204, fields=_later(transport)))

    _wait(request, transport.receive(received))
    return None


def _later(transport: Transport) -> tuple[tuple[str, str], ...]:
    """When the client is to come back, if the server has sent it away."""
    return (later(transport.retry_after),) if transport.retry_after else ()


def _send(request: Request, transport: Transport) -> Outcome:
    def sent(wrong: str | None) -> None:
        request.answer(NOTHING if wrong is None else json_answer(400, {"error": wrong}))

    _wait(request, transport.send(request.body, sent))
    return None


def _wait(request: Request, cancel: Callable[[], None]) -> None:
    """What has to be called off when the client hangs up before it is answered."""
    if not request.is_over:
        request.on_lost = cancel


def _close(request: Request, transport: Transport) -> Outcome:
    transport.close()
    return NOTHING
