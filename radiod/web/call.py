"""``POST /call``: calls a procedure, in the dialect of Crossbar's bridge.

WAMP's errors come back with status 200 and their URI; only what may succeed a little later is refused with
503. Who accepts lines of JSON or Server-Sent Events is sent progressive results as they come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import structs

from radiod.core.promises import Promise
from radiod.core.rpc.router_calls import CallFailed
from radiod.errors import (
    CANCELED,
    INVALID_ARGUMENT,
    NoAccess,
    OverLimit,
    RadiodError,
    Refused,
    WrongSecret,
    http_status,
)
from radiod.web.answers import Request
from radiod.web.callers import Caller, Callers, UnknownCaller
from radiod.web.dialects import RETRY_AFTER, UNAVAILABLE, bridge_error, bridge_over_limit, payload_of, said_of
from radiod.web.limits import telling
from radiod.web.ongoing import Ongoing
from radiod.web.repeats import HEADER, Repeats
from radiod.web.routes import Outcome, Route, settle
from radiod.web.tracing import trace_of
from radiod.wire.answer import Answer
from radiod.wire.answers import chunk, end_event, end_line, json_answer
from radiod.wire.codecs import JSON, Payload, Undecodable
from radiod.wire.options import CallOptions

__all__ = ["Call"]

LINES: Final = "application/x-ndjson"
EVENTS: Final = "text/event-stream"

ONCE: Final = json_answer(
    400, bridge_error(INVALID_ARGUMENT, "Idempotency-Key is not for a stream of results: it has many answers")
)

EMPTY: Final = (b"", b"[]", b"{}")


class BridgeCall(msgspec.Struct):
    """The body."""

    procedure: str
    args: list[msgspec.Raw] = []
    kwargs: dict[str, msgspec.Raw] = {}
    options: CallOptions = msgspec.field(default_factory=CallOptions)


_BRIDGE: Final = msgspec.json.Decoder(BridgeCall)


class Call(Route):
    """Calls for whoever has an API key."""

    methods = ("POST", "PUT", "OPTIONS")

    def __init__(self, callers: Callers, repeats: Repeats) -> None:
        self._callers = callers
        self._repeats = repeats

    def post(self, request: Request) -> Outcome:
        """Call, perhaps when it is the address's turn."""
        return self._callers.in_turn(request, lambda: self._call(request))

    def _call(self, request: Request) -> Outcome:
        try:
            caller = self._callers.of(request)
        except UnknownCaller as nobody:
            return nobody.answer
        kind = _stream(request)
        if kind is None:
            whole = self._repeats.once(request, caller, lambda: self._whole(request, caller), _refuse)
            return telling(request, caller.visitor, "call", whole)
        if request.head.first(HEADER) is not None:
            return ONCE
        return self._streamed(request, caller, kind)

    def _whole(self, request: Request, caller: Caller) -> Answer | Promise[Answer]:
        """One answer, which is the result."""
        asked = _read(request.body, caller)
        if isinstance(asked, Answer):
            return asked
        answer: Promise[Answer] = Promise()
        call = _OneCall(caller, answer.settle)
        call.began(self._make(request, caller, asked, None, lambda outcome: call.end(_say(outcome))))
        request.on_lost = lambda: call.give_up(Refused(CANCELED, "the caller left"))
        return answer

    def _streamed(self, request: Request, caller: Caller, kind: str) -> Answer | None:
        """Progressive results as they come, and then the result."""
        asked = _read(request.body, caller)
        if isinstance(asked, Answer):
            return asked
        stream = _Stream(request, kind, caller)
        call = _OneCall(caller, stream.end)
        call.began(self._make(request, caller, asked, stream.progress, call.end))
        if stream.is_refused:
            return None
        stream.begin()
        request.on_lost = lambda: call.give_up(Refused(CANCELED, "the caller left"))
        return None

    def _make(
        self,
        request: Request,
        caller: Caller,
        asked: _Asked,
        on_progress: Callable[[Payload], None] | None,
        end: Callable[[Payload | RadiodError], object],
    ) -> Callable[[], None]:
        """Make a call. Returns: what has its callee stop."""
        procedure, payload, options = asked
        trace = trace_of(request, self._callers)
        if trace is not None:
            trace.mark(options)
        try:
            call = caller.realm.gateway.call(caller.visitor, procedure, payload, options, on_progress)
        except Refused as refusal:
            if isinstance(refusal, WrongSecret):
                self._callers.wrong(request, refusal.text, caller)
            end(refusal)
            return _nothing
        if isinstance(call.outcome, Promise):
            call.outcome.then(end)
        else:
            end(call.outcome)
        return call.cancel


_Asked = tuple[str, Payload, CallOptions]


class _OneCall:
    """One call of a key. ``tell`` is given what it came to, once; ``began`` what has its callee stop."""

    def __init__(self, caller: Caller, tell: Callable[[Any], object]) -> None:
        self._tell = tell
        self._cancel = _nothing
        self._ongoing = Ongoing(caller.holder, self.give_up)

    def began(self, cancel: Callable[[], None]) -> None:
        """It is under way, unless it is over already."""
        if self._ongoing.is_over:
            # It may have ended the access of who calls.
            cancel()
        else:
            self._cancel = cancel

    def end(self, outcome: Any) -> None:
        """It has come to this."""
        self._ongoing.done()
        self._tell(outcome)

    def give_up(self, why: Refused) -> None:
        """Nobody waits for it any more."""
        # First, since it may end at once, and that is no answer to be kept.
        self.end(why)
        self._cancel()


class _Stream:
    """Results that go to one client as they come. ``kind``: their media type.

    ``is_refused``: it has not begun, since the caller's plan has no more calls.
    """

    def __init__(self, request: Request, kind: str, caller: Caller) -> None:
        self._request = request
        self._kind = kind
        self._is_lines = kind == LINES
        self._caller = caller
        self._outlet: Any = None
        self.is_refused = False

    def begin(self) -> None:
        """Begin the answer, unless it has."""
        if self._outlet is None and not self._request.is_over:
            telling(self._request, self._caller.visitor, "call", None)
            answer = Answer(200, type=self._kind.encode(), fields=(("X-Accel-Buffering", "no"),))
            self._outlet = self._request.begin(answer)

    def progress(self, payload: Payload) -> None:
        """One more that is not the last."""
        try:
            self._tell("progress", _members(payload, b'"progress":true'))
        except Undecodable:
            # The result tells of what went wrong; nobody else would.
            self._tell("progress", msgspec.json.encode({"progress": True, "error": INVALID_ARGUMENT}))

    def end(self, outcome: Payload | RadiodError) -> None:
        """The result, or what came instead."""
        if self._request.is_over:
            return
        if self._outlet is None and isinstance(outcome, OverLimit):
            self.is_refused = True
            settle(self._request, telling(self._request, self._caller.visitor, "call", _say(outcome)))
            return
        self.begin()
        self._request.on_lost = None
        if isinstance(outcome, NoAccess):
            self._push((end_line if self._is_lines else end_event)(outcome.reason))
        else:
            self._tell("result", _say(outcome).content)
        self._request.end()

    def _tell(self, event: str, data: bytes) -> None:
        request = self._request
        if request.is_over:
            return
        self.begin()
        # Only white space between tokens can be a line's end here: inside of strings JSON escapes it.
        line = data.replace(b"\r", b"").replace(b"\n", b"")
        told = b"%b\n" % line if self._is_lines else b"event: %b\ndata: %b\n\n" % (event.encode(), line)
        self._push(told)

    def _push(self, told: bytes) -> None:
        self._outlet.push(chunk(told) if self._request.is_chunked else told)


def _nothing() -> None:
    """The call is over."""


def _stream(request: Request) -> str | None:
    """How results that come by and by are to look; None: one answer is wanted."""
    accepted = (request.header(b"accept") or "").lower()
    return next((kind for kind in (LINES, EVENTS) if kind in accepted), None)


def _read(body: bytes, caller: Caller) -> _Asked | Answer:
    """What a body asks for, or why that is nothing."""
    try:
        body.decode()
        asked = _BRIDGE.decode(body)
    except (ValueError, RecursionError) as error:
        text = said_of(error) if isinstance(error, ValueError) else "the body is nested too deep"
        return json_answer(400, bridge_error(text))
    try:
        payload = payload_of(asked.args, asked.kwargs, caller.realm.gateway.max_nesting)
    except Refused as refusal:
        return json_answer(400, bridge_error(refusal.uri, refusal.text))
    # What goes on takes more than one request.
    return asked.procedure, payload, structs.replace(asked.options, progress=False)


def _say(outcome: Payload | RadiodError) -> Answer:
    """The whole answer."""
    try:
        if isinstance(outcome, Payload):
            return Answer(200, _members(outcome, b""))
        if isinstance(outcome, CallFailed):
            return Answer(200, _failure(outcome))
    except Undecodable as error:
        return json_answer(200, bridge_error(INVALID_ARGUMENT, f"JSON cannot say the answer: {error}"))
    if isinstance(outcome, OverLimit):
        return bridge_over_limit(outcome)
    if http_status(outcome) == UNAVAILABLE:
        return json_answer(503, bridge_error(outcome.uri, outcome.text), ("Retry-After", RETRY_AFTER))
    return json_answer(200, bridge_error(outcome.uri, outcome.text))


def _members(payload: Payload, first: bytes) -> bytes:
    """An object with ``args`` and ``kwargs``, where there are any. Raises: Undecodable."""
    args, kwargs = payload.parts(JSON)
    members = [first] if first else []
    if args.strip() not in EMPTY:
        members.append(b'"args":%b' % args)
    if kwargs.strip() not in EMPTY:
        members.append(b'"kwargs":%b' % kwargs)
    return b"{%b}" % b",".join(members)


def _failure(failed: CallFailed) -> bytes:
    args, kwargs = failed.payload.parts(JSON)
    return b'{"error":%b,"args":%b,"kwargs":%b}' % (
        msgspec.json.encode(failed.uri),
        args or b"[]",
        kwargs or b"{}",
    )


def _refuse(refusal: Refused, status: int) -> Answer:
    return json_answer(status, bridge_error(refusal.uri, refusal.text))
