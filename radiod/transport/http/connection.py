"""One HTTP/1.1 connection: requests in order, one answer at a time, and every wait has an end.

What a peer sent and may not be looked at yet waits as bytes. Requests of one read are taken as any peer's
messages are, a share of the turn at a time (ADR 22); answers leave as any peer's messages do, in one write at
the end of the turn, and a peer that does not read its answers is not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from radiod.core.timers import Deadline
from radiod.transport.formats import NOTHING, Format
from radiod.transport.http.request import Request
from radiod.transport.http.routes import Route, Taker
from radiod.transport.http.server import HttpServer
from radiod.transport.inbox import Work
from radiod.transport.outlets import Outlet, outlet_over
from radiod.transport.schedule import Patience
from radiod.wire.answer import Answer
from radiod.wire.answers import CONTINUE, LAST_CHUNK, answer_bytes, json_answer, stream_head
from radiod.wire.bodies import Body, body_of
from radiod.wire.doors import Caller, Visit
from radiod.wire.heads import END_OF_HEAD, MAX_HEAD_BYTES, PHRASES, BadHead, Head, read_head
from radiod.wire.replies import error_reply

__all__ = ["HttpConnection"]

MAX_AHEAD: Final = 16_384
"""Bytes of later requests that are read while one is being answered."""

CLOSE_SECONDS: Final = 75.0
"""How long a peer may take to read its last answer."""

LINGER_SECONDS: Final = 1.0
"""How long what a refused peer still sends is read and dropped: a connection that is closed with something
unread is reset, and the reset overtakes the answer."""

WHILE_ANSWERING: Final = Patience(0, float("inf"))
"""One answer may wait behind another that the peer does not read; it is bounded, and no reason to cut."""


class HttpConnection:
    """A Twisted protocol that is put in the place of the port's doorkeeper.

    ``proven``: an address, and the keys from there that were right, last on this connection: see
    ``web.suspicion``.
    """

    __slots__ = (
        "_ahead",
        "_body",
        "_caller",
        "_deadline",
        "_head",
        "_head_bytes",
        "_is_answering",
        "_is_closing",
        "_is_held",
        "_is_kept",
        "_is_lingering",
        "_is_stepping",
        "_on_lost",
        "_outlet",
        "_pieces",
        "_place",
        "_request",
        "_route",
        "_server",
        "_size",
        "_taker",
        "_transport",
        "_visit",
        "_work",
        "proven",
    )

    log: ClassVar[Logger] = Logger()

    def __init__(
        self, server: HttpServer, transport: Any, caller: Caller, on_lost: Callable[[], None], place: object
    ) -> None:
        self._server = server
        self._transport = transport
        self._caller = caller
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
        # The request that is being read or answered.
        self._request: Request | None = None
        self._route: Route | None = None
        # What reads its body, who takes it, and what that taker does with a piece; or the pieces until then.
        self._body: Body | None = None
        self._taker: Taker | None = None
        self._work: Work | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        # Whether another request may follow the one that is being answered.
        self._is_kept = True
        self._is_answering = False
        # Whether who takes a body wants no more of it for now.
        self._is_held = False
        self._is_closing = False
        # Whether the peer may be sending yet when its last answer has left.
        self._is_lingering = False
        self._is_stepping = False
        # When a request must be whole, or the connection closed.
        self._deadline: Deadline | None = None
        self._outlet: Outlet | None = outlet_over(
            server.fan_out, transport, NOTHING, on_cut=self._cut, on_finished=self._finished
        )
        self._outlet.peer = caller.peer
        self._outlet.patience = WHILE_ANSWERING
        server.connections.add(self)

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

    def dataReceived(self, data: bytes) -> None:
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
        if outlet is None or self._is_closing or self._is_stepping or outlet.inbox is not None:
            return
        if outlet.reads_paused and not self._is_busy():
            outlet.pause_reads(False)
        if (self._ahead or self._work is not None) and not self._is_busy():
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
            if self._work is not None:
                return self._work_on()
            if self._body is not None:
                return self._take_body(self._body)
            return bool(self._ahead) and self._take_head()
        except BadHead as bad:
            self.refuse(bad.status, str(bad))
            return False
        finally:
            self._is_stepping = False

    def _take_head(self) -> bool:
        """Take one request head. Raises: BadHead."""
        ahead = self._ahead
        if ahead[:1] == b"\r":
            # One empty line before a request is nothing (RFC 9112, 2.2).
            ahead = self._ahead = ahead.removeprefix(b"\r\n")
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
        body = self._body
        if body is not None and self._ahead and not self._is_busy():
            # Mostly both are in one read.
            return self._take_body(body)
        return bool(self._ahead)

    def _start(self, head: Head, visit: Visit) -> None:
        """A request's head is there. Raises: BadHead: it has a body that is too long."""
        server = self._server
        server.rouse(self)
        request = self._request = Request(self, head, visit)
        self._is_kept = _is_kept(head)
        route = self._route = server.route(head.target.path)
        taker = route.taker(request)
        if request.is_over:
            # Refused by its head alone.
            return
        limit = server.max_body_bytes if taker is None else taker.limit
        body = body_of(head, limit)
        if body is None:
            self._whole(b"")
            return
        self._body, self._taker = body, taker
        self._size = 0
        if head.first(b"expect") is not None and not self._ahead and request.is_chunked:
            self._push(CONTINUE)
        if not self._ahead:
            self._wait(0)

    def _take_body(self, body: Body) -> bool:
        """Take a piece of the body. Raises: BadHead: it is none, or too long."""
        data, self._ahead = self._ahead, b""
        piece = body.take(data)
        self._ahead = body.rest
        if self._taker is not None:
            self._give(self._taker, piece, body)
            return True
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)
        if not body.is_over:
            self._wait(self._size)
            # Of many small chunks some are left, or a line is not all there.
            return len(self._ahead) < len(data) and bool(self._ahead)
        pieces, self._pieces = self._pieces, []
        self._body = None
        self._whole(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        return True

    def _whole(self, body: bytes) -> None:
        """The request is all there: answering takes as long as it takes."""
        request, route = self._request, self._route
        assert request is not None and route is not None
        request.body = body
        self._stop_clock()
        self._is_answering = True
        try:
            route.handle(request)
        except Exception:
            self._fail(request)

    def _fail(self, request: Request) -> None:
        self.log.failure("a request failed: {path}", path=request.target.path)
        if not request.is_over:
            if self._is_kept and self._body is not None:
                self._is_kept = False
            request.answer(json_answer(500, {"error": "internal error"}))

    # --- bodies that are taken piece by piece

    def _give(self, taker: Taker, piece: bytes, body: Body) -> None:
        """Hand a piece over; what is done with it has its share of each turn."""
        if body.is_over:
            self._body = None
            self._stop_clock()
        elif piece:
            # It goes on: as long as it does, it may take its time.
            self._within(self._server.timeout, self._expire)
        self._work = taker.take(piece, body.is_over)

    def _work_on(self) -> bool:
        work, request = self._work, self._request
        assert work is not None and request is not None
        try:
            next(work)
        except StopIteration:
            self._work = None
            if self._body is None and not request.is_over:
                self._is_answering = True
            return bool(self._ahead)
        except Exception:
            self._work = None
            self._fail(request)
            return False
        return True

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

    def _within(self, seconds: float, what: Callable[[], None]) -> None:
        self._stop_clock()
        clock = self._server.clock
        self._deadline = clock.timers.at(clock.seconds() + seconds, what)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self._server.unfinished.release(self)

    def _expire(self) -> None:
        if self._is_held or (self._outlet is not None and self._outlet.reads_paused):
            # It is we who do not let it finish.
            self._within(self._server.timeout, self._expire)
            return
        self.log.info("cut {peer}: no whole request in time", peer=self._caller.peer)
        self.refuse(408)

    def tire(self) -> None:
        """Nothing was asked for all the time that this is allowed."""
        self._close(is_unread=False)

    def is_read(self) -> bool:
        """Whether more of a request could come."""
        return True

    def give_up_message(self, reason: str, *, is_urgent: bool) -> None:
        """All unfinished requests and messages are too long."""
        self.log.info("cut {peer}: {reason}", peer=self._caller.peer, reason=reason)
        self._drop()
        self.cut()

    # --- answering

    def answer(self, request: Request, answer: Answer) -> None:
        """Answer a request, and look at the next one."""
        outlet = self._outlet
        request.is_over = True
        if outlet is None or self._is_closing:
            return
        is_unread = self._body is not None
        self._is_kept = self._is_kept and not is_unread
        has_body = request.head.method != b"HEAD"
        answer = _with(request.fields, answer)
        self._push(answer_bytes(answer, self._server.shared_lines(), self._lines(request), has_body=has_body))
        self._done(is_unread=is_unread)

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
        outlet.format = format
        try:
            opening(outlet)
        except BaseException:
            outlet.format = NOTHING
            raise
        # Without chunks its end is the connection's.
        self._is_kept = self._is_kept and request.is_chunked
        head = stream_head(
            _with(request.fields, answer),
            self._server.shared_lines(),
            self._lines(request),
            is_chunked=request.is_chunked,
        )
        if outlet.queue:
            outlet.queue.insert(0, head)
        else:
            self._push(head)
        patience = self._server.fan_out.patience
        outlet.patience = patience if is_cut_for_backlog else Patience(int(patience.cut_above), float("inf"))
        return outlet

    def end(self, request: Request) -> None:
        """An answer that went on has ended."""
        outlet = self._outlet
        request.is_over = True
        if outlet is None or self._is_closing:
            return
        if request.is_chunked:
            self._push(LAST_CHUNK)
        outlet.format = NOTHING
        outlet.on_missed = None
        outlet.patience = WHILE_ANSWERING
        is_unread = self._body is not None
        self._is_kept = self._is_kept and not is_unread
        self._done(is_unread=is_unread)

    def _push(self, data: bytes) -> None:
        outlet = self._outlet
        if outlet is not None:
            outlet.push(data)
            self._server.fan_out.count(len(data))

    def _done(self, *, is_unread: bool) -> None:
        """The answer is on its way: look at the next request, or wait for one."""
        self._request = self._route = self._taker = self._work = None
        self._is_answering = self._is_held = False
        if not self._is_kept or self._server.is_winding_up:
            self._close(is_unread=is_unread)
            return
        self._server.rest(self)
        if not self._is_stepping:
            self._go_on()

    def refuse(self, status: int, text: str = "") -> None:
        """Answer with an error, and close."""
        if not self._is_closing:
            request, self._request = self._request, None
            if request is not None and not request.is_over:
                request.is_over = True
                if request.on_lost is not None:
                    request.on_lost()
            phrase = PHRASES[status]
            self._push(error_reply(status, text or phrase, reason=phrase))
            self._close(is_unread=True)

    # --- closing

    def wind_up(self) -> None:
        """Close as soon as the request that is being read or answered, if any, has its answer."""
        self._is_kept = False
        if self._request is None and not self._is_closing:
            self._close(is_unread=False)

    def _close(self, *, is_unread: bool) -> None:
        """Close, when everything has left."""
        self._is_closing = True
        self._is_lingering = is_unread
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
            if request is not None:
                if request.on_lost is not None:
                    request.on_lost()
                self.end(request)
            return
        if self._is_lingering and self._can_linger():
            self._transport.loseWriteConnection()
            self._within(LINGER_SECONDS, self._hang_up)
        else:
            self._hang_up()

    def _can_linger(self) -> bool:
        """Under TLS the peer's end is waited for anyhow."""
        return hasattr(self._transport, "loseWriteConnection") and not hasattr(
            self._transport, "wrappedProtocol"
        )

    def _hang_up(self) -> None:
        if self._outlet is not None:
            self._outlet.let_go()
        self._within(CLOSE_SECONDS, self.cut)
        self._transport.loseConnection()

    def _cut(self) -> None:
        self.log.warn("cut {peer}: it does not read what it is sent", peer=self._caller.peer)
        self.cut()

    def cut(self) -> None:
        """Close at once."""
        self._is_closing = True
        self._transport.abortConnection()

    def _drop(self) -> None:
        """Forget what came of requests."""
        self._stop_clock()
        self._server.unfinished.release(self)
        self._server.rouse(self)
        self._ahead = self._head_bytes = b""
        self._head = self._visit = None
        self._pieces = []
        self._body = self._taker = self._work = None

    def _upgrade(self, head: Head, visit: Visit, data: bytes) -> None:
        """Become a WebSocket; proxies send one down a connection that has served other requests."""
        outlet, self._outlet = self._outlet, None
        received = data + self._ahead
        self._is_closing = True
        self._drop()
        self._server.connections.discard(self)
        if outlet is not None:
            outlet.flush()
            outlet.let_go()
            outlet.abandon()
        self._server.upgrade(self._transport, self._caller, visit, head, received, self._on_lost, self._place)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Free everything the connection held, as soon as what was asked before it closed has been taken."""
        outlet = self._outlet
        if not self._is_closing and outlet is not None and not self._is_busy():
            if outlet.take_rest(reason, self._free):
                return
        self._free()

    def _free(self) -> None:
        self._is_closing = True
        self._drop()
        request, self._request = self._request, None
        if request is not None and not request.is_over:
            request.is_over = True
            if request.on_lost is not None:
                request.on_lost()
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.abandon()
            outlet.inbox = None
        self._server.connections.discard(self)
        self._on_lost()


def _is_kept(head: Head) -> bool:
    """Whether the client wants to ask on over this connection (RFC 9112, 9.3)."""
    told = head.first(b"connection")
    if told is None:
        return head.version == b"1.1"
    tokens = [token.strip() for token in b",".join(head.all(b"connection")).lower().split(b",")]
    return b"close" not in tokens and (head.version == b"1.1" or b"keep-alive" in tokens)


def _with(fields: tuple[tuple[str, str], ...], answer: Answer) -> Answer:
    """An answer, and what is told whoever answers."""
    if not fields:
        return answer
    return Answer(answer.status, answer.content, answer.type, answer.cache, (*fields, *answer.fields))
