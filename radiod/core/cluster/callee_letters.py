"""What nodes tell each other about their callees, and what the claim of a registration says.

A node numbers all that it tells of its callees (``version``), so that whoever mirrors them knows what it
misses. A snapshot is ``Begin``, any number of ``Part``, and ``End``.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode, encode
from radiod.wire.options import InvocationPolicy, MatchPolicy

__all__ = [
    "Added",
    "Begin",
    "CalleeFacts",
    "CalleeLetter",
    "CalleeTold",
    "End",
    "Holders",
    "Left",
    "Part",
    "Removed",
    "Want",
    "read_callees",
    "read_holders",
    "write_callees",
    "write_holders",
]


class Holders(Struct, array_like=True, frozen=True):
    """The claim of a registration: how it is invoked, and the nodes that have callees of it, in order.

    ``created``: seconds since 1970.
    """

    match: MatchPolicy
    procedure: str
    invoke: InvocationPolicy
    created: float
    nodes: tuple[int, ...]


class CalleeFacts(Struct, array_like=True, frozen=True):
    """One callee, as all nodes need to know it.

    ``order``: callees of a registration are in order of this, and of their nodes; ``signature``: as JSON.
    """

    session: int
    authid: str
    authrole: str
    features: tuple[str, ...]
    match: MatchPolicy
    procedure: str
    invoke: InvocationPolicy
    created: float
    order: int
    concurrency: int | None
    forward_timeout: bool
    disclose_caller: bool
    force_reregister: bool
    signature: bytes


class Added(Struct, array_like=True, frozen=True, tag="added"):
    """A callee is there, or has changed. ``takes_over``: those of its registration before it have lost it."""

    version: int
    callee: CalleeFacts
    takes_over: bool = False


class Removed(Struct, array_like=True, frozen=True, tag="removed"):
    """A session does not have a registration any more."""

    version: int
    session: int
    registration: int


class Left(Struct, array_like=True, frozen=True, tag="left"):
    """A session that had registrations has left."""

    version: int
    session: int


class Begin(Struct, array_like=True, frozen=True, tag="begin"):
    """All callees follow, as of this version and what is told meanwhile."""

    version: int


class Part(Struct, array_like=True, frozen=True, tag="part"):
    """Some of all callees."""

    callees: tuple[CalleeFacts, ...]


class End(Struct, array_like=True, frozen=True, tag="end"):
    """These were all."""


class Want(Struct, array_like=True, frozen=True, tag="want"):
    """Tell all your callees again."""


CalleeTold = Added | Removed | Left | Begin | Part | End

CalleeLetter = CalleeTold | Want

DECODER: Final[msgspec.msgpack.Decoder[CalleeLetter]] = msgspec.msgpack.Decoder(CalleeLetter)
HOLDERS = msgspec.msgpack.Decoder(Holders)


def write_callees(letter: CalleeLetter) -> bytes:
    """A letter as bytes."""
    return encode(letter)


def read_callees(data: bytes) -> CalleeLetter | None:
    """The letter in ``data``; None: there is none."""
    return decode(DECODER, data)


def write_holders(holders: Holders) -> bytes:
    """The value of a claim."""
    return encode(holders)


def read_holders(value: bytes) -> Holders | None:
    """What a claim says; None: nothing."""
    return decode(HOLDERS, value)
