"""Who has access: accounts pay, holders (keys and users) open doors.

Limits and usage belong to the account, so that a new key, or a new secret, resets nothing. What a holder has
open (sessions, streams, polls, calls) is listed here, for the day on which it must end.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, Final

from radiod.core.allowances import Allowances
from radiod.errors import NoAccess
from radiod.wire.doors import usual_origin
from radiod.wire.forwarded import Proxies

__all__ = ["ANONYMOUS", "MAX_PASSING", "Account", "Accounts", "Holder"]

ANONYMOUS: Final = "anonymous"
"""The account of everybody who did not say who they are."""

MAX_PASSING: Final = 10_000
"""Accounts that nobody has set up, of users whom somebody else knows, say: beyond these idle ones go."""


class Account:
    """Who pays for what its holders use.

    ``refused``: why nobody of it is let in (``suspended``), empty: they are; ``connections``: sessions,
    streams and waiting polls of its holders; ``channels``: that these created, and that exist; ``busy``:
    those of them that have anything open; ``allowances``: its plan at work, None: it never had one.
    """

    __slots__ = ("allowances", "busy", "channels", "connections", "id", "label", "refused")

    def __init__(self, id: str, label: str = "") -> None:
        self.id = id
        self.label = label
        self.refused = ""
        self.connections = 0
        self.channels = 0
        self.busy: dict[Holder, None] = {}
        self.allowances: Allowances | None = None

    def __repr__(self) -> str:
        return f"<Account {self.id}>"

    def ending(
        self, reason: str, is_meant: Callable[[Any], bool] | None = None
    ) -> Generator[None, None, int]:
        """End all that its holders have open: work for ``Slices``, as ``Holder.ending``."""
        ended = 0
        failures: list[Exception] = []
        for holder in list(self.busy):
            ended += yield from holder.attempts(reason, failures, is_meant)
        if failures:
            raise failures[0]
        return ended


class Accounts:
    """All accounts, each once: what a holder is on is what is suspended.

    Those that were set up are ``kept``; others come with their holders, and go when they are idle and many.
    ``moving`` is called before a holder moves, for who counts by account.
    """

    def __init__(self) -> None:
        self.kept: Final[dict[str, Account]] = {}
        self.moving: Final[list[Callable[[], None]]] = []
        self._passing: dict[str, Account] = {}

    def of(self, id: str) -> Account:
        """The account that this names, a new one perhaps."""
        found = self.kept.get(id) or self._passing.get(id)
        if found is None:
            self._make_room()
            found = self._passing[id] = Account(id)
        return found

    def keep(self, id: str) -> Account:
        """The same; it stays."""
        found = self.of(id)
        self._passing.pop(id, None)
        self.kept[id] = found
        return found

    def move(self, holder: Holder, id: str) -> None:
        """A holder is on this account from now on, which stays, with all that it has open."""
        for move in self.moving:
            move()
        holder.move(self.keep(id))

    def _make_room(self) -> None:
        """Where there are too many let the oldest go; one that has something open is like a new one."""
        for _ in range(2):
            if len(self._passing) < MAX_PASSING:
                return
            oldest = self._passing.pop(next(iter(self._passing)))
            if oldest.busy:
                self._passing[oldest.id] = oldest


class Holder:
    """One key, or one user, on an account.

    ``id``: a key's id, a user's authid; ``refused``: why nothing of it is let in (``revoked``,
    ``suspended``, ``expired``, ``not_yet_valid``), empty: it is. ``is_restricted``: not from everywhere.
    """

    __slots__ = (
        "_connections",
        "_networks",
        "_open",
        "_origins",
        "account",
        "id",
        "is_restricted",
        "refused",
    )

    def __init__(self, id: str, account: Account) -> None:
        self.id = id
        self.account = account
        self.refused = ""
        # Where it may come from; None: from anywhere.
        self._origins: frozenset[str] | None = None
        self._networks: Proxies | None = None
        self.is_restricted = False
        # What is open -> what ends it, for a reason.
        self._open: dict[Any, Callable[[Any, str], None]] = {}
        # How many of these are connections.
        self._connections = 0

    def __repr__(self) -> str:
        return f"<Holder {self.id} on {self.account.id}>"

    @property
    def why_refused(self) -> str:
        """Why nothing of it is let in, its own reason before the account's; empty: it is."""
        return self.refused or self.account.refused

    def check_open(self) -> None:
        """Raises: NoAccess: nothing of it is let in, from wherever."""
        reason = self.why_refused
        if reason:
            raise NoAccess(reason)

    def check_room(self) -> None:
        """Raises: OverLimit: its account's plan has no more connections."""
        allowances = self.account.allowances
        if allowances is not None:
            allowances.check_connection(self.account.connections)

    def restrict(self, origins: Iterable[str], addresses: Iterable[str]) -> None:
        """From now on only these are let in.

        Args:
            origins: of pages; none: any page. What comes without an origin is no page: browsers tell those
                of all pages, but for what one asks of its own server by GET.
            addresses: networks, and ``unix``; none: from anywhere.
        """
        self._origins = frozenset(map(usual_origin, origins)) or None
        networks = tuple(addresses)
        # Networks are told as those of proxies are.
        self._networks = Proxies(networks) if networks else None
        self.is_restricted = self._origins is not None or self._networks is not None

    def check(self, origin: str | None, address: str | None) -> None:
        """Whether it is let in now, from there.

        Args:
            origin: of the page that asks, as ``wire.doors.Visit`` has it; None: there is none.
            address: who asks, as text; None: by a unix socket.
        Raises: NoAccess: it is not: ``revoked``, ``suspended``, ``expired``, ``not_yet_valid``, ``origin``,
            ``address``.
        """
        # Each request asks this: no call more than is needed.
        reason = self.refused or self.account.refused
        if reason:
            raise NoAccess(reason)
        if self._origins is not None and origin is not None and origin not in self._origins:
            raise NoAccess("origin")
        if self._networks is not None and not self._networks.trust(address):
            raise NoAccess("address")

    def move(self, account: Account) -> None:
        """It is on another account from now on, with all that it has open."""
        if self._open:
            self.account.connections -= self._connections
            del self.account.busy[self]
            account.connections += self._connections
            account.busy[self] = None
        self.account = account

    @property
    def things(self) -> tuple[Any, ...]:
        """What it has open, in the order of opening: sessions, and others."""
        return tuple(self._open)

    @property
    def connections(self) -> int:
        """How many sessions, streams and waiting polls it has open."""
        return self._connections

    def enter(self, thing: Any, end: Callable[[Any, str], None], *, connections: int = 1) -> None:
        """Something of this holder has opened; ``end(thing, reason)`` ends it and has it ``leave``.

        ``connections``: how many it counts for; 0: it is a request.
        """
        if not self._open:
            self.account.busy[self] = None
        self._open[thing] = end
        self._connections += connections
        self.account.connections += connections

    def leave(self, thing: Any, *, connections: int = 1) -> None:
        """It has closed, and counted for so many; leaving twice does nothing."""
        if self._open.pop(thing, None) is not None:
            self._connections -= connections
            self.account.connections -= connections
            if not self._open:
                del self.account.busy[self]

    def end(self, reason: str, is_meant: Callable[[Any], bool] | None = None) -> int:
        """End all that is open, at once, or what of it is meant. Returns: how much that was."""
        work = self.ending(reason, is_meant)
        while True:
            try:
                next(work)
            except StopIteration as done:
                return int(done.value)

    def ending(
        self, reason: str, is_meant: Callable[[Any], bool] | None = None
    ) -> Generator[None, None, int]:
        """The same as work for ``Slices``, which may take long: until it is done, what is left acts on.

        What closes by itself meanwhile counts, too: it was open when this began. What fails to end keeps
        nothing else open; the first such failure is raised when all the others have ended.
        """
        failures: list[Exception] = []
        ended = yield from self.attempts(reason, failures, is_meant)
        if failures:
            raise failures[0]
        return ended

    def attempts(
        self, reason: str, failures: list[Exception], is_meant: Callable[[Any], bool] | None = None
    ) -> Generator[None, None, int]:
        """The same; what fails to end is added to ``failures``."""
        ending = [(thing, end) for thing, end in self._open.items() if is_meant is None or is_meant(thing)]
        for thing, end in ending:
            if thing in self._open:
                _attempt(end, thing, reason, failures)
                yield
        return len(ending)


def _attempt(end: Callable[[Any, str], None], thing: Any, reason: str, failures: list[Exception]) -> None:
    """Apart: compiled generators and exceptions do not go well together."""
    try:
        end(thing, reason)
    except Exception as error:
        failures.append(error)
