"""What a node asks the others about their sessions: one of the router's procedures, and what that gave."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import encode

__all__ = ["Finding", "Question", "read_finding", "read_question", "write_finding", "write_question"]


class Question(Struct, array_like=True, frozen=True):
    """A procedure, and its arguments by name."""

    procedure: str
    arguments: dict[str, Any]


class Finding(Struct, array_like=True, frozen=True):
    """The first value of its result; or ``error`` and why, if that is not empty."""

    value: Any
    error: str = ""
    text: str = ""


QUESTIONS = msgspec.msgpack.Decoder(Question)
FINDINGS = msgspec.msgpack.Decoder(Finding)


def write_question(question: Question) -> bytes:
    """A question as bytes."""
    return encode(question)


def read_question(data: bytes) -> Question:
    """The question in ``data``. Raises: msgspec.MsgspecError: there is none."""
    return QUESTIONS.decode(data)


def write_finding(finding: Finding) -> bytes:
    """An answer as bytes."""
    return encode(finding)


def read_finding(data: bytes) -> Finding:
    """The answer in ``data``. Raises: msgspec.MsgspecError: there is none."""
    return FINDINGS.decode(data)
