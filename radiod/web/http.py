"""The HTTP server's own rules: whole heads, one answer at a time, time for a request, bytes for its body.

Twisted's channel parses and answers; what comes to it has been checked here as a whole, head by head.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final, Protocol

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http, server
from twisted.web.resource import IResource

from radiod.core.budgets.unfinished import Unfinished
from radiod.core.timers import Deadline, Timers
from radiod.wire.doors import Caller, Visit
from radiod.wire.heads import END_OF_HEAD, MAX_HEAD_BYTES, PHRASES, BadHead, Head, read_head
from radiod.wire.replies import error_reply, reply_head
from radiod.wire.targets import Target

__all__ = ["RadioSite"]

REQUESTS_A_TURN: Final = 32
"""Pipelined requests that are answered before others get a turn."""

MAX_AHEAD: Final = 16_384
"""Bytes of later requests that are read while one is being answered."""

CLOSE_SECONDS: Final = 75.0
"""How long a peer may take to read its last answer."""

SERVER: Final = (b"Server", b"radiod")
"""Without a version: who looks for old ones gets no list."""


class Clock(Protocol):
    """``transport.clock.ReactorClock`` is one, and documents it."""

    timers: Timers

    def seconds(self) -> float: ...

    def soon(self, what: Callable[[], None]) -> None: ...


Upgrade = Callable[[Any, Caller, Visit, Head, bytes, Callable[[], None], object], None]
"""Hands a transport over to a WebSocket: transport, who asks, its request's head, all bytes from that head
on, what to call when the connection is lost, and its place."""


class RadioChannel(http.HTTPChannel):  # type: ignore[misc] # twisted.web is not fully typed
    """One HTTP connection.

    It has ``http_timeout_s`` from the first byte of a request to its end, however steadily it drips, and
    ``http_idle_s`` between an answer and the next request. While an answer waits for a peer that does not
    read, nothing more is parsed: a few bytes of requests must not become megabytes of answers.
    """

    log = Logger()
    factory: RadioSite
    on_lost: Callable[[], None]
    caller: Caller
    # Its place among the connections of its address, for whoever takes it over.
    place: object = None
    timeOut = None
    max_body_bytes = 0
    # An address, and the keys from there that were right, last on this connection: see ``web.suspicion``.
    proven: object = None
    # Received, and not yet looked at.
    _ahead = b""
    _is_closing = False
    _is_going_on = False
    _has_begun = False
    # Whether a part of a request is counted.
    _holds = False
    _deadline: Deadline | None = None

    def connectionMade(self) -> None:
        """Start the clock of the first request."""
        super().connectionMade()
        self._begin()

    @property
    def is_closing(self) -> bool:
        """Whether what comes is ignored."""
        return self._is_closing

    # --- time

    def _begin(self) -> None:
        """A request begins: it has to be there in time."""
        self._has_begun = True
        self._within(self.factory.timeout, self._expire)

    def _rest(self) -> None:
        """Nothing is asked for."""
        self._has_begun = False
        self._within(self.factory.idle, self.loseConnection)

    def _within(self, seconds: float, what: Callable[[], None]) -> None:
        self._stop_clock()
        clock = self.factory.clock
        self._deadline = clock.timers.at(clock.seconds() + seconds, what)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self.log.info("cut {peer}: no whole request in time", peer=self.caller.peer)
        self._refuse(408)

    # --- receiving

    def dataReceived(self, data: bytes) -> None:
        """Take what comes, as far as it is its turn; ignore it when the connection is being closed."""
        if self._is_closing:
            return
        self._ahead += data
        if not self._has_begun and not self._handlingRequest:
            self._begin()
        if self._handlingRequest and len(self._ahead) > MAX_AHEAD and not self._waitingForTransport:
            self._networkProducer.pauseProducing()
        self._go_on()

    def _go_on(self) -> None:
        """Parse what is there, until an answer has to be waited for, or to be read by the peer."""
        if self._is_going_on:
            return
        self._is_going_on = True
        answers = 0
        try:
            while self._may_go_on():
                if answers == REQUESTS_A_TURN:
                    self.factory.clock.soon(self._go_on)
                    return
                if not self.line_mode:
                    data, self._ahead = self._ahead, b""
                    self.rawDataReceived(data)
                elif not self._next_head():
                    return
                answers += 1
        finally:
            self._is_going_on = False

    def _may_go_on(self) -> bool:
        is_busy = self._handlingRequest or self._waitingForTransport or self._is_closing
        return bool(self._ahead) and not is_busy

    def _next_head(self) -> bool:
        """Take one request head. Returns: False: it is not all there."""
        if self._ahead[:1] == b"\r":
            # One empty line before a request is nothing (RFC 9112, 2.2).
            self._ahead = self._ahead.removeprefix(b"\r\n")
        end = self._ahead.find(END_OF_HEAD, 0, MAX_HEAD_BYTES + len(END_OF_HEAD))
        if end < 0:
            if len(self._ahead) > MAX_HEAD_BYTES:
                self._refuse(431)
            else:
                self.hold(len(self._ahead))
            return False
        self.let_go()
        end += len(END_OF_HEAD)
        data, self._ahead = self._ahead[:end], self._ahead[end:]
        try:
            head = read_head(data)
            visit = self.caller.visit(head)
        except BadHead as bad:
            self._refuse(bad.status, str(bad))
            return False
        if head.is_websocket:
            self._upgrade(head, visit, data)
            return False
        self.take(head, visit)
        return True

    def take(self, head: Head, visit: Visit) -> None:
        """Serve a request, or wait for its body; its head has been checked."""
        target = head.target
        path = f"{target.path}?{target.query}" if target.query else target.path
        self.lineReceived(b"%b %b HTTP/%b" % (head.method, path.encode("ascii"), head.version))
        request = self.requests[-1]
        request.visit, request.target = visit, target
        for name, value in head.fields:
            self.lineReceived(b"%b:%b" % (name, value))
        self.lineReceived(b"")

    def begin(self, head: Head, visit: Visit, rest: bytes) -> None:
        """Serve the first request, whose head somebody else has read, and then what is behind it."""
        self._ahead = rest
        self.take(head, visit)
        self._go_on()

    def hold(self, size: int) -> None:
        """So many bytes of a request have come, and not all; it has a clock of its own."""
        self._holds = True
        self.factory.unfinished.hold(self, size, is_timed=False)

    def let_go(self) -> None:
        """It is all there, or nothing of it is kept any more."""
        if self._holds:
            self._holds = False
            self.factory.unfinished.release(self)

    def is_read(self) -> bool:
        """Whether more of it could come."""
        return True

    def give_up_message(self, reason: str, *, is_urgent: bool) -> None:
        """All unfinished requests and messages are too long."""
        self.log.info("cut {peer}: {reason}", peer=self.caller.peer, reason=reason)
        self._ahead = b""
        self._is_closing = True
        self.forceAbortClient()

    def _upgrade(self, head: Head, visit: Visit, data: bytes) -> None:
        """Become a WebSocket; proxies send one down a connection that has served other requests."""
        transport: Any = self.transport
        self._is_closing = True
        self._stop_clock()
        transport.unregisterProducer()
        self.factory.channels.discard(self)
        self.factory.upgrade(
            transport, self.caller, visit, head, data + self._ahead, self.on_lost, self.place
        )

    def _finishRequestBody(self, data: bytes) -> None:
        """A body has ended; ``data`` is of the next request."""
        self._ahead = data + self._ahead
        self.allContentReceived()

    def allHeadersReceived(self) -> None:
        """Refuse a body that is announced too large before asking for it (100-continue)."""
        if self.length is not None and self.length > self.max_body_bytes:
            self.refuse_body()
        else:
            super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """The request is whole: answering takes as long as it takes."""
        self.let_go()
        if not self._is_closing:
            self._stop_clock()
            super().allContentReceived()

    # --- answering

    def requestDone(self, request: RadioRequest) -> None:
        """An answer is on its way: look at the next request."""
        super().requestDone(request)
        self._look_up()

    def resumeProducing(self) -> None:
        """The peer reads on."""
        super().resumeProducing()
        # A request whose body is on its way has its time already.
        if self.line_mode and not self._handlingRequest:
            self._look_up()
        else:
            self._go_on()

    def _look_up(self) -> None:
        """Nothing is being answered: go on with the next request, or wait for one."""
        if not self._is_closing:
            if self._ahead and not self._waitingForTransport:
                self._begin()
            else:
                self._rest()
            self._go_on()

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Any) -> None:
        """Write an answer's head: here every text that anybody set comes by."""
        fields = [
            (name, value)
            for name, values in headers.getAllRawHeaders()
            for value in values
            if name != SERVER[0]
        ]
        transport = self.transport
        assert transport is not None
        transport.write(reply_head(int(code), reason, [SERVER, *fields], version))

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._refuse(400)

    def refuse_body(self) -> None:
        """Answer 413 and close."""
        self._refuse(413)

    def _refuse(self, status: int, text: str = "") -> None:
        transport = self.transport
        if not self._is_closing and transport is not None:
            phrase = PHRASES[status]
            transport.write(error_reply(status, text or phrase, reason=phrase))
            self.loseConnection()

    # --- closing

    def loseConnection(self) -> None:
        """Close. Under TLS bytes come until the peer has closed its end."""
        self.let_go()
        if not self._is_closing:
            self._is_closing = True
            self._within(CLOSE_SECONDS, self.forceAbortClient)
        super().loseConnection()

    def forceAbortClient(self) -> None:
        """Close at once."""
        transport: Any = self.transport
        transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the port."""
        self._is_closing = True
        self._stop_clock()
        self.let_go()
        super().connectionLost(reason)
        self.factory.channels.discard(self)
        self.on_lost()

    def wind_up(self) -> None:
        """Close as soon as the request that is being answered, if any, has its answer."""
        self.persistent = False
        if not self.requests:
            self.loseConnection()


class RadioRequest(server.Request):  # type: ignore[misc] # twisted.web is not fully typed
    """One HTTP request, whose body is bounded even when its length was not announced."""

    channel: RadioChannel
    visit: Visit
    target: Target
    _body_bytes = 0

    def gotLength(self, length: int | None) -> None:
        """Keep the body in memory, where it is counted: Twisted's file for long ones needs a disk."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Count what arrives."""
        self._body_bytes += len(data)
        if self._body_bytes > self.channel.max_body_bytes:
            self.channel.refuse_body()
        elif not self.channel.is_closing:
            super().handleContentChunk(data)
            self.channel.hold(self._body_bytes)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Begin the answer. Twisted would read forms first; here they are bodies like any other."""
        self.content.seek(0)  # type: ignore[union-attr] # there is one since gotLength
        self.method, self.uri, self.clientproto, self.args = command, path, version, {}
        self.path = path.partition(b"?")[0]
        self.process()


class RadioSite(server.Site):  # type: ignore[misc] # twisted.web is not fully typed
    """The HTTP side of the port.

    ``upgrade`` is what makes a WebSocket of a connection; ``timeout`` and ``idle`` are seconds.
    """

    protocol = RadioChannel  # type: ignore[assignment] # no HTTP/2, so no choosing between channels
    requestFactory = RadioRequest
    noisy = False
    displayTracebacks = False
    upgrade: Upgrade

    def __init__(
        self,
        root: IResource,
        reactor: Any,
        clock: Clock,
        *,
        timeout: float,
        idle: float,
        max_body_bytes: int,
        unfinished: Unfinished,
    ) -> None:
        super().__init__(root, timeout=None, reactor=reactor)
        self.clock = clock
        self.timeout = timeout
        self.idle = idle
        self.unfinished = unfinished
        self._max_body_bytes = max_body_bytes
        self.channels: set[RadioChannel] = set()

    def buildProtocol(self, addr: Any) -> Any:
        """One channel, with this site's limit."""
        channel = super().buildProtocol(addr)
        channel.max_body_bytes = self._max_body_bytes
        self.channels.add(channel)
        return channel

    def wind_up(self) -> None:
        """Close every connection that waits for a request; the others when they have been answered."""
        for channel in list(self.channels):
            channel.wind_up()

    def log(self, request: Any) -> None:
        """No access log: a line for each sample would drown everything else."""
