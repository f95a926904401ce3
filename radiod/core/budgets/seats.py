"""A bounded number of something, shared fairly by those who take it: who has much is refused first.

Each party, a role at an address, say, may hold as many as are still free. One alone gets half of them, two
get a third each, and there is always one for who comes next. Strangers never get the last quarter.

Source: dynamic thresholds for shared buffers, Choudhury and Hahne, IEEE/ACM Transactions on Networking 6
(1998).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from radiod.errors import QUOTA, Refused

__all__ = ["RESERVED", "Seat", "Seats"]

RESERVED: Final = 4
"""One in so many is for those who have proved who they are."""


class Seat:
    """One of them, until ``leave``."""

    __slots__ = ("_is_stranger", "_party", "_seats")

    def __init__(self, seats: Seats, party: Hashable | None, is_stranger: bool) -> None:
        self._seats: Seats | None = seats
        self._party = party
        self._is_stranger = is_stranger

    def leave(self) -> None:
        """Give it back; once is enough."""
        seats, self._seats = self._seats, None
        if seats is not None:
            seats.returned(self._party)

    def move(self, party: Hashable | None, *, is_stranger: bool) -> None:
        """It turns out to be somebody else's. Raises: Refused: who has enough; it was given back."""
        seats = self._seats
        if seats is not None:
            self.leave()
            seats.admit(party, is_stranger)
            self._seats, self._party, self._is_stranger = seats, party, is_stranger


class Seats:
    """All of one kind.

    Args:
        size: how many there are.
        refused: ``Statistics.refused``; ``name``: what of it counts here.
        what: they are, for people: ``{size} {what}``.
    """

    def __init__(self, size: int, refused: dict[str, int], name: str, what: str) -> None:
        self._size = size
        self._refused = refused
        self._name = name
        self._what = what
        self._taken = 0
        self._by_party: dict[Hashable, int] = {}

    def __len__(self) -> int:
        """How many are taken."""
        return self._taken

    def take(self, party: Hashable | None, *, is_stranger: bool) -> Seat:
        """One for ``party``; None: nobody knows whose it is, so it has no share.

        Raises: Refused: ``quota``: there is none, or the party has its share.
        """
        self.admit(party, is_stranger)
        return Seat(self, party, is_stranger)

    def admit(self, party: Hashable | None, is_stranger: bool) -> None:
        """Count one more. Raises: Refused: as ``take``."""
        free = self._size - self._taken - (self._size // RESERVED if is_stranger else 0)
        held = self._by_party.get(party, 0) if party is not None else 0
        if free <= held:
            self._refused[self._name] += 1
            raise Refused(QUOTA, f"of {self._size} {self._what} there are none left for you now")
        self._taken += 1
        if party is not None:
            self._by_party[party] = held + 1

    def returned(self, party: Hashable | None) -> None:
        """Count one less."""
        self._taken -= 1
        if party is not None:
            held = self._by_party[party] - 1
            if held:
                self._by_party[party] = held
            else:
                del self._by_party[party]
