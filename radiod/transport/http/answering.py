"""How an HTTP connection answers, and how it ends: everything has left, and a reset overtakes no answer."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, ClassVar, Final

from twisted.logger import Logger

from radiod.core.timers import Deadline
from radiod.transport.census import HTTP, OTHER, STREAM
from radiod.transport.formats import NOTHING, Format
from radiod.transport.http.request import Request
from radiod.transport.http.routes import Route
from radiod.transport.http.server import HttpServer
from radiod.transport.lingering import LINGER_SECONDS, can_linger
from radiod.transport.outlets import Outlet
from radiod.transport.schedule import Patience
from radiod.transport.sockets import outlet_over
from radiod.wire.answer import Answer
from radiod.wire.answers import LAST_CHUNK, answer_bytes, stream_head
from radiod.wire.doors import Caller, Door

__all__ = ["Answering"]

CLOSE_SECONDS: Final = 75.0
"""How long a peer may take to read its last answer."""

NOWHERE: Final = ""

WHILE_ANSWERING: Final = Patience(0, float("inf"))
"""One answer may wait behind another that the peer does not read; it is bounded, and no reason to cut."""


class Answering:
    """The side of a connection that writes; ``connection.HttpConnection`` reads."""

    __slots__ = (
        "_caller",
        "_deadline",
        "_is_closing",
        "_is_counted",
        "_is_kept",
        "_is_lingering",
        "_is_stream",
        "_outlet",
        "_request",
        "_server",
        "_transport",
    )

    log: ClassVar[Logger] = Logger()

    def __init__(self, server: HttpServer, transport: Any, caller: Caller) -> None:
        self._server = server
        self._transport = transport
        self._caller = caller
        # The request that is being read or answered, and whether another may follow.
        self._request: Request | None = None
        self._is_kept = True
        self._is_closing = False
        # Whether the peer may be sending yet when its last answer has left.
        self._is_lingering = False
        # Whether an answer goes on; and whether it is in the table, and the census.
        self._is_stream = False
        self._is_counted = True
        server.connections.add(self)
        server.census.enter(HTTP)
        # When a request must be whole, or the connection closed.
        self._deadline: Deadline | None = None
        self._outlet: Outlet | None = outlet_over(
            server.fan_out, transport, NOTHING, on_cut=self._cut, on_finished=self._finished
        )
        self._outlet.peer = caller.peer
        self._outlet.patience = WHILE_ANSWERING

    @property
    def door(self) -> Door:
        """That it came by."""
        return self._caller.door

    def _done(self) -> None:
        """The answer is on its way."""
        raise NotImplementedError

    def _drop(self) -> None:
        """Forget what came of requests."""
        raise NotImplementedError

    def _forget_head(self) -> None:
        """An answer goes on: no head is needed for long."""
        raise NotImplementedError

    # --- counting

    _route: Route | None

    def _count(self, status: int) -> None:
        """One answer; what is asked for is known by its route, not by what the client wrote."""
        route = self._route
        self._server.census.answered(OTHER if route is None else route.label, status)

    def _end_stream(self) -> None:
        """An answer that went on is over, however."""
        if self._is_stream:
            self._is_stream = False
            self._server.census.leave(STREAM)
            self._server.census.there[HTTP] += 1

    def wind_up(self) -> None:
        """Close as soon as there is nothing to answer."""
        raise NotImplementedError

    def tire(self) -> None:
        """Nothing was asked for all the time that this is allowed."""
        raise NotImplementedError

    def _gone(self) -> None:
        """It is no connection of HTTP any more."""
        self._end_stream()
        if self._is_counted:
            self._is_counted = False
            self._server.connections.discard(self)
            self._server.census.leave(HTTP)

    # --- receiving

    def _find(self, path: str) -> Any:
        """What a path leads to, through the door that it came by."""
        route = self._server.route(path)
        door = self._caller.door
        if door.serves_radio or route.is_for_watchers or (door.serves_admin and route.is_for_operators):
            return route
        return self._server.route(NOWHERE)

    def dataReceived(self, data: bytes) -> None:
        """Take what comes."""
        turns = self._server.fan_out.turns
        turns.arrived = monotonic()
        try:
            self._receive(data)
        finally:
            turns.arrived = 0.0

    def _receive(self, data: bytes) -> None:
        raise NotImplementedError

    # --- time

    def _within(self, seconds: float, what: Callable[[], None]) -> None:
        self._stop_clock()
        clock = self._server.clock
        self._deadline = clock.timers.at(clock.seconds() + seconds, what)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # --- answers

    def answer(self, request: Request, answer: Answer) -> None:
        """Answer a request, and look at the next one."""
        if self._outlet is None or self._is_closing:
            request.is_over = True
            return
        self._check_unread()
        has_body = request.head.method != b"HEAD"
        data = answer_bytes(
            answer,
            self._server.shared_lines(),
            self._lines(request),
            has_body=has_body,
            told=request.fields,
        )
        # Not before: whoever gives an answer that cannot be said is told so.
        request.is_over = True
        self._count(answer.status)
        self._push(data)
        self._done()

    def _check_unread(self) -> None:
        """Answered before all of it has come: nobody knows what follows."""
        if self._is_reading_body():
            self._is_kept = False
            self._is_lingering = True

    def _is_reading_body(self) -> bool:
        """Whether the request has not come to its end."""
        raise NotImplementedError

    def _lines(self, request: Request) -> bytes:
        """Whether the connection stays, where that must be said."""
        if not self._is_kept:
            return b"Connection: close\r\n"
        return b"" if request.is_chunked else b"Connection: keep-alive\r\n"

    def begin(
        self,
        request: Request,
        answer: Answer,
        format: Format,
        opening: Callable[[Outlet], None],
        *,
        is_cut_for_backlog: bool,
    ) -> Outlet:
        """Begin an answer that goes on; see ``Request.begin``."""
        outlet = self._outlet
        assert outlet is not None
        # What was answered before goes first, and events behind the head.
        outlet.flush()
        place = outlet.mark()
        outlet.format = format
        try:
            opening(outlet)
        except BaseException:
            outlet.format = NOTHING
            raise
        # Without chunks its end is the connection's.
        self._is_kept = self._is_kept and request.is_chunked
        head = stream_head(
            answer,
            self._server.shared_lines(),
            self._lines(request),
            is_chunked=request.is_chunked,
            told=request.fields,
        )
        outlet.insert(place, head)
        self._server.fan_out.count(len(head))
        request.has_begun = True
        self._count(answer.status)
        self._is_stream = True
        self._server.census.enter(STREAM)
        self._server.census.there[HTTP] -= 1
        self._forget_head()
        patience = self._server.fan_out.patience
        outlet.patience = patience if is_cut_for_backlog else Patience(int(patience.cut_above), float("inf"))
        return outlet

    def end(self, request: Request) -> None:
        """An answer that went on has ended."""
        self._end_stream()
        outlet = self._outlet
        request.is_over = True
        if outlet is None or self._is_closing:
            return
        if request.is_chunked and request.head.method != b"HEAD":
            self._push(LAST_CHUNK)
        outlet.format = NOTHING
        outlet.on_missed = outlet.on_ended = None
        outlet.patience = WHILE_ANSWERING
        self._check_unread()
        self._done()

    def _push(self, data: bytes) -> None:
        outlet = self._outlet
        if outlet is not None:
            outlet.push(data)
            self._server.fan_out.count(len(data))

    # --- closing

    def _close(self) -> None:
        """Close, when everything has left."""
        self._is_closing = True
        self._drop()
        self._within(CLOSE_SECONDS, self.cut)
        outlet = self._outlet
        if outlet is not None:
            outlet.take_no_more()
            outlet.pause_reads(False)
            outlet.finish(CLOSE_SECONDS)

    def _finished(self) -> None:
        """Everything has left: what was a stream has ended, or the connection is to be closed."""
        request = self._request
        if not self._is_closing:
            if request is not None and not request.is_over:
                if request.on_lost is not None:
                    request.on_lost()
                # Who is told may have ended it.
                request.end()
            return
        if self._is_lingering and can_linger(self._transport):
            self._transport.loseWriteConnection()
            self._within(LINGER_SECONDS, self._hang_up)
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._outlet is not None:
            self._outlet.let_go()
        self._within(CLOSE_SECONDS, self.cut)
        self._transport.loseConnection()

    def _cut(self) -> None:
        self.log.warn(
            "cut {peer}: it does not read what it is sent", peer=self._caller.peer, event="listener_cut"
        )
        self.cut()

    def cut(self) -> None:
        """Close at once."""
        self._is_closing = True
        self._transport.abortConnection()
