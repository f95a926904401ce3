"""What a node asks the others about their sessions: one of the router's procedures, and what that gave.

An answer may be long. It goes in pieces: the first answers the question, each further one a ``More``.
"""

from __future__ import annotations

from typing import Any, Final, TypedDict, TypeVar

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import MALFORMED, decode, encode

__all__ = [
    "Described",
    "Finding",
    "More",
    "Named",
    "Piece",
    "Question",
    "read_finding",
    "read_piece",
    "read_question",
    "value_of",
    "write_finding",
    "write_piece",
    "write_question",
]

T = TypeVar("T")

Named = list[tuple[int, str]]
"""Ids and topics, or patterns, of subscriptions."""


class Described(TypedDict):
    """A subscription, as ``describe_subscription`` tells it."""

    id: int
    created: str
    uri: str
    match: str


class Question(Struct, array_like=True, frozen=True, tag="ask"):
    """A procedure, and its arguments by name."""

    procedure: str
    arguments: dict[str, Any]


class More(Struct, array_like=True, frozen=True, tag="more"):
    """The next piece of an answer: its number, and how many bytes of it have come."""

    number: int
    at: int


class Piece(Struct, array_like=True, frozen=True):
    """Some of an answer that has ``size`` bytes. ``number``: by which there is more of it, 0: this is all."""

    number: int
    size: int
    data: bytes


class Finding(Struct, array_like=True, frozen=True):
    """The first value of its result; or ``error`` and why, if that is not empty."""

    value: Any
    error: str = ""
    text: str = ""


QUESTIONS: Final[msgspec.msgpack.Decoder[Question | More]] = msgspec.msgpack.Decoder(Question | More)
PIECES: Final = msgspec.msgpack.Decoder(Piece)
FINDINGS: Final = msgspec.msgpack.Decoder(Finding)


def write_question(question: Question | More) -> bytes:
    """A question as bytes."""
    return encode(question)


def read_question(data: bytes) -> Question | More | None:
    """The question in ``data``; None: there is none."""
    return decode(QUESTIONS, data)


def write_piece(piece: Piece) -> bytes:
    """Some of an answer as bytes."""
    return encode(piece)


def read_piece(data: bytes) -> Piece | None:
    """The piece in ``data``; None: there is none."""
    return decode(PIECES, data)


def write_finding(finding: Finding) -> bytes:
    """An answer as bytes."""
    return encode(finding)


def read_finding(data: bytes) -> Finding | None:
    """The answer in ``data``; None: there is none."""
    return decode(FINDINGS, data)


def value_of(finding: Finding, kind: type[T]) -> T | None:
    """What an answer gives; None: that is of another kind, as no node of this version gives it."""
    try:
        return msgspec.convert(finding.value, kind)
    except MALFORMED:
        return None
