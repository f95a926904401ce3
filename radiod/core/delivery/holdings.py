"""What the server holds for its sessions: events in buffers and lines, and payloads of pending calls.

Each session has an account, made when something is first held for it, and all accounts have a sum; both have
a bound. Where events would pass it the largest buffers give, each by its own policy, and a little more than
is needed, so that looking for the largest costs next to nothing for each event. That is a loss like those of
a full buffer, and told like them. Calls are refused instead.

An event that several listeners wait for counts for each of them, though it is in memory once.
"""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from radiod.core.delivery.listeners import Listener

__all__ = ["Account", "Holdings"]

SLACK: Final = 16
"""One part in so many is freed besides what is needed."""

BITE: Final = 8
"""One part in so many of what the largest session holds goes before the next largest is looked for."""


class Holdings:
    """The accounts of one server. ``bytes``: of all of them."""

    __slots__ = ("_accounts", "bytes", "max_bytes", "max_session_bytes")

    def __init__(self, max_session_bytes: int = 64 << 20, max_bytes: int = 1 << 30) -> None:
        self.max_session_bytes = max_session_bytes
        self.max_bytes = max_bytes
        self.bytes = 0
        # Those for which something is held.
        self._accounts: dict[Account, None] = {}

    def change(self, account: Account, size: int) -> None:
        """So many bytes more, or less, are held for a session."""
        account.bytes += size
        self.bytes += size
        if account.bytes:
            self._accounts[account] = None
        else:
            self._accounts.pop(account, None)

    def make_room(self, size: int) -> None:
        """Have the sessions that hold most lose events until there is room for so many bytes, if they can."""
        goal = self.max_bytes - self.max_bytes // SLACK - size
        heap = [(-account.bytes, number, account) for number, account in enumerate(self._accounts)]
        heapify(heap)
        while heap and self.bytes > goal:
            _, number, account = heap[0]
            before = account.bytes
            account.shed(before - max(before // BITE, 1))
            if account.bytes < before:
                heapreplace(heap, (-account.bytes, number, account))
            else:
                # Nothing that may go.
                heappop(heap)


class Account:
    """What is held for one session. ``listeners``: its listeners that have buffers."""

    __slots__ = ("bytes", "holdings", "listeners")

    def __init__(self, holdings: Holdings) -> None:
        self.holdings = holdings
        self.bytes = 0
        self.listeners: dict[Listener, None] = {}

    def change(self, size: int) -> None:
        """So many bytes more, or less, are held."""
        self.holdings.change(self, size)

    def exceeded(self, size: int) -> str | None:
        """The bound that so many bytes more would pass; None: there is room for them."""
        holdings = self.holdings
        if self.bytes + size > holdings.max_session_bytes:
            return "max_session_bytes"
        return "max_buffered_bytes" if holdings.bytes + size > holdings.max_bytes else None

    def make_room(self, size: int) -> str | None:
        """Have events lost until there is room for so many bytes; as ``exceeded``, of what is then."""
        most = self.holdings.max_session_bytes
        if size > min(most, self.holdings.max_bytes):
            # Nothing would help.
            return self.exceeded(size)
        if self.bytes + size > most:
            self.shed(most - most // SLACK - size)
        if self.holdings.bytes + size > self.holdings.max_bytes:
            self.holdings.make_room(size)
        return self.exceeded(size)

    def shed(self, goal: int) -> None:
        """Have the largest buffers lose events until no more than ``goal`` bytes are held, if they can."""
        heap = [
            (-listener.buffer.bytes, number, listener)
            for number, listener in enumerate(self.listeners)
            if listener.buffer is not None and listener.buffer.bytes
        ]
        heapify(heap)
        while heap and self.bytes > goal:
            _, number, listener = heap[0]
            left = listener.shed()
            if left:
                heapreplace(heap, (-left, number, listener))
            else:
                heappop(heap)
