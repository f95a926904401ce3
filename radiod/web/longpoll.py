"""``POST /lp/…``: WAMP over HTTP long-poll (WAMP specification, "HTTP Longpoll Transport").

Where the specification says "202 (no content)" the answer is 204: that is what the name says, and the only
one of the two that Autobahn|JS takes for success.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
from twisted.web.server import NOT_DONE_YET, Request

from radiod.errors import QUOTA, Refused, http_status
from radiod.web.answers import JsonResource, answer, target, visit

__all__ = ["LongPollResource"]


class Transport(Protocol):
    """One open transport; ``transport.wamp_longpoll.Poll`` is one, and documents it."""

    id: str
    protocol: str
    content_type: str
    is_over: bool

    def receive(self, answer: Callable[[bytes | None], None]) -> Callable[[], None]: ...

    def send(self, data: bytes, done: Callable[[str | None], None]) -> Callable[[], None]: ...

    def close(self) -> None: ...


class Transports(Protocol):
    """The table of them; ``transport.wamp_longpoll.Polls`` is one."""

    def open(self, protocols: list[str], peer: str) -> Transport: ...

    def find(self, id: str) -> Transport | None: ...


class Open(msgspec.Struct):
    """The body of ``open``."""

    protocols: list[str]


_OPEN: Final = msgspec.json.Decoder(Open)


class LongPollResource(JsonResource):
    """``open``, and ``<transport>/receive``, ``/send`` and ``/close``."""

    methods = ("POST", "OPTIONS")
    is_for_pages = True

    def __init__(self, transports: Transports) -> None:
        super().__init__()
        self._transports = transports
        self._actions = {"receive": _receive, "send": _send, "close": _close}

    def render_POST(self, request: Request) -> Any:
        """Dispatch by path."""
        first, *rest = target(request).path.split("/")[2:]
        if first == "open" and not rest:
            return self._open(request)
        action = self._actions.get(rest[0]) if len(rest) == 1 else None
        if action is None:
            return answer(request, 404, {"error": "no such path"})
        transport = self._transports.find(first)
        if transport is None:
            return answer(request, 404, {"error": "no such transport"})
        try:
            return action(request, transport)
        except Refused as refusal:
            return answer(request, http_status(refusal), {"error": refusal.text})

    def _open(self, request: Request) -> bytes:
        try:
            asked = _OPEN.decode(_body(request))
        except (ValueError, RecursionError):
            return answer(request, 400, {"error": 'the body must be {"protocols": […]}'})
        try:
            transport = self._transports.open(asked.protocols, visit(request).peer)
        except Refused as refusal:
            if refusal.uri == QUOTA:
                request.setHeader("Retry-After", "5")
            return answer(request, http_status(refusal), {"error": refusal.text})
        return answer(request, 200, {"protocol": transport.protocol, "transport": transport.id})


class Reply:
    """The answer to one request, whenever it comes; nobody hears it when the connection is gone by then."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._is_lost = False
        self.cancel: Callable[[], None] = lambda: None
        request.notifyFinish().addErrback(self._lost)

    def _lost(self, _reason: object) -> None:
        self._is_lost = True
        self.cancel()

    def messages(self, data: bytes, content_type: str) -> None:
        """200, with what there was to receive."""
        if not self._is_lost:
            self._request.setHeader("Content-Type", content_type)
            self._request.setHeader("Cache-Control", "no-store")
            self._finish(data)

    def nothing(self) -> None:
        """204."""
        if not self._is_lost:
            self._request.setResponseCode(204)
            self._request.setHeader("Cache-Control", "no-store")
            self._request.finish()

    def error(self, status: int, text: str) -> None:
        """Any error, as other resources tell it."""
        if not self._is_lost:
            self._finish(answer(self._request, status, {"error": text}))

    def _finish(self, content: bytes) -> None:
        self._request.setHeader("Content-Length", str(len(content)))
        self._request.write(content)
        self._request.finish()


def _receive(request: Request, transport: Transport) -> Any:
    if transport.is_over:
        return answer(request, 404, {"error": "the transport has ended"})
    reply = Reply(request)

    def received(data: bytes | None) -> None:
        if data is None:
            reply.error(409, "a later receive took over")
        elif data:
            reply.messages(data, transport.content_type)
        else:
            reply.nothing()

    reply.cancel = transport.receive(received)
    return NOT_DONE_YET


def _send(request: Request, transport: Transport) -> Any:
    reply = Reply(request)

    def sent(wrong: str | None) -> None:
        if wrong is None:
            reply.nothing()
        else:
            reply.error(400, wrong)

    reply.cancel = transport.send(_body(request), sent)
    return NOT_DONE_YET


def _close(request: Request, transport: Transport) -> Any:
    transport.close()
    Reply(request).nothing()
    return NOT_DONE_YET


def _body(request: Request) -> bytes:
    return request.content.read() if request.content else b""
