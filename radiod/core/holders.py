"""Who has access: accounts pay, holders (keys and users) open doors.

Limits and usage belong to the account, so that a new key, or a new secret, resets nothing. What a holder has
open (sessions, streams, polls, calls) is listed here, for the day on which it must end.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

__all__ = ["ANONYMOUS", "Account", "Holder"]

ANONYMOUS: Final = "anonymous"
"""The account of everybody who did not say who they are."""


class Account:
    """Who pays for what its holders use.

    ``refused``: why nobody of it is let in (``suspended``), empty: they are; ``connections``: what its
    holders have open.
    """

    __slots__ = ("connections", "id", "label", "refused")

    def __init__(self, id: str, label: str = "") -> None:
        self.id = id
        self.label = label
        self.refused = ""
        self.connections = 0

    def __repr__(self) -> str:
        return f"<Account {self.id}>"


class Holder:
    """One key, or one user, on an account.

    ``id``: a key's id, a user's authid; ``refused``: why nothing of it is let in (``revoked``,
    ``suspended``, ``expired``, ``not_yet_valid``), empty: it is.
    """

    __slots__ = ("_open", "account", "id", "refused")

    def __init__(self, id: str, account: Account) -> None:
        self.id = id
        self.account = account
        self.refused = ""
        # What is open -> what ends it, for a reason.
        self._open: dict[Any, Callable[[Any, str], None]] = {}

    def __repr__(self) -> str:
        return f"<Holder {self.id} on {self.account.id}>"

    @property
    def why_refused(self) -> str:
        """Why nothing of it is let in, its own reason before the account's; empty: it is."""
        return self.refused or self.account.refused

    @property
    def connections(self) -> int:
        """How much it has open."""
        return len(self._open)

    def enter(self, thing: Any, end: Callable[[Any, str], None]) -> None:
        """Something of this holder has opened; ``end(thing, reason)`` ends it and has it ``leave``."""
        self._open[thing] = end
        self.account.connections += 1

    def leave(self, thing: Any) -> None:
        """It has closed; leaving twice does nothing."""
        if self._open.pop(thing, None) is not None:
            self.account.connections -= 1

    def end(self, reason: str) -> int:
        """End all that is open, at once. Returns: how much that was."""
        work = self.ending(reason)
        while True:
            try:
                next(work)
            except StopIteration as done:
                return int(done.value)

    def ending(self, reason: str) -> Generator[None, None, int]:
        """The same as work for ``Slices``, which may take long: until it is done, what is left acts on.

        What closes by itself meanwhile counts, too: it was open when this began.
        """
        ending = list(self._open.items())
        for thing, end in ending:
            if thing in self._open:
                end(thing, reason)
                yield
        return len(ending)
