"""Calls that are pending, and each session's part in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from radiod.core.disclosure import CALLER
from radiod.core.histograms import Histogram
from radiod.core.ids import Counter
from radiod.core.rights import Actor
from radiod.core.rpc.features import CALLEES_OWN
from radiod.core.rpc.registrations import Callee
from radiod.core.sessions.session import Session
from radiod.core.timers import Deadline
from radiod.core.tracing import CallTrace, Tracer
from radiod.errors import CANCELED, TIMEOUT, PeerError
from radiod.wire.codecs import Payload
from radiod.wire.messages import Error, Message
from radiod.wire.options import CallOptions

__all__ = ["MANY", "MAX_PROGRESSIVE", "CallTally", "Calls", "PendingCall"]

MAX_PROGRESSIVE: Final = 256
"""Ids of progressive calls remembered after they ended: their last chunks may still be on the way."""

MANY: Final = 1024
"""Calls whose times are counted at once."""


class CallTally:
    """Counts what became of the calls of one realm.

    ``begun``: those that a callee was given; ``tracer``: follows those that carry a trace, None: nobody does.
    """

    __slots__ = ("_failed", "_left", "_refused", "_seconds", "_uncounted", "begun", "tracer")

    def __init__(self) -> None:
        self.begun = 0
        self._left = 0
        self._refused = 0
        self.tracer: Tracer | None = None
        # How those ended that were answered with an ERROR.
        self._failed = {"error": 0, "timeout": 0, "canceled": 0}
        self._seconds = Histogram()
        # What those took that were answered last: many at once cost less to count.
        self._uncounted: list[float] = []

    @property
    def seconds(self) -> Histogram:
        """What those took that were answered."""
        self._count()
        return self._seconds

    @property
    def by_outcome(self) -> dict[str, int]:
        """How they ended (``left``: their callers did), and those that were ``refused`` before."""
        result = self.seconds.count - sum(self._failed.values())
        return {"result": result, **self._failed, "left": self._left, "refused": self._refused}

    @property
    def pending(self) -> int:
        """Calls that have a callee, and no end yet."""
        return self.begun - self.seconds.count - self._left

    def follow(self, call: PendingCall, procedure: str) -> None:
        """A call that is about to be made says which trace it is part of."""
        if self.tracer is not None:
            parent, state = call.options.traceparent, call.options.tracestate
            call.trace = self.tracer.call(procedure, parent, state, is_wamp=call.caller is not None)
            if call.trace is not None:
                call.details = {**call.details, **call.trace.details()}

    def has_begun(self, call: PendingCall) -> None:
        """A callee was given it."""
        self.begun += 1
        call.began = call.since

    def answered(self, call: PendingCall, answer: Message, now: float) -> None:
        """A call has ended with this."""
        if type(answer) is Error:
            self._failed[OUTCOMES.get(answer.error, "error")] += 1
        self._uncounted.append(now - call.began)
        if len(self._uncounted) >= MANY:
            self._count()
        if call.trace is not None:
            call.trace.ended(answer.error if type(answer) is Error else "")

    def refused(self, call: PendingCall, uri: str) -> None:
        """No callee was given it."""
        self._refused += 1
        if call.trace is not None:
            call.trace.ended(uri)

    def left(self, call: PendingCall) -> None:
        """Its caller is gone."""
        self._left += 1
        if call.trace is not None:
            call.trace.ended("left")

    def _count(self) -> None:
        self._seconds.observe_all(self._uncounted)
        self._uncounted.clear()


OUTCOMES: Final = {TIMEOUT: "timeout", CANCELED: "canceled"}


class Calls:
    """One session's part in calls.

    ``made``: its request -> pending call; ``answering``: its invocation's request -> pending call;
    ``progressive``: ids of the latest progressive calls that it made -> has the dealer seen it, so that a
    chunk of one that is not pending is late.
    """

    __slots__ = ("answering", "invocation_ids", "made", "progressive")

    def __init__(self) -> None:
        self.made: dict[int, PendingCall] = {}
        self.answering: dict[int, PendingCall] = {}
        self.progressive: dict[int, bool] = {}
        self.invocation_ids = Counter()

    def remember_progressive(self, request: int, is_begun: bool) -> None:
        """Note the id of a progressive call that began or ended; the oldest makes room."""
        self.progressive.pop(request, None)
        self.progressive[request] = is_begun
        if len(self.progressive) > MAX_PROGRESSIVE:
            del self.progressive[next(iter(self.progressive))]

    def check_invoked(self, invocation: int) -> None:
        """Raises: PeerError: the session was never sent an invocation of that id."""
        if invocation >= self.invocation_ids.upcoming:
            raise PeerError(f"there was no INVOCATION {invocation}")


class PendingCall:
    """A call that was invoked and is not answered yet.

    ``caller``: None for a call of no session, whose end is given to ``on_end``, and progressive results to
    ``on_progress``; ``calls``: the caller's, and ``at``: those of the session that is to answer; ``details``:
    what every INVOCATION of it carries; ``is_sending``: more chunks of its arguments are to come;
    ``is_canceled``: the callee was told to end it; ``nameable``: who calls, for a callee that asks, or None;
    ``payload``: kept where another callee may have to be asked, whom ``unavailable`` does not have; ``held``:
    bytes of it that count for the caller; ``trace``: of who follows it; ``since``: monotonic seconds, what
    its time is counted from, and ``began``: when it was given to its first callee. What is not set at first
    is set once that was asked.
    """

    __slots__ = (
        "at",
        "began",
        "callee",
        "caller",
        "calls",
        "deadline",
        "details",
        "held",
        "invocation",
        "is_canceled",
        "is_sending",
        "nameable",
        "on_end",
        "on_progress",
        "options",
        "payload",
        "request",
        "since",
        "trace",
        "unavailable",
    )

    at: Calls
    callee: Callee
    invocation: int
    since: float
    began: float
    deadline: Deadline

    def __init__(
        self,
        caller: Session | None,
        calls: Calls,
        request: int,
        options: CallOptions,
        details: dict[str, Any],
        payload: Payload,
        on_end: Callable[[Message, Payload], None] | None,
    ) -> None:
        self.caller = caller
        self.calls = calls
        self.request = request
        self.options = options
        self.details = details
        self.payload: Payload | None = payload
        self.on_end = on_end
        self.on_progress: Callable[[Payload], None] | None = None
        self.is_sending = options.progress
        self.is_canceled = False
        self.nameable: Actor | None = None
        self.unavailable: set[Session] = set()
        self.held = 0
        self.trace: CallTrace | None = None

    def invocation_details(self) -> dict[str, Any]:
        """Those of its next INVOCATION."""
        return {**self.details, "progress": True} if self.is_sending else self.details

    def allowed(self, limit: float, is_forwarded: bool) -> float:
        """How many seconds it may take, ``limit`` at most; ``is_forwarded``: its callee was told its time."""
        # A callee that ends its calls itself gets the caller's time; the server's own limit holds for all.
        if self.options.timeout and not is_forwarded:
            return min(self.options.timeout / 1000, limit)
        return limit

    def forget_callee(self) -> None:
        """Its callee does not have it: let go of what the next one may not be told, which may have announced
        less.
        """
        self.unavailable.add(self.callee.session)
        own = (*CALLEES_OWN, *CALLER) if self.nameable is not None else CALLEES_OWN
        self.details = {name: self.details[name] for name in self.details if name not in own}

    @property
    def is_pending(self) -> bool:
        """Whether its callee is to answer yet."""
        return self.at.answering.get(self.invocation) is self

    @property
    def takes_passthru(self) -> bool:
        """Whether its caller takes an answer whose payload is passed through."""
        return self.caller is None or "caller.payload_passthru_mode" in self.caller.features
