"""The record of a stream that one request with an ``Idempotency-Key`` is, as bytes."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode, encode
from radiod.wire.answer import Answer

__all__ = ["ANSWERED", "FREE", "RUNNING", "AnswerRecord", "procedure_of", "read_answer", "write_answer"]

FREE: Final = 0
RUNNING: Final = 1
ANSWERED: Final = 2


class AnswerRecord(Struct, array_like=True, frozen=True):
    """One request, and what became of it.

    ``state``: ``RUNNING``; ``ANSWERED``; ``FREE``: it came to nothing, and may be made again. ``digest``: of
    its body; ``node``: the incarnation that does it, ``name``: what that is called; ``token``: nobody else's;
    ``answer``, ``reply``: None, both: only the node that answered has it.
    """

    state: int
    digest: bytes
    node: int
    name: str
    token: str
    answer: Answer | None = None
    reply: dict[str, Any] | None = None
    size: int = 0


class Called(Struct, frozen=True):
    """As much of the body of a call as is looked at."""

    procedure: str = ""


DECODER: Final = msgspec.msgpack.Decoder(AnswerRecord)
CALLED: Final = msgspec.json.Decoder(Called)


def write_answer(record: AnswerRecord) -> bytes:
    """The record as bytes."""
    return encode(record)


def read_answer(data: bytes) -> AnswerRecord | None:
    """The record in ``data``; None: it is none of ours."""
    return decode(DECODER, data)


def procedure_of(body: bytes) -> str:
    """What a request calls, as far as its body says so; empty: nothing that is understood."""
    try:
        return CALLED.decode(body).procedure
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
