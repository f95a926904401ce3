"""Who was given how many events, counted once for each event and not for each listener.

A subscription counts what all of its ordinary listeners are given (``Offered``). What the listeners of one
holder had of it is that, since they joined, times their number, less what was left out for one of them:
excluded, waiting or lost in its buffer. Listeners with a pacer count each event that they are given; they are
few, or slow. ``Readerships.settle`` brings all of it together in the ledger, and in the counts of the server,
once a second and before anybody looks. It looks at those subscriptions alone that had something since: there
may be a hundred thousand that had nothing.
"""

from __future__ import annotations

from radiod.core.access.ledger import Ledger, Line
from radiod.core.delivery.totals import Tally, Totals
from radiod.core.holders import Holder

__all__ = ["Offered", "Readership", "Readerships"]


class Offered:
    """Events that all ordinary listeners of one subscription were given, and their payload bytes.

    ``tally``, ``totals``: where else it is entered, for all channels and for each; None: it is for none.
    """

    __slots__ = (
        "_readerships",
        "by_holder",
        "bytes",
        "channel",
        "events",
        "is_noted",
        "tally",
        "totals",
    )

    def __init__(
        self, readerships: Readerships, channel: str, tally: Tally, totals: Totals | None = None
    ) -> None:
        self._readerships = readerships
        self.channel = channel
        self.tally = tally
        self.totals = totals
        self.events = 0
        self.bytes = 0
        self.by_holder: dict[Holder | None, Readership] = {}
        # Whether there may be something to enter for one of them.
        self.is_noted = False

    def offer(self, size: int) -> None:
        """All ordinary listeners were given an event of so many payload bytes."""
        self.events += 1
        self.bytes += size
        if not self.is_noted:
            self.note()

    def take_back(self, size: int) -> None:
        """What was offered last was not: those who had it are counted one by one."""
        self.events -= 1
        self.bytes -= size

    def note(self) -> None:
        """There is something to enter."""
        self._readerships.note(self)


class Readership:
    """The listeners of one holder in one subscription, and what they were given since the last ``settle``."""

    __slots__ = (
        "_bytes",
        "_delivered",
        "_dropped",
        "_edition",
        "_holder",
        "_line",
        "_listeners",
        "_offered",
        "_ordinary",
        "_readerships",
        "_since",
        "_since_bytes",
    )

    def __init__(self, readerships: Readerships, offered: Offered, holder: Holder | None) -> None:
        self._readerships = readerships
        self._offered = offered
        self._holder = holder
        self._listeners = 0
        # Those without a pacer, and up to where they had what was offered.
        self._ordinary = 0
        self._since = offered.events
        self._since_bytes = offered.bytes
        # What was given to one listener, less what was left out for one.
        self._delivered = 0
        self._bytes = 0
        self._dropped = 0
        self._line: Line | None = None
        self._edition = -1

    # --- listeners

    def enter(self) -> None:
        """One more listener, an ordinary one."""
        self._listeners += 1
        self.bring_back()

    def set_apart(self) -> None:
        """An ordinary listener counts for itself from here on: it had what was offered up to now."""
        offered = self._offered
        self._delivered += offered.events - self._since
        self._bytes += offered.bytes - self._since_bytes
        self._ordinary -= 1

    def bring_back(self) -> None:
        """It is an ordinary one again: what was offered up to now it had not, or that is counted."""
        offered = self._offered
        self._delivered -= offered.events - self._since
        self._bytes -= offered.bytes - self._since_bytes
        self._ordinary += 1

    def leave(self) -> None:
        """An ordinary listener is gone."""
        self.set_apart()
        self._listeners -= 1
        if not self._listeners:
            self._readerships.end(self, self._offered, self._holder)

    # --- what one of them was given

    def give(self, size: int) -> None:
        """One listener was given an event of so many payload bytes, besides what was offered to all."""
        self._delivered += 1
        self._bytes += size
        self._note()

    def leave_out(self, size: int) -> None:
        """One listener was not given an event that was offered to all, or that ``give`` has counted."""
        self._delivered -= 1
        self._bytes -= size
        self._note()

    def lose(self, count: int) -> None:
        """So many events were lost for one listener."""
        self._dropped += count
        self._note()

    # --- the ledger

    def _note(self) -> None:
        if not self._offered.is_noted:
            self._offered.note()

    def settle(self, ledger: Ledger) -> None:
        """Enter what was given since the last time."""
        offered = self._offered
        self._delivered += self._ordinary * (offered.events - self._since)
        self._bytes += self._ordinary * (offered.bytes - self._since_bytes)
        self._since = offered.events
        self._since_bytes = offered.bytes
        if not (self._delivered or self._dropped):
            return
        line = self._line
        if line is None or self._edition != ledger.edition:
            line = self._line = ledger.line(self._holder, offered.channel)
            self._edition = ledger.edition
        ledger.charge(self._holder, self._delivered, self._bytes)
        line.delivered += self._delivered
        line.bytes_out += self._bytes
        line.dropped += self._dropped
        offered.tally.delivered += self._delivered
        offered.tally.delivered_bytes += self._bytes
        if offered.totals is not None:
            total = offered.totals.of(offered.channel)
            total.delivered += self._delivered
            total.dropped += self._dropped
        self._delivered = self._bytes = self._dropped = 0


class Readerships:
    """All of one server, on its ``ledger``."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._count = 0
        # Those for which there may be something to enter.
        self._noted: dict[Offered, None] = {}
        ledger.settlers.append(self.settle)

    def __len__(self) -> int:
        """How many holders listen, each counted for each of its subscriptions."""
        return self._count

    def of(self, offered: Offered, holder: Holder | None) -> Readership:
        """The listeners of a holder in a subscription; ``Readership.enter`` follows."""
        readership = offered.by_holder.get(holder)
        if readership is None:
            readership = offered.by_holder[holder] = Readership(self, offered, holder)
            self._count += 1
        return readership

    def end(self, readership: Readership, offered: Offered, holder: Holder | None) -> None:
        """Nobody is left of them."""
        readership.settle(self.ledger)
        del offered.by_holder[holder]
        self._count -= 1
        if not offered.by_holder:
            # Else nothing would let go of it where nobody ever settles.
            self._noted.pop(offered, None)
            offered.is_noted = False

    def note(self, offered: Offered) -> None:
        """There is something to enter for the listeners of a subscription."""
        offered.is_noted = True
        self._noted[offered] = None

    def settle(self) -> None:
        """Enter in the ledger what everybody was given."""
        noted, self._noted = self._noted, {}
        for offered in noted:
            offered.is_noted = False
            for readership in offered.by_holder.values():
                readership.settle(self.ledger)
