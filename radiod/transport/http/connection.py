"""One HTTP/1.1 connection: requests in order, one answer at a time, and every wait has an end.

What a peer sent and may not be looked at yet waits as bytes. Requests of one read are taken as any peer's
messages are, a share of the turn at a time (ADR 22); answers leave as any peer's messages do, in one write at
the end of the turn, and a peer that does not read its answers is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from radiod.transport.http.answering import Answering
from radiod.transport.http.incoming import Incoming
from radiod.transport.http.request import Request
from radiod.transport.http.routes import Route
from radiod.transport.http.server import HttpServer
from radiod.transport.inbox import Work
from radiod.wire.answers import CONTINUE, json_answer
from radiod.wire.bodies import body_of, has_body, is_gzip
from radiod.wire.doors import Caller, Visit
from radiod.wire.gunzip import Gunzip
from radiod.wire.heads import END_OF_HEAD, MAX_HEAD_BYTES, PHRASES, BadHead, Head, read_head
from radiod.wire.replies import error_reply

__all__ = ["HttpConnection"]

UNSUPPORTED: Final = 415

MAX_AHEAD: Final = 16_384
"""Bytes of later requests that are read while one is being answered."""


class HttpConnection(Answering):
    """A Twisted protocol that is put in the place of the port's doorkeeper.

    ``proven``: a digest of an address and of the keys from there that were right, last on this connection:
    see ``web.suspicion``.
    """

    __slots__ = (
        "_ahead",
        "_head",
        "_head_bytes",
        "_incoming",
        "_is_answering",
        "_is_held",
        "_is_stepping",
        "_on_lost",
        "_place",
        "_route",
        "_unread",
        "_visit",
        "proven",
    )

    def __init__(
        self, server: HttpServer, transport: Any, caller: Caller, on_lost: Callable[[], None], place: object
    ) -> None:
        super().__init__(server, transport, caller)
        self._on_lost = on_lost
        # Among the connections of its address, for whoever takes it over.
        self._place = place
        self.proven: object = None
        # Received, and not looked at yet.
        self._ahead = b""
        # The last head, and what it was read from: keep-alive clients repeat it byte for byte.
        self._head_bytes = b""
        self._head: Head | None = None
        self._visit: Visit | None = None
        # What answers the request.
        self._route: Route | None = None
        # Its body, while that comes.
        self._incoming: Incoming | None = None
        self._is_answering = False
        # Whether who takes a body wants no more of it for now.
        self._is_held = False
        self._is_stepping = False
        # Bytes of answers that the peer had not read when it was last looked at.
        self._unread = -1

    # --- receiving

    def serve(self, head: Head, visit: Visit, rest: bytes) -> None:
        """Serve the first request, whose head somebody else has read, and then what is behind it."""
        self._ahead = rest
        self._is_stepping = True
        try:
            self._start(head, visit)
        except BadHead as bad:
            self.refuse(bad.status, str(bad))
        finally:
            self._is_stepping = False
        self._go_on()

    def _receive(self, data: bytes) -> None:
        """Take what comes, as far as it is its turn; drop it when the connection is being closed."""
        outlet = self._outlet
        if self._is_closing or outlet is None:
            return
        if outlet.reads_paused:
            outlet.put_off(data, self._read)
            return
        self._ahead = self._ahead + data if self._ahead else data
        if self._is_busy():
            if len(self._ahead) > MAX_AHEAD:
                outlet.pause_reads(True)
        elif self._step():
            self._go_on()

    def _is_busy(self) -> bool:
        """Whether what is there has to wait."""
        return self._is_answering or self._is_held

    def _go_on(self) -> None:
        """Take what has waited, a share of each turn at a time."""
        outlet = self._outlet
        if outlet is None or self._is_closing or self._is_stepping:
            return
        if outlet.reads_paused and not self._is_busy():
            # This also wakes what was put off, if anything was.
            outlet.pause_reads(False)
        if outlet.inbox is not None:
            return
        if (self._ahead or self._incoming is not None) and not self._is_busy():
            if outlet.is_held:
                # Whoever lets go of it wakes this.
                outlet.put_off(b"", self._read)
            else:
                outlet.turns.take(outlet, self._steps(), self._read)

    def _read(self, data: bytes) -> Work:
        """What comes while others have their turn."""
        self._ahead += data
        return self._steps()

    def _steps(self) -> Work:
        while not self._is_busy() and self._step():
            yield

    def _step(self) -> bool:
        """Take a head, or a piece of a body. Returns: whether there is more to take at once."""
        self._is_stepping = True
        try:
            if self._is_closing:
                return False
            if self._incoming is not None:
                return self._take_body(self._incoming)
            return bool(self._ahead) and self._take_head()
        except BadHead as bad:
            self.refuse(bad.status, str(bad))
            return False
        finally:
            self._is_stepping = False

    def _take_head(self) -> bool:
        """Take one request head. Raises: BadHead."""
        ahead = self._ahead
        if not 0x41 <= ahead[0] <= 0x5A:
            if ahead in (b"\r", b"\r\n"):
                # Some send it behind a body: nothing is asked for.
                return False
            # One empty line before a request is nothing (RFC 9112, 2.2).
            ahead = ahead.removeprefix(b"\r\n")
            if not 0x41 <= ahead[0] <= 0x5A:
                # No HTTP method begins like this.
                raise BadHead(400)
        end = ahead.find(END_OF_HEAD, 0, MAX_HEAD_BYTES + len(END_OF_HEAD))
        if end < 0:
            if len(ahead) > MAX_HEAD_BYTES:
                raise BadHead(431)
            self._wait(len(ahead))
            return False
        end += len(END_OF_HEAD)
        data, self._ahead = ahead[:end], ahead[end:]
        if data == self._head_bytes and self._head is not None and self._visit is not None:
            head, visit = self._head, self._visit
        else:
            head = read_head(data)
            visit = self._caller.visit(head)
            self._head_bytes, self._head, self._visit = data, head, visit
        if head.is_websocket:
            self._upgrade(head, visit, data)
            return False
        self._start(head, visit)
        incoming = self._incoming
        if incoming is not None and self._ahead and not self._is_busy():
            # Mostly both are in one read.
            return self._take_body(incoming)
        return bool(self._ahead)

    def _start(self, head: Head, visit: Visit) -> None:
        """A request's head is there. Raises: BadHead: it has a body that is too long."""
        server = self._server
        server.rouse(self)
        request = self._request = Request(self, head, visit)
        self._is_kept = head.is_kept and not server.is_winding_up
        try:
            route = self._route = self._find(head.target.path)
            taker = route.taker(request)
        except Exception:
            self._fail(request)
            return
        if request.is_over:
            # Refused by its head alone.
            return
        limit = server.max_body_bytes if taker is None else taker.limit
        size, ahead = head.length, self._ahead
        if taker is None and head.coding is None and size is not None and size <= len(ahead) <= limit:
            # Mostly it is all here, and short.
            self._ahead = ahead[size:]
            self._whole(ahead[:size])
            return
        body = body_of(head, limit)
        if body is None:
            self._whole(b"")
            return
        gunzip = Gunzip(limit) if is_gzip(head) else None
        self._incoming = Incoming(body, gunzip, taker)
        if self._ahead:
            return
        if head.first(b"expect") is not None and request.is_chunked:
            self._push(CONTINUE)
        self._wait(0)

    def _take_body(self, incoming: Incoming) -> bool:
        """Do one step with the body. Raises: BadHead: it is none, or too long."""
        request, had_ended = self._request, incoming.has_ended
        assert request is not None
        try:
            has_more = incoming.step(self._ahead)
        except BadHead:
            raise
        except Exception:
            # Of whoever takes it.
            self._ahead = incoming.rest
            self._fail(request)
            return bool(self._ahead)
        if request.is_over:
            # Answered, perhaps before its end: then the connection ends, and what follows is dropped.
            self._ahead = b"" if self._is_closing else incoming.rest
            return bool(self._ahead)
        self._ahead = incoming.rest
        if incoming.has_ended:
            if not had_ended:
                self._stop_clock()
        elif not incoming.is_streamed:
            self._wait(incoming.size)
        elif not has_more:
            # As long as it goes on it may take its time.
            self._within(self._server.timeout, self._expire)
        if incoming.is_over:
            self._incoming = None
            if not incoming.is_streamed:
                self._whole(incoming.whole())
            else:
                self._stop_clock()
                self._is_answering = True
            return bool(self._ahead)
        return has_more

    def _whole(self, body: bytes) -> None:
        """The request is all there: answering takes as long as it takes."""
        request, route = self._request, self._route
        assert request is not None
        assert route is not None
        request.body = body
        self._stop_clock()
        self._is_answering = True
        try:
            route.handle(request)
        except Exception:
            self._fail(request)

    def _fail(self, request: Request) -> None:
        self.log.failure("a request failed: {path}", path=request.target.path)
        if request.is_over:
            return
        if request.has_begun:
            # Its answer breaks off: the client must not take it for whole.
            self._check_unread()
            self._abandon(request)
            self._close()
        else:
            request.answer(json_answer(500, {"error": "internal error"}))

    def _abandon(self, request: Request) -> None:
        """Nobody waits for an answer any more."""
        self._request = None
        if not request.is_over:
            request.is_over = True
            if request.on_lost is not None:
                request.on_lost()

    def hold_body(self, is_held: bool) -> None:
        """Take no more of the body, since its taker waits for something; or go on."""
        self._is_held = is_held
        if not is_held:
            self._go_on()

    # --- time

    def _wait(self, size: int) -> None:
        """So many bytes of a request have come, and not all: it has some time from its first byte on."""
        self._server.rouse(self)
        if size:
            self._server.unfinished.hold(self, size, is_timed=False)
        if self._deadline is None:
            self._within(self._server.timeout, self._expire)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            super()._stop_clock()
            self._server.unfinished.release(self)

    def _expire(self) -> None:
        outlet = self._outlet
        if self._is_held or (outlet is not None and outlet.reads_paused):
            # It is we who do not let it finish, unless that is for answers that it does not read.
            unread = 0 if outlet is None else outlet.backlog_bytes
            if not unread or unread != self._unread:
                self._unread = unread
                self._within(self._server.timeout, self._expire)
                return
            self.log.info("cut {peer}: it does not read what it is sent", peer=self._caller.peer)
            self.cut()
            return
        self.log.info("cut {peer}: no whole request in time", peer=self._caller.peer)
        self._server.census.cuts["request_timeout"] += 1
        self.refuse(408)

    def tire(self) -> None:
        """Nothing was asked for all the time that this is allowed."""
        self._close()

    def is_read(self) -> bool:
        """Whether more of a request could come."""
        return True

    def give_up_message(self, reason: str, *, is_urgent: bool) -> None:
        """All unfinished requests and messages are too long."""
        self.log.info("cut {peer}: {reason}", peer=self._caller.peer, reason=reason)
        self._drop()
        self.cut()

    # --- between requests, and behind the last

    def _is_reading_body(self) -> bool:
        """Whether the request has not come to its end."""
        incoming = self._incoming
        if incoming is not None:
            return not incoming.has_ended
        # Refused by its head alone.
        return not self._is_answering and self._request is not None and has_body(self._request.head)

    def _done(self) -> None:
        """The answer is on its way: look at the next request, or wait for one."""
        self._request = self._route = self._incoming = None
        self._is_answering = self._is_held = False
        if not self._is_kept or self._server.is_winding_up:
            outlet = self._outlet
            if self._ahead or (outlet is not None and outlet.reads_paused):
                # More was asked for, and perhaps not all of it has come.
                self._is_lingering = True
            self._close()
            return
        self._server.rest(self)
        if not self._is_stepping:
            self._go_on()

    def refuse(self, status: int, text: str = "") -> None:
        """Answer with an error, and close."""
        if not self._is_closing:
            request = self._request
            if request is not None:
                self._abandon(request)
            phrase = PHRASES[status]
            fields = [("Accept-Encoding", "gzip")] if status == UNSUPPORTED else []
            if request is None or not request.has_begun:
                self._count(status)
                self._push(error_reply(status, text or phrase, fields, reason=phrase))
            self._is_lingering = True
            self._close()

    def wind_up(self) -> None:
        """Close as soon as the request that is being read or answered, if any, has its answer."""
        self._is_kept = False
        if self._request is None and not self._is_closing:
            self._close()

    def _forget_head(self) -> None:
        self._head_bytes, self._head, self._visit = b"", None, None
        if self._request is not None and self._incoming is None:
            self._request.forget_head()

    def _drop(self) -> None:
        """Forget what came of requests."""
        self._stop_clock()
        self._server.unfinished.release(self)
        self._server.rouse(self)
        self._ahead = self._head_bytes = b""
        self._head, self._visit = None, None
        self._incoming = None

    def _upgrade(self, head: Head, visit: Visit, data: bytes) -> None:
        """Become a WebSocket; proxies send one down a connection that has served other requests."""
        outlet = self._outlet
        assert outlet is not None
        outlet.flush()
        if outlet.blocked:
            # What was answered before must go first, and nobody asks for a WebSocket behind that.
            self.refuse(426, "read the answers before you ask for a WebSocket")
            return
        received = data + self._ahead
        if outlet.inbox is not None:
            received += outlet.inbox.take_behind()
        self._outlet = None
        self._is_closing = True
        self._drop()
        self._gone()
        outlet.take_no_more()
        outlet.let_go()
        outlet.abandon()
        self._server.upgrade(self._transport, self._caller, visit, head, received, self._on_lost, self._place)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Free everything the connection held, as soon as what was asked before it closed has been taken."""
        outlet = self._outlet
        is_open = not self._is_closing and outlet is not None and not self._is_busy()
        if not (is_open and outlet is not None and outlet.take_rest(reason, self._free)):
            self._free()

    def _free(self) -> None:
        self._is_closing = True
        self._drop()
        request = self._request
        if request is not None:
            self._abandon(request)
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.abandon()
            outlet.inbox = None
        self._gone()
        self._on_lost()
