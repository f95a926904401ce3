"""The ledger: what was used in one hour of UTC, by whom, on which channel.

It counts in memory and knows no store: whoever writes it asks for what has ``changed``. Within their hour
all counts only grow, so that a line has changed when their sum has. An hour that is closed is never opened
again, however the wall clock is set.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from radiod.core.access.records import UsageRow
from radiod.core.holders import ANONYMOUS, Account, Holder
from radiod.core.timers import Clock

__all__ = ["HOUR", "MAX_CLOSED", "MAX_LINES", "NO_CHANNEL", "THE_REST", "Ledger", "Line", "hour_of"]

HOUR: Final = 3600
"""Seconds."""

MAX_LINES: Final = 100_000
"""Lines of one hour; of each holder one more, for what has no room."""

MAX_CLOSED: Final = 200_000
"""Lines of closed hours that wait to be written."""

THE_REST: Final = "*"
"""The channel of what came when there were ``MAX_LINES`` already."""

NO_CHANNEL: Final = ""
"""The channel of what has none: time."""


class Line:
    """What one key used on one channel in one hour; ``UsageRow`` says what is counted.

    ``noted``: ``total`` as it was when the line was written last.
    """

    __slots__ = (
        "account",
        "bytes_in",
        "bytes_out",
        "calls",
        "channel",
        "delivered",
        "dropped",
        "hour",
        "key",
        "noted",
        "published",
        "refused",
        "seconds",
    )

    def __init__(self, hour: int, account: str, key: str, channel: str) -> None:
        self.hour = hour
        self.account = account
        self.key = key
        self.channel = channel
        self.published = 0
        self.delivered = 0
        self.dropped = 0
        self.refused = 0
        self.calls = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.seconds = 0.0
        self.noted = 0.0

    @property
    def total(self) -> float:
        """The sum of all counts, which changes when one of them does."""
        events = self.published + self.delivered + self.dropped + self.refused + self.calls
        return events + self.bytes_in + self.bytes_out + self.seconds

    def add(self, row: UsageRow) -> None:
        """What was written of it before counts as well."""
        before = self.total
        self.published += row.published
        self.delivered += row.delivered
        self.dropped += row.dropped
        self.refused += row.refused
        self.calls += row.calls
        self.bytes_in += row.bytes_in
        self.bytes_out += row.bytes_out
        self.seconds += row.seconds
        # What was counted since is not written yet.
        self.noted = self.total if not before else -1.0

    def row(self) -> UsageRow:
        """As it is written: the values of its whole hour, so that writing them twice changes nothing."""
        return UsageRow(
            hour=self.hour,
            account=self.account,
            key=self.key,
            channel=self.channel,
            published=self.published,
            delivered=self.delivered,
            dropped=self.dropped,
            refused=self.refused,
            calls=self.calls,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            seconds=round(self.seconds, 3),
        )


class _Connected:
    """How much one holder has open, and up to when that was counted.

    ``early``: seconds since then in which what has opened meanwhile was not yet, less those in which what has
    closed was.
    """

    __slots__ = ("count", "early", "since")

    def __init__(self, now: float) -> None:
        self.count = 0
        self.since = now
        self.early = 0.0


class Ledger:
    """Counts what holders use; None is everybody who did not say who they are.

    ``hour``: the open one, in seconds since 1970; ``edition``: changes when everybody needs other lines;
    ``lines``: (holder, channel) -> its line in that hour, for those who count often: one that is not there is
    made by ``line``. ``settlers`` are called before anybody looks at the counts, and enter what they kept to
    themselves; ``charged``: accounts with a plan that were refused something, or whose listeners were
    given something, until whoever acts on that has taken them; ``given_up``: lines of closed hours that could
    not be written for so long that they had to go.
    """

    def __init__(self, clock: Clock, max_lines: int = MAX_LINES, max_closed: int = MAX_CLOSED) -> None:
        self._clock = clock
        self._max_lines = max_lines
        self._max_closed = max_closed
        self.hour = hour_of(clock.time())
        self.edition = 0
        self.charged: dict[Account, None] = {}
        self.lines: dict[tuple[Holder | None, str], Line] = {}
        # The same lines by what they are written under: several holders may have one name, in several realms.
        self._by_name: dict[tuple[str, str, str], Line] = {}
        self._closed: dict[Line, None] = {}
        self._connected: dict[Holder | None, _Connected] = {}
        self.settlers: list[Callable[[], None]] = []
        self.given_up = 0

    def __len__(self) -> int:
        """Lines of the open hour."""
        return len(self._by_name)

    # --- counting

    def line(self, holder: Holder | None, channel: str) -> Line:
        """The line to count on now; the next ``edition`` has another."""
        line = self.lines.get((holder, channel))
        if line is None:
            account, key = (ANONYMOUS, ANONYMOUS) if holder is None else (holder.account.id, holder.id)
            line = self._named(account, key, channel)
            if line.channel == channel:
                # Channels that have no room have none here either.
                self.lines[holder, channel] = line
        return line

    def _named(self, account: str, key: str, channel: str) -> Line:
        name = account, key, channel
        line = self._by_name.get(name)
        if line is None and len(self._by_name) >= self._max_lines:
            name = account, key, THE_REST
            line = self._by_name.get(name)
        if line is None:
            line = self._by_name[name] = Line(self.hour, *name)
        return line

    def charge(self, holder: Holder | None, events: int, size: int) -> None:
        """So many events, of so many payload bytes, were given to listeners of a holder: plans count them."""
        if holder is not None and holder.account.allowances is not None:
            holder.account.allowances.delivered(events, size)
            self.charged[holder.account] = None

    def opened(self, holder: Holder | None) -> None:
        """A session, a stream or a waiting poll of this holder has opened."""
        now = self._clock.seconds()
        connected = self._connected.get(holder)
        if connected is None:
            connected = self._connected[holder] = _Connected(now)
        connected.early += now - connected.since
        connected.count += 1

    def closed(self, holder: Holder | None) -> None:
        """One of these has closed."""
        connected, now = self._connected[holder], self._clock.seconds()
        connected.early -= now - connected.since
        connected.count -= 1
        if not connected.count:
            self._accrue(holder, connected, now)
            del self._connected[holder]

    def _accrue(self, holder: Holder | None, connected: _Connected, now: float) -> None:
        self.line(holder, NO_CHANNEL).seconds += connected.count * (now - connected.since) - connected.early
        connected.since = now
        connected.early = 0.0

    def settle(self) -> None:
        """Enter all that was counted elsewhere."""
        for settle in self.settlers:
            settle()

    def regroup(self) -> None:
        """A holder is about to move to another account: what it used so far is on the old one."""
        self.settle()
        self.settle_time()
        self.edition += 1
        self.lines.clear()

    def settle_time(self) -> None:
        """Enter how long everything has been open; apart, since nobody minds that every second."""
        now = self._clock.seconds()
        for holder, connected in self._connected.items():
            self._accrue(holder, connected, now)

    def now(self) -> list[Line]:
        """The lines of the open hour, with all that was used by now. O(n) in lines, and in listeners."""
        self.settle()
        self.settle_time()
        return list(self._by_name.values())

    # --- hours

    @property
    def ends_in(self) -> float:
        """Seconds until the open hour is over by the wall clock; 0 or less: it is."""
        return self.hour + HOUR - self._clock.time()

    def turn(self) -> bool:
        """Open another hour if the wall clock shows a later one. Returns: whether it did."""
        hour = hour_of(self._clock.time())
        if hour <= self.hour:
            return False
        self.settle()
        self.settle_time()
        for line in self._by_name.values():
            if line.total != line.noted:
                self._closed[line] = None
        while len(self._closed) > self._max_closed:
            # The oldest: too few is better than too much memory, and than too many anyway.
            del self._closed[next(iter(self._closed))]
            self.given_up += 1
        self._open(hour)
        return True

    def _open(self, hour: int) -> None:
        self.hour = hour
        self.edition += 1
        self.lines.clear()
        self._by_name = {}

    # --- writing

    def changed(self) -> list[Line]:
        """All lines that differ from what was written, closed hours first."""
        return [*self._closed, *(line for line in self._by_name.values() if line.total != line.noted)]

    def written(self, line: Line, total: float) -> None:
        """A line was written as it was when its ``total`` was this."""
        line.noted = total
        self._closed.pop(line, None)

    def restore(self, rows: Sequence[UsageRow]) -> None:
        """Go on from what is written of the open hour, or of a later one: the latest is open then.

        What was counted since the start counts in that hour.
        """
        hour = max((row.hour for row in rows), default=self.hour)
        if hour > self.hour:
            # The wall clock was set back while nothing ran.
            self.hour = hour
            for line in self._by_name.values():
                line.hour = hour
        for row in rows:
            if row.hour == hour:
                # Though there are too many: they are there.
                name = row.account, row.key, row.channel
                line = self._by_name.setdefault(name, Line(hour, *name))
                line.add(row)


def hour_of(time: float) -> int:
    """The hour that a moment lies in, both in seconds since 1970."""
    return int(time // HOUR) * HOUR
