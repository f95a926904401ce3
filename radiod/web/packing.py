"""Answers with fewer bytes: packed for those who take that, and scripts without what only readers want."""

from __future__ import annotations

import gzip
import re
from typing import Final

from msgspec.structs import replace

from radiod.wire.answer import Answer

__all__ = ["VARY", "gzipped", "takes_gzip", "without_comments"]

VARY: Final = ("Vary", "Accept-Encoding")

_COMMENT: Final = re.compile(
    rb"^[ \t]*(?:/\*\*(?:(?!\*/).)*(?:\*/[ \t]*)?|\*/|\*(?: .*)?|//.*)\n", re.MULTILINE
)


def takes_gzip(accepted: str) -> bool:
    """What ``Accept-Encoding`` says of gzip (RFC 9110, 12.5.3); silence is no yes."""
    weights: dict[str, str] = {}
    for one in accepted.lower().split(","):
        coding, _, weight = one.partition(";")
        weights[coding.strip()] = weight.strip().removeprefix("q=").strip() or "1"
    weight = weights.get("gzip", weights.get("*", "0"))
    return weight.strip("0.") != ""


def gzipped(answer: Answer, level: int = 9) -> Answer:
    """The same answer, packed."""
    fields = (*answer.fields, ("Content-Encoding", "gzip"))
    return replace(answer, content=gzip.compress(answer.content, level, mtime=0), fields=fields)


def without_comments(script: bytes, *, keeps_head: bool = False) -> bytes:
    """A script of ours without lines that hold nothing but comments.

    As ours are written, none of these lines is a part of a text.
    Args: keeps_head: whether a comment that it begins with stays: it says what the module is.
    """
    end = script.index(b"*/\n") + 3 if keeps_head and script.startswith(b"/**") else 0
    return script[:end] + _COMMENT.sub(b"", script[end:])
