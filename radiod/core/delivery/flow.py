"""What all listeners of one broker share: the way out, the clock, and where events are counted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol, TypeVar

from radiod.core.access.ledger import Ledger
from radiod.core.budgets.bounds import Bounds
from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.holdings import Holdings
from radiod.core.delivery.readership import Readerships
from radiod.core.delivery.totals import Tally, Totals
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock, Timers

__all__ = ["EventOutbox", "Flow"]

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
