"""Makes two spans of a publish that carries a trace, and one of a call: ``core.tracing.Tracer`` of one realm.

A publish's span begins when its bytes came in, and ends when it was accepted or refused. Its child is the
fan-out: from when the event was given to its listeners until the end of the turn, when it was written to all
who take it. There is never one for a delivery: those may be thousands.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from time import monotonic, time_ns
from typing import Any, Final, Protocol

from radiod.core.tracing import CallTrace, EventTrace
from radiod.tracing.context import Context, context_of
from radiod.tracing.spans import CLIENT, PRODUCER, SERVER, Span, Value

__all__ = ["RealmTracer", "Spans", "Turn"]

HIGHEST: Final = 1 << 56
"""Trace ids are random in their last 7 bytes at least (W3C Trace Context, level 2)."""

NANO: Final = 1_000_000_000


class Turn(Protocol):
    """What spans need of the reactor's turns."""

    def arrived(self) -> float:
        """When the bytes came in that are being handled, in monotonic seconds; 0: nobody knows."""

    def after(self, what: Callable[[], None]) -> None:
        """Call ``what`` when everything that was queued in this turn is written."""


class Spans(Protocol):
    """Where spans that have ended go; ``exporter.Exporter`` is one."""

    def add(self, span: Span) -> None:
        """One more. It may be dropped."""


class RealmTracer:
    """Follows publishes and calls of one realm.

    Args:
        spans: None: nothing is recorded.
        rate: which part of the traces that are to be recorded is, from 0 to 1; the same traces everywhere.
        tells: whether events and invocations tell their receivers where in the trace they are.
    """

    def __init__(self, realm: str, turn: Turn, spans: Spans | None, *, rate: float, tells: bool) -> None:
        self.realm = realm
        self.turn = turn
        self.spans = spans
        self._least = round((1 - rate) * HIGHEST)
        self.tells = tells

    def event(self, size: int, traceparent: Any, tracestate: Any, *, is_wamp: bool) -> EventTrace | None:
        """As ``core.tracing.Tracer``."""
        context = context_of(traceparent, tracestate)
        if context is None:
            return None
        if self._is_recorded(context):
            return _EventSpans(self, context, size, is_wamp)
        return _Unrecorded(context) if self.tells else None

    def call(self, procedure: str, traceparent: Any, tracestate: Any, *, is_wamp: bool) -> CallTrace | None:
        """As ``core.tracing.Tracer``."""
        context = context_of(traceparent, tracestate)
        if context is None:
            return None
        if self._is_recorded(context):
            return _CallSpan(self, context, procedure, is_wamp)
        return _Unrecorded(context) if self.tells else None

    def _is_recorded(self, context: Context) -> bool:
        return (
            self.spans is not None
            and context.is_sampled
            and (not self._least or int(context.trace[-14:], 16) >= self._least)
        )

    def begin(self, context: Context, kind: int, name: str, begun: int, attributes: dict[str, Value]) -> Span:
        """A span of this realm whose parent is where ``context`` is."""
        return Span(
            trace=context.trace,
            id=_new_id(),
            parent=context.span,
            state=context.state,
            kind=kind,
            name=name,
            begun=begun,
            attributes={"radiod.realm": self.realm, **attributes},
        )

    def since_arrival(self) -> int:
        """When what is being handled came in, in nanoseconds since 1970."""
        arrived = self.turn.arrived()
        return time_ns() - (round((monotonic() - arrived) * NANO) if arrived else 0)

    def end(self, span: Span, error: str = "") -> None:
        """It has ended now."""
        assert self.spans is not None
        # Never before it began, though somebody set the clock.
        span.ended = max(time_ns(), span.begun)
        if error:
            span.error = span.attributes["error.type"] = error
        self.spans.add(span)


def told(context: Context) -> dict[str, Any]:
    """As details of EVENT and INVOCATION."""
    state = {"_tracestate": context.state} if context.state else {}
    return {"_traceparent": context.traceparent, **state}


class _EventSpans:
    """A publish and its fan-out."""

    __slots__ = ("_context", "_fan_out", "_publish", "_tracer")

    def __init__(self, tracer: RealmTracer, context: Context, size: int, is_wamp: bool) -> None:
        self._tracer = tracer
        self._publish = publish = tracer.begin(
            context,
            SERVER,
            "publish",
            tracer.since_arrival(),
            {
                "messaging.system": "radiod",
                "messaging.operation.name": "publish",
                "messaging.operation.type": "send",
                "messaging.message.body.size": size,
                "radiod.via": "wamp" if is_wamp else "http",
            },
        )
        inner = context.of(publish.id)
        told_of: dict[str, Value] = {"messaging.system": "radiod"}
        self._fan_out = tracer.begin(inner, PRODUCER, "fan-out", publish.begun, told_of)
        self._context = inner.of(self._fan_out.id)

    def details(self, topic: str | None) -> dict[str, Any]:
        for span in (self._publish, self._fan_out):
            if topic is None:
                span.attributes["radiod.private"] = True
            else:
                span.attributes["messaging.destination.name"] = topic
        return told(self._context) if self._tracer.tells else {}

    def fan_out(self) -> None:
        self._fan_out.begun = time_ns()
        self._tracer.turn.after(self._written)

    def _written(self) -> None:
        self._tracer.end(self._fan_out)

    def accepted(self, publication: int, readers: int) -> None:
        self._publish.attributes["messaging.message.id"] = str(publication)
        self._fan_out.attributes["messaging.message.id"] = str(publication)
        self._fan_out.attributes["radiod.readers"] = readers
        self._tracer.end(self._publish)

    def refused(self, uri: str) -> None:
        self._tracer.end(self._publish, uri)


class _CallSpan:
    """A call, from its arrival to its end; what its callee does is for the callee to tell."""

    __slots__ = ("_context", "_span", "_tracer")

    def __init__(self, tracer: RealmTracer, context: Context, procedure: str, is_wamp: bool) -> None:
        self._tracer = tracer
        told_of: dict[str, Value] = {
            "rpc.system": "wamp",
            "rpc.method": procedure,
            "radiod.via": "wamp" if is_wamp else "http",
        }
        self._span = tracer.begin(context, CLIENT, "call", tracer.since_arrival(), told_of)
        self._context = context.of(self._span.id)

    def details(self) -> dict[str, Any]:
        return told(self._context) if self._tracer.tells else {}

    def ended(self, outcome: str) -> None:
        self._tracer.end(self._span, outcome)


class _Unrecorded:
    """Something that nobody records: its receivers are told what its sender said."""

    __slots__ = ("_context",)

    def __init__(self, context: Context) -> None:
        self._context = context

    def details(self, topic: str | None = None) -> dict[str, Any]:
        return told(self._context)

    def fan_out(self) -> None:
        """Nobody wants to know."""

    def accepted(self, publication: int, readers: int) -> None:
        """Nobody wants to know."""

    def refused(self, uri: str) -> None:
        """Nobody wants to know."""

    def ended(self, outcome: str) -> None:
        """Nobody wants to know."""


def _new_id() -> str:
    # Not 0, which is no span.
    return f"{random.getrandbits(64) or 1:016x}"
