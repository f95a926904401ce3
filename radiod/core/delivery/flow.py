"""What all listeners of one broker share: the way out, the clock, and the counts of what became of events."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol, TypeVar

from radiod.core.access.ledger import Ledger
from radiod.core.budgets.bounds import Bounds
from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.holdings import Holdings
from radiod.core.delivery.readership import Readerships
from radiod.core.delivery.settings import POLICIES, Policy
from radiod.core.delivery.totals import Totals
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers

__all__ = ["EventOutbox", "Flow", "Tally"]

L = TypeVar("L", contravariant=True)


class EventOutbox(Protocol[L]):
    """The way of events to listeners, which are ``L``. Never blocks, never re-enters the core."""

    def fan_out(self, listeners: Collection[L], broadcast: Broadcast, lost: int = 0) -> None:
        """Deliver one event to many listeners, telling them that ``lost`` were dropped before it.

        Events of one publisher on one topic reach each listener in the order of these calls. A listener
        that does not keep up gets its buffer's policy (``Listener.hold``) instead of a place in memory.
        """

    def release(self, listener: L) -> None:
        """Something waits for the listener, and is due: ask for it with ``Listener.take`` until that is None.

        That happens soon, when its connection takes it; never before this returns.
        """

    def is_blocked(self, session: Session) -> bool:
        """True while the session's connection takes nothing, and events go to its listeners' buffers."""


class Tally:
    """Counts what became of events, one for each listener; bytes are those of their payload.

    ``delivered``, ``delivered_bytes``: given to its connection; ``queued``, ``queued_bytes``: waiting in its
    buffer; ``by_policy``: lost; ``undeliverable``: lost, since its form has no word for it, or it is too
    long for the listener; ``overtaken``: lost, since the history dropped it before a listener that came
    back read it; ``conflated``: replaced by a newer one while it waited, and ``skipped``: left out by
    ``every``, as the listener wished.
    """

    __slots__ = (
        "by_policy",
        "conflated",
        "delivered",
        "delivered_bytes",
        "overtaken",
        "queued",
        "queued_bytes",
        "skipped",
        "undeliverable",
    )

    def __init__(self) -> None:
        self.delivered = 0
        self.delivered_bytes = 0
        self.by_policy: dict[Policy, int] = dict.fromkeys(POLICIES, 0)
        self.undeliverable = 0
        self.overtaken = 0
        self.conflated = 0
        self.skipped = 0
        self.queued = 0
        self.queued_bytes = 0

    @property
    def lost(self) -> int:
        """All that was lost, by any policy."""
        return sum(self.by_policy.values())


class Flow:
    """Shared by all listeners of one broker. ``paced`` counts those that have a pacer.

    ``totals``: what its topics come to; None: nobody may know of them.
    """

    __slots__ = (
        "bounds",
        "clock",
        "holdings",
        "outbox",
        "paced",
        "readerships",
        "tally",
        "timers",
        "totals",
        "wait_timeout",
    )

    def __init__(
        self,
        outbox: EventOutbox[Any],
        clock: Clock,
        timers: Timers,
        tally: Tally,
        wait_timeout: float,
        holdings: Holdings | None = None,
        bounds: Bounds | None = None,
        readerships: Readerships | None = None,
        totals: Totals | None = None,
    ) -> None:
        self.totals = totals
        self.readerships = Readerships(Ledger(clock)) if readerships is None else readerships
        self.holdings = Holdings() if holdings is None else holdings
        self.bounds = Bounds() if bounds is None else bounds
        self.outbox = outbox
        self.clock = clock
        self.timers = timers
        self.tally = tally
        self.wait_timeout = wait_timeout
        self.paced = 0
