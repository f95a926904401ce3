"""What the server holds for its sessions: events in buffers and lines, and payloads of pending calls.

Each session has an account, made when something is first held for it, and all accounts have a sum; both have
a bound. Where events would pass it the largest buffers give, each by its own policy, and a little more than
is needed, so that looking for the largest costs next to nothing for each event. That is a loss like those of
a full buffer, and told like them. Calls are refused instead.

An event that several listeners wait for counts for each of them, though it is in memory once.
"""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace
from typing import Final, Protocol

from radiod.core.limits import Limits
from radiod.core.sessions.session import Session

__all__ = ["Account", "Holder", "Holdings"]

SLACK: Final = 16
"""One part in so many is freed besides what is needed."""

BITE: Final = 8
"""One part in so many of what the largest session holds goes before the next largest is looked for."""


class Holder(Protocol):
    """What may hold events for a session, and can lose them: ``Listener`` is one, and documents it."""

    @property
    def held_bytes(self) -> int:
        """Payload bytes of what it could lose."""

    def shed(self) -> int:
        """Lose some, as its policy says; there must be something. Returns: ``held_bytes`` after that."""


class Holdings:
    """The accounts of one server. ``bytes``: of all of them."""

    __slots__ = ("_accounts", "_by_session", "bytes", "max_bytes", "max_session_bytes")

    def __init__(self, max_session_bytes: int = 64 << 20, max_bytes: int = 1 << 30) -> None:
        self.max_session_bytes = max_session_bytes
        self.max_bytes = max_bytes
        self.bytes = 0
        # Those for which something is held.
        self._accounts: dict[Account, None] = {}
        self._by_session: dict[Session, Account] = {}

    @classmethod
    def of(cls, limits: Limits) -> Holdings:
        """Within the bounds of a realm's limits."""
        return cls(limits.max_session_bytes, limits.max_buffered_bytes)

    def __len__(self) -> int:
        """Sessions that have an account."""
        return len(self._by_session)

    def account(self, session: Session) -> Account:
        """The account of a session, made when first needed; ``leave`` ends it."""
        account = self._by_session.get(session)
        if account is None:
            account = self._by_session[session] = Account(self)
        return account

    def accounts(self) -> list[tuple[Session, Account]]:
        """Those for whom something is held, or was: session and account."""
        return list(self._by_session.items())

    def leave(self, session: Session) -> None:
        """The session has left, and nothing is held for it any more."""
        self._by_session.pop(session, None)

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
    """What is held for one session. ``holders``: its listeners that have buffers."""

    __slots__ = ("bytes", "holders", "holdings")

    def __init__(self, holdings: Holdings) -> None:
        self.holdings = holdings
        self.bytes = 0
        self.holders: dict[Holder, None] = {}

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
            (-holder.held_bytes, number, holder)
            for number, holder in enumerate(self.holders)
            if holder.held_bytes
        ]
        heapify(heap)
        while heap and self.bytes > goal:
            _, number, holder = heap[0]
            left = holder.shed()
            if left:
                heapreplace(heap, (-left, number, holder))
            else:
                heappop(heap)
