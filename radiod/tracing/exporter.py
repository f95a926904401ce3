"""Sends spans to a collector, some together, and never more than one request at a time.

Nobody waits for it: a collector that is slow, silent or gone costs a bounded queue, and spans, which are
counted. What it may take later is sent again, as OTLP asks (429, 502, 503, 504, or no answer at all).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from radiod.core.timers import Clock, Deadline, Timers
from radiod.tracing.spans import Span

__all__ = ["BATCH", "DELAY_S", "MOST_WAITING", "RETRIES", "Exporter", "Outcome", "Post"]

MOST_WAITING: Final = 4096
"""Spans: newer ones are dropped."""

BATCH: Final = 128
"""Spans of one request: making it takes about a millisecond of everybody's time."""

DELAY_S: Final = 1.0
"""How long a span waits for others."""

RETRIES: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between the tries of one request."""

MOST_RETRY_AFTER: Final = 60.0

AGAIN: Final = frozenset((None, 429, 502, 503, 504))
"""Statuses, and no answer, after which a request is sent once more."""


class Outcome(Protocol):
    """What became of a request; ``webhooks.schedule.Outcome`` is one, and documents it."""

    @property
    def status(self) -> int | None: ...

    @property
    def why(self) -> str: ...

    @property
    def retry_after(self) -> float: ...

    @property
    def is_delivered(self) -> bool: ...


Post = Callable[[Mapping[str, str], bytes], Deferred[Any]]
"""Sends a body; what it returns comes to an ``Outcome``, and never fails unless it is cancelled."""


class Exporter:
    """``counts``: spans by what became of them: ``sent``, ``dropped`` (there were too many), ``refused`` (the
    collector did not take them).

    Args:
        headers: of each request.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        post: Post,
        encode: Callable[[Sequence[Span]], bytes],
        headers: Mapping[str, str],
        clock: Clock,
        timers: Timers,
    ) -> None:
        self._post = post
        self._encode = encode
        self._headers = {"Content-Type": "application/x-protobuf", **headers}
        self._clock = clock
        self._timers = timers
        self._waiting: deque[Span] = deque()
        self.counts = dict.fromkeys(("sent", "dropped", "refused"), 0)
        # When the next request is due, unless one is on its way.
        self._deadline: Deadline | None = None
        self._sending: Deferred[Any] | None = None
        # What is sent again: how many spans, the body, and how often it was tried.
        self._again: tuple[int, bytes, int] | None = None
        self._is_failing = False
        self._is_stopped = False
        self._on_rest: Callable[[], None] | None = None

    def __len__(self) -> int:
        """Spans that wait, those on their way aside."""
        return len(self._waiting)

    def add(self, span: Span) -> None:
        """One more that has ended."""
        waiting = self._waiting
        if self._is_stopped or len(waiting) >= MOST_WAITING:
            self.counts["dropped"] += 1
            return
        waiting.append(span)
        if self._sending is None and self._again is None:
            if self._deadline is None:
                self._be_due(DELAY_S)
            elif len(waiting) == BATCH:
                self._be_due(0.0)

    def wind_up(self, done: Callable[[], None]) -> None:
        """Send what there is, and call ``done`` then; what fails is not tried again."""
        self._on_rest = done
        if self._sending is None:
            self._send()

    def stop(self) -> None:
        """Send nothing more."""
        self._is_stopped = True
        self._on_rest = None
        if self._deadline is not None:
            self._deadline.cancel()
        if self._sending is not None:
            self._sending.cancel()
        self.counts["dropped"] += len(self._waiting) + (self._again[0] if self._again is not None else 0)
        self._waiting.clear()

    def _be_due(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._timers.at(self._clock.seconds() + seconds, self._send)

    def _send(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._again is None and not self._waiting:
            if self._on_rest is not None:
                self._on_rest()
            return
        count, body, tries = self._again or self._next()
        self._again = None
        sending = self._sending = self._post(self._headers, body)
        sending.addCallback(self._came, count, body, tries)
        sending.addErrback(self._failed, count)

    def _next(self) -> tuple[int, bytes, int]:
        waiting = self._waiting
        spans = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
        return len(spans), self._encode(spans), 0

    def _came(self, outcome: Outcome, count: int, body: bytes, tries: int) -> None:
        """A request has its outcome."""
        self._sending = None
        if outcome.is_delivered:
            self.counts["sent"] += count
            self._recovered()
        elif outcome.status in AGAIN and tries < len(RETRIES) and self._on_rest is None:
            self._again = count, body, tries + 1
            self._tell(outcome.why)
            self._be_due(max(RETRIES[tries], min(outcome.retry_after, MOST_RETRY_AFTER)))
            return
        else:
            self.counts["refused"] += count
            self._tell(outcome.why)
        self._go_on()

    def _failed(self, failure: Failure, count: int) -> None:
        """It was cancelled, or something is wrong with the sender itself."""
        self._sending = None
        self.counts["dropped"] += count
        if not self._is_stopped:
            self.log.failure("spans could not be sent", failure, event="failure")
            self._go_on()

    def _go_on(self) -> None:
        if self._is_stopped:
            return
        if self._on_rest is not None and (self._is_failing or not self._waiting):
            # At the end nobody waits for a collector that does not answer.
            self._on_rest()
        elif self._waiting:
            is_urgent = len(self._waiting) >= BATCH or self._on_rest is not None
            self._be_due(0.0 if is_urgent else DELAY_S)

    def _tell(self, why: str) -> None:
        """The log has it once, until it is over."""
        if not self._is_failing:
            self._is_failing = True
            self.log.warn("traces: the collector does not take spans: {why}", why=why, event="traces_failed")

    def _recovered(self) -> None:
        if self._is_failing:
            self._is_failing = False
            self.log.info("traces: the collector takes spans again", event="traces_recovered")
