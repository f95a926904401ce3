"""What the core tells of publishes and calls whose senders say which trace they are part of.

Source: W3C Trace Context. Nothing is told of any other: it costs a look at an option that is not there.
"""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["CallTrace", "EventTrace", "Tracer"]


class EventTrace(Protocol):
    """One publish, and its fan-out."""

    def details(self, topic: str | None) -> dict[str, Any]:
        """What EVENT.Details tell of the trace; it may publish on that topic, None: on a private one."""

    def fan_out(self) -> None:
        """The event is about to be given to its listeners."""

    def accepted(self, publication: int, readers: int) -> None:
        """It was accepted: this id, so many listeners."""

    def refused(self, uri: str) -> None:
        """It was refused."""


class CallTrace(Protocol):
    """One call of a procedure that a session registered."""

    def details(self) -> dict[str, Any]:
        """What INVOCATION.Details tell of the trace."""

    def ended(self, outcome: str) -> None:
        """It has its end, or was refused; empty: a result, else what it came to."""


class Tracer(Protocol):
    """Follows what carries a ``traceparent``, in one realm.

    What is malformed is ignored, as the specification asks; both may be anything that a client wrote.
    """

    def event(self, size: int, traceparent: Any, tracestate: Any, *, is_wamp: bool) -> EventTrace | None:
        """A publish of so many payload bytes, by a WAMP session or otherwise; None: nobody wants to know."""

    def call(self, procedure: str, traceparent: Any, tracestate: Any, *, is_wamp: bool) -> CallTrace | None:
        """A call; None: nobody wants to know."""
