"""Which trace a request is part of: the headers of W3C Trace Context, for what it publishes or calls."""

from __future__ import annotations

from typing import Any, NamedTuple

from radiod.core.disclosure import Visitor
from radiod.core.holders import Holder
from radiod.core.realm.realm import Realm
from radiod.web.answers import Request
from radiod.web.callers import Caller, Callers

__all__ = ["Trace", "TracedCaller", "trace_of"]


class Trace(NamedTuple):
    """Both headers as they came; what is malformed is for others to find out."""

    parent: str
    state: str | None

    def mark(self, options: Any) -> None:
        """Have a publish, or a call, be part of it, unless its own options say of which."""
        if options.traceparent is None:
            options.traceparent, options.tracestate = self


def trace_of(request: Request, callers: Callers) -> Trace | None:
    """None: of none, or nobody follows them. Two parents are as good as none."""
    if not callers.is_traced:
        return None
    head = request.head
    if head.first(b"traceparent") is None:
        return None
    parents = head.all(b"traceparent")
    if len(parents) != 1:
        return None
    # Several fields are one list.
    states = b",".join(head.all(b"tracestate"))
    return Trace(parents[0].decode("latin-1"), states.decode("latin-1") or None)


class TracedCaller:
    """A caller within the trace of one request; all else is as with ``caller``."""

    def __init__(self, caller: Caller, trace: Trace) -> None:
        self._caller = caller
        self.trace = trace

    @property
    def id(self) -> str:
        """As the caller's."""
        return self._caller.id

    @property
    def realm(self) -> Realm:
        """As the caller's."""
        return self._caller.realm

    @property
    def visitor(self) -> Visitor:
        """As the caller's."""
        return self._caller.visitor

    @property
    def holder(self) -> Holder:
        """As the caller's."""
        return self._caller.holder

    def check(self, origin: str | None, address: str | None) -> None:
        """As the caller's."""
        self._caller.check(origin, address)
