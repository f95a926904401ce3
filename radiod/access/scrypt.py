"""Tickets that people chose, kept as scrypt (n = 2^14, r = 8, p = 1), which takes some 50 ms: in a thread.

Whoever waits for it has one of a bounded number of seats.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from radiod.core.budgets.seats import Seats
from radiod.core.promises import Promise
from radiod.errors import RadiodError

__all__ = ["Scrypt", "derive"]

N: Final = 2**14
R: Final = 8
P: Final = 1

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32

NOBODYS: Final = bytes(SALT_BYTES + HASH_BYTES)
"""What is compared with when there is nobody."""


class Scrypt:
    """Makes and checks what is kept of tickets: salt and hash, one behind the other.

    Args:
        work: has a function run in a thread, and tells what it returned.
        seats: for those who wait.
    """

    def __init__(self, work: Callable[[Callable[[], bytes]], Promise[bytes]], seats: Seats) -> None:
        self._work = work
        self._seats = seats

    def make(self, ticket: str) -> Promise[bytes]:
        """What is to be kept of a ticket. Raises: Refused: ``quota``: too many wait."""
        salt = secrets.token_bytes(SALT_BYTES)
        return self._derive(ticket, salt)

    def check(self, kept: bytes, ticket: str) -> Promise[bool]:
        """Whether that is the ticket. Raises: Refused: ``quota``: too many wait."""
        told: Promise[bool] = Promise()

        def compare(made: bytes | RadiodError) -> None:
            told.settle(made if isinstance(made, RadiodError) else hmac.compare_digest(made, kept))

        self._derive(ticket, kept[:SALT_BYTES]).then(compare)
        return told

    def spend(self, ticket: str) -> Promise[bool]:
        """As much work for nobody's ticket. Raises: Refused: ``quota``: too many wait."""
        return self.check(NOBODYS, ticket)

    def _derive(self, ticket: str, salt: bytes) -> Promise[bytes]:
        seat = self._seats.take(None, is_stranger=False)
        told: Promise[bytes] = Promise()

        def settle(made: bytes | RadiodError) -> None:
            seat.leave()
            told.settle(made)

        self._work(lambda: derive(ticket, salt)).then(settle)
        return told


def derive(ticket: str, salt: bytes) -> bytes:
    """Salt, and the hash of a ticket with it. Takes some 50 ms."""
    text = ticket.encode("utf-8", "surrogatepass")
    return salt + hashlib.scrypt(text, salt=salt, n=N, r=R, p=P, dklen=HASH_BYTES)
