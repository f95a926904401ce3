"""What a claim is, and what is asked of those who have to do with claims."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from radiod.errors import STORE_UNAVAILABLE, Refused

__all__ = [
    "LOST",
    "Claim",
    "ClaimSettings",
    "ClaimWatcher",
    "Decide",
    "Node",
    "Taken",
    "cannot_agree",
    "subject_of",
]

LOST: Final = "lost"
"""Why a claim has ended whose stream is no more, and another one in its place."""


class Claim(NamedTuple):
    """One claim: of which part of a node, under which key, its value; who wrote that, and its number.

    ``end``: of one that is no more: why, as whoever released it has said; ``LOST``: nobody has; empty: nobody
    knows.
    """

    about: str
    key: str
    value: bytes
    node: int
    revision: int
    end: str = ""


class ClaimSettings(NamedTuple):
    """How claims are kept.

    ``stream``: its name; ``prefix``: of its subjects; ``patience_s``: how long a write is tried, at most
    as long as the stream knows ids; ``audit_s``: between two audits; ``ended_s``: how long the end of a claim
    is kept; ``most``: how many there may be.
    """

    stream: str
    prefix: str
    patience_s: float = 10.0
    audit_s: float = 10.0
    ended_s: float = 3600.0
    most: int = 1_000_000


class Taken(Refused):
    """Somebody was faster. ``current``: what is there now; None: nothing is."""

    def __init__(self, current: Claim | None) -> None:
        super().__init__(STORE_UNAVAILABLE, "another node was faster")
        self.current: Final = current


class Node(Protocol):
    """Who we are: ``Peers`` knows."""

    @property
    def me(self) -> int:
        """Our incarnation."""

    @property
    def is_isolated(self) -> bool:
        """Whether we hear nobody, so that nothing is agreed on."""

    def note_malformed(self, about: str, node: int = 0) -> None:
        """As ``Peers.note_malformed``."""


class ClaimWatcher(Protocol):
    """A part that minds its claims, whoever changes them."""

    def claimed(self, claim: Claim) -> None:
        """There is a new claim, or another value of one."""

    def released(self, claim: Claim) -> None:
        """A claim is no more; this was its last value."""


Decide = Callable[[Claim | None], "bytes | None"]
"""What becomes of a claim: takes what it is now, None: there is none. Returns the new value, the same for no
change, or None to release it. Raises: Refused. It may be asked several times."""


def cannot_agree(why: str) -> Refused:
    """The refusal of what the nodes would have to agree on."""
    return Refused(STORE_UNAVAILABLE, f"the cluster cannot agree: {why}")


def subject_of(prefix: str, about: str, key: str) -> str:
    """The subject of a claim: what it is about, and its key, may have any characters."""
    return f"{prefix}.{_digest(about)}.{_digest(key)}"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=15).hexdigest()
