"""What nodes ask each other to find out whether their mirrors are right."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode, encode
from radiod.core.cluster.sums import Sum

__all__ = [
    "AskAll",
    "AskSums",
    "CheckLetter",
    "Finding",
    "read_findings",
    "read_question",
    "read_sums",
    "write",
    "write_sums",
]


class AskSums(Struct, array_like=True, frozen=True, tag="sums"):
    """How much does the other node own of these? ``part``: names of a realm and of a part of it."""

    part: str
    tables: list[str]


class AskAll(Struct, array_like=True, frozen=True, tag="all"):
    """Check all that you mirror, and tell what you find."""


CheckLetter = AskSums | AskAll


class Finding(Struct, array_like=True, frozen=True):
    """How one node's mirror of one kind compares with what is mirrored.

    ``realm``: empty: of all; ``what``: the kind; ``of``: the name of the node that owns it, ``NATS``, or what
    it is made from; ``owned``, ``mirrored``: how many entries each has, ``owned`` is -1 if nobody told;
    ``differ``: names of some tables that are not the same.
    """

    realm: str
    what: str
    of: str
    owned: int
    mirrored: int
    is_same: bool
    differ: list[str]


QUESTIONS: Final[msgspec.msgpack.Decoder[CheckLetter]] = msgspec.msgpack.Decoder(CheckLetter)
SUMS: Final = msgspec.msgpack.Decoder(list[tuple[int, int]])
FINDINGS: Final = msgspec.msgpack.Decoder(list[Finding])


def write(letter: CheckLetter | list[Finding]) -> bytes:
    """A question, or an answer, as bytes."""
    return encode(letter)


def write_sums(sums: list[Sum]) -> bytes:
    """The answer to ``AskSums``."""
    return encode(sums)


def read_question(data: bytes) -> CheckLetter | None:
    """The question in ``data``; None: there is none."""
    return decode(QUESTIONS, data)


def read_sums(data: bytes) -> list[tuple[int, int]] | None:
    """The answer to ``AskSums``: count and digest of each table; None: there is none."""
    return decode(SUMS, data)


def read_findings(data: bytes) -> list[Finding] | None:
    """The answer to ``AskAll``; None: there is none."""
    return decode(FINDINGS, data)
